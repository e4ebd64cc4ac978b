"""Rounds: begun by annotating, promoted if no worse, and nothing is left of those that were not."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.annotation.provider import Variant
from cvflow_tui.backend.learning import records, service
from cvflow_tui.backend.learning.metrics import metrics_from_json, metrics_to_json
from cvflow_tui.backend.learning.prequential import prequential
from cvflow_tui.backend.learning.round import decide
from cvflow_tui.model.errors import RefusedError, RemoteError
from cvflow_tui.model.jobs import JobState
from cvflow_tui.model.projects import DetectionMetrics, Prequential, ProjectSettings, Round, RoundState

from .conftest import OFF, SOLVER, Bench, square

Start = Callable[[], Bench]
Pair = tuple[float | None, float | None]


def _files(bench: Bench) -> list[str]:
    folder = Path(bench.projects.project("p").path)
    return sorted(
        str(path.relative_to(folder)) for part in ("checkpoints", "cache") for path in (folder / part).rglob("*") if path.is_file()
    )


def test_annotating_sets_off_a_round_and_the_next_picture_is_suggested_by_it(start: Start) -> None:
    bench = start()
    assert [bench.annotate(number) for number in range(1, 6)] == [None] * 5
    assert bench.projects.project("p").until_round == 1
    before = bench.projects.open("p", 7)
    assert before.suggestions[0].box.x0 == square(Path(before.picture.path)).x0 + OFF
    job = bench.finish(bench.annotate(6))
    assert (job.state, job.error) == (JobState.DONE, None)
    done = job.result
    assert isinstance(done, Round)
    assert (done.number, done.state, done.pictures, done.checkpoint) == (1, RoundState.PROMOTED, 6, "r1")
    assert done.held_back is not None
    assert done.before is not None
    assert (done.held_back.ap50, done.before.ap50, done.held_back.pictures) == (pytest.approx(1.0), 0.0, 1)
    project = bench.projects.project("p")
    assert (project.checkpoint, project.rounds, project.until_round) == ("r1", 1, 6)
    fresh = bench.projects.open("p", 8)
    assert fresh.suggestions[0].box == square(Path(fresh.picture.path))
    assert (fresh.suggestions[0].checkpoint, fresh.suggestions[0].label) == ("r1", "square")
    again = bench.projects.open("p", 7)
    assert again.suggestions[0].box == square(Path(again.picture.path)), "undecided suggestions give way to better ones"
    assert bench.provider.loaded == {"p": Path(project.path) / "checkpoints" / "r1"}
    assert _files(bench) == ["checkpoints/r1"]
    status = bench.learning.status("p")
    assert status.rounds == (Round(**{field: getattr(done, field) for field in Round.__slots__} | {"job": job.id}),)
    assert status.running_round is None


def test_the_next_round_goes_on_from_the_checkpoint_that_serves(start: Start) -> None:
    bench = start()
    bench.finish([bench.annotate(number) for number in range(1, 7)][-1])
    bench.finish([bench.annotate(number) for number in range(7, 13)][-1])
    assert [base and base.name for base in bench.provider.bases] == [None, "r1"]
    assert bench.projects.project("p").checkpoint == "r2", "an equal checkpoint that saw more pictures serves"
    first, second = bench.provider.datasets
    told = {item["sha256"]: item["split"] for item in first["items"]}
    assert {item["sha256"]: item["split"] for item in second["items"] if item["sha256"] in told} == told
    assert sum(item["split"] == "held_back" for item in second["items"]) == 12 // 5
    assert first["labels"] == ["square", "circle"]
    assert first["items"][0]["objects"] == [{"label": "square", "box": list(square(Path(first["items"][0]["path"])).corners)}]


def test_a_worse_checkpoint_does_not_serve_and_leaves_nothing(start: Start) -> None:
    bench = start()
    bench.finish([bench.annotate(number) for number in range(1, 7)][-1])
    bench.provider.spoil = True
    job = bench.finish([bench.annotate(number) for number in range(7, 13)][-1])
    assert job.result.state is RoundState.KEPT_OLD
    assert job.result.reason == "worse than what serves: AP50 .000, r1 has 1.000 on 2 held-back pictures"
    assert (job.result.held_back.ap50, job.result.before.ap50) == (0.0, pytest.approx(1.0))
    assert bench.projects.project("p").checkpoint == "r1"
    assert set(bench.provider.loaded) == {"p"}
    assert bench.provider.loaded["p"].name == "r1"
    assert _files(bench) == ["checkpoints/r1"]


def test_a_round_that_fails_says_why_and_the_old_checkpoint_serves_on(start: Start) -> None:
    bench = start()
    bench.provider.fail = "squares: out of memory"
    job = bench.finish([bench.annotate(number) for number in range(1, 7)][-1])
    assert (job.state, job.error, job.code) == (JobState.FAILED, "squares: out of memory", "package")
    (told,) = bench.learning.status("p").rounds
    assert (told.state, told.reason, told.checkpoint) == (RoundState.FAILED, "squares: out of memory", None)
    assert bench.projects.project("p").checkpoint is None
    assert _files(bench) == []
    assert bench.annotate(7) is None, "a failure is not tried again at the next picture"


def test_a_cancelled_round_leaves_nothing(start: Start) -> None:
    bench = start()
    bench.provider.hold = threading.Event()
    job = [bench.annotate(number) for number in range(1, 7)][-1]
    assert job is not None
    assert bench.provider.hold.wait(10)
    assert bench.learning.status("p").running_round == job
    with pytest.raises(RefusedError, match="running already"):
        bench.learning.train("p")
    bench.jobs.cancel(job)
    assert bench.finish(job).state is JobState.CANCELLED
    (told,) = bench.learning.status("p").rounds
    assert (told.state, told.reason) == (RoundState.CANCELLED, "called off")
    assert _files(bench) == []
    assert bench.provider.loaded == {}


def test_cancelling_while_measuring_unloads_the_candidate(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    measuring = threading.Event()
    told, held = bench.provider.suggest, threading.Event()

    def slow(*arguments: Any, **named: Any) -> object:
        if named["variant"] is not None:
            measuring.set()
            held.wait(10)
        return told(*arguments, **named)

    monkeypatch.setattr(bench.provider, "suggest", slow)
    job = [bench.annotate(number) for number in range(1, 7)][-1]
    assert measuring.wait(10)
    assert set(bench.provider.loaded) == {"p.candidate"}
    bench.jobs.cancel(job or "")
    held.set()
    assert bench.finish(job).state is JobState.CANCELLED
    assert bench.provider.loaded == {}
    assert _files(bench) == []


def test_the_end_of_a_round_is_written_down_even_if_its_candidate_does_not_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()

    def stuck(*_: object) -> None:
        raise OSError("the candidate does not go")

    monkeypatch.setattr(bench.provider, "stage", lambda *_: stuck())
    monkeypatch.setattr(bench.provider, "discard", stuck)
    assert bench.finish([bench.annotate(number) for number in range(1, 7)][-1]).state is JobState.FAILED
    (told,) = bench.learning.status("p").rounds
    assert (told.state, told.reason) == (RoundState.FAILED, "OSError: the candidate does not go")


def test_a_daemon_starts_though_a_solver_does_not_let_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    records.begin(bench.projects.folder("p"), SOLVER)

    def deaf(*_: object) -> None:
        raise RemoteError("no answer")

    monkeypatch.setattr(bench.provider, "abandon", deaf)
    assert start().learning.status("p").rounds[-1].reason == records.KILLED


def test_train_refuses_with_the_reason(start: Start) -> None:
    bench = start()
    with pytest.raises(RefusedError, match="nothing to learn from yet"):
        bench.learning.train("p")
    bench.annotate(1, empty=True)
    with pytest.raises(RefusedError, match="nothing to learn from yet"):
        bench.learning.train("p")
    bench.annotate(2)
    bench.provider.learns = False
    with pytest.raises(RefusedError, match="does not learn"):
        bench.learning.train("p")
    bench.projects.change("p", ProjectSettings(None))
    with pytest.raises(RefusedError, match="has no solver"):
        bench.learning.train("p")
    bench.projects.change("p", ProjectSettings(SOLVER))
    bench.provider.learns = True
    done = bench.finish(bench.learning.train("p").id).result
    assert (done.state, done.pictures) == (RoundState.PROMOTED, 2)
    assert "nothing speaks against it" in done.reason


def test_a_solver_that_does_not_learn_is_tried_once(start: Start) -> None:
    bench = start()
    bench.provider.learns = False
    job = bench.finish([bench.annotate(number) for number in range(1, 7)][-1])
    assert "does not learn" in (job.error or "")
    assert [bench.annotate(number) for number in range(7, 20)] == [None] * 13


def test_recovery_ends_what_a_killed_process_left_running(start: Start) -> None:
    bench = start()
    bench.finish([bench.annotate(number) for number in range(1, 7)][-1])
    folder = bench.projects.folder("p")
    records.begin(folder, SOLVER)
    (folder.checkpoints / ".r2.part").mkdir()
    (folder.checkpoints / ".r2.part" / "weights").write_text("half")
    (folder.checkpoints / "r2").write_text("measured, not promoted")
    (folder.cache / "rounds" / "r2").mkdir(parents=True)
    again = start()
    assert again.provider.abandoned == [(SOLVER, Variant("p.candidate", folder.checkpoints / "r2"))], "its training is ended, too"
    last = again.learning.status("p").rounds[-1]
    assert (last.number, last.state, last.reason) == (2, RoundState.FAILED, records.KILLED)
    assert again.projects.project("p").checkpoint == "r1"
    assert _files(again) == ["checkpoints/r1"]
    assert not (folder.cache / "rounds").exists()


def test_a_project_without_its_folders_does_not_keep_a_daemon_from_starting(start: Start) -> None:
    bench = start()
    shutil.rmtree(bench.projects.folder("p").checkpoints)
    assert [project.error for project in start().projects.projects()] == [None]


def test_a_round_that_cannot_begin_does_not_undo_the_act(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    for number in range(1, 6):
        bench.annotate(number)

    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(records, "begin", full)
        assert bench.annotate(6) is None
    assert bench.projects.project("p").finished == 6
    assert bench.annotate(7) is not None, "the next one begins it"


def test_the_accuracy_is_worked_out_once_for_all_who_ask(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    bench.annotate(1)
    began, asked = threading.Event(), []

    def slow(folder: ProjectFolder, threshold: float) -> Prequential:
        asked.append(folder.name)
        began.wait(0.5)
        return prequential(folder, threshold)

    monkeypatch.setattr(service, "prequential", slow)
    threads = [threading.Thread(target=bench.learning.status, args=("p",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["p"]


def test_removing_a_project_ends_its_round_first(start: Start) -> None:
    bench = start()
    bench.provider.hold = threading.Event()
    job = [bench.annotate(number) for number in range(1, 7)][-1]
    assert bench.provider.hold.wait(10)
    bench.projects.remove("p")
    assert bench.finish(job).state is JobState.CANCELLED
    assert bench.projects.projects() == []
    assert list(bench.home.projects.iterdir()) == []


def test_another_solver_goes_on_from_its_own_checkpoint(start: Start) -> None:
    bench = start()
    bench.finish([bench.annotate(number) for number in range(1, 7)][-1])
    assert bench.projects.change("p", ProjectSettings("tests/other/detect")).checkpoint is None
    assert bench.projects.change("p", ProjectSettings(SOLVER)).checkpoint == "r1"


def test_a_picture_that_vanished_is_left_out_and_said(start: Start) -> None:
    bench = start()
    for number in range(1, 6):
        bench.annotate(number)
    Path(bench.projects.pictures("p").pictures[1].path).unlink()
    done = bench.finish(bench.annotate(6)).result
    assert (done.state, done.pictures) == (RoundState.PROMOTED, 5)
    assert "1 pictures could not be read" in done.reason


@pytest.mark.parametrize(
    ("new", "old", "promote"),
    [
        ((0.5, 0.3), (0.4, 0.4), True),
        ((0.4, 0.4), (0.5, 0.3), False),
        ((0.5, 0.3), (0.5, 0.3), True),
        ((0.5, 0.2), (0.5, 0.3), False),
        ((0.0, 0.0), (0.0, 0.0), True),
        ((None, None), (None, None), True),
    ],
)
def test_promotion_is_by_ap50_then_ap(
    new: tuple[float | None, float | None], old: tuple[float | None, float | None], promote: bool
) -> None:
    decision = decide(DetectionMetrics(5, ap50=new[0], ap=new[1]), DetectionMetrics(5, ap50=old[0], ap=old[1]), "r1")
    assert decision.promote is promote
    assert "\n" not in decision.reason


def test_metrics_survive_the_database() -> None:
    metrics = DetectionMetrics(3, 0.5, None, 0.25, 0.125)
    assert metrics_from_json(metrics_to_json(metrics)) == metrics
    assert json.loads(metrics_to_json(metrics) or "")["recall"] is None
