"""The canvas as the annotate place uses it: dragging where nothing is draws a box at once."""

from __future__ import annotations

from textual import events

from cvflow_tui.widgets.image_canvas.canvas import ImageCanvas

_LEFT = 1


class DrawingCanvas(ImageCanvas):
    """An ImageCanvas whose browse mode turns into draw mode for the time of a drag that begins beside every shape."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._for_one_drag = False

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Runs ahead of the canvas' own handler, which then finds the mode it needs."""
        if event.button != _LEFT or event.shift or self.mode == "draw" or self.picture is None:
            return
        if self.shape_at(event.pointer_x, event.pointer_y) is None:
            self._for_one_drag = True
            self.mode = "draw"

    def on_mouse_up(self, _: events.MouseUp) -> None:
        """Back to browsing, once the canvas' own handler has told what was drawn or clicked."""
        if self._for_one_drag:
            self._for_one_drag = False
            self.call_later(self.end_drawing)

    def begin_drawing(self, color: int) -> None:
        """Draw mode, the crosshair where the cursor is (or in the middle), drafts in the colour of a class."""
        self.draft_color = color
        self.mode = "draw"
        self.move_cursor(0, 0)

    def end_drawing(self) -> None:
        """Browse mode, without draft and cursor."""
        self.cancel_draft()
        self.mode = "browse"
        self.cursor = None
