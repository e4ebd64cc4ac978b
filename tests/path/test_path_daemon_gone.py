"""The app outlives the daemon it was opened with: whoever serves the home next is found, or else the app serves it itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.packages.parts import write_package
from tests.path.conftest import Cvflow
from tests.path.test_path_terminal import APP
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow

PACKAGES, PROJECTS = "\x1bOQ", "\x1bOS"
"""F2 and F4."""


def served_by(cvflow: Cvflow) -> int:
    return int(json.loads(cvflow.ok("daemon", "status", "--json"))["pid"])


def goes_on(terminal: Terminal) -> None:
    """Places that ask the daemon show what it says, and no complaint."""
    terminal.send(PACKAGES)
    terminal.wait_for("Nothing is installed")
    terminal.send(PROJECTS)
    terminal.wait_for("No project yet")
    assert "cannot be reached" not in terminal.text


def test_what_a_daemon_that_is_told_to_end_was_at_is_said(cvflow: Cvflow, tmp_path: Path) -> None:
    package = write_package(tmp_path / "slow", source="import time\ntime.sleep(60)\n")
    cvflow.ok("list")
    command = [sys.executable, "-m", "cvflow_tui", "install", str(package), "--yes"]
    with subprocess.Popen(command, env=cvflow.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as installing:
        deadline = time.monotonic() + 60
        while not any(job["step"] == "checking that it imports" for job in cvflow.json("jobs")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        stopped = cvflow.json("daemon", "stop")
        assert [job["kind"] for job in stopped["called_off"]] == ["install"]
        installing.wait(30)
    assert cvflow.json("list") == []
    assert cvflow.json("daemon", "stop")["called_off"] == []


def test_a_daemon_that_is_killed(cvflow: Cvflow) -> None:
    cvflow.ok("list")
    first = served_by(cvflow)
    with Terminal(APP, cvflow.environment, 100, 30) as terminal:
        terminal.wait_for("nanodet")
        os.kill(first, signal.SIGKILL)
        goes_on(terminal)
        assert served_by(cvflow) == terminal.pid
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_a_daemon_that_is_started_anew(cvflow: Cvflow) -> None:
    cvflow.ok("list")
    with Terminal(APP, cvflow.environment, 100, 30) as terminal:
        terminal.wait_for("nanodet")
        cvflow.ok("daemon", "stop")
        cvflow.ok("list")
        second = served_by(cvflow)
        goes_on(terminal)
        assert served_by(cvflow) == second != terminal.pid
        terminal.send("q")
        assert terminal.wait_exit() == 0
    assert served_by(cvflow) == second


def test_the_app_whose_daemon_it_was_is_closed(cvflow: Cvflow) -> None:
    with Terminal(APP, cvflow.environment, 100, 30) as first:
        first.wait_for("nanodet")
        with Terminal(APP, cvflow.environment, 100, 30) as second:
            second.wait_for("nanodet")
            assert served_by(cvflow) == first.pid
            first.send("q")
            assert first.wait_exit() == 0
            goes_on(second)
            assert served_by(cvflow) == second.pid
            second.send("q")
            assert second.wait_exit() == 0
