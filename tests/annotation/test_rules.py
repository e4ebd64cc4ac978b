"""What each act does, and that what is undone is exactly as it was."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from PIL import Image

from cvflow_tui.backend.annotation.codec import change_from_json, change_to_json
from cvflow_tui.backend.annotation.content import Content, applied
from cvflow_tui.backend.annotation.labels import Labels
from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.annotation.rules import decide
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, NotFoundError, RefusedError, UsageError
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.projects import (
    Accept,
    AcceptRest,
    Act,
    Annotation,
    Decline,
    Draw,
    Edit,
    Fix,
    PictureState,
    PictureView,
    ProjectSettings,
    Remove,
    SetState,
    Suggestion,
    Verdict,
)

from .conftest import SOLVER, SaysSo

LABELS = Labels(("raccoon", "dog"))
SIZE = Size(100, 80)
BOX = Box(10, 10, 50, 50)

FRESH = Content(
    "a.jpg",
    SIZE,
    PictureState.UNSEEN,
    suggestions=(
        Suggestion(1, "raccoon", 0.9, BOX),
        Suggestion(2, "dog", 0.5, Box(60, 10, 90, 40)),
        Suggestion(3, "dog", 0.2, Box(0, 0, 9, 9)),
    ),
)


def _after(content: Content, *acts: Act) -> Content:
    for act in acts:
        number = 1 + max((item.id for item in content.annotations), default=0)
        content = applied(content, decide(content, act, LABELS, number).change)
    return content


def test_accept_takes_the_suggestion_as_it_is() -> None:
    after = _after(FRESH, Accept(1))
    assert after.annotations == (Annotation(1, "raccoon", BOX, "accepted", 1, 0.9),)
    assert [item.verdict for item in after.suggestions] == [Verdict.ACCEPTED, None, None]
    assert after.state is PictureState.IN_PROGRESS
    with pytest.raises(RefusedError, match="accepted already"):
        _after(after, Accept(1))
    with pytest.raises(RefusedError, match="remove its annotation first"):
        _after(after, Decline(1))


def test_accept_rest_takes_those_at_or_above_the_threshold_that_are_undecided() -> None:
    after = _after(FRESH, Decline(1), AcceptRest(0.2))
    assert [(item.id, item.label, item.suggestion) for item in after.annotations] == [(1, "dog", 2), (2, "dog", 3)]
    assert [item.verdict for item in after.suggestions] == [Verdict.DECLINED, Verdict.ACCEPTED, Verdict.ACCEPTED]
    assert decide(FRESH, AcceptRest(0.4), LABELS, 1).message == "accepted 2 suggestions"
    with pytest.raises(RefusedError, match=r"at least \.95 is left"):
        _after(FRESH, AcceptRest(0.95))


def test_a_declined_suggestion_can_be_taken_after_all() -> None:
    after = _after(FRESH, Decline(2), Accept(2))
    assert after.suggestions[1].verdict is Verdict.ACCEPTED


def test_fix_and_edit_say_that_the_suggestion_was_not_right() -> None:
    fixed = _after(FRESH, Fix(1, "dog", Box(0, 0, 20, 20)))
    assert fixed.annotations == (Annotation(1, "dog", Box(0, 0, 20, 20), "fixed", 1, 0.9),)
    assert fixed.suggestions[0].verdict is Verdict.FIXED
    edited = _after(FRESH, Accept(1), Edit(1, "raccoon", BOX.moved(1, 0)))
    assert edited.annotations[0].origin == "fixed"
    assert edited.suggestions[0].verdict is Verdict.FIXED
    drawn = _after(FRESH, Draw("dog", BOX), Edit(1, "dog", BOX.moved(1, 0)))
    assert drawn.annotations[0].origin == "drawn"


def test_removing_makes_the_suggestion_undecided_again() -> None:
    after = _after(FRESH, Accept(1), Remove(1))
    assert after.annotations == ()
    assert after.suggestions == FRESH.suggestions


def test_the_states_of_a_picture() -> None:
    with pytest.raises(RefusedError, match="confirm that it is empty"):
        _after(FRESH, SetState(PictureState.ANNOTATED))
    with pytest.raises(UsageError, match="unseen"):
        _after(FRESH, SetState(PictureState.UNSEEN))
    done = _after(FRESH, Draw("dog", BOX), SetState(PictureState.ANNOTATED))
    assert _after(done, Edit(1, "raccoon", BOX)).state is PictureState.ANNOTATED
    assert _after(done, Remove(1)).state is PictureState.IN_PROGRESS
    with pytest.raises(RefusedError, match="holds 1 annotation"):
        _after(done, SetState(PictureState.CONFIRMED_EMPTY))
    empty = _after(FRESH, SetState(PictureState.CONFIRMED_EMPTY))
    assert _after(empty, Accept(1)).state is PictureState.IN_PROGRESS
    assert _after(FRESH, SetState(PictureState.SKIPPED), Draw("dog", BOX)).state is PictureState.IN_PROGRESS


@pytest.mark.parametrize(
    ("act", "kind", "says"),
    [
        (Draw("cat", BOX), UsageError, "'cat' is no class"),
        (Draw("dog", Box(float("nan"), 0, 5, 5)), UsageError, "finite"),
        (Draw("dog", Box(0, 0, float("inf"), 5)), UsageError, "finite"),
        (Draw("dog", Box(200, 200, 300, 300)), UsageError, "inside a.jpg"),
        (Draw("dog", Box(5, 5, 5.5, 30)), UsageError, "at least 1x1"),
        (Accept(9), NotFoundError, "no suggestion 9"),
        (Edit(9, "dog", BOX), NotFoundError, "no annotation 9"),
        (Remove(9), NotFoundError, "no annotation 9"),
    ],
)
def test_what_cannot_be_is_refused(act: Act, kind: type[CvflowError], says: str) -> None:
    with pytest.raises(kind) as caught:
        decide(FRESH, act, LABELS, 1)
    assert says in caught.value.message


def test_boxes_are_put_in_order_and_clipped() -> None:
    assert _after(FRESH, Draw("dog", Box(120, 90, 90, -10))).annotations[0].box == Box(90, 0, 100, 80)
    one = replace(FRESH, size=Size(1, 1))
    assert _after(one, Draw("dog", Box(-5, -5, 5, 5))).annotations[0].box == Box(0, 0, 1, 1)


_number = st.floats(-30, 130) | st.sampled_from([0.0, 100.0, float("nan"), float("inf")])
_box = st.builds(Box, _number, _number, _number, _number)
_label = st.sampled_from(["raccoon", "dog", "cat"])
_id = st.integers(1, 6)
_act: st.SearchStrategy[Act] = st.one_of(
    st.builds(Accept, _id),
    st.builds(Decline, _id),
    st.builds(AcceptRest, st.floats(0, 1)),
    st.builds(Fix, _id, _label, _box),
    st.builds(Draw, _label, _box),
    st.builds(Edit, _id, _label, _box),
    st.builds(Remove, _id),
    st.builds(SetState, st.sampled_from(list(PictureState))),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_act, max_size=12))
def test_every_act_has_an_exact_inverse_and_keeps_the_rules(acts: list[Act]) -> None:
    content, taken_back = FRESH, []
    for act in acts:
        number = 1 + max((item.id for item in content.annotations), default=0)
        try:
            change = decide(content, act, LABELS, number).change
        except CvflowError:
            continue
        after, inverse = applied(content, change), change.inverse()
        assert applied(after, inverse) == content
        assert applied(content, change_from_json(change_to_json(inverse.inverse(), LABELS), LABELS)) == after
        taken_back.append((content, inverse))
        content = after
        for item in content.annotations:
            assert item.box == item.box.ordered().clipped(SIZE)
            assert item.box.width >= 1
            assert item.box.height >= 1
        stood_for = {item.suggestion for item in content.annotations if item.suggestion is not None}
        assert stood_for == {item.id for item in content.suggestions if item.verdict in (Verdict.ACCEPTED, Verdict.FIXED)}
        assert content.state is not PictureState.ANNOTATED or content.annotations
        assert content.state is not PictureState.CONFIRMED_EMPTY or not content.annotations
    for before, inverse in reversed(taken_back):
        content = applied(content, inverse)
        assert content == before


class Annotator(RuleBasedStateMachine):
    """Acts, undos, redos and restarts through the service, against a list of pictures kept in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        root = Path(self.place.name)
        (root / "pictures").mkdir()
        for name in ("1.png", "2.png"):
            Image.new("L", (100, 80)).save(root / "pictures" / name)
        self.home = Home(root / "home")
        self.home.make()
        self.opened = ExitStack()
        self.restart()
        self.service.create("p", [str(root / "pictures")], LABELS.names, ProjectSettings(SOLVER))
        self.past: list[tuple[PictureView, ...]] = []
        self.future: list[tuple[PictureView, ...]] = []

    @initialize()
    def open_all(self) -> None:
        for position in (1, 2):
            self.service.open("p", position)

    @rule(picture=st.integers(1, 2), act=_act)
    def act(self, picture: int, act: Act) -> None:
        before = self.views()
        try:
            self.service.act("p", picture, act)
        except CvflowError:
            assert self.views() == before
            return
        if self.views() != before:
            self.past.append(before)
            self.future = []

    @rule()
    def undo(self) -> None:
        before = self.views()
        if not self.past:
            with pytest.raises(RefusedError):
                self.service.undo("p")
            return
        self.service.undo("p")
        assert self.views() == self.past[-1]
        self.future.append(before)
        self.past.pop()

    @rule()
    def redo(self) -> None:
        before = self.views()
        if not self.future:
            with pytest.raises(RefusedError):
                self.service.redo("p")
            return
        self.service.redo("p")
        assert self.views() == self.future[-1]
        self.past.append(before)
        self.future.pop()

    @precondition(lambda self: len(self.past) % 3 == 2)
    @rule()
    def restart(self) -> None:
        self.opened.close()
        state = open_state(self.home)
        self.opened.callback(state.close)
        self.service = ProjectService(self.home, state, SaysSo())
        self.opened.callback(self.service.close)

    @invariant()
    def says_what_can_be_done(self) -> None:
        view = self.service.open("p", 1)
        assert (view.can_undo, view.can_redo) == (bool(self.past), bool(self.future))

    @invariant()
    def replaying_the_journal_gives_what_is_there(self) -> None:
        folder = self.service.folder("p")
        for number in (1, 2):
            view = self.service.open("p", number)
            content = Content("", SIZE, PictureState.UNSEEN, (), tuple(replace(item, verdict=None) for item in view.suggestions))
            for row in folder.database.rows("SELECT change FROM journal WHERE status = 'done' AND picture = ? ORDER BY id", (number,)):
                content = applied(content, change_from_json(row["change"], LABELS))
            assert (content.state, content.annotations, content.suggestions) == (view.picture.state, view.annotations, view.suggestions)

    @invariant()
    def counts_are_true(self) -> None:
        database = self.service.folder("p").database
        told = {row["state"]: (row["pictures"], row["annotations"]) for row in database.rows("SELECT * FROM tallies") if row["pictures"]}
        counted = database.rows(
            "SELECT state, COUNT(*) AS n, (SELECT COUNT(*) FROM annotations a JOIN pictures q ON q.id = a.picture WHERE q.state = p.state)"
            " AS held FROM pictures p GROUP BY state"
        )
        assert told == {row["state"]: (row["n"], row["held"]) for row in counted}

    def views(self) -> tuple[PictureView, ...]:
        opened = [self.service.open("p", position) for position in (1, 2)]
        return tuple(replace(view, can_undo=False, can_redo=False, note=None) for view in opened)

    def teardown(self) -> None:
        self.opened.close()
        self.place.cleanup()


TestAnnotator = Annotator.TestCase
TestAnnotator.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


def test_an_act_that_changes_nothing_is_not_journalled(start: Callable[[], ProjectService], folder: Path) -> None:
    service = start()
    service.create("p", [str(folder)], ["a"])
    service.act("p", 1, SetState(PictureState.SKIPPED))
    service.act("p", 2, SetState(PictureState.SKIPPED))
    service.undo("p")
    told = service.act("p", 1, SetState(PictureState.SKIPPED))
    assert told.message == "p-1.jpg is skipped already"
    assert told.view.can_redo, "what was undone can still be redone"
    rows = service.folder("p").database.rows("SELECT status, act, message FROM journal")
    assert [(row["status"], json.loads(row["act"])["kind"]) for row in rows] == [("done", "set_state"), ("undone", "set_state")]
    assert service.redo("p").message == "redone: p-2.jpg is skipped"
