"""The one seam between the commands and the daemon: which home, and how its daemon is reached."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonAddress, DaemonClient
    from cvflow_tui.home import Home

T = TypeVar("T")


async def connect_or_start(home: Home) -> DaemonClient:
    """A client of the daemon that serves this home; one is started in the background where there is none, or where that one ends before
    it has been asked.
    """
    from cvflow_tui.backend.client import answered

    async def next_one() -> DaemonAddress | None:
        from cvflow_tui.backend.client import find_daemon

        async with await _started(home):
            return find_daemon(home)

    if (client := await answered(home)) is None:
        return await _started(home)
    client.begin_with(next_one)
    return client


async def _started(home: Home) -> DaemonClient:
    # only now: the daemon's rooms take longer to import than a command may take
    from cvflow_tui.backend.daemon.reach import connect

    return await connect(home)


async def connect_if_running(home: Home) -> DaemonClient | None:
    """A client of the daemon that serves this home, or None. Starts nothing."""
    from cvflow_tui.backend.client import DaemonClient, find_daemon

    address = find_daemon(home)
    return None if address is None else DaemonClient.at(address)


@dataclass
class Session:
    """What every command is handed. `connect` and `find` are replaced by tests."""

    connect: Callable[[Home], Awaitable[DaemonClient]] = connect_or_start
    find: Callable[[Home], Awaitable[DaemonClient | None]] = connect_if_running
    debug: bool = False
    _home: Home | None = field(default=None, repr=False)

    @property
    def home(self) -> Home:
        """The home folder: `--home`, else `$CVFLOW_HOME`, else the platform's place."""
        from cvflow_tui.home import Home

        if self._home is None:
            self._home = Home.default()
        return self._home

    @property
    def home_was_chosen(self) -> bool:
        """Whether the user named a home, rather than taking the platform's place."""
        return self._home is not None or bool(os.environ.get("CVFLOW_HOME"))

    def choose_home(self, root: Path | str | None) -> None:
        """Take the folder that `--home` named, if it did. Raises UsageError for a name of nothing, such as that of an unset variable."""
        from cvflow_tui.home import Home
        from cvflow_tui.model.errors import UsageError

        if root is not None:
            if root == "":
                raise UsageError("--home needs a folder, and was given nothing")
            self._home = Home(Path(root).expanduser().absolute())

    def run(self, work: Callable[[DaemonClient], Awaitable[T]]) -> T:
        """Do `work` with a client of the daemon, starting one where there is none.

        Ctrl-C cancels the work (it sees CancelledError once) and then raises KeyboardInterrupt; SIGTERM does the same, with Terminated.
        """

        async def main() -> T:
            async with await self.connect(self.home) as client:
                return await work(client)

        return _run(main())

    def run_if_up(self, work: Callable[[DaemonClient], Awaitable[T]]) -> T:
        """Do `work` with the daemon that runs. Raises NotFoundError where none does."""
        from cvflow_tui.model.errors import NotFoundError

        async def main() -> T:
            client = await self.find(self.home)
            if client is None:
                raise NotFoundError(f"no daemon serves {self.home.root}; commands start one, or: cvflow daemon run")
            async with client:
                return await work(client)

        return _run(main())


class Terminated(KeyboardInterrupt):
    """SIGTERM: what was begun is called off as for Ctrl-C."""


def _run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio
    import signal

    told = False

    async def main() -> T:
        task = asyncio.current_task()

        def terminate() -> None:
            nonlocal told
            told = True
            if task is not None:
                task.cancel()

        # A system's loop may have no such handlers (Windows), and only the main thread may set any: SIGTERM ends us there as ever.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if told:
            raise Terminated from None
        raise
