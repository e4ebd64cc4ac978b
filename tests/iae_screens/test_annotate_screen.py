"""The annotate place under a Pilot: keys alone, the mouse, order, errors, both sizes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from unittest import mock

import pytest
from textual.geometry import Offset

from cvflow_tui.model.errors import RemoteError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import (
    Accept,
    AcceptRest,
    Decline,
    DetectionMetrics,
    Draw,
    Edit,
    Fix,
    Picture,
    PictureState,
    Prequential,
    Round,
    RoundState,
    SetState,
)
from cvflow_tui.screens.annotate.canvas import DrawingCanvas
from cvflow_tui.screens.annotate.object_list import ObjectList
from cvflow_tui.screens.help import HelpScreen
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.key_bar import KeyBar
from tests.iae_screens.conftest import Opened, Stage
from tests.iae_screens.fake_projects import FakeProjects, png

SIZES = [(80, 24), (160, 45)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_picture_is_annotated_with_keys_alone(opened: Opened, fake: FakeProjects, size: tuple[int, int]) -> None:
    async with opened(fake, size=size) as stage:
        assert "1/3 raccoons-1.png" in stage.status
        assert "2 to decide" in stage.status
        await stage.keys("a", "x", "n")
        assert stage.acts == [Accept(100), Decline(101), SetState(PictureState.ANNOTATED)]
        assert "2/3" in stage.status
        await stage.keys("A", "n", "s")
        assert stage.acts[3:] == [AcceptRest(0.4), SetState(PictureState.ANNOTATED), SetState(PictureState.SKIPPED)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_key_bar_has_the_keys_of_the_design(opened: Opened, fake: FakeProjects, size: tuple[int, int]) -> None:
    async with opened(fake, size=size) as stage:
        bar = stage.annotate.query_one(KeyBar)
        assert bar.text.startswith(" a accept   A accept rest   x decline   r box   e edit   n next")
        assert bar.text.endswith("? help")
        await stage.keys("r")
        assert bar.text.startswith(" Space corner   Esc cancel")


async def test_every_key_has_words_for_the_help(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        bound = [binding for bindings in stage.annotate._bindings.key_to_bindings.values() for binding in bindings]
        ours = [binding for binding in bound if binding.id]
        assert len(ours) > 40
        assert [binding.id for binding in ours if not binding.tooltip] == []


async def test_keys_typed_faster_than_the_daemon_answers_lose_nothing(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        fake.delay = 0.03
        await stage.keys(*"aanxan")
        expected = [Accept(100), Accept(101), SetState(PictureState.ANNOTATED), Decline(200), Accept(201), SetState(PictureState.ANNOTATED)]
        assert stage.acts == expected
        assert "3/3" in stage.status


async def test_nothing_shows_before_it_is_journalled(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        fake.delay = 0.3
        await stage.pilot.press("a")
        shapes = {shape.id: shape.kind for shape in stage.annotate.canvas.shapes}
        assert shapes["suggestion:100"] == "suggestion"
        assert stage.acts == []
        await stage.settle()
        assert {shape.id: shape.kind for shape in stage.annotate.canvas.shapes}["suggestion:100"] == "annotation"


async def test_an_error_is_one_line_and_the_screen_stays(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        before = stage.annotate.canvas.shapes
        fake.fail["act"] = RemoteError("the daemon at http://127.0.0.1:1 cannot be reached")
        await stage.keys("a")
        assert stage.status == "the daemon at http://127.0.0.1:1 cannot be reached"
        assert stage.annotate.canvas.shapes == before
        await stage.keys("a")
        assert stage.acts == [Accept(100)]


async def test_a_box_is_drawn_with_the_keyboard(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("r", "h", "left", "up", "space")
        start = stage.annotate.canvas.cursor
        assert start is not None
        await stage.keys("L", "down", "shift+down")
        await stage.keys("enter")
        assert len(stage.acts) == 1
        drawn = stage.acts[0]
        assert isinstance(drawn, Draw)
        assert drawn.label == "raccoon"
        assert (drawn.box.x0, drawn.box.y0) == pytest.approx(start)
        assert drawn.box.width > 1
        assert drawn.box.height > 1
        assert stage.annotate.canvas.mode == "browse"
        row = stage.annotate.session.row if stage.annotate.session else None
        assert row is not None
        assert row.verdict == "drawn"


async def test_escape_takes_back_the_corner_and_then_drawing(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("r", "space", "right", "down", "escape")
        assert "drawing raccoon" in stage.status
        assert stage.annotate.canvas.draft is None
        await stage.keys("escape")
        assert stage.annotate.canvas.mode == "browse"
        assert stage.annotate.canvas.cursor is None
        assert stage.acts == []


async def test_the_class_to_draw_with_is_chosen_by_digit_while_drawing(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("r", "2", "space", "right", "right", "down", "down", "space")
        assert [act.label for act in stage.acts] == ["dog"]


async def test_a_digit_gives_the_selected_object_another_class(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("2")
        assert stage.acts == [Fix(100, "dog", Box(4, 4, 30, 40))]
        await stage.keys("escape", "2")
        assert len(stage.acts) == 1
        assert "drawing dog from now on" in stage.status


async def test_arrows_nudge_and_a_silence_makes_one_act(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.pilot.press("right", "right", "shift+down", "left")
        assert stage.acts == []
        assert next(shape.kind for shape in stage.annotate.canvas.shapes if shape.selected) == "draft"
        await stage.until(lambda: stage.acts, "the nudges' act")
        # The picture is 48 high and the box ends at 40: the leap of ten stops at the edge.
        assert stage.acts == [Fix(100, "raccoon", Box(5, 12, 31, 48))]


async def test_nudges_go_before_the_next_act_and_are_not_lost_on_quitting(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("a", "tab", "right", "a")
        assert [type(act) for act in stage.acts] == [Accept, Edit, Accept]
        await stage.pilot.press("left", "left")
        stage.app.exit()
    assert [type(act) for act in stage.acts] == [Accept, Edit, Accept, Edit]


async def test_resizing_with_e(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("e", "right", "down")
        assert "bottom right corner" in stage.status
        await stage.keys("tab", "tab", "left", "enter")
        assert stage.acts == [Fix(100, "raccoon", Box(3, 4, 31, 41))]
        await stage.keys("e", "shift+right", "escape")
        assert len(stage.acts) == 1


async def test_undo_goes_back_to_the_picture_it_is_about(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("a", "n")
        assert "2/3" in stage.status
        await stage.keys("u", "u")
        assert "1/3" in stage.status
        assert "2 to decide" in stage.status
        await stage.keys("U")
        assert "1 to decide" in stage.status


async def test_confirming_empty_and_thresholds(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, size=(160, 45)) as stage:
        await stage.keys("0")
        assert "confirmed empty" in stage.status
        await stage.keys(*["right_square_bracket"] * 8)
        assert "threshold .80" in stage.status
        assert len(stage.annotate.canvas.shapes) == 1
        await stage.keys("left_square_bracket")
        assert fake.stored["raccoons"].project.settings.threshold == 0.75


async def test_going_to_a_picture_by_number_and_by_name(opened: Opened) -> None:
    fake = FakeProjects()
    fake.add(pictures=450)
    async with opened(fake) as stage:
        await stage.keys("G")
        await stage.keys(*"431")
        await stage.keys("enter")
        await stage.until(lambda: "431/450" in stage.status, "picture 431")
        await stage.keys("slash")
        await stage.keys(*"ns-77")
        await stage.keys("enter")
        await stage.until(lambda: "77/450" in stage.status, "picture 77")
        await stage.keys("G", *"999", "enter")
        assert len(stage.app.screen_stack) == 2, "a number that is not there keeps the dialog"


async def test_a_broken_picture_says_so_and_n_goes_on(opened: Opened, fake: FakeProjects) -> None:
    pages = fake.stored["raccoons"].pages
    pages[1].content = png()[:60]
    pages[2].picture = replace(pages[2].picture, error="raccoons-3.png is no picture")
    async with opened(fake) as stage:
        await stage.keys("n")
        await stage.until(lambda: "cannot be shown" in stage.annotate.canvas.empty_text, "the message")
        await stage.keys("n")
        await stage.until(lambda: "is no picture" in stage.annotate.canvas.empty_text, "the message")
        await stage.keys("p", "p")
        await stage.until(lambda: stage.annotate.canvas.picture is not None, "the first picture again")


async def test_a_picture_that_does_not_open_leaves_the_one_before(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.pilot.pause(0.1)
        fake.fail["open_picture"] = RemoteError("the daemon did not answer in time")
        await stage.keys("n")
        assert stage.status == "the daemon did not answer in time"
        await stage.keys("a")
        assert fake.calls[-1][1] == 1


async def test_a_round_shows_its_progress_and_its_end(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, size=(160, 45)) as stage:
        await stage.keys("T")
        await stage.until(lambda: "round 1: fine-tuning 0/100 steps, 10 s left" in stage.status, "its progress")
        fake.move_job("job1", done=60, eta=4.0)
        await stage.until(lambda: "60/100 steps, 4 s left" in stage.status, "more progress")
        before, after = DetectionMetrics(5, 0.9, 0.8, 0.71), DetectionMetrics(5, 0.9, 0.8, 0.74)
        fake.end_round("raccoons", RoundState.PROMOTED, before=before, held_back=after)
        await stage.until(lambda: "round 1 promoted: AP50 .71 → .74" in stage.toasts, "the toast")
        assert "round 1 promoted" in stage.status
        assert "● r1" in stage.app.right_status


async def test_the_same_note_is_told_once(opened: Opened, fake: FakeProjects) -> None:
    for page in fake.stored["raccoons"].pages:
        page.suggestions, page.note = (), "cvflow/nanodet is not installed: Hub installs it"
    async with opened(fake) as stage:
        await stage.keys("n", "n")
        assert stage.toasts.count("cvflow/nanodet is not installed: Hub installs it") == 1
        await stage.keys("r", "space", "right", "down", "space")
        assert [type(act) for act in stage.acts] == [Draw], "annotation works without a solver"


async def test_a_note_that_comes_back_is_not_told_again_until_suggestions_came(opened: Opened, fake: FakeProjects) -> None:
    first, second, third = fake.stored["raccoons"].pages
    kept = first.suggestions
    first.suggestions = second.suggestions = third.suggestions = ()
    first.note = third.note = "it cannot be reached"
    async with opened(fake) as stage:
        await stage.keys("n", "n")
        assert stage.toasts.count("it cannot be reached") == 1
        second.suggestions = kept
        await stage.keys("p", "n")
        assert stage.toasts.count("it cannot be reached") == 2


async def test_a_picture_of_declined_suggestions_is_not_left_in_silence(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("x", "x", "n")
        assert stage.status.startswith(" 1 is left open: 0 confirms it is empty") or stage.status.startswith("1 is left open")
        assert "2/3" in stage.status
        await stage.keys("n", "p")
        assert "left open" not in stage.status, "nothing was done to the second"
        await stage.keys("p", "0", "n")
        assert "left open" not in stage.status


async def test_the_help_has_a_line_for_each_meaning(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake) as stage:
        await stage.keys("question_mark")
        help_screen = stage.app.screen
        assert isinstance(help_screen, HelpScreen)
        lines = help_screen.text(70).plain.splitlines()
        lines = lines[lines.index("in this place") :]
        assert max(len(line) for line in lines) <= 70
        assert sum("Class of the selected object" in line for line in lines) == 1
        assert any(line.startswith("  1-9 ") for line in lines)
        assert any(line.startswith("  ← ↓ ↑ → ") for line in lines)
        assert any(line.startswith("  S-← ↓ ↑ → ") for line in lines)
        assert not any("Copy selected text" in line for line in lines)
        wrapped = lines[next(number for number, line in enumerate(lines) if "Accept the selected suggestion" in line) + 1]
        assert wrapped.startswith(" " * 15)


async def test_labels_from_outside_are_text_and_nothing_else(opened: Opened) -> None:
    fake = FakeProjects()
    evil = "[red]x[/] \x1b[31mraw"
    fake.add(labels=(evil, "dog"), suggestions=((evil, 0.9, Box(4, 4, 30, 40)),))
    async with opened(fake, size=(160, 45)) as stage:
        await stage.keys("a")
        shot = stage.app.export_screenshot()
        assert "\x1b" not in shot
        assert "[red]x[/]" in shot.replace("&#160;", " ")


# -- the mouse


async def test_dragging_beside_every_shape_draws(opened: Opened) -> None:
    fake = FakeProjects()
    fake.add(suggestions=())
    async with opened(fake, size=(160, 45)) as stage:
        canvas = stage.annotate.canvas
        await drag(stage, (40, 10), (60, 20))
        assert [type(act) for act in stage.acts] == [Draw]
        assert canvas.mode == "browse"
        corner = canvas.to_picture(40.5, 10.5)
        assert corner == pytest.approx((stage.acts[0].box.x0, stage.acts[0].box.y0))


async def test_dragging_in_draw_mode_draws_over_shapes_too(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, size=(160, 45)) as stage:
        view = stage.annotate.canvas.viewport
        assert view is not None
        x, y = view.to_cell(10, 10)
        await stage.keys("r")
        await drag(stage, (int(x), int(y)), (int(x) + 10, int(y) + 5))
        assert [type(act) for act in stage.acts] == [Draw]


async def test_clicks_select_on_the_picture_and_in_the_list(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, size=(160, 45)) as stage:
        session, view = stage.annotate.session, stage.annotate.canvas.viewport
        assert session is not None
        assert view is not None
        x, y = view.to_cell(45, 20)
        await stage.pilot.click("#canvas", offset=(int(x), int(y)))
        await stage.settle()
        assert session.selected == ("suggestion", 101)
        assert stage.annotate.canvas.mode == "browse"
        await stage.pilot.click(ObjectList, offset=(5, 0))
        await stage.settle()
        assert session.selected == ("suggestion", 100)
        x, y = view.to_cell(62, 46)
        await stage.pilot.click("#canvas", offset=(int(x), int(y)))
        await stage.settle()
        assert session.selected is None
        assert stage.annotate.canvas.mode == "browse"
        assert stage.acts == []


async def drag(stage: Stage, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Drag with the left button over the canvas."""
    await stage.pilot.mouse_down("#canvas", offset=start)
    for step in range(1, 5):
        at = Offset(start[0] + (end[0] - start[0]) * step // 4, start[1] + (end[1] - start[1]) * step // 4)
        await stage.pilot.hover("#canvas", offset=at)
    await stage.pilot.mouse_up("#canvas", offset=end)
    await stage.settle()


# -- sizes


async def test_the_side_pane_folds_away_and_comes_back(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, size=(80, 24)) as stage:
        pane = stage.annotate.query_one("#objects-pane")
        assert stage.annotate.canvas.size.width == 80
        assert not pane.display
        await stage.keys("o")
        assert pane.display
        assert stage.annotate.canvas.size.width == 80, "it lies over the picture"
        await stage.keys("o")
        assert not pane.display
    async with opened(fake, size=(160, 45)) as stage:
        assert stage.annotate.query_one("#objects-pane").display


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "1/3 raccoons-1.png · 2 to decide · AP50 .78 · r1 AP50 .74"),
        (160, "threshold .40 · P .91 R .84 AP50 .78 · r1 AP50 .74 · 10 until round 2"),
    ],
)
async def test_the_status_line_tells_the_accuracy_and_the_round(opened: Opened, fake: FakeProjects, width: int, line: str) -> None:
    stored = fake.stored["raccoons"]
    metrics = DetectionMetrics(20, 0.91, 0.84, 0.78)
    stored.prequential = Prequential(metrics, metrics)
    stored.rounds = [Round(1, RoundState.PROMOTED, 10, 1.0, 6.0, "r1", DetectionMetrics(5, ap50=0.74), DetectionMetrics(5, ap50=0.71))]
    async with opened(fake, size=(width, 24)) as stage:
        assert line in stage.status


