"""The annotator's session without a terminal: order, verdicts, nudges, errors, undo across pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.model.errors import CvflowError, RemoteError
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.projects import (
    Accept,
    AcceptRest,
    Annotation,
    Decline,
    Draw,
    Edit,
    Fix,
    Picture,
    PictureState,
    PictureView,
    Remove,
    Round,
    RoundState,
    SetState,
    Suggestion,
    Verdict,
)
from cvflow_tui.screens.annotate.acts import Acts
from cvflow_tui.screens.annotate.boxes import Corner, fits, shifted, stretched
from cvflow_tui.screens.annotate.moving import Moving
from cvflow_tui.screens.annotate.rows import hidden_below, rows_of
from cvflow_tui.screens.annotate.session import Session
from tests.iae_screens.fake_projects import FakeProjects


class Heard:
    """Writes down what a session says."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.errors: list[tuple[str, int]] = []
        self.rounds: list[Round] = []

    def changed(self) -> None: ...

    def opening(self, position: int) -> None: ...

    def project_changed(self) -> None: ...

    def told(self, message: str) -> None:
        self.messages.append(message)

    def failed(self, error: CvflowError, dropped: int) -> None:
        self.errors.append((error.message, dropped))

    def round_over(self, round_: Round) -> None:
        self.rounds.append(round_)


class Bench:
    """A session on a fake, running."""

    def __init__(self, fake: FakeProjects, name: str = "raccoons") -> None:
        self.fake = fake
        self.heard = Heard()
        self.session = Session(cast(DaemonClient, fake), name, self.heard)
        self.acts = Acts(self.session)
        self.moving = Moving(self.session, silence=0.05)

    @property
    def done(self) -> list[Any]:
        """The acts that reached the journal, in order."""
        return [call[2] for call in self.fake.calls if call[0] == "act"]


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    fake = FakeProjects()
    fake.add()
    bench = Bench(fake)
    task = asyncio.create_task(bench.session.run())
    bench.session.submit(bench.session.start)
    await bench.session.settled()
    yield bench
    bench.session.close()
    task.cancel()


async def test_fast_keys_are_done_in_order_each_against_what_the_last_left(bench: Bench) -> None:
    bench.fake.delay = 0.01
    session, acts = bench.session, bench.acts
    for intent in (acts.accept, acts.accept, session.go_next, acts.decline, acts.accept, session.go_next):
        session.submit(intent)
    await session.settled()
    assert bench.done == [
        Accept(100),
        Accept(101),
        SetState(PictureState.ANNOTATED),
        Decline(200),
        Accept(201),
        SetState(PictureState.ANNOTATED),
    ]
    assert session.opened().picture.position == 3


async def test_after_an_error_what_was_typed_behind_it_is_dropped_and_nothing_changed(bench: Bench) -> None:
    bench.fake.fail["act"] = RemoteError("the daemon is gone")
    before = bench.session.view
    for intent in (bench.acts.accept, bench.acts.decline, bench.session.go_next):
        bench.session.submit(intent)
    await bench.session.settled()
    assert bench.heard.errors == [("the daemon is gone", 2)]
    assert bench.done == []
    assert bench.session.view == before
    bench.session.submit(bench.acts.accept)
    await bench.session.settled()
    assert bench.done == [Accept(100)]


async def test_a_picture_without_annotations_stays_as_it_was(bench: Bench) -> None:
    bench.session.submit(bench.session.go_next)
    await bench.session.settled()
    assert bench.done == []
    assert bench.session.opened().picture.position == 2


async def test_nudges_become_one_act_after_a_silence(bench: Bench) -> None:
    for _ in range(5):
        bench.session.submit(lambda: bench.moving.nudge(1, 0), bare=True)
    bench.session.submit(lambda: bench.moving.nudge(0, 2), bare=True)
    await asyncio.sleep(0.01)
    assert bench.done == [], "a nudge is a draft until the keys fall silent"
    assert bench.session.moved == (("suggestion", 100), Box(9, 6, 35, 42))
    await asyncio.sleep(0.2)
    assert bench.done == [Fix(100, "raccoon", Box(9, 6, 35, 42))]
    assert bench.session.row is not None
    assert bench.session.row.verdict == "fixed"


async def test_nudges_are_committed_before_any_other_act_and_before_leaving(bench: Bench) -> None:
    session = bench.session
    session.submit(lambda: bench.moving.nudge(1, 1), bare=True)
    session.submit(bench.acts.accept)
    await session.settled()
    assert bench.done == [Fix(100, "raccoon", Box(5, 5, 31, 41)), Accept(101)]
    session.submit(lambda: bench.moving.nudge(-1, 0), bare=True)
    session.submit(session.go_next)
    await session.settled()
    assert [type(act) for act in bench.done[2:]] == [Edit, SetState]


