"""What the routes work with: every room's public object, put together by `backend/daemon/compose.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.jobs import JobBoard
from cvflow_tui.backend.learning.service import LearningService
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.upgrader import Upgrader
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.model.circumstances import HEADER, LIMIT, Circumstances
from cvflow_tui.model.daemon import DaemonStatus


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms behind the API."""

    packages: PackageService
    supervisor: Supervisor
    upgrader: Upgrader
    projects: ProjectService
    learning: LearningService
    jobs: JobBoard
    status: Callable[[], DaemonStatus]
    shutdown: Callable[[bool], None]
    """Ends the daemon after the reply; True stops the solvers too."""


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Rooms = Annotated[Services, Depends(_services)]
"""A route's parameter that brings the rooms in."""


def _caller(
    told: Annotated[
        str | None,
        Header(alias=HEADER, max_length=LIMIT, description="The sender's variables for fetching (proxies, pip's, offline), as JSON."),
    ] = None,
) -> Circumstances:
    return Circumstances.here() if told is None else Circumstances.read(told)


Caller = Annotated[Circumstances, Depends(_caller)]
"""A route's parameter: in which circumstances somebody asks; the daemon's own where the request does not say."""
