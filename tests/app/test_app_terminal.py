"""On a real terminal: the first paint, silence while idle, and the terminal given back however the app ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tests.app.fake_app"]
ENVIRONMENT = {**{key: value for key, value in os.environ.items() if key != "NO_COLOR"}, "PYTHONPATH": str(ROOT)}
RESTORED = (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?25h")
"""The main screen, no mouse reports, a cursor."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_gives_the_terminal_back(number: signal.Signals) -> None:
    with Terminal([*COMMAND, "monitor", "--running"], ENVIRONMENT) as terminal:
        terminal.wait_for("line 60")
        terminal.kill(number)
        status = terminal.wait_exit()
        assert os.waitstatus_to_exitcode(status) in (128 + number, -number)
        end = terminal.output[-4000:]
        assert all(sequence in end for sequence in RESTORED)
        assert b"Traceback" not in terminal.output


@pytest.mark.slow
def test_nothing_is_written_while_nothing_happens_and_q_leaves() -> None:
    with Terminal([*COMMAND, "hub"], ENVIRONMENT) as terminal:
        terminal.wait_for("5 packages")
        terminal.pump(1.0)
        assert terminal.pump(3.0) == 0
        terminal.send("/")
        terminal.pump(1.0)
        assert terminal.pump(2.0) == 0, "the cursor of an input blinks"
        terminal.send("\x1b")
        terminal.pump(0.5)
        terminal.send("q")
        assert os.waitstatus_to_exitcode(terminal.wait_exit()) == 0


@pytest.mark.slow
def test_a_monitor_whose_numbers_stand_still_is_silent() -> None:
    with Terminal([*COMMAND, "monitor", "--running"], ENVIRONMENT) as terminal:
        terminal.wait_for("line 60")
        terminal.pump(1.5)
        assert terminal.pump(3.0) == 0


def test_the_terminal_is_told_who_keeps_serving() -> None:
    for key, told in (("k", True), ("s", False)):
        with Terminal([*COMMAND, "hub", "--running"], ENVIRONMENT) as terminal:
            terminal.wait_for("5 packages")
            terminal.send("q")
            terminal.wait_for("2 solvers run")
            terminal.send(key)
            assert os.waitstatus_to_exitcode(terminal.wait_exit()) == 0
            after = terminal.output.rpartition(RESTORED[0])[2].decode()
            assert ("2 solvers keep serving: cvflow/nanodet/detect, cvflow/mobilenet/classify" in after) is told


def test_a_terminal_of_256_colours_and_one_without_any() -> None:
    for extra in ({"COLORTERM": "", "TERM": "screen-256color"}, {"NO_COLOR": "1"}):
        command = ["/usr/bin/env", *(f"{key}={value}" for key, value in extra.items()), *COMMAND, "packages"]
        with Terminal(command, ENVIRONMENT) as terminal:
            terminal.wait_for("2 packages")
            assert "▸cvflow/nanodet" in terminal.text