async def test_nudges_that_end_where_they_began_are_no_act(bench: Bench) -> None:
    for step in (1, -1):
        bench.session.submit(partial(bench.moving.nudge, step, 0), bare=True)
    await bench.session.settled()
    assert bench.done == []
    assert bench.session.moved is None


async def test_a_nudge_that_fails_leaves_the_box_where_it_was(bench: Bench) -> None:
    bench.fake.fail["act"] = RemoteError("no disk space")
    bench.session.submit(lambda: bench.moving.nudge(3, 0), bare=True)
    await bench.session.settled()
    assert bench.heard.errors == [("no disk space", 0)]
    assert bench.session.moved is None
    assert bench.session.rows[0].box == Box(4, 4, 30, 40)


async def test_undo_and_redo_go_to_the_picture_they_are_about(bench: Bench) -> None:
    session, acts = bench.session, bench.acts
    for intent in (acts.accept, session.go_next, acts.undo, acts.undo):
        session.submit(intent)
    await session.settled()
    assert session.opened().picture.position == 1
    assert session.opened().annotations == ()
    assert session.opened().picture.state is PictureState.UNSEEN
    for intent in (acts.redo, acts.redo, acts.redo):
        session.submit(intent)
    await session.settled()
    assert session.opened().picture.state is PictureState.ANNOTATED
    assert bench.heard.errors == []
    assert bench.heard.messages[-1] == "nothing to redo"


async def test_declining_an_annotation_deletes_it_and_says_so(bench: Bench) -> None:
    session, acts = bench.session, bench.acts
    session.submit(acts.accept)
    session.submit(lambda: acts.select(-1))
    session.submit(acts.decline)
    await session.settled()
    assert isinstance(bench.done[-1], Remove)
    assert bench.heard.messages[-1] == "deleted raccoon"
    assert session.row is not None
    assert session.row.is_undecided


async def test_accept_rest_takes_only_what_the_threshold_shows(bench: Bench) -> None:
    session, acts = bench.session, bench.acts
    for _ in range(8):
        session.submit(lambda: acts.change_threshold(0.05))
    session.submit(acts.accept_rest)
    await session.settled()
    assert bench.done == [AcceptRest(0.8)]
    assert [row.label for row in session.rows] == ["raccoon"]
    assert bench.fake.stored["raccoons"].project.settings.threshold == 0.8


async def test_digits_relabel_the_selection_or_choose_the_class_to_draw_with(bench: Bench) -> None:
    session, acts = bench.session, bench.acts
    session.submit(lambda: acts.choose_digit(2))
    session.submit(acts.deselect)
    session.submit(lambda: acts.choose_digit(2))
    session.submit(lambda: acts.draw(Box(10, 10, 2, 2)))
    await session.settled()
    assert bench.done == [Fix(100, "dog", Box(4, 4, 30, 40)), Draw("dog", Box(2, 2, 10, 10))]
    assert session.row is not None
    assert session.row.verdict == "drawn"
    session.submit(lambda: acts.choose_digit(9))
    await session.settled()
    assert bench.heard.errors == [("there is no class 9: this project has 2", 0)]


async def test_confirming_empty_toggles_and_refuses_where_annotations_stand(bench: Bench) -> None:
    session, acts = bench.session, bench.acts
    session.submit(acts.confirm_empty)
    session.submit(acts.confirm_empty)
    session.submit(acts.accept)
    session.submit(acts.confirm_empty)
    await session.settled()
    assert bench.done == [SetState(PictureState.CONFIRMED_EMPTY), SetState(PictureState.IN_PROGRESS), Accept(100)]
    assert bench.heard.errors == [("this picture holds 1 annotation: delete it first (x)", 0)]


async def test_skipping_is_not_overruled_by_moving_on(bench: Bench) -> None:
    session, acts = bench.session, bench.acts
    for intent in (acts.accept, session.skip, session.go_back, session.go_next):
        session.submit(intent)
    await session.settled()
    assert bench.done == [Accept(100), SetState(PictureState.SKIPPED)]


async def test_the_end_says_what_comes_next(bench: Bench) -> None:
    for _ in range(3):
        bench.session.submit(bench.acts.accept)
        bench.session.submit(bench.session.go_next)
    await bench.session.settled()
    assert bench.session.opened().picture.position == 3
    assert bench.heard.messages[-1] == "the last picture; all are seen to: E exports, T trains"


