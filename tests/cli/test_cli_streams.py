"""Standard streams that are closed or full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = f"exec {sys.executable} -m cvflow_tui"


def shell(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"{COMMAND} --home {home} {line}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        check=False,
    )


@pytest.mark.parametrize("redirection", [">&-", "<&- >&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(redirection: str, tmp_path: Path) -> None:
    done = shell(f"--version {redirection}", tmp_path / "home")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_error_with_a_closed_stdin_is_told_in_one_line(tmp_path: Path) -> None:
    done = shell("daemon status <&-", tmp_path / "home")
    assert done.returncode not in (0, 1)
    assert done.stderr.startswith("cvflow: ")
    assert done.stderr.count("\n") == 1
