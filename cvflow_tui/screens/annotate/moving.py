"""Nudging and resizing: many key presses, one act."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from cvflow_tui.model.errors import RefusedError
from cvflow_tui.screens.annotate.acts import change_of
from cvflow_tui.screens.annotate.boxes import Resizing, fits, shifted, stretched
from cvflow_tui.screens.annotate.rows import Row
from cvflow_tui.screens.annotate.session import Session

SILENCE = 0.4
"""Seconds without a nudge after which the box's new place becomes an act."""


class Moving:
    """Holds the draft of a moved box and turns it into one act after a silence, or before anything else is done."""

    def __init__(self, session: Session, silence: float = SILENCE) -> None:
        self._session = session
        self._silence = silence
        self._timer: asyncio.TimerHandle | None = None
        session.before = self.commit

    async def nudge(self, dx: float, dy: float) -> None:
        """Move the selected box by (dx, dy) pixels, as a draft. A bare intent: it must not commit the nudges before it."""
        session = self._session
        row = self._movable()
        if session.moved is not None and session.moved[0] != row.key:
            await self.commit()
        box = session.moved[1] if session.moved else row.box
        session.moved = (row.key, shifted(box, dx, dy, session.size))
        self._wait()
        session.listener.changed()

    async def commit(self) -> None:
        """Have the draft journalled as one Edit or Fix. Where that fails the draft is gone and the box is where it was."""
        self._stop()
        session = self._session
        if session.moved is None:
            return
        (key, box), session.moved = session.moved, None
        row = next((each for each in session.rows if each.key == key), None)
        if row is None or box == row.box:
            session.listener.changed()
            return
        try:
            await session.act(change_of(row, row.label, box))
        finally:
            session.listener.changed()

    async def begin_resize(self) -> None:
        """Start to resize the selected box: arrows move its bottom right corner."""
        row = self._movable()
        self._session.resizing = (row.key, Resizing(row.box))
        self._session.listener.changed()

    async def stretch(self, dx: float, dy: float) -> None:
        """Move the corner that is held."""
        session = self._session
        if session.resizing is not None:
            key, now = session.resizing
            session.resizing = (key, replace(now, box=stretched(now.box, now.corner, dx, dy, session.size)))
            session.listener.changed()

    async def switch_corner(self) -> None:
        """Hold the next corner."""
        session = self._session
        if session.resizing is not None:
            key, now = session.resizing
            session.resizing = (key, replace(now, corner=now.corner.following()))
            session.listener.changed()

    async def finish_resize(self) -> None:
        """Have the new size journalled as one act."""
        session = self._session
        if session.resizing is None:
            return
        (key, now), session.resizing = session.resizing, None
        row = next((each for each in session.rows if each.key == key), None)
        box = fits(now.box, session.size)
        try:
            if row is not None and box is not None and box != row.box:
                await session.act(change_of(row, row.label, box))
        finally:
            session.listener.changed()

    async def cancel_resize(self) -> None:
        """Leave the box as it was."""
        self._session.resizing = None
        self._session.listener.changed()

    def _movable(self) -> Row:
        row = self._session.row
        if row is None:
            raise RefusedError("no object is selected: Tab selects one")
        if row.is_declined:
            raise RefusedError(f"{row.number} is declined: accept it (a) before moving it")
        return row

    def _wait(self) -> None:
        self._stop()
        self._timer = asyncio.get_running_loop().call_later(self._silence, lambda: self._session.submit(self.commit, bare=True))

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
