"""A disk without room, and logs whose writer is killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.logs import log_path
from cvflow_tui.backend.runtime.records import Runs
from cvflow_tui.backend.store import open_state
from cvflow_tui.model.solvers import SolverState
from tests.faults.conftest import Habit
from tests.runtime.helpers import Site, alive, close_site, open_site, until, workers

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Site]:
    """A home on a disk of its own, of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a small disk")
    site = open_site(folder / "home")
    yield site
    (folder / "filler").unlink(missing_ok=True)
    close_site(site)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(site: Site) -> None:
    with (site.home.root.parent / "filler").open("ab", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_stop_ends_a_solver_whatever_the_disk_says(small: Site, habit: Habit) -> None:
    solver = small.supervisor.start(habit("Sleeper"))
    assert solver.pid is not None
    everyone = [solver.pid, *workers(solver.pid)]
    fill(small)
    assert small.supervisor.stop(solver.name).state is SolverState.STOPPED
    assert [pid for pid in everyone if alive(pid)] == []
    assert small.supervisor.solvers() == [], "it is not shown, although its row may still be there"
    (small.home.root.parent / "filler").unlink()
    until(lambda: small.supervisor.solvers() == [] and Runs(open_state(small.home)).all() == [])  # once there is room, its row goes
    assert small.supervisor.start(habit("Sleeper")).state is SolverState.READY


def test_a_runner_that_dies_on_a_full_disk_is_seen(small: Site, habit: Habit) -> None:
    solver = small.supervisor.start(habit("Sleeper"))
    assert solver.pid is not None
    fill(small)
    os.kill(solver.pid, signal.SIGKILL)
    until(lambda: not alive(solver.pid or 0))
    (seen,) = until(lambda: [each for each in small.supervisor.solvers() if each.state is SolverState.FAILED])
    assert seen.error is not None and "unexpectedly" in seen.error
    small.supervisor.stop(solver.name)
    assert small.supervisor.solvers() == []


def test_a_solver_whose_log_has_no_room_serves_on_and_says_later_what_is_missing(small: Site, habit: Habit, picture: bytes) -> None:
    client = small.start(habit("Talker"))
    until(lambda: log_path(small.home, "tests/demo/talker").stat().st_size > 100_000)
    fill(small)
    assert [client.infer(picture).status for _ in range(5)] == [200] * 5
    (small.home.root.parent / "filler").unlink()
    log = log_path(small.home, "tests/demo/talker")
    until(lambda: b"bytes of the log could not be written: No space left on device" in log.read_bytes())
    assert client.infer(picture).status == 200


def numbers(log: Path) -> list[int]:
    """The numbers of the lines in a log and its older files, oldest first."""
    files = sorted((path for path in log.parent.glob(f"{log.name}*") if not path.name.endswith(".times")), key=lambda path: path.name)
    data = b"".join(path.read_bytes() for path in [*reversed(files[1:]), files[0]])
    return [int(line.split()[1]) for line in data.split(b"\n") if line.startswith(b"line ") and len(line) > 200]


def test_a_killed_runner_loses_no_line_that_was_written_and_tears_none(site: Site, habit: Habit) -> None:
    client = site.start(habit("Talker"))
    runner = client.status()["id"]
    log = log_path(site.home, "tests/demo/talker")
    until(lambda: log.stat().st_size > 500_000)
    shown = numbers(log)
    os.kill(runner, signal.SIGKILL)
    until(lambda: not workers(runner))
    data = log.read_bytes()
    assert data.endswith(b"\n"), "the last line is whole"
    found = numbers(log)
    assert found == list(range(len(found))), "without a gap from the first to the last"
    assert found[: len(shown)] == shown
    site.start(habit("Talker"))
    until(lambda: log.stat().st_size > len(data) + 1000)
    assert log.read_bytes()[: len(data)] == data, "the next runner writes behind it"


def test_what_happened_is_found_by_time_level_and_text(site: Site, habit: Habit, picture: bytes) -> None:
    import time

    began = time.time()
    site.supervisor.settings.change("tests/demo/telling", {})
    site.supervisor.settings.set_variable("tests/demo/telling", "API_KEY", "hunter2hunter2")
    client = site.start(habit("Telling"))
    client.infer(picture, "?raises=true")
    name = "tests/demo/telling"
    errors = until(lambda: site.supervisor.search_log(name, "no access with (redacted)", "error", began - 5, 10).lines)
    assert [line.text for line in errors] == ["RuntimeError: no access with (redacted)"]
    assert abs(errors[0].time - began) < 60
    assert site.supervisor.search_log(name, "no access with (redacted)", "error", began + 3600, 10).lines == ()
    os.kill(workers(client.status()["id"])[0], signal.SIGKILL)
    warned = until(lambda: site.supervisor.search_log(name, "again in 1 s", "warning", None, 50).lines)
    assert [line.level for line in warned] == ["warning"]
    assert warned[0].text.endswith("its process was killed by SIGKILL; again in 1 s")
