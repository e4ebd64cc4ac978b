"""The workstation behind `cvflow` and `cvflow app`. Imports no click: the first paint does not wait for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import RefusedError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonAddress, DaemonClient
    from cvflow_tui.backend.daemon import EmbeddedDaemon

HANDOVER_SECONDS = 25.0
"""How long a daemon that holds the home without answering may take to come or to go."""


def on_a_terminal() -> bool:
    """Whether keys can be read and a screen be drawn (Textual draws on stderr)."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


class Backend:
    """The daemon behind the app: one that already serves the home, or else one on a thread of this process."""

    def __init__(self, session: Session, prepare: Callable[[DaemonClient], Awaitable[object]] | None = None) -> None:
        self._session = session
        self._prepare = prepare
        self._embedded: EmbeddedDaemon | None = None

    async def client(self) -> DaemonClient:
        """A client that was answered once; `prepare` has been done with it. Should its daemon end, it finds or makes the next one."""
        from cvflow_tui.backend.client import DaemonClient

        client = DaemonClient.at(await self.serving(), successor=self.serving)
        if self._prepare is not None:
            await self._prepare(client)
        return client

    async def serving(self) -> DaemonAddress:
        """Where the home is served: by a daemon that answers, or else by our own. Raises a CvflowError that says why it is not."""
        import asyncio

        from cvflow_tui.backend.client import answering
        from cvflow_tui.backend.daemon.lock import HomeTaken

        deadline = time.monotonic() + HANDOVER_SECONDS
        while True:
            if (address := await answering(self._session.home)) is not None:
                return address
            try:
                return await asyncio.to_thread(self._embed)
            except HomeTaken:
                # A daemon that holds the home without answering is about to come, or about to end.
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)

    def _embed(self) -> DaemonAddress:
        import os

        from cvflow_tui.backend.client import DaemonAddress
        from cvflow_tui.backend.daemon import EmbeddedDaemon

        daemon = EmbeddedDaemon(self._session.home)
        daemon.start()
        self._embedded = daemon
        return DaemonAddress(daemon.url, daemon.token, os.getpid())

    def close(self) -> None:
        """End our own daemon, if there is one. Solvers go on serving; the app has asked about them."""
        if self._embedded is not None:
            self._embedded.stop()


def open_app(session: Session, *, project: str | None = None, demo: bool = False) -> int:
    """Run the app until the user leaves it; returns the exit code. Raises RefusedError where there is no terminal."""
    if not on_a_terminal():
        raise RefusedError("the workstation needs a terminal; without one use the commands, see: cvflow --help")
    from cvflow_tui.app import CvflowApp

    prepare = None
    if demo:
        from cvflow_tui.demo import PROJECT, ensure_project, photographs

        # says that the photographs are missing before the screen is taken
        photographs()
        project, prepare = PROJECT, ensure_project
    backend = Backend(session, prepare)
    try:
        app = CvflowApp(backend.client, "annotate" if project else "hub", project)
        app.run()
    finally:
        backend.close()
    return app.return_code or 0
