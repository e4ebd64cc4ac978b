"""Journal first, in a real terminal: what the daemon could not write down is not shown, and what is shown is written down."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.path.conftest import Cvflow
from tests.path.test_path_terminal import APP
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def journal(program: Cvflow) -> list[str]:
    """The acts that stand in the project's file now, read past everybody else."""
    with closing(sqlite3.connect(f"file:{program.home / 'projects/people/project.db'}?mode=ro", uri=True)) as database:
        return [str(row[0]) for row in database.execute("SELECT act FROM journal WHERE status = 'done' ORDER BY id")]


@pytest.fixture
def project(cvflow: Cvflow, photographs: Path) -> Iterator[Cvflow]:
    """A project, its solver, and a daemon of its own: not inside the app."""
    cvflow.ok("install", "nanodet", "--yes")
    pictures = [str(photographs / name) for name in ("astronaut.png", "coffee.png")]
    cvflow.ok("project", "new", "people", *pictures, "--labels", "person,cup", "--solver", "nanodet")
    cvflow.ok("start", "nanodet")
    yield cvflow


def test_what_the_daemon_has_not_written_down_is_not_shown(project: Cvflow) -> None:
    daemon = project.json("daemon", "status")["pid"]
    with Terminal([*APP, "--project", "people"], project.environment, 120, 40) as terminal:
        terminal.wait_for("1 to decide")
        os.kill(daemon, signal.SIGSTOP)
        try:
            terminal.send("a")
            terminal.pump(2)
            assert "1 to decide" in terminal.text
            assert "accepted" not in terminal.text
            assert journal(project) == []
        finally:
            os.kill(daemon, signal.SIGCONT)
        terminal.wait_for("all decided")
        assert len(journal(project)) == 1


def test_a_daemon_killed_before_the_act_was_written_leaves_the_screen_as_it_was(project: Cvflow) -> None:
    daemon = project.json("daemon", "status")["pid"]
    with Terminal([*APP, "--project", "people"], project.environment, 120, 40) as terminal:
        terminal.wait_for("1 to decide")
        os.kill(daemon, signal.SIGSTOP)
        terminal.send("a")
        terminal.pump(1)
        os.kill(daemon, signal.SIGKILL)
        terminal.wait_for("cannot be reached")
        assert "accepted" not in terminal.text
        assert "suggested" in terminal.text
    assert project.json("project", "status", "people")["project"]["annotations"] == 0
    assert journal(project) == []


def test_the_moment_the_screen_shows_an_act_it_is_in_the_file(project: Cvflow) -> None:
    """Everybody is killed at the first byte that shows the act: app and daemon both, with no time to write anything more."""
    daemon = project.json("daemon", "status")["pid"]
    with Terminal([*APP, "--project", "people"], project.environment, 120, 40) as terminal:
        terminal.wait_for("1 to decide")
        terminal.send("a")
        terminal.wait_for("all decided")
        os.kill(daemon, signal.SIGKILL)
        terminal.kill(signal.SIGKILL)
        terminal.wait_exit()
    assert len(journal(project)) == 1
    deadline = time.monotonic() + 30
    while project.run("daemon", "status").returncode != 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    status = project.json("project", "status", "people")["project"]
    assert status["annotations"] == 1
