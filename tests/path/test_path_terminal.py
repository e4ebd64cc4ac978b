"""The app in a real terminal: first paint, keys, signals, and a kill in the middle of annotating."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.path.conftest import Cvflow
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.alone]

APP = [sys.executable, "-m", "cvflow_tui", "app"]
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l")
"""Leaving the alternate screen, showing the cursor, ending mouse tracking."""


@pytest.fixture
def project(cvflow: Cvflow, photographs: Path) -> Iterator[Cvflow]:
    cvflow.ok("install", "nanodet", "--yes")
    pictures = [str(photographs / name) for name in ("astronaut.png", "camera.png", "coffee.png")]
    cvflow.ok("project", "new", "people", *pictures, "--labels", "person,cup", "--solver", "nanodet")
    cvflow.ok("start", "nanodet")
    cvflow.ok("daemon", "stop")
    yield cvflow


def _is_there(words: str, shown: str) -> bool:
    """A place has come, and the line that was asked for it has gone."""
    return words in shown and "go to " not in shown


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 45)])
def test_first_paint_places_and_leaving(cvflow: Cvflow, columns: int, rows: int) -> None:
    with Terminal(APP, cvflow.environment, columns, rows) as terminal:
        terminal.wait_for("nanodet")
        for letter, words in (("p", "Nothing is installed"), ("m", "No solver runs")):
            terminal.send("g")
            terminal.wait_for("go to ")
            terminal.send(letter)
            terminal.wait_for(partial(_is_there, words))
        terminal.send("q")
        assert os.waitstatus_to_exitcode(terminal.wait_exit()) == 0
        assert all(sequence in terminal.output for sequence in RESTORED)
    assert cvflow.processes() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal(cvflow: Cvflow, number: signal.Signals) -> None:
    with Terminal(APP, cvflow.environment) as terminal:
        terminal.wait_for("nanodet")
        terminal.kill(number)
        terminal.wait_exit()
        assert all(sequence in terminal.output for sequence in RESTORED)
    assert cvflow.processes() == []


def test_kill_9_while_annotating_loses_nothing(project: Cvflow) -> None:
    app = [*APP, "--project", "people"]
    with Terminal(app, project.environment, 120, 40) as terminal:
        terminal.wait_for("1 to decide")
        terminal.send("a")
        terminal.wait_for("accepted")
        terminal.send("n")
        terminal.wait_for("2/3")
        terminal.wait_for("1 to decide")
        terminal.send("a")
        terminal.wait_for("accepted")
        terminal.kill(signal.SIGKILL)
        terminal.wait_exit()
    (solver,) = project.json("ps")
    assert solver["state"] == "ready"
    status = project.json("project", "status", "people")["project"]
    assert (status["annotations"], status["finished"]) == (2, 1)
    project.ok("daemon", "stop")
    with Terminal(app, project.environment, 120, 40) as terminal:
        terminal.wait_for("2/3")
        terminal.wait_for("accepted")
        terminal.send("u")
        terminal.wait_for("1 to decide")


def test_nothing_moves_when_nothing_happens(project: Cvflow) -> None:
    with Terminal([*APP, "--project", "people"], project.environment, 120, 40) as terminal:
        terminal.wait_for("1 to decide")
        terminal.pump(4)
        assert terminal.pump(3) == 0


def test_keys_reach_the_picture(project: Cvflow) -> None:
    with Terminal([*APP, "--project", "people"], project.environment, 80, 24) as terminal:
        terminal.wait_for("1 to decide")
        terminal.send("x")
        terminal.wait_for("all decided")
        terminal.send("u")
        terminal.wait_for("1 to decide")
        terminal.send("U")
        terminal.wait_for("all decided")
        terminal.send("r")
        for key in (" ", "L", "L", "J", "J", " "):
            terminal.send(key)
            terminal.pump(0.1)
        terminal.wait_for("2 person")