async def test_resizing_is_one_act_on_enter_and_none_on_escape(bench: Bench) -> None:
    session, moving = bench.session, bench.moving
    for intent in (moving.begin_resize, lambda: moving.stretch(5, 5), moving.cancel_resize):
        session.submit(intent)
    await session.settled()
    assert bench.done == []
    for intent in (
        moving.begin_resize,
        lambda: moving.stretch(5, 0),
        moving.switch_corner,
        moving.switch_corner,
        lambda: moving.stretch(-2, -1),
    ):
        session.submit(intent)
    session.submit(moving.finish_resize)
    await session.settled()
    assert bench.done == [Fix(100, "raccoon", Box(2, 3, 35, 40))]


async def test_a_round_is_followed_to_its_end(bench: Bench) -> None:
    job = await bench.fake.train("raccoons")
    bench.session.rounds.follow(job.id)
    await asyncio.sleep(0.01)
    assert bench.session.rounds.job is not None
    bench.fake.end_round("raccoons", RoundState.KEPT_OLD, reason="AP50 fell from .70 to .60")
    await asyncio.sleep(0.01)
    assert [each.state for each in bench.heard.rounds] == [RoundState.KEPT_OLD]
    assert bench.session.rounds.job is None


@pytest.mark.parametrize(("touched", "opened"), [(False, [1, 1]), (True, [1])])
async def test_a_new_checkpoint_speaks_on_an_untouched_open_picture(bench: Bench, touched: bool, opened: list[int]) -> None:
    if touched:
        bench.session.submit(bench.acts.decline)
        await bench.session.settled()
    job = await bench.fake.train("raccoons")
    bench.session.rounds.follow(job.id)
    await asyncio.sleep(0.01)
    bench.fake.end_round("raccoons", RoundState.PROMOTED)
    await asyncio.sleep(0.01)
    await bench.session.settled()
    assert [each.state for each in bench.heard.rounds] == [RoundState.PROMOTED]
    assert [call[1] for call in bench.fake.calls if call[0] == "open"] == opened


async def test_a_picture_that_cannot_be_opened_leaves_the_old_one_open(bench: Bench) -> None:
    bench.fake.fail["open_picture"] = RemoteError("the daemon did not answer in time")
    bench.session.submit(bench.session.go_next)
    await bench.session.settled()
    assert bench.session.opened().picture.position == 1
    assert bench.session.opening is None


SIDES = st.floats(0, 200, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x0, x1 = sorted((draw(SIDES), draw(SIDES)))
    y0, y1 = sorted((draw(SIDES), draw(SIDES)))
    return Box(x0, y0, x1 + 1, y1 + 1)


@given(boxes(), st.floats(-300, 300), st.floats(-300, 300))
def test_a_moved_box_keeps_its_size_and_stays_inside(box: Box, dx: float, dy: float) -> None:
    size = Size(201, 201)
    moved = shifted(box, dx, dy, size)
    assert moved.width == pytest.approx(box.width)
    assert moved.height == pytest.approx(box.height)
    assert moved.x0 >= -1e-6
    assert moved.y0 >= -1e-6
    assert moved.x1 <= size.width + 1e-6
    assert moved.y1 <= size.height + 1e-6


@given(boxes(), st.sampled_from(Corner), st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300)), max_size=6))
def test_a_stretched_box_is_never_inside_out_or_outside(box: Box, corner: Corner, steps: list[tuple[float, float]]) -> None:
    size = Size(201, 201)
    for dx, dy in steps:
        box = stretched(box, corner, dx, dy, size)
        corner = corner.following()
        assert fits(box, size) is not None
        assert 0 <= box.x0 < box.x1 <= size.width
        assert 0 <= box.y0 < box.y1 <= size.height


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([None, *Verdict])), max_size=8),
    st.integers(0, 3),
    st.floats(0, 1),
)
def test_every_object_is_listed_once_and_only_low_undecided_ones_are_hidden(
    proposals: list[tuple[float, Verdict | None]], drawn: int, threshold: float
) -> None:
    suggestions = tuple(Suggestion(at, "a", score, Box(0, 0, 1, 1), verdict=verdict) for at, (score, verdict) in enumerate(proposals))
    taken = [each for each in suggestions if each.verdict in (Verdict.ACCEPTED, Verdict.FIXED)]
    annotations = tuple(Annotation(50 + each.id, "a", each.box, "accepted", each.id, each.score) for each in taken)
    annotations += tuple(Annotation(90 + at, "b", Box(0, 0, 1, 1)) for at in range(drawn))
    view = PictureView(Picture(1, 1, "p", "p", PictureState.UNSEEN), annotations, suggestions)
    rows = rows_of(view, threshold)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert len({row.key for row in rows}) == len(rows)
    assert {row.annotation.id for row in rows if row.annotation} == {each.id for each in annotations}
    assert len(rows) + hidden_below(view, threshold) == len(suggestions) + drawn
