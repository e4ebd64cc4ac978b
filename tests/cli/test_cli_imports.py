"""What a command may cost before it does anything: modules and CPU."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "textual",
    "rich",
    "numpy",
    "PIL",
    "torch",
    "onnxruntime",
    "httpx",
    "pydantic",
    "fastapi",
    "uvicorn",
    "asyncio",
    "sqlite3",
    "psutil",
    "platformdirs",
    "skimage",
)
BUDGET = 8.0
"""Times the CPU of `python -c pass` that `cvflow --help` may take."""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["ps", "--help"], ["label", "--help"], ["demo", "--help"], ["completion", "bash"], ["nonsense"]],
)
def test_nothing_heavy_is_imported(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys; from cvflow_tui.__main__ import main; main();"
        f"found = [name for name in {HEAVY!r} if name in sys.modules]; sys.exit(f'imported: {{found}}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_command_that_needs_the_daemon_imports_no_screen_and_no_model() -> None:
    """What `cvflow ps` has in memory when it has answered."""
    script = (
        "import sys; from pathlib import Path; from cvflow_tui.cli.main import main;"
        "from tests.cli.fake_client import FakeClient, session_of; import cvflow_tui.backend.client;"
        "main(['ps', '--json'], session_of(FakeClient(), Path('unused')));"
        "found = [name for name in ('textual', 'numpy', 'PIL', 'torch', 'fastapi', 'uvicorn') if name in sys.modules];"
        "sys.exit(f'imported: {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _cpu(arguments: list[str]) -> float:
    """Least CPU seconds, user and system, of some runs."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(7))


def test_help_costs_little_more_than_python() -> None:
    ratio = _cpu(["-m", "cvflow_tui", "--help"]) / _cpu(["-c", "pass"])
    assert ratio <= BUDGET
