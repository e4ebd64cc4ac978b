"""uv's cache: what it keeps of all that it ever installed, for cvflow and for everything else of this user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.uv_program import run_uv
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import one_line

_SECONDS = 600.0
"""How long it may take to empty it: uv waits for every other uv that is at work."""


def cache_folder() -> Path | None:
    """Where it lies; None where there is none (yet)."""
    status, output = run_uv(["cache", "dir"], Circumstances.here(), Progress(), 30.0)
    lines = output.strip().splitlines()
    folder = Path(lines[-1]) if status == 0 and lines else None
    return folder if folder is not None and folder.is_dir() else None


def forget_cached(names: Sequence[str], progress: Progress) -> None:
    """Delete what it keeps of some distributions: the next installation fetches these anew. Raises CvflowError as `empty_cache` does."""
    _clean(names, progress)


def empty_cache(progress: Progress) -> None:
    """Delete all of it: environments keep their files, the next installation fetches anew. Raises CvflowError with uv's reason."""
    progress.step("emptying uv's cache")
    _clean((), progress)


def _clean(names: Sequence[str], progress: Progress) -> None:
    status, output = run_uv(["cache", "clean", *names], Circumstances.here(), progress, _SECONDS)
    if status != 0:
        why = one_line(output.strip().splitlines()[-1]) if output.strip() else "it did not end in time"
        raise CvflowError(f"uv's cache could not be emptied: {why}", detail=output)