async def test_the_status_line_gives_up_the_least_needed_words_first(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, size=(160, 45)) as stage:
        assert stage.status == "1/3 raccoons-1.png 64x48 zoom 1.0 · 2 to decide · threshold .40 · 10 until round 1"
    async with opened(fake, size=(60, 24)) as stage:
        assert "2 to decide" in stage.status
        assert "zoom" not in stage.status


async def test_without_a_project_the_place_says_what_to_do(opened: Opened, fake: FakeProjects) -> None:
    async with opened(fake, project=None) as stage:
        assert "No project is open.\nF4 lists the projects; Enter opens one." in stage.annotate.canvas.empty_text
        await stage.keys("a", "n", "u", "r")
        assert stage.acts == []


async def test_another_project_opens_once_the_first_is_done(opened: Opened, fake: FakeProjects) -> None:
    fake.add("dogs", pictures=2)
    async with opened(fake) as stage:
        await stage.pilot.press("a", "right")
        stage.app.open_project("dogs")
        await stage.until(lambda: "1/2 dogs-1.png" in stage.status, "the other project")
        await stage.until(lambda: len(stage.acts) == 2, "the nudge of the first")
        assert [call[0] for call in fake.calls if call[0] == "act"] == ["act", "act"]
        assert fake.stored["raccoons"].pages[0].annotations


