"""Downloads that nobody came back for."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

KEPT_SECONDS = 86400.0
"""How long an interrupted download waits for the attempt that resumes it."""


def sweep(folder: Path, now: float | None = None) -> int:
    """Delete downloads that nobody came back for within a day; the bytes they took."""
    now = time.time() if now is None else now
    freed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            found = path.stat()
            if not 0 <= now - found.st_mtime < KEPT_SECONDS:
                path.unlink()
                freed += found.st_blocks * 512
    return freed
