"""Downloads that nobody came back for."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from cvflow_tui.backend.private_file import write_private
from cvflow_tui.backend.processes import boot_id

KEPT_SECONDS = 14 * 86400.0
"""How long a download waits for the attempt that goes on with it."""
AGAIN_SECONDS = 3600.0
"""How long after a first look a second one has to find the same: by then a clock that was wrong has mostly been put right."""

_MARK = ".stale"


def sweep(folder: Path, now: float | None = None, up: float | None = None) -> int:
    """Delete downloads that nobody came back for within two weeks; the bytes they took.

    A clock may be wrong, at the start of a machine above all: what looks old once is only marked, and deleted where a later look, an hour
    on by the clock that nobody sets (or after another start of the machine), finds it old again. `now` and `up` are the two clocks.
    """
    now = time.time() if now is None else now
    up = time.clock_gettime(time.CLOCK_BOOTTIME) if up is None else up
    freed = 0
    for key, files in _downloads(folder).items():
        mark = folder / f"{key}{_MARK}"
        with suppress(FileNotFoundError):
            if files and 0 <= now - max(path.stat().st_mtime for path in files) < KEPT_SECONDS:
                mark.unlink(missing_ok=True)
                continue
            since = _marked(mark)
            if files and since is None:
                with suppress(OSError):  # a full disk: the next start looks anew
                    write_private(mark, json.dumps([boot_id(), up]))
            elif not files or since is None or since[0] != boot_id() or up - since[1] >= AGAIN_SECONDS:
                freed += sum(_delete(path) for path in (*files, mark))
    return freed


def _downloads(folder: Path) -> dict[str, list[Path]]:
    """The files of each download, but for marks."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in folder.iterdir() if folder.is_dir() else ():
        files = found[path.name.partition(".")[0]]
        files += [path] if path.suffix != _MARK else []
    return found


def _marked(mark: Path) -> tuple[str, float] | None:
    """When an earlier look found it old: in which run of the machine, and how long after its start."""
    try:
        boot, up = json.loads(mark.read_text("utf-8"))
        return str(boot), float(up)
    except (OSError, ValueError, TypeError):
        return None


def _delete(path: Path) -> int:
    """Delete a file; the bytes it took."""
    with suppress(FileNotFoundError):
        size = path.stat().st_blocks * 512
        path.unlink()
        return size
    return 0
