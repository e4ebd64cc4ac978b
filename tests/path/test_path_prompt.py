"""A question on a real terminal: whoever calls it off there is gone at once, and nothing was done."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.packages.parts import write_package
from tests.path.conftest import Cvflow
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", ["ctrl-c", "SIGTERM", "no"])
def test_a_question_can_be_called_off(cvflow: Cvflow, tmp_path: Path, how: str) -> None:
    package = write_package(tmp_path / "p")
    command = [sys.executable, "-m", "cvflow_tui", "install", str(package)]
    with Terminal(command, cvflow.environment) as terminal:
        terminal.wait_for("Install it? [Y/n]:")
        if how == "SIGTERM":
            terminal.kill(signal.SIGTERM)
        else:
            terminal.send("\x03" if how == "ctrl-c" else "n\r")
        status = terminal.wait_exit()
        if how == "SIGTERM":
            assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM
        else:
            assert os.waitstatus_to_exitcode(status) == (130 if how == "ctrl-c" else 4)
            assert ("interrupted" if how == "ctrl-c" else "nothing was done") in terminal.text
    assert cvflow.json("list") == [] and cvflow.json("jobs", "--all") == []
