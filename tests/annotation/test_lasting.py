"""Nothing is lost when the process is killed, and nothing grows slow with the project."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cvflow_tui.backend.annotation import pictures as pages
from cvflow_tui.backend.annotation import registry
from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.pictures.walk import natural_key
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Draw, PictureState, ProjectSettings, SetState

from .conftest import SOLVER, SaysSo

Start = Callable[[], ProjectService]

WORKER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from annotation.conftest import SaysSo
from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Draw

home = Home(Path(sys.argv[1]))
service = ProjectService(home, open_state(home), SaysSo())
number = 0
while True:
    number += 1
    told = service.act("p", number % 12 + 1, Draw("a", Box(0, 0, 1 + number % 90, 5)))
    if number % 7 == 0:
        service.undo("p")
        print(f"undone {told.affected}", flush=True)
    else:
        print(f"done {told.affected}", flush=True)
"""


@pytest.mark.parametrize("after", [23, 61, 150])
def test_every_act_that_was_acknowledged_is_there_after_kill_9(start: Start, folder: Path, home: Home, after: int) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    service.close()
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(home.root), str(Path(__file__).parents[1])], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    lines += [line.split() for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    done = {int(number) for word, number in lines if word == "done"}
    undone = {int(number) for word, number in lines if word == "undone"}
    assert len(done) + len(undone) >= after
    again = start()
    database = again.folder("p").database
    held = {row["id"] for row in database.rows("SELECT id FROM annotations")}
    assert done <= held
    assert not undone & held
    assert len(held - done) <= 1, "one act may have been written and not yet acknowledged"
    journalled = [json.loads(row["change"]) for row in database.rows("SELECT change FROM journal WHERE status = 'done'")]
    assert {change["annotations"][0][1]["id"] for change in journalled} == held
    (check,) = database.rows("PRAGMA integrity_check")
    assert check[0] == "ok"


def test_acts_from_many_threads_are_all_kept(start: Start, folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])

    def draw(picture: int) -> None:
        for number in range(20):
            service.act("p", picture, Draw("a", Box(0, 0, 5 + number, 5)))

    threads = [threading.Thread(target=draw, args=(number % 3 + 1,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.project("p").annotations == 120
    for _ in range(120):
        service.undo("p")
    assert service.project("p").annotations == 0
    with pytest.raises(RefusedError, match="nothing to undo"):
        service.undo("p")


def test_a_hundred_thousand_pictures_are_windows_and_never_a_whole(start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # None of these files exists: whatever looked at one while the project is made or listed would fail.
    monkeypatch.setattr(registry, "walk", lambda _: (f"{folder}/part-{number // 1000}/{number % 1000}.jpg" for number in range(100_000)))
    service = start()
    project = service.create("p", [str(folder)], ["a"], ProjectSettings(SOLVER))
    assert project.pictures == 100_000
    statements: list[str] = []
    rows = 0
    database = service.folder("p").database
    tell = database.rows

    def counting(sql: str, arguments: tuple[object, ...] = ()) -> object:
        nonlocal rows
        found = tell(sql, arguments)
        rows += len(found)
        return found

    monkeypatch.setattr(database, "rows", counting)
    database._connection.set_trace_callback(statements.append)
    assert service.pictures("p", offset=99_990, limit=50).pictures[-1].name == "part-99/999.jpg"
    assert service.pictures("p", limit=5000).total == 100_000
    assert service.open("p").picture.position == 1
    service.act("p", 50_000, SetState(PictureState.SKIPPED))
    assert [item.position for item in service.pictures("p", state=PictureState.SKIPPED).pictures] == [50_000]
    assert service.pictures("p", offset=90_000, limit=2, state=PictureState.UNSEEN).pictures[0].position == 90_002
    assert service.project("p").counts == {"unseen": 99_999, "skipped": 1}
    with database.write() as connection:  # as if a person had: these files do not exist
        connection.execute("UPDATE pictures SET state = ? WHERE position <= 250", (PictureState.ANNOTATED.value,))
        connection.execute("UPDATE pictures SET state = ? WHERE position BETWEEN 251 AND 500", (PictureState.CONFIRMED_EMPTY.value,))
    before = rows
    finished = service.finished("p")
    assert next(finished)[0].position == 1
    assert rows - before <= 2 * pages.FEW + 1, "of what is finished a few are fetched at a time"
    assert [picture.position for picture, _ in finished] == list(range(2, 501))
    rows = 0
    database._connection.set_trace_callback(None)
    assert rows <= 10 + 1000 + 100, "no more rows come than a window holds"
    for statement in statements:
        if statement.startswith("SELECT") and " pictures" in statement:
            plan = " ".join(row["detail"] for row in tell("EXPLAIN QUERY PLAN " + statement))
            assert "SCAN pictures" not in plan, statement
            assert "TEMP B-TREE" not in plan, statement


def test_a_window_is_never_larger_than_it_may_be(start: Start, folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    assert len(service.pictures("p", offset=-5, limit=10**9).pictures) == 12
    assert service.pictures("p", limit=-1).pictures == ()
    assert pages.MOST == 1000


def test_natural_order_counts_as_people_do() -> None:
    names = ["b", "a10", "a2", "A1", "a2b1", "a02", "1", "10", "9"]
    assert sorted(names, key=natural_key) == ["1", "9", "10", "A1", "a2", "a02", "a2b1", "a10", "b"]


def test_a_link_that_goes_round_is_walked_once(start: Start, folder: Path, provider: SaysSo) -> None:
    (folder / "round").symlink_to(folder)
    service = start()
    assert service.create("p", [str(folder)], ["a"]).pictures == 12
