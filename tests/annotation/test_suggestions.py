"""Suggestions: a layer of their own, fresh where nobody decided, never over what a person finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.annotation import suggesting
from cvflow_tui.backend.annotation.labels import Labels
from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.annotation.provider import Variant
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RemoteError
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.projects import Accept, Draw, PictureState, ProjectSettings, Remove, SetState, Verdict
from cvflow_tui.model.results import DetectedObject

from .conftest import SOLVER, SaysSo

Start = Callable[[], ProjectService]


@pytest.fixture
def service(start: Start, folder: Path) -> ProjectService:
    made = start()
    made.create("p", [str(folder)], ["raccoon", "Dog"], ProjectSettings(SOLVER))
    return made


def _promote(service: ProjectService, checkpoint: str) -> None:
    with service.folder("p").database.write() as connection:
        connection.execute("UPDATE project SET checkpoint = ?", (checkpoint,))


def test_the_solver_is_asked_once_and_its_words_become_the_projects(service: ProjectService, provider: SaysSo) -> None:
    view = service.open("p", 1)
    assert [(item.label, item.score, item.solver, item.checkpoint, item.verdict) for item in view.suggestions] == [
        ("raccoon", 0.9, SOLVER, None, None),
        ("raccoon", 0.5, SOLVER, None, None),
        ("Dog", 0.3, SOLVER, None, None),
    ]
    assert view.note is None
    assert service.open("p", 1).suggestions == view.suggestions
    assert provider.asked == [("p-1.jpg", None)]


def test_boxes_are_clipped_and_what_is_no_box_is_left_out(service: ProjectService, provider: SaysSo) -> None:
    provider.answers = (
        DetectedObject("dog", 0.9, Box(-20, 70, 30, 200)),
        DetectedObject("dog", 0.8, Box(float("nan"), 0, 5, 5)),
        DetectedObject("dog", 0.7, Box(300, 300, 400, 400)),
        DetectedObject("dog", 0.6, None),
        DetectedObject("dog", None, Box(0, 0, 9, 9)),
    )
    assert [item.box for item in service.open("p", 1).suggestions] in ([Box(0, 70, 30, 80)],)


def test_what_a_solver_says_twice_is_suggested_once() -> None:
    def thing(label: str, score: float, x1: float) -> DetectedObject:
        return DetectedObject(label, score, Box(0, 0, x1, 10))

    labels = Labels(("cat", "dog"))
    said = [thing("cat", 0.7, 80), thing("cat", 0.9, 100), thing("dog", 0.6, 100), thing("cat", 0.8, 45)]
    found = suggesting.fitted(said, labels, Size(100, 100))
    assert [(item.label, item.score) for item in found] == [("cat", 0.9), ("cat", 0.8), ("dog", 0.6)]


def test_a_failing_solver_leaves_a_note_and_is_asked_again(service: ProjectService, provider: SaysSo) -> None:
    provider.error = RemoteError("the solver at http://127.0.0.1:1 can't be reached")
    view = service.open("p", 1)
    assert (view.suggestions, view.note) == ((), "the solver at http://127.0.0.1:1 can't be reached")
    assert service.act("p", 1, Draw("Dog", Box(1, 1, 9, 9))).view.annotations
    provider.error = ZeroDivisionError("a\nb")
    assert service.open("p", 1).note == f"{SOLVER} could not be asked: ZeroDivisionError: a b"
    provider.error = None
    view = service.open("p", 1)
    assert (len(view.suggestions), view.note) == (3, None)


def test_labels_that_are_no_classes_are_said(service: ProjectService, provider: SaysSo) -> None:
    provider.answers = (DetectedObject("teapot", 0.9, Box(0, 0, 9, 9)),)
    view = service.open("p", 1)
    assert view.suggestions == ()
    assert "found only things that are no classes of this project" in (view.note or "")


def test_what_an_annotation_covers_is_not_suggested_again(start: Start, folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["raccoon", "dog"])
    service.act("p", 1, Draw("raccoon", Box(10, 10, 50, 48)))
    service.act("p", 1, Draw("raccoon", Box(5, 50, 40, 80)))
    service.change("p", ProjectSettings(SOLVER))
    view = service.open("p", 1)
    assert [(item.label, item.score) for item in view.suggestions] == [("raccoon", 0.5), ("dog", 0.3)]


def test_a_new_checkpoint_speaks_where_nobody_decided(service: ProjectService, provider: SaysSo, home: Home) -> None:
    undecided, decided = service.open("p", 1), service.open("p", 2)
    service.act("p", 2, Accept(decided.suggestions[0].id))
    removed = service.open("p", 4)
    told = service.act("p", 4, Accept(removed.suggestions[0].id))
    service.act("p", 4, Remove(told.view.annotations[0].id))
    service.open("p", 5)
    service.act("p", 5, SetState(PictureState.CONFIRMED_EMPTY))
    taken_back = service.open("p", 3)
    service.act("p", 3, Accept(taken_back.suggestions[0].id))
    service.undo("p")
    _promote(service, "r1")
    provider.answers = (DetectedObject("dog", 0.7, Box(0, 0, 30, 30)),)
    asked = len(provider.asked)
    fresh = service.open("p", 1)
    assert [(item.label, item.score, item.checkpoint) for item in fresh.suggestions] == [("Dog", 0.7, "r1")]
    assert {item.id for item in fresh.suggestions}.isdisjoint(item.id for item in undecided.suggestions)
    assert provider.asked[asked:] == [("p-1.jpg", Variant("p", home.projects / "p" / "checkpoints" / "r1"))]
    for position in (2, 3, 4, 5):
        kept = service.open("p", position).suggestions
        assert {item.checkpoint for item in kept} == {None}, f"picture {position} was decided on"
    assert len(provider.asked) == asked + 1
    database = service.folder("p").database
    first = database.rows(
        "SELECT s.score FROM suggestions s JOIN askings a ON a.id = s.asking WHERE a.picture = 1 AND a.first ORDER BY s.id"
    )
    assert [row["score"] for row in first] == [0.9, 0.5, 0.3], "what was said at the first opening is kept"
    service.act("p", 6, SetState(PictureState.SKIPPED))
    assert {item.checkpoint for item in service.open("p", 3).suggestions} == {"r1"}, "what can't be redone any more was no verdict"


def test_nothing_is_suggested_over_a_finished_picture(service: ProjectService, provider: SaysSo) -> None:
    service.act("p", 1, SetState(PictureState.CONFIRMED_EMPTY))
    assert service.open("p", 1).suggestions == ()
    assert provider.asked == []
    service.act("p", 1, SetState(PictureState.IN_PROGRESS))
    assert len(service.open("p", 1).suggestions) == 3
    row = service.folder("p").database.row("SELECT first FROM askings")
    assert row is not None
    assert row["first"] == 0, "a person had been here: no honest forecast"


def test_an_answer_that_comes_too_late_is_dropped(service: ProjectService, provider: SaysSo, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = provider.suggest

    def meanwhile(*arguments: Any, **named: Any) -> tuple[DetectedObject, ...]:
        service.act("p", 1, SetState(PictureState.CONFIRMED_EMPTY))
        return ask(*arguments, **named)

    monkeypatch.setattr(provider, "suggest", meanwhile)
    assert service.open("p", 1).suggestions == ()


def test_verdicts_survive_a_restart(service: ProjectService, start: Start) -> None:
    view = service.open("p", 1)
    service.act("p", 1, Accept(view.suggestions[1].id))
    again = start()
    told = again.open("p", 1)
    assert [item.verdict for item in told.suggestions] == [None, Verdict.ACCEPTED, None]
    assert again.undo("p").message == "undone: accepted raccoon .50"
    assert again.open("p", 1).annotations == ()
    assert start().redo("p").view.annotations == told.annotations
