"""What starts without being asked when the daemon starts: what is set to, what ran when the machine went down, and whose runner died
while there was no daemon.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.backend.runtime.settings import in_order
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.model.errors import CvflowError, NotFoundError

log = logging.getLogger(__name__)


class Revival:
    """Starts them on a thread of its own, one after the other, each behind those it comes after (setting `after`).

    `spec_of` tells how an installed solver is run. What fails stays to be seen, and holds up none of the others.
    """

    def __init__(self, supervisor: Supervisor, spec_of: Callable[[str], RunSpec]) -> None:
        self._supervisor = supervisor
        self._spec_of = spec_of
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, rebooted: Sequence[Run] = (), died: Sequence[Run] = ()) -> None:
        """Start what is to be started; `rebooted` is what ran when the machine went down, `died` what ended without a daemon to see it."""
        wanted = self.wanted(rebooted, died)
        if wanted:
            self._thread = threading.Thread(target=self._work, args=(wanted,), name="revival", daemon=True)
            self._thread.start()

    def wanted(self, rebooted: Sequence[Run] = (), died: Sequence[Run] = ()) -> list[tuple[str, int | None]]:
        """Which solvers are started, in order, each with the port it had."""
        settings = self._supervisor.settings.all()
        ports = {run.name: run.port for run in rebooted if run.name not in settings or settings[run.name].restore}
        ports |= {run.name: run.port for run in died}
        names = {name for name, each in settings.items() if each.autostart} | ports.keys()
        order = in_order({name: each.after for name, each in settings.items()}, dict.fromkeys(names))
        return [(name, ports.get(name)) for name in order]

    def let_go(self) -> None:
        """Start no more."""
        self._over.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait until all were started."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self, wanted: Sequence[tuple[str, int | None]]) -> None:
        for name, port in wanted:
            if self._over.is_set():
                return
            try:
                self._start(name, port)
            except Exception:
                log.exception("%s could not be started", name)  # a thread has nobody to raise to

    def _start(self, name: str, port: int | None) -> None:
        version = ""
        try:
            spec = self._spec_of(name)
            version = spec.version
            self._supervisor.start_near(spec, port, wait=False)
        except NotFoundError as error:
            log.info("%s is not started: %s", name, error.message)
        except CvflowError as error:
            log.warning("%s is not started: %s", name, error.message)
            self._supervisor.failed(name, version, error.message)
        else:
            self._supervisor.settle(name)