async def test_pixels_that_come_while_the_app_is_taken_down_disturb_nobody(opened: Opened, fake: FakeProjects) -> None:
    """The picture's widget is gone before the work that was to show something in it is called off."""
    came = []
    async with opened(fake) as stage:
        screen = stage.annotate
        picture = screen.canvas.picture

        async def load(_: Picture) -> CanvasPicture | None:
            while screen.query(DrawingCanvas):  # noqa: ASYNC110 - the very moment is meant
                await asyncio.sleep(0)
            came.append(True)
            return picture

        assert screen._pixels is not None
        taken = mock.patch.object(screen._pixels, "load", load)
        taken.start()
        await stage.pilot.press("n")
    taken.stop()
    assert came


@pytest.mark.parametrize("before", ["", "n"])
async def test_what_is_drawn_waits_for_the_picture(opened: Opened, fake: FakeProjects, before: str) -> None:
    """Suggestions are there before the pixels are; a box begun meanwhile is drawn on the picture that comes, not on the one before."""
    async with opened(fake) as stage:
        screen, go_on, asked = stage.annotate, asyncio.Event(), []
        assert screen._pixels is not None
        given = screen._pixels.load

        async def slowly(picture: Picture) -> CanvasPicture:
            asked.append(picture.position)
            await go_on.wait()
            return await given(picture)

        with mock.patch.object(screen._pixels, "load", slowly):
            if not before:
                screen.canvas.show(None)
                screen._shown = None
                screen.changed()
            pressing = asyncio.create_task(stage.pilot.press(*before, "r", "space", "L", "L", "J", "J", "space"))
            await stage.until(lambda: bool(asked), "the picture is on its way")
            await asyncio.sleep(0.3)
            go_on.set()
            await pressing
            await stage.until(lambda: stage.acts[-1:] != [] and isinstance(stage.acts[-1], Draw), "the box")
        pages = fake.stored["raccoons"].pages
        drawn = [number for number, page in enumerate(pages, 1) if page.annotations]
        assert drawn == [2 if before else 1]
        assert "no picture" not in stage.status
