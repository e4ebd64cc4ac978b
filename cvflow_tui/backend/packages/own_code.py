"""Running strangers' code at an installation (imports, builds, scripts): as confined as in a worker, and nothing of it stays."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.tools import run_tool
from cvflow_tui.backend.runtime.confine import OPEN_FILES
from cvflow_tui.backend.runtime.marks import kill_bearers
from cvflow_tui.backend.runtime.worker import inherited

INSTALL_MARK = "CVFLOW_INSTALL"
"""Names the folder in which an install works, in the environment of all that it runs and that they start."""

KEEPER = Path(__file__).with_name("keeper.py")


def import_environment() -> dict[str, str]:
    """What a package's code is told when it is imported: what a worker would be, and nothing of the user's."""
    return inherited() | {"PYTHONNOUSERSITE": "1", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}


def run_own_code(
    command: Sequence[str],
    *,
    work: Path,
    progress: Progress,
    seconds: float,
    env: Mapping[str, str],
    cwd: Path | None = None,
    watch: Callable[[str], None] | None = None,
) -> tuple[int | None, str]:
    """Run a program that may run a stranger's code, as `run_tool` does. `env` is all that it is told, `work` the install's folder.

    It gets no rights by a set-uid bit, leaves no core, and its files are private. What it started is ended with it, wherever that hides
    (`keeper.py`); of what a daemon that died left `end_own_code` ends whatever bears the mark.
    """
    try:
        told = {**env, INSTALL_MARK: str(work)}
        return run_tool(_kept(command), progress=progress, seconds=seconds, cwd=cwd, env=told, watch=watch, kept=True)
    finally:
        end_own_code(work)


def end_own_code(work: Path) -> None:
    """End whatever an install that worked in this folder has started and that still runs."""
    kill_bearers(INSTALL_MARK, str(work))


def _kept(command: Sequence[str]) -> list[str]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    return [sys.executable, "-I", "-S", str(KEEPER), str(files), *command]
