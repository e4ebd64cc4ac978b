"""Keeps a log view filled from a solver's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvflow_tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

PIECE = 65_536
"""Bytes asked for at a time."""
WAIT = 2.0
"""Seconds the daemon holds a request while the log says nothing new: short, for each one that is given up costs it a thread so long."""


class LogFollower:
    """Follows one solver's log at a time; knows how much of it the view holds."""

    def __init__(self, client: DaemonClient, view: LogView) -> None:
        self._client, self._view = client, view
        self.name: str | None = None
        """The solver whose log it is."""
        self._start = self._end = 0

    def forget(self) -> None:
        """Follow nothing."""
        self.name = None
        self._view.clear()

    async def follow(self, name: str) -> None:
        """Fill the view for as long as this runs; going on with the same solver asks only for what is new. Raises CvflowError."""
        if name != self.name:
            self.forget()
            self.name = name
            await self._begin(name)
        while True:
            chunk = await self._client.solver_log(name, offset=self._end, limit=PIECE, wait=WAIT)
            if chunk.size < self._end:
                # The log was begun anew: what the view holds is no part of it.
                self._view.clear()
                await self._begin(name)
                continue
            self._end = chunk.end
            self._view.write(chunk.text)

    async def _begin(self, name: str) -> None:
        chunk = await self._client.solver_log(name, limit=PIECE)
        text, self._start, self._end = chunk.text, chunk.start, chunk.end
        if chunk.start > 0:
            # It begins in the middle of a line.
            head, _, text = text.partition("\n")
            self._start += len(head.encode()) + 1
        self._view.write(text)

    async def earlier(self) -> None:
        """Put the piece before the first line in front. Raises CvflowError."""
        if self.name is None or self._start <= 0:
            return
        begin = max(0, self._start - PIECE)
        chunk = await self._client.solver_log(self.name, offset=begin, limit=self._start - begin)
        text, start = chunk.text, chunk.start
        if begin > 0 and "\n" in text[:-1]:
            head, _, text = text.partition("\n")
            start += len(head.encode()) + 1
        self._start = start
        self._view.write_before(text)
