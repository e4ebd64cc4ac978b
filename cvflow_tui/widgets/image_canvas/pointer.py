"""What the mouse does on the canvas: wheel zooms, dragging draws or pans, clicking picks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from textual import events

from cvflow_tui.model.geometry import Box

if TYPE_CHECKING:
    from cvflow_tui.widgets.image_canvas.canvas import ImageCanvas

_LEFT = 1
_CLICK_REACH = 0.75
"""Cells that a pointer may move between press and release of a click."""


class Pointer:
    """The state of a drag. Left drag draws in draw mode; right, middle and shift drag pan; a left click picks a shape."""

    def __init__(self, canvas: ImageCanvas) -> None:
        self._canvas = canvas
        self._drag: Literal["draw", "pan", "click"] | None = None
        self._start = (0.0, 0.0)
        self._last = (0.0, 0.0)
        self._anchor: tuple[float, float] | None = None
        self._pixels = False

    def down(self, event: events.MouseDown) -> None:
        """Begin: what kind of drag it is depends on the button and the mode."""
        if self._canvas.picture is None:
            return
        event.stop()
        self._canvas.focus()
        self._start = self._last = self._at(event)
        if event.button != _LEFT or event.shift:
            self._drag = "pan"
        else:
            self._drag = "draw" if self._canvas.mode == "draw" else "click"
            self._anchor = self._canvas.to_picture(*self._start)
        self._canvas.capture_mouse()

    def move(self, event: events.MouseMove) -> None:
        """Carry on."""
        if self._canvas.picture is None:
            return
        at = self._at(event)
        if self._drag == "pan":
            self._canvas.pan(self._last[0] - at[0], self._last[1] - at[1])
        elif self._drag == "draw" or (self._drag is None and self._canvas.mode == "draw"):
            self._follow(at)
        self._last = at

    def up(self, event: events.MouseUp) -> None:
        """End: a box that was drawn is announced, a press without a drag is a click."""
        drag, self._drag = self._drag, None
        if drag is None:
            return
        event.stop()
        self._canvas.release_mouse()
        at = self._at(event)
        if drag == "pan":
            return
        if drag == "draw" and not self._is_click(at):
            self._follow(at, drawing=True)
            if self._canvas.finish_draft() is None:
                self._canvas.cancel_draft()
            return
        if drag == "draw":
            self._canvas.cancel_draft()
        if self._is_click(at):
            shape = self._canvas.shape_at(*at)
            self._canvas.post_message(self._canvas.ShapePicked(shape.id if shape else None))

    def wheel(self, event: events.MouseScrollUp | events.MouseScrollDown, factor: float) -> None:
        """Zoom about the pointer."""
        if self._canvas.picture is not None:
            event.stop()
            self._canvas.zoom_at(factor, *self._at(event))

    def _follow(self, at: tuple[float, float], drawing: bool = False) -> None:
        point = self._canvas.to_picture(*at)
        if point is None:
            return
        if (drawing or self._drag == "draw") and self._anchor is not None and (drawing or not self._is_click(at)):
            self._canvas.draft = Box(*self._anchor, *point).ordered()
        if point != self._canvas.cursor:
            self._canvas.cursor = point
            self._canvas.post_message(self._canvas.CursorMoved(*point))

    def _is_click(self, at: tuple[float, float]) -> bool:
        return abs(at[0] - self._start[0]) < _CLICK_REACH and abs(at[1] - self._start[1]) < _CLICK_REACH

    def _at(self, event: events.MouseEvent) -> tuple[float, float]:
        """The cell point of the pointer: as fine as the terminal tells it, or else the middle of the cell."""
        x, y = event.pointer_x, event.pointer_y
        # A terminal that reports pixels gives fractions sooner or later; one that does not never does.
        self._pixels = self._pixels or x != int(x) or y != int(y)
        return (x, y) if self._pixels else (x + 0.5, y + 0.5)
