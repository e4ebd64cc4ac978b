"""The daemon: takes the home's lock, opens the rooms, serves the API, leaves in order."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cached_property

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from cvflow_tui import __version__
from cvflow_tui.backend.api import Services, build_api
from cvflow_tui.backend.daemon.compose import Rooms
from cvflow_tui.backend.daemon.hosts import allowed_hosts
from cvflow_tui.backend.daemon.lock import GLANCE_SECONDS, WAIT_SECONDS, HomeLock
from cvflow_tui.backend.daemon.logs import log_to_file
from cvflow_tui.backend.daemon.token import ensure_token
from cvflow_tui.backend.private_file import write_private
from cvflow_tui.backend.processes import boot_id, start_time
from cvflow_tui.backend.runtime.ports import agreed_address, listen
from cvflow_tui.backend.runtime.runner.protocol import BoundedProtocol
from cvflow_tui.backend.store import Ballast, open_state
from cvflow_tui.home import Home
from cvflow_tui.model.daemon import DaemonStatus

log = logging.getLogger(__name__)

THREADS = 64
"""Requests that may be held at once (long polls hold one each)."""
IDLE_SECONDS = 75
"""How long an idle connection stays open. Well above the five seconds that clients (httpx, most pools) keep theirs: were both
the same, a request could be sent on a connection that is being closed, and fail."""

LOOK_SECONDS = 2.0
"""How often it is looked whether clients can still find the daemon."""


class Daemon:
    """Serves one home folder until told to stop.

    Opening raises RefusedError when another daemon has the home or the port, with who has it, and for an address that other machines
    can reach unless `i_know`.
    """

    def __init__(
        self,
        home: Home,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        embedded: bool = False,
        legacy_port: int | None = None,
        i_know: bool = False,
    ) -> None:
        agreed_address(host, i_know)
        home.make()
        self._home = home
        self._embedded = embedded
        self._began = time.monotonic()
        self._stop_solvers = False
        self._announcing = threading.Lock()
        with ExitStack() as opened:
            # An app goes on looking by itself, and must be free to be left meanwhile.
            self._lock = HomeLock(home, GLANCE_SECONDS if embedded else WAIT_SECONDS)
            opened.callback(self._lock.release)
            if any(home.runs.glob("*.json")):  # on a full disk too there must be a way to see what serves, and to end it
                Ballast(home.ballast).give_up()
            self._socket = opened.enter_context(listen(port, host))
            self.url = "http://{}:{}".format(*_address(self._socket))
            self.token = ensure_token(home)
            self._state = opened.enter_context(closing(open_state(home)))
            self._rooms = Rooms(home, self._state)
            services, hosts = self._services(), allowed_hosts(host)
            app: ASGIApp = build_api(services, self.token, hosts)
            self._sockets = [self._socket]
            self._legacy_url: str | None = None
            if legacy_port is not None:
                from cvflow_tui.backend.api.legacy import build_legacy

                legacy = opened.enter_context(listen(legacy_port, host))
                self._sockets.append(legacy)
                self._legacy_url = "http://{}:{}".format(*_address(legacy))
                app = _by_port(app, legacy.getsockname()[1], build_legacy(services, self.token, hosts))
            self._opened = opened.pop_all()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            http=BoundedProtocol,  # nobody who has shown no token fills our memory with headers, or keeps a connection by sending none
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=3,
        )
        self._server = _Server(config)

    @property
    def started(self) -> bool:
        """Whether requests are answered."""
        return self._server.started

    async def serve(self, serving: Callable[[DaemonStatus], None] | None = None) -> None:
        """Serve until `stop` (or a client's shutdown); then close everything in order. `serving` is told who serves, and where."""
        import anyio.to_thread

        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        try:
            await asyncio.to_thread(self._rooms.recover)
            self._announce()
            log.info("serving %s at %s", self._home.root, self.url)
            if serving is not None:  # the port listens already: whoever calls now is answered as soon as we are up
                serving(self.status())
            announced = asyncio.create_task(self._stay_announced())
            try:
                await self._server.serve(self._sockets)
            finally:
                announced.cancel()
        finally:
            await asyncio.to_thread(self._close)

    def stop(self, *, stop_solvers: bool = False) -> None:
        """Ask the daemon to end. Thread-safe."""
        self._stop_solvers = self._stop_solvers or stop_solvers
        self._rooms.let_go()
        self._server.should_exit = True
        self._withdraw()

    async def _stay_announced(self) -> None:
        """Whoever deletes or damages the file would lock everybody out of a daemon that lives and holds the home."""
        file = self._home.daemon_file
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(OSError, ValueError):
                if file.is_file() and file.read_text("utf-8") == self._told:  # a pipe would be read for ever
                    continue
            if self._server.should_exit:
                return
            with suppress(OSError):  # a full disk, a home that is gone: the next time
                self._announce()
                log.warning("%s was gone or damaged: written again", file)

    @cached_property
    def _told(self) -> str:
        """What clients find us by."""
        told = {"url": self.url, "pid": os.getpid(), "start_time": start_time(), "boot_id": boot_id(), "version": __version__}
        return json.dumps(told)

    def _announce(self) -> None:
        with self._announcing:
            if not self._server.should_exit:
                write_private(self._home.daemon_file, self._told)

    def _withdraw(self) -> None:
        """Nobody is to come any more: the next daemon, and whoever starts it, waits for the home from here on."""
        with self._announcing:
            self._home.daemon_file.unlink(missing_ok=True)

    def _close(self) -> None:
        self._withdraw()
        self._rooms.close(stop_solvers=self._stop_solvers)
        self._opened.close()
        log.info("ended")

    def _services(self) -> Services:
        rooms = self._rooms
        return Services(
            packages=rooms.packages,
            supervisor=rooms.supervisor,
            upgrader=rooms.upgrader,
            projects=rooms.projects,
            learning=rooms.learning,
            jobs=rooms.jobs,
            status=self.status,
            # after the reply has gone out
            shutdown=lambda stop_solvers: threading.Timer(0.1, self.stop, kwargs={"stop_solvers": stop_solvers}).start(),
        )

    def status(self) -> DaemonStatus:
        """Who serves, and since when."""
        live = sum(solver.state.is_live for solver in self._rooms.supervisor.solvers())
        uptime = time.monotonic() - self._began
        return DaemonStatus(self.url, os.getpid(), __version__, str(self._home.root), uptime, self._embedded, live, self._legacy_url)


def run_daemon(
    home: Home,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    legacy_port: int | None = None,
    i_know: bool = False,
    serving: Callable[[DaemonStatus], None] | None = None,
) -> None:
    """`cvflow daemon run`: serve until SIGTERM, SIGINT or a client's shutdown. Solvers outlive it.

    `serving` is told once the home is announced. With a `legacy_port` the original daemon's routes are served there.
    """
    home.make()
    log_to_file(home)
    daemon = Daemon(home, host=host, port=port, legacy_port=legacy_port, i_know=i_know)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, daemon.stop)
        await daemon.serve(serving)

    asyncio.run(main())


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they belong to the app, or to `run_daemon`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process' handlers as they are."""
        yield


def _by_port(app: ASGIApp, port: int, other: ASGIApp) -> ASGIApp:
    """`other` at one port, `app` everywhere else."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        await (other if (scope.get("server") or ("", 0))[1] == port else app)(scope, receive, send)

    return routed


def _address(listening: socket.socket) -> tuple[str, int]:
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"[{host}]" if ":" in host else host, port
