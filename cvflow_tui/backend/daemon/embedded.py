"""The daemon on a thread of the app."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from cvflow_tui.backend.daemon.daemon import Daemon
from cvflow_tui.backend.daemon.logs import log_to_file
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError

log = logging.getLogger(__name__)


class EmbeddedDaemon:
    """Runs a Daemon on an event loop and a thread of its own, so that no work of it holds up a key."""

    def __init__(self, home: Home) -> None:
        home.make()
        log_to_file(home)
        self._daemon = Daemon(home, embedded=True)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="daemon", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._daemon.url

    @property
    def token(self) -> str:
        """The word that opens it."""
        return self._daemon.token

    def start(self, seconds: float = 30.0) -> None:
        """Begin to serve; returns when requests are answered. Raises CvflowError with why it could not."""
        self._thread.start()
        deadline = time.monotonic() + seconds
        while not self._daemon.started:
            if self._failure is not None or not self._thread.is_alive():
                raise CvflowError(f"the daemon could not start: {self._failure or 'it ended at once'}") from self._failure
            if time.monotonic() > deadline:
                raise CvflowError(f"the daemon did not answer within {seconds:.0f} s; see logs/daemon.log in the home folder")
            time.sleep(0.01)

    def stop(self, *, stop_solvers: bool = False, seconds: float = 15.0) -> None:
        """End it and wait for it."""
        self._daemon.stop(stop_solvers=stop_solvers)
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            asyncio.run(self._daemon.serve())
        except Exception as error:
            log.exception("the daemon ended")
            self._failure = error
