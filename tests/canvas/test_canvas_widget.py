"""The canvas in an app, without a terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from cvflow_tui.model.geometry import Box
from cvflow_tui.widgets.image_canvas.canvas import ImageCanvas
from cvflow_tui.widgets.image_canvas.colors import Depth
from cvflow_tui.widgets.image_canvas.headless import render_to_ansi
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.image_canvas.scene import Shape
from cvflow_tui.widgets.image_canvas.still import PictureView

from .canvas_app import CanvasApp

SHAPES = (Shape("cup", Box(60, 80, 240, 240), 0, "1 cup .91"), Shape("spoon", Box(300, 120, 540, 320), 1, "2 spoon", "suggestion"))


async def _settle(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def _screen(app: App[None]) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


def _shown(canvas: ImageCanvas) -> list[str]:
    return [canvas.render_line(y).text for y in range(canvas.size.height)]


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (40, 12), (1, 1)])
async def test_a_picture_fills_the_canvas_at_every_size(photo: CanvasPicture, size: tuple[int, int]) -> None:
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=size) as pilot:
        await _settle(pilot)
        lines = _screen(app)
        assert len(lines) == size[1]
        view = app.canvas.viewport
        assert view is not None
        assert (view.columns, view.rows) == size
        assert view.zoom == 1
        if size[0] > 1:
            assert any(character in "▀▄▌▐▖▗▘▝▙▛▜▟▚▞" for line in lines for character in line)
            assert any("1 cup .91" in line for line in lines)


async def test_an_empty_canvas_says_what_to_do_and_takes_every_call() -> None:
    app = CanvasApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.canvas.empty_text = "no picture\nadd some with [b]cvflow project new[/b]"
        await _settle(pilot)
        text = "\n".join(_screen(app))
        assert "no picture" in text
        assert "[b]cvflow project new[/b]" in text
        for call in ("zoom_in", "zoom_out", "zoom_fit", "zoom_one", "start_draft", "finish_draft", "cancel_draft"):
            getattr(app.canvas, call)()
        app.canvas.move_cursor(1, 1)
        app.canvas.pan(3, 3)
        await pilot.click(ImageCanvas, offset=(5, 5))
        assert app.said == []
        assert app.canvas.cursor is None


async def test_going_from_a_picture_to_none_and_back(photo: CanvasPicture) -> None:
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(60, 20)) as pilot:
        await _settle(pilot)
        with_picture = _shown(app.canvas)
        app.canvas.show(None)
        await _settle(pilot)
        assert "no picture" in "".join(_shown(app.canvas))
        app.canvas.show(photo)
        await _settle(pilot)
        assert _shown(app.canvas) == with_picture


async def test_the_frame_before_stays_until_the_next_is_ready(photo: CanvasPicture, astronaut: np.ndarray) -> None:
    app = CanvasApp(photo, SHAPES)
    other = CanvasPicture.from_array(astronaut)
    async with app.run_test(size=(60, 20)) as pilot:
        await _settle(pilot)
        before = _shown(app.canvas)
        app.canvas.show(other)
        app.canvas.set_shapes(())
        assert _shown(app.canvas) == before, "neither blank nor with the other picture's shapes"
        await _settle(pilot)
        assert _shown(app.canvas) != before
        assert app.canvas.picture is other
        assert not any("cup" in line for line in _shown(app.canvas))


async def test_a_box_is_drawn_with_keys(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(120, 40)) as pilot:
        await _settle(pilot)
        await pilot.press("m", "left", "r")
        canvas = app.canvas
        start = canvas.cursor
        assert start is not None
        assert canvas.mode == "draw"
        await pilot.press("enter")
        assert app.said == [], "a box without extent is not a box"
        assert canvas.draft is not None
        await pilot.press("right", "right", "right", "down", "down")
        assert canvas.draft is not None
        view = canvas.viewport
        assert view is not None
        assert canvas.draft.width * view.scale == pytest.approx(3)
        assert canvas.draft.height * view.scale_y == pytest.approx(2)
        drawn = canvas.draft
        await pilot.press("enter")
        await pilot.pause()
        assert app.said == [drawn]
        assert canvas.draft is None
        await pilot.press("r", "shift+right", "down", "escape", "enter")
        assert app.said == [drawn], "a cancelled draft is gone"


async def test_a_box_is_drawn_with_the_mouse_in_draw_mode_only(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(120, 40)) as pilot:
        await _settle(pilot)
        for mode in ("browse", "draw"):
            app.canvas.mode = mode
            await pilot.mouse_down(ImageCanvas, offset=(30, 10))
            await pilot.hover(ImageCanvas, offset=(50, 18))
            assert (app.canvas.draft is not None) == (mode == "draw")
            await pilot.mouse_up(ImageCanvas, offset=(60, 20))
            await pilot.pause()
        view = app.canvas.viewport
        assert view is not None
        boxes = [said for said in app.said if isinstance(said, Box)]
        assert len(boxes) == 1
        cells = view.box_to_cells(boxes[0])
        assert cells.corners == pytest.approx((30.5, 10.5, 60.5, 20.5))


async def test_a_drag_that_leaves_the_picture_ends_at_its_edge(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(120, 40)) as pilot:
        await _settle(pilot)
        app.canvas.mode = "draw"
        await pilot.mouse_down(ImageCanvas, offset=(60, 20))
        await pilot.mouse_up(ImageCanvas, offset=(119, 39))
        await pilot.pause()
        (box,) = [said for said in app.said if isinstance(said, Box)]
        assert box.x1 <= photo.size.width
        assert box.y1 <= photo.size.height


async def test_pixel_mouse_reports_are_taken_as_they_are(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(120, 40)) as pilot:
        await _settle(pilot)
        canvas = app.canvas
        canvas.mode = "draw"
        move = events.MouseMove(canvas, 40.25, 12.75, 0, 0, 0, False, False, False)
        canvas.on_mouse_move(move)
        view = canvas.viewport
        assert view is not None
        assert canvas.cursor == pytest.approx(view.to_picture(40.25, 12.75))


async def test_a_click_picks_a_shape_and_beside_it_none(photo: CanvasPicture) -> None:
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(120, 40)) as pilot:
        await _settle(pilot)
        view = app.canvas.viewport
        assert view is not None
        column, row = view.to_cell(*SHAPES[1].box.centre)
        await pilot.click(ImageCanvas, offset=(int(column), int(row)))
        column, row = view.to_cell(580, 390)
        await pilot.click(ImageCanvas, offset=(int(column), int(row)))
        await pilot.pause()
        assert app.said == ["spoon", None]


async def test_zoom_and_pan_redraw_and_come_back(photo: CanvasPicture) -> None:
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settle(pilot)
        whole = _shown(app.canvas)
        await pilot.press("plus", "plus", "plus")
        await _settle(pilot)
        assert app.canvas.zoom == pytest.approx(1.5**3)
        close = _shown(app.canvas)
        assert close != whole
        await pilot.press("d", "s")
        await _settle(pilot)
        assert _shown(app.canvas) != close
        await pilot.press("0")
        await _settle(pilot)
        assert _shown(app.canvas) == whole
        await pilot.press("1")
        await _settle(pilot)
        view = app.canvas.viewport
        assert view is not None
        assert view.scale * 2 == pytest.approx(max(1.0, view.fit_scale * 2))


async def test_the_wheel_zooms_about_the_pointer(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settle(pilot)
        canvas = app.canvas
        canvas.zoom_at(3, 40, 12)
        await _settle(pilot)
        point = canvas.to_picture(20.5, 6.5)
        assert point is not None
        canvas.on_mouse_scroll_up(events.MouseScrollUp(canvas, 20, 6, 0, 0, 0, False, False, False))
        await _settle(pilot)
        assert canvas.to_picture(20.5, 6.5) == pytest.approx(point)
        assert canvas.zoom == pytest.approx(4.5)


async def test_steps_are_cells_when_whole_and_finer_when_close(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settle(pilot)
        canvas = app.canvas
        canvas.place_cursor(300, 200)
        canvas.move_cursor(1, 0)
        assert canvas.viewport is not None
        assert canvas.cursor == pytest.approx((300 + 1 / canvas.viewport.scale, 200))
        canvas.zoom_one()
        await _settle(pilot)
        canvas.place_cursor(300, 200)
        canvas.move_cursor(1, 1)
        canvas.move_cursor(1, 0, big=True)
        assert canvas.cursor is not None
        assert canvas.cursor[0] == pytest.approx(300 + 1 + 8)
        assert canvas.cursor[1] == pytest.approx(200 + 1 / (canvas.viewport.scale_y * 2))


async def test_the_view_follows_a_cursor_that_leaves_it(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(40, 12)) as pilot:
        await _settle(pilot)
        canvas = app.canvas
        canvas.zoom_at(6, 0, 0)
        canvas.place_cursor(590, 390)
        await _settle(pilot)
        assert canvas.viewport is not None
        assert canvas.viewport.visible.contains(590, 390)


async def test_looking_closely_decodes_what_is_in_view(big_path: Path) -> None:
    picture = CanvasPicture.load(big_path)
    app = CanvasApp(picture)
    async with app.run_test(size=(100, 30)) as pilot:
        await _settle(pilot)
        app.canvas.zoom_one()
        await _settle(pilot)
        view = app.canvas.viewport
        assert view is not None
        assert not picture.wants_detail(view.visible, view.columns * 2)


async def test_resizing_fits_again_and_keeps_the_shapes(photo: CanvasPicture) -> None:
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(120, 40)) as pilot:
        await _settle(pilot)
        await pilot.resize_terminal(70, 20)
        await _settle(pilot)
        lines = _screen(app)
        assert all(len(line) == 70 for line in lines)
        assert any("1 cup .91" in line for line in lines)
        assert app.canvas.zoom == 1


async def test_moving_the_cursor_marks_only_the_cells_that_change(photo: CanvasPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(160, 45)) as pilot:
        await _settle(pilot)
        canvas = app.canvas
        canvas.place_cursor(300, 200)
        await pilot.pause()
        asked: list[int] = []
        refresh = ImageCanvas.refresh

        def counting(self: ImageCanvas, *regions: Region, **options: bool) -> ImageCanvas:
            asked.append(sum(region.area for region in regions) if regions else 160 * 45)
            return refresh(self, *regions, **options)

        monkeypatch.setattr(ImageCanvas, "refresh", counting)
        canvas.move_cursor(1, 0)
        assert sum(asked) == 2
        asked.clear()
        canvas.set_shapes(SHAPES)
        assert sum(asked) == 0, "the same shapes again are no change"
        canvas.set_shapes((*SHAPES, Shape("new", Box(300, 20, 400, 100), 2)))
        assert 10 < sum(asked) < 300


async def test_without_colour_the_canvas_uses_characters_only(photo: CanvasPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settle(pilot)
        assert app.canvas.glyphs.name == "ascii"
        text = "\n".join(_shown(app.canvas))
        assert text.isascii()
        assert "1 cup .91" in text
        assert "+---" in text
        for y in range(24):
            assert "38;" not in app.canvas.render_line(y).render(app.console)


async def test_the_picture_shows_below_a_dialog_and_in_a_screenshot(photo: CanvasPicture) -> None:
    from textual.screen import ModalScreen
    from textual.widgets import Label

    class Dialog(ModalScreen[None]):
        def compose(self) -> ComposeResult:
            yield Label("sure?")

    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(80, 24)) as pilot:
        await _settle(pilot)
        assert "cup" in app.export_screenshot()
        await app.push_screen(Dialog())
        await pilot.pause()
        assert "sure?" in app.export_screenshot()
        app.pop_screen()
        await _settle(pilot)
        assert any("1 cup .91" in line for line in _screen(app))


async def test_a_border_leaves_the_picture_whole(photo: CanvasPicture) -> None:
    app = CanvasApp(photo, SHAPES)
    async with app.run_test(size=(80, 24)) as pilot:
        app.canvas.styles.border = ("round", "red")
        await _settle(pilot)
        lines = _screen(app)
        assert lines[0].startswith("╭")
        assert all(len(line) == 80 for line in lines)
        assert any("1 cup .91" in line for line in lines)


async def test_a_theme_changes_what_is_around_the_picture(photo: CanvasPicture) -> None:
    app = CanvasApp(photo)
    async with app.run_test(size=(120, 20)) as pilot:
        await _settle(pilot)
        before = app.canvas.render_line(3).render(app.console)
        app.theme = "textual-light"
        await _settle(pilot)
        await _settle(pilot)
        assert app.canvas.render_line(3).render(app.console) != before


async def test_a_still_view_shows_results_and_takes_no_part(photo: CanvasPicture) -> None:
    class Still(App[None]):
        def compose(self) -> ComposeResult:
            yield PictureView()

    app = Still()
    async with app.run_test(size=(80, 24)) as pilot:
        view = app.query_one(PictureView)
        view.show_result(photo, SHAPES)
        await _settle(pilot)
        text = _shown(view)
        assert any("1 cup .91" in line for line in text)
        await pilot.click(PictureView, offset=(20, 10))
        view.post_message(events.MouseScrollUp(view, 20, 6, 0, 0, 0, False, False, False))
        await pilot.pause()
        await _settle(pilot)
        assert view.zoom == 1
        assert _shown(view) == text
        assert not view.can_focus


def test_the_command_line_draws_the_same_without_an_app(photo: CanvasPicture) -> None:
    text = render_to_ansi(photo, SHAPES, 80, 40, "quadrant", depth=Depth.TRUE, aspect=0.5)
    lines = text.splitlines()
    assert len(lines) == 27, "600 x 400 at 80 columns of 1:2 cells"
    assert text.endswith("\x1b[0m\n")
    assert "1 cup .91" in text
    with pytest.raises(ValueError, match="braille"):
        render_to_ansi(photo, (), 80, 40, "braille")
