"""`Logger` and `StepLogger`: JSON lists in a file, one entry appended at a time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, List


class StepLogger:
    """Appends entries to a JSON list. The file is replaced whole: a process that is killed leaves the old list or the new one."""

    def __init__(self, logFile: str) -> None:  # noqa: N803 - the original's spelling
        self.logFile = logFile

    def append(self, logObject: Any) -> None:  # noqa: N803
        """Add an entry at the end."""
        self.write([*self._entries(), logObject])

    def write(self, logObject: Any) -> None:  # noqa: N803
        """Begin anew with a value; what is no list becomes the first entry of one."""
        target = Path(self.logFile)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(json.dumps(logObject if isinstance(logObject, list) else [logObject]), "utf-8")
        draft.replace(target)

    def _entries(self) -> List[Any]:
        target = Path(self.logFile)
        if not target.is_file() or target.stat().st_size == 0:
            return []
        told = json.loads(target.read_text("utf-8"))
        return told if isinstance(told, list) else [told]


class Logger(StepLogger):
    """The same, made with a configuration, which is not used."""

    def __init__(self, config: Any = None, target: str = "training.json") -> None:
        super().__init__(target)
        self.target = target
