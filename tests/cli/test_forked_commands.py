"""What tests take for the program is the program: `tests.support.forking` against its real start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cvflow_tui.backend.client import find_daemon
from cvflow_tui.home import Home
from tests.support.forking import forge


@pytest.mark.parametrize("arguments", [["--version"], ["list", "--nonsense"], ["daemon", "status"], ["logs", "--json", "nobody"]])
def test_a_forked_command_says_what_a_started_one_says(arguments: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "CVFLOW_HOME": str(tmp_path / "home"), "CVFLOW_MARK": "one"}
    command = [sys.executable, "-m", "cvflow_tui", *arguments]
    started = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    forked = forge().run(arguments, environment, 60)
    try:
        assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)
    finally:
        forge().run(["daemon", "stop"], environment, 60)


@pytest.mark.slow
def test_a_command_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(subprocess.TimeoutExpired) as late:
        forge().run(["daemon", "run"], {**os.environ, "CVFLOW_HOME": str(home.root)}, 8)
    assert home.daemon_file.exists() and "serves" in str(late.value.stdout) and find_daemon(home) is None
