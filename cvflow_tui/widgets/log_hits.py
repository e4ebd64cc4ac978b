"""What a search of a log found: a line each, with its time."""

from __future__ import annotations

from datetime import datetime

from cvflow_tui.model.solvers import LogLine
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

LOOKS = {"error": "bad", "warning": "warn", "debug": "muted"}
LEAD = 24
"""Characters of a long line that are shown before the words that were looked for."""
BESIDE = 26
"""Cells of the other columns, the gaps and a scrollbar."""


class LogHits(VirtualTable[LogLine]):
    """The lines that were found, oldest first."""

    HELP_TITLE = "in what was found"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(
            (
                Column("written", lambda line: Cell(when(line.time), "muted"), 14),
                Column("level", lambda line: Cell(line.level, LOOKS.get(line.level, "")), 7, hide_below=60),
                Column("line", self._excerpt, 0),
            ),
            key=lambda line: (line.file, line.start),
            id=id,
        )
        self.words = ""
        """What is looked for: of a long line the part with it is shown."""

    def _excerpt(self, line: LogLine) -> Cell:
        text = line.text.expandtabs(1).strip()
        exact = self.words != self.words.lower()
        place = text.find(self.words) if exact else text.lower().find(self.words)
        room = max(2 * LEAD, self.size.width - BESIDE)
        return Cell(f"…{text[place - LEAD :]}" if place + len(self.words) > room else text, LOOKS.get(line.level, ""))


def when(seconds: float | None) -> str:
    """When a line was written, as short as can be: today's by its time alone; `–` where that is not known."""
    if seconds is None:
        return "–"
    moment = datetime.fromtimestamp(seconds).astimezone()
    today = datetime.now().astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%m-%d %H:%M:%S}"
