"""The workstation behind `cvflow` and `cvflow app`. Imports no click: the first paint does not wait for it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import RefusedError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.backend.daemon import EmbeddedDaemon


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
        """A client that was answered once; `prepare` has been done with it."""
        import asyncio

        from cvflow_tui.backend.client import DaemonClient
        from cvflow_tui.model.errors import RemoteError

        client = await self._session.find(self._session.home)
        if client is not None:
            try:
                await client.status()
            except RemoteError:
                await client.close()
                client = None
        if client is None:
            daemon = await asyncio.to_thread(self._embed)
            client = DaemonClient(daemon.url, daemon.token)
        if self._prepare is not None:
            await self._prepare(client)
        return client

    def _embed(self) -> EmbeddedDaemon:
        from cvflow_tui.backend.daemon import EmbeddedDaemon

        daemon = EmbeddedDaemon(self._session.home)
        daemon.start()
        self._embedded = daemon
        return daemon

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
