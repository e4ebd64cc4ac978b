"""Keeps a log view filled from a solver's log and its older files."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvflow_tui.model.errors import CvflowError, NotFoundError
from cvflow_tui.model.solvers import LogChunk, LogLine
from cvflow_tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

PIECE = 65_536
"""Bytes asked for at a time."""
WAIT = 2.0
"""Seconds the daemon holds a request while the log says nothing new: short, for each one that is given up costs it a thread so long."""


@dataclass(slots=True)
class Window:
    """Which part of the log the view holds: from a byte of one of its files to a byte of the same or a later one."""

    first_file: str
    start: int
    before: str
    """The file before the first one; empty where none is kept."""
    last_file: str
    end: int
    live: bool
    """Whether its end is the log's."""

    @classmethod
    def of(cls, above: LogChunk, below: LogChunk | None = None) -> Window:
        """The window of a chunk, or of two that lie one behind the other."""
        below = below or above
        return cls(above.file, above.start, above.before, below.file, below.end, not below.after and below.end >= below.size)


class LogFollower:
    """Follows one solver's log at a time, or shows a place in it; knows how much of it the view holds."""

    def __init__(self, client: DaemonClient, view: LogView) -> None:
        self._client, self._view = client, view
        self.name: str | None = None
        """The solver whose log it is."""
        self._window = Window("", 0, "", "", 0, True)
        self._moving = asyncio.Lock()
        """Held while the window moves: two that look for more at once would bring the same."""
        self._live = asyncio.Event()
        """Set while the view holds the log's end."""
        self._read = False
        """Whether the view holds what the daemon answered of this log."""
        self._failed = False

    @property
    def empty(self) -> str:
        """What is to be said where the view is empty: nothing was answered yet is not that nothing was said."""
        if self.name is None:
            return ""
        if self._failed:
            return "It could not be read."
        return "It has said nothing yet." if self._read else "reading …"

    def forget(self) -> None:
        """Follow nothing."""
        self.name, self._read, self._failed = None, False, False
        self._view.clear()

    async def follow(self, name: str) -> None:
        """Fill the view for as long as this runs; going on with the same solver asks only for what is new. Raises CvflowError."""
        if name != self.name or not self._read:
            self.forget()
            self.name = name
            try:
                await self.to_end()
            except CvflowError:
                self._failed = True
                self._view.clear()  # which says so
                raise
        while True:
            await self._live.wait()
            window = self._window
            try:
                chunk = await self._client.solver_log(name, file=window.last_file, offset=window.end, limit=PIECE, wait=WAIT)
            except NotFoundError:
                if not window.last_file:
                    raise
                await self.to_end()  # turned over so often meanwhile that nothing of it is kept
                continue
            if window is self._window and window.live:
                await self._take(chunk)

    async def _take(self, chunk: LogChunk) -> None:
        window = self._window
        if chunk.size < window.end:
            # The log was begun anew: what the view holds is no part of it.
            await self.to_end()
        elif chunk.after and not chunk.text:
            window.last_file, window.end = chunk.after, 0
        else:
            window.last_file, window.end = chunk.file, chunk.end
            self._view.write(chunk.text)

    async def to_end(self) -> None:
        """Show the log's end, and follow it. Raises CvflowError."""
        if self.name is None:
            return
        async with self._moving:
            chunk = await self._client.solver_log(self.name, limit=PIECE)
            self._set(Window.of(chunk))
            self._view.clear()
            self._window.live = True  # also where its last line is not whole yet
            self._live.set()
            self._view.write(chunk.text)

    async def show(self, line: LogLine) -> None:
        """Show a line that was found, with what lies around it. Raises CvflowError, NotFoundError where it is gone meanwhile."""
        if self.name is None:
            return
        async with self._moving:
            above = await self._client.solver_log(self.name, file=line.file, until=line.start, limit=PIECE)
            below = await self._client.solver_log(self.name, file=line.file, offset=line.start, limit=PIECE)
            self._set(Window.of(above, below))
            self._view.show_at(above.text + below.text, above.text.count("\n"), live=self._window.live)

    def _set(self, window: Window) -> None:
        self._window, self._read, self._failed = window, True, False
        if window.live:
            self._live.set()
        else:
            self._live.clear()

    async def earlier(self) -> None:
        """Put the piece before the first line in front. Raises CvflowError."""
        if self.name is None or self._moving.locked():
            return
        async with self._moving:
            window = self._window
            if window.start > 0:
                chunk = await self._client.solver_log(self.name, file=window.first_file, until=window.start, limit=PIECE)
            elif window.before:
                chunk = await self._client.solver_log(self.name, file=window.before, limit=PIECE)
            else:
                return
            if window is self._window:
                window.first_file, window.start, window.before = chunk.file, chunk.start, chunk.before
                self._view.write_before(chunk.text)

    async def later(self) -> None:
        """Put the piece behind the last line there, where that is not the log's. Raises CvflowError."""
        if self.name is None or self._moving.locked():
            return
        async with self._moving:
            window = self._window
            if window.live:
                return
            chunk = await self._client.solver_log(self.name, file=window.last_file, offset=window.end, limit=PIECE)
            if chunk.after and not chunk.text:
                chunk = await self._client.solver_log(self.name, file=chunk.after, offset=0, limit=PIECE)
            window.last_file, window.end = chunk.file, chunk.end
            window.live = not chunk.after and (chunk.end >= chunk.size or not chunk.text)
            self._set(window)
            self._view.write_after(chunk.text, live=window.live)
