"""`/status`, `/shutdown`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cvflow_tui.backend.api.body import AsJson
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.daemon import DaemonStatus

router = routes("daemon")


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How to end."""

    stop_solvers: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """That it does."""

    ending: bool = True


@router.get("/status")
def status(rooms: Rooms) -> DaemonStatus:
    """Who serves, and since when."""
    return rooms.status()


@router.post("/shutdown", status_code=202)
def shutdown(rooms: Rooms, how: Annotated[Shutdown, AsJson()]) -> Ending:
    """End the daemon; solvers go on serving unless told otherwise."""
    rooms.shutdown(how.stop_solvers)
    return Ending()
