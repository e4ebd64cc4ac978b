"""`ImageCanvas`: a picture with boxes over it, to look at closely and to draw on.

The canvas binds no keys: a screen does, and calls the public methods. It decides nothing about annotations either: it says what was
drawn (`BoxDrawn`, whether with keys or the mouse) and picked (`ShapePicked`), and shows the shapes it is given. All points and boxes
are picture pixels (as displayed, float).

Decoding and fitting run in worker threads; until a new frame is ready the one before stays on the screen. A frame is compared with
the one before it, and only cells that look different are sent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Literal

from rich.cells import cell_len
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from cvflow_tui.model.geometry import Box
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.image_canvas import compositor_fix
from cvflow_tui.widgets.image_canvas.colors import DEFAULT, Depth
from cvflow_tui.widgets.image_canvas.glyphs import GlyphMode, GlyphSet, choose
from cvflow_tui.widgets.image_canvas.grid import CellGrid, Row, runs
from cvflow_tui.widgets.image_canvas.overlay import draw_cursor, draw_draft, draw_shapes
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture, PictureError
from cvflow_tui.widgets.image_canvas.pointer import Pointer
from cvflow_tui.widgets.image_canvas.raster import Raster, rasterise
from cvflow_tui.widgets.image_canvas.scene import Shape, pick
from cvflow_tui.widgets.image_canvas.strips import CellStrip
from cvflow_tui.widgets.image_canvas.terminal import cell_aspect, depth_of, plausible_aspect
from cvflow_tui.widgets.image_canvas.viewport import Viewport

Mode = Literal["browse", "draw"]
ZOOM_STEP = 1.5
"""Factor of one zoom step."""
_BIG_STEP = 8
_WHOLE_REFRESH = 0.6
"""Share of changed cells from which all are sent at once."""


@dataclass(frozen=True, eq=False)
class _Job:
    """A frame to be made: everything it depends on."""

    picture: CanvasPicture
    viewport: Viewport
    glyphs: GlyphSet
    background: int


class ImageCanvas(Widget, can_focus=True):
    """A picture in cells with shapes, a draft box and a cursor. See the module's text for who does what."""

    DEFAULT_CSS: ClassVar[str] = """
    ImageCanvas { width: 1fr; height: 1fr; background: $background; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    mode: reactive[Mode] = reactive[Mode]("browse", repaint=False)
    """`draw`: a crosshair follows the cursor, and dragging draws a box."""
    cursor: reactive[tuple[float, float] | None] = reactive[tuple[float, float] | None](None, repaint=False)
    """Where the marker is, (x, y) in picture pixels; None = no marker."""
    draft: reactive[Box | None] = reactive[Box | None](None, repaint=False)
    """The box being drawn, in picture pixels."""
    draft_color: reactive[int] = reactive(0, repaint=False)
    """The position of the class whose colour the draft has."""
    empty_text: reactive[str] = reactive("no picture", repaint=False)
    """What the canvas says without a picture: what is the matter, and in further lines what to do."""

    class BoxDrawn(Message):
        """A box was finished, with keys (`finish_draft`) or the mouse. The screen decides what becomes of it."""

        def __init__(self, box: Box) -> None:
            super().__init__()
            self.box = box

    class ShapePicked(Message):
        """A click chose the shape with this id; None where nothing is."""

        def __init__(self, id: str | None) -> None:
            super().__init__()
            self.id = id

    class CursorMoved(Message):
        """The cursor is at another picture point."""

        def __init__(self, x: float, y: float) -> None:
            super().__init__()
            self.x = x
            self.y = y

        def can_replace(self, message: Message) -> bool:
            """Only where it is now matters."""
            return isinstance(message, ImageCanvas.CursorMoved)

    class ViewportChanged(Message):
        """The picture is shown at another magnification or place; `zoom` 1.0 shows the whole."""

        def __init__(self, zoom: float) -> None:
            super().__init__()
            self.zoom = zoom

        def can_replace(self, message: Message) -> bool:
            """Only the view as it is now matters."""
            return isinstance(message, ImageCanvas.ViewportChanged)

    class PictureFailed(Message):
        """What lies deeper in the picture could no longer be read; `error` is one line."""

        def __init__(self, error: str) -> None:
            super().__init__()
            self.error = error

    def __init__(
        self,
        *,
        glyph_mode: GlyphMode = "auto",
        depth: Depth | None = None,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`glyph_mode` picks the glyph set (`auto`: CVFLOW_GLYPHS, else quadrants); `depth` overrides the terminal's colours."""
        super().__init__(name=name, id=id, classes=classes)
        self._glyph_mode: GlyphMode = glyph_mode
        self._asked_depth = depth
        self._depth = depth or Depth.TRUE
        self._glyphs = choose(glyph_mode)
        self._aspect = cell_aspect()
        self._picture: CanvasPicture | None = None
        self._viewport: Viewport | None = None
        """Where the view is to be; the raster on the screen may lag behind it by a frame."""
        self._raster: Raster | None = None
        self._rastered: CanvasPicture | None = None
        self._working = False
        self._shapes: tuple[Shape, ...] = ()
        self._scene: CellGrid | None = None
        self._frame = CellGrid.blank(1, 1)
        self._strips: dict[int, CellStrip] = {}
        self._anchor: tuple[float, float] | None = None
        self._pointer = Pointer(self)

    # What is shown

    @property
    def picture(self) -> CanvasPicture | None:
        """The picture that is shown, or about to be."""
        return self._picture

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes over it."""
        return self._shapes

    @property
    def viewport(self) -> Viewport | None:
        """Where the picture lies on the canvas; None without a picture."""
        return self._viewport

    @property
    def zoom(self) -> float:
        """Magnification; 1.0 shows the whole picture."""
        return self._viewport.zoom if self._viewport else 1.0

    @property
    def glyphs(self) -> GlyphSet:
        """The glyph set in use."""
        return self._glyphs

    def show(self, picture: CanvasPicture | None, *, keep_view: bool = False) -> None:
        """Show a picture, whole (or at the place and zoom there is, for one of the same size), or none. Draft and cursor are dropped.

        The frame before it stays until the new one is ready.
        """
        same_size = picture is not None and self._viewport is not None and self._viewport.image == picture.size
        self._picture = picture
        self._anchor = None
        self.draft = None
        self.cursor = None
        if picture is None:
            self._viewport = self._raster = self._rastered = self._scene = None
            self._paint()
            return
        if not (keep_view and same_size):
            self._viewport = Viewport.fit(picture.size, max(1, self.size.width), max(1, self.size.height), self._aspect)
        self._request_frame()
        self._announce()

    def set_shapes(self, shapes: tuple[Shape, ...]) -> None:
        """Show these shapes instead of those before."""
        self._shapes = shapes
        self._scene = None
        # While another picture is on its way, its shapes wait for it.
        if self._rastered is self._picture:
            self._paint()

    # The cursor and the draft

    def move_cursor(self, dx: int, dy: int, big: bool = False) -> None:
        """Move the cursor by so many steps: a cell each, or a sub-cell (never less than a pixel) when zoomed in; eight times that
        when `big`.

        It appears in the middle of the view where there is none. A draft that was started follows; the view follows too.
        """
        view = self._viewport
        if view is None:
            return
        x, y = self.cursor or view.clip_point(*view.to_picture(view.columns // 2 + 0.5, view.rows // 2 + 0.5))
        fine = view.zoom > 1.01
        step_x = 1 / view.scale / (self._glyphs.across if fine else 1)
        step_y = 1 / view.scale_y / (self._glyphs.down if fine else 1)
        times = _BIG_STEP if big else 1
        self.place_cursor(x + dx * max(1.0, step_x) * times, y + dy * max(1.0, step_y) * times)

    def place_cursor(self, x: float, y: float) -> None:
        """Put the cursor at a picture point (the nearest inside the picture), and pan as far as needed to show it."""
        if self._viewport is None:
            return
        self.cursor = self._viewport.clip_point(x, y)
        if self._anchor is not None:
            self.draft = Box(*self._anchor, *self.cursor).ordered()
        self._look(self._viewport.revealing(*self.cursor))
        self.post_message(self.CursorMoved(*self.cursor))

    def start_draft(self) -> None:
        """Set the first corner of a box at the cursor (in the middle of the view, where there is no cursor yet)."""
        if self._viewport is None:
            return
        if self.cursor is None:
            self.move_cursor(0, 0)
        if self.cursor is not None:
            self._anchor = self.cursor
            self.draft = Box(*self._anchor, *self._anchor)

    def finish_draft(self) -> Box | None:
        """End the draft: posts `BoxDrawn`, and returns the box for those who ask. Below one pixel: None, and it stays."""
        box = self.draft.ordered().clipped(self._viewport.image) if self.draft and self._viewport else None
        if box is None or box.width < 1 or box.height < 1:
            return None
        self.cancel_draft()
        self.post_message(self.BoxDrawn(box))
        return box

    def cancel_draft(self) -> None:
        """Forget the draft."""
        self._anchor = None
        self.draft = None

    # The view

    def zoom_in(self) -> None:
        """One step closer, about the cursor, or the middle without one."""
        self._zoom_about_cursor(ZOOM_STEP)

    def zoom_out(self) -> None:
        """One step back."""
        self._zoom_about_cursor(1 / ZOOM_STEP)

    def zoom_fit(self) -> None:
        """The whole picture."""
        if self._viewport:
            view = self._viewport
            self._look(Viewport.fit(view.image, view.columns, view.rows, view.aspect))

    def zoom_one(self) -> None:
        """One picture pixel for each sub-cell."""
        if self._viewport:
            self._look(self._viewport.one_to_one(self._glyphs.across, *self._cursor_cell()))

    def zoom_by_name(self, how: str) -> None:
        """`in`, `out`, `fit` or `one`: what a screen's keys ask for."""
        {"in": self.zoom_in, "out": self.zoom_out, "fit": self.zoom_fit, "one": self.zoom_one}[how]()

    def zoom_at(self, factor: float, column: float, row: float) -> None:
        """Zoom by a factor about a cell point of the canvas."""
        if self._viewport:
            self._look(self._viewport.zoomed(factor, column, row))

    def pan(self, dx: float, dy: float) -> None:
        """Look further right and down by so many cells."""
        if self._viewport:
            self._look(self._viewport.panned(dx, dy))

    def to_picture(self, column: float, row: float) -> tuple[float, float] | None:
        """The picture point under a cell point of what is on the screen, moved into the picture; None without a picture."""
        view = self._raster.viewport if self._raster else self._viewport
        return view.clip_point(*view.to_picture(column, row)) if view else None

    def shape_at(self, column: float, row: float) -> Shape | None:
        """The shape under a cell point, within one cell of its edge."""
        view = self._raster.viewport if self._raster else self._viewport
        if view is None:
            return None
        return pick(self._shapes, *view.to_picture(column, row), 1 / view.scale, 1 / view.scale_y)

    def _zoom_about_cursor(self, factor: float) -> None:
        if self._viewport:
            self._look(self._viewport.zoomed(factor, *self._cursor_cell()))

    def _cursor_cell(self) -> tuple[float | None, float | None]:
        return self._viewport.to_cell(*self.cursor) if self._viewport and self.cursor else (None, None)

    def _look(self, view: Viewport) -> None:
        if view != self._viewport:
            self._viewport = view
            self._request_frame()
            self._announce()

    def _announce(self) -> None:
        self.post_message(self.ViewportChanged(self.zoom))

    # Making frames

    def _request_frame(self) -> None:
        """Have the frame made that is wanted now; while one is being made, the latest wish is what counts after it."""
        if not self._working and self.is_mounted and self.size.area:
            self._working = True
            self.run_worker(self._make_frames(), group="canvas", exit_on_error=True)

    async def _make_frames(self) -> None:
        try:
            while (job := self._wanted()) is not None:
                raster = await asyncio.to_thread(rasterise, job.picture, job.viewport, job.glyphs, job.background)
                self._take(job, raster)
                if self._wanted() is None:
                    await self._deepen(job)
        finally:
            self._working = False

    def _wanted(self) -> _Job | None:
        """The frame to be made next; None when what is on the screen is what is wanted."""
        if self._picture is None or self._viewport is None:
            return None
        job = _Job(self._picture, self._viewport, self._glyphs, self._background())
        raster = self._raster
        if (
            raster
            and self._rastered is job.picture
            and (raster.viewport, raster.glyphs, raster.background) == (job.viewport, job.glyphs, job.background)
        ):
            return None
        return job

    def _take(self, job: _Job, raster: Raster) -> None:
        if self._picture is job.picture:
            self._raster, self._rastered, self._scene = raster, job.picture, None
            self._paint()

    async def _deepen(self, job: _Job) -> None:
        """Decode the part in view more finely where the zoom goes beyond what is in memory, and draw it again."""
        box, width = job.viewport.visible, job.viewport.columns * job.glyphs.across
        if not job.picture.wants_detail(box, width):
            return
        try:
            await asyncio.to_thread(job.picture.load_detail, box, width)
        except PictureError as error:
            self.post_message(self.PictureFailed(error.message))
            return
        if self._wanted() is None:
            self._take(job, await asyncio.to_thread(rasterise, job.picture, job.viewport, job.glyphs, job.background))

    def _background(self) -> int:
        color = self.background_colors[1]
        if color.ansi is not None or self._depth is Depth.NONE:
            return DEFAULT
        return color.rgb[0] << 16 | color.rgb[1] << 8 | color.rgb[2]

    # Putting them on the screen

    def _paint(self) -> None:
        """Lay draft and cursor over the scene, and mark the cells that look different now."""
        if not self.is_mounted:
            return
        frame = self._next_frame()
        before, self._frame = self._frame, frame
        if before.codes.shape != frame.codes.shape:
            self._strips.clear()
            self.refresh()
            return
        changed = frame.changes(before)
        count = int(changed.sum())
        if not count:
            return
        if count > changed.size * _WHOLE_REFRESH:
            self._strips.clear()
            self.refresh()
            return
        spans = runs(changed)
        for row in {row for row, _, _ in spans}:
            self._strips.pop(row, None)
        self.refresh(*(Region(start, row, end - start, 1) for row, start, end in spans))

    def _next_frame(self) -> CellGrid:
        raster = self._raster
        if raster is None:
            return self._empty_frame()
        if self._scene is None:
            self._scene = draw_shapes(raster, self._shapes)
        if self.draft is None and self.cursor is None:
            return self._scene
        frame = self._scene.copy()
        if self.draft is not None:
            draw_draft(raster, frame, self.draft, self.draft_color)
        if self.cursor is not None:
            # While a box grows, its own edges show where the cursor is.
            draw_cursor(raster, frame, *self._marker_point(raster), cross=self.mode == "draw" and self.draft is None)
        return frame

    def _marker_point(self, raster: Raster) -> tuple[float, float]:
        """Where the marker is drawn: at the cursor, a hair inside a draft, whose far edges belong to the cells before them."""
        x, y = self.cursor or (0.0, 0.0)
        if self.draft is None:
            return x, y
        hair_x, hair_y = 1e-3 / raster.viewport.scale, 1e-3 / raster.viewport.scale_y
        return max(self.draft.x0, x - hair_x), max(self.draft.y0, y - hair_y)

    def _empty_frame(self) -> CellGrid:
        width, height = max(1, self.size.width), max(1, self.size.height)
        frame = CellGrid.blank(width, height, self._background())
        if self._picture is None:
            lines = [one_line(line, width) for line in self.empty_text.splitlines()]
            style = self.rich_style
            ink = style.color.triplet if style.color and self._depth is not Depth.NONE else None
            fg = DEFAULT if ink is None else ink.red << 16 | ink.green << 8 | ink.blue
            for row, line in enumerate(lines, (height - len(lines)) // 2):
                frame.write(max(0, (width - cell_len(line)) // 2), row, line, fg, self._background())
        return frame

    def render_line(self, y: int) -> Strip:
        """A row of the frame, cached until one of its cells changes."""
        strip = self._strips.get(y)
        if strip is None:
            if y >= self._frame.rows:
                return Strip.blank(self.size.width, self.rich_style)
            strip = self._strips[y] = CellStrip(Row(self._frame, y, self._depth))
        return strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of a region. Without border, padding and the like the strips go out as they are, which is ten times faster."""
        if (
            self.styles.gutter.totals != (0, 0)
            or self.opacity < 1
            or self.styles.text_opacity < 1
            or self.styles.tint.a
            or self._frame.columns != self.size.width
        ):
            return super().render_lines(crop)
        return [self.render_line(y).crop(crop.x, crop.right) for y in crop.line_range]

    # What happens to it

    def on_mount(self) -> None:
        """Take the terminal's colours and glyphs, and have partial updates cropped."""
        compositor_fix.install()
        self._depth = self._asked_depth or (Depth.NONE if self.app.no_color else depth_of(self.app.console.color_system))
        self._glyphs = choose(self._glyph_mode, color=self._depth is not Depth.NONE)
        self._paint()
        self._request_frame()

    def on_resize(self, event: events.Resize) -> None:
        """Fit again, or keep the middle."""
        if event.pixel_size is not None and event.size.area:
            self._aspect = (
                plausible_aspect(event.pixel_size.width / event.size.width, event.pixel_size.height / event.size.height) or self._aspect
            )
        if self._viewport is not None:
            self._viewport = self._viewport.resized(self.size.width, self.size.height, self._aspect)
            self._request_frame()
            self._announce()
        elif self._picture is None:
            self._paint()

    def notify_style_update(self) -> None:
        """Another theme has another background."""
        super().notify_style_update()
        if not self.is_mounted:
            return
        if self._raster is None:
            self._paint()
        self._request_frame()

    def watch_cursor(self) -> None:
        """Show the marker where it is."""
        self._paint()

    def watch_draft(self) -> None:
        """Show the draft as it is."""
        self._paint()

    def watch_draft_color(self) -> None:
        """Show the draft in its colour."""
        self._paint()

    def watch_mode(self) -> None:
        """Show or hide the crosshair."""
        self._paint()

    def watch_empty_text(self) -> None:
        """Say something else."""
        self._paint()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin a drag or a click."""
        self._pointer.down(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Carry on a drag; in draw mode the crosshair follows."""
        self._pointer.move(event)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End a drag or a click."""
        self._pointer.up(event)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in about the pointer."""
        self._pointer.wheel(event, ZOOM_STEP)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out about the pointer."""
        self._pointer.wheel(event, 1 / ZOOM_STEP)
