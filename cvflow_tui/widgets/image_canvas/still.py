"""`PictureView`: a picture with its boxes to look at, without cursor or mouse (results, previews)."""

from __future__ import annotations

from typing import ClassVar

from textual import events

from cvflow_tui.widgets.image_canvas.canvas import ImageCanvas
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.image_canvas.scene import Shape


class PictureView(ImageCanvas, can_focus=False):
    """An `ImageCanvas` that takes no part in focus or the mouse; the screen it lies in may zoom and pan it."""

    DEFAULT_CSS: ClassVar[str] = """
    PictureView { width: 1fr; height: 1fr; background: $background; }
    """

    def show_result(self, picture: CanvasPicture | None, shapes: tuple[Shape, ...] = ()) -> None:
        """Show a picture with these shapes, in one frame, or none."""
        self.show(picture)
        self.set_shapes(shapes)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Nothing to drag."""
        event.prevent_default()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Nothing follows."""
        event.prevent_default()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Nothing was dragged."""
        event.prevent_default()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel belongs to what the view lies in."""
        event.prevent_default()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel belongs to what the view lies in."""
        event.prevent_default()
