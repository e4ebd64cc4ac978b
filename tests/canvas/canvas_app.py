"""A small app around the canvas, for Pilot and for a real terminal: `python -m tests.canvas.canvas_app PICTURE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType

from cvflow_tui.model.geometry import Box
from cvflow_tui.widgets.image_canvas.canvas import ImageCanvas
from cvflow_tui.widgets.image_canvas.glyphs import GlyphMode
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.image_canvas.scene import Shape


class CanvasApp(App[None]):
    """Keys: (shift+)arrows move, m mode, r first corner, enter finish, escape cancel, + - 0 1 zoom, w a s d pan, o opens `path`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *((key, f"move({dx}, {dy})", "") for key, dx, dy in (("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1))),
        *((f"shift+{key}", f"leap({dx}, {dy})", "") for key, dx, dy in (("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1))),
        *((key, f"pan({dx}, {dy})", "") for key, dx, dy in (("a", -4, 0), ("d", 4, 0), ("w", 0, -4), ("s", 0, 4))),
        *(
            (key, f"canvas('{name}')", "")
            for key, name in (
                ("r", "start_draft"),
                ("enter", "finish_draft"),
                ("escape", "cancel_draft"),
                ("plus", "zoom_in"),
                ("minus", "zoom_out"),
                ("0", "zoom_fit"),
                ("1", "zoom_one"),
            )
        ),
        ("m", "mode", ""),
        ("o", "open", ""),
    ]

    def __init__(self, picture: CanvasPicture | None = None, shapes: tuple[Shape, ...] = (), *, glyphs: GlyphMode = "auto") -> None:
        super().__init__()
        self._given = (picture, shapes)
        self._glyph_name = glyphs
        self.said: list[object] = []
        self.path: Path | None = None

    @property
    def canvas(self) -> ImageCanvas:
        return self.query_one(ImageCanvas)

    def compose(self) -> ComposeResult:
        yield ImageCanvas(glyph_mode=self._glyph_name)

    def on_mount(self) -> None:
        picture, shapes = self._given
        self.canvas.focus()
        if picture is not None:
            self.canvas.show(picture)
            self.canvas.set_shapes(shapes)

    def action_move(self, dx: int, dy: int) -> None:
        self.canvas.move_cursor(dx, dy)

    def action_leap(self, dx: int, dy: int) -> None:
        self.canvas.move_cursor(dx, dy, big=True)

    def action_pan(self, dx: int, dy: int) -> None:
        self.canvas.pan(dx, dy)

    def action_canvas(self, name: str) -> None:
        getattr(self.canvas, name)()

    def action_mode(self) -> None:
        self.canvas.mode = "draw" if self.canvas.mode == "browse" else "browse"

    async def action_open(self) -> None:
        """Decode the picture at `path` in a thread and show it, as a screen does."""
        assert self.path is not None
        self.canvas.show(await asyncio.to_thread(CanvasPicture.load, self.path))

    def on_image_canvas_box_drawn(self, message: ImageCanvas.BoxDrawn) -> None:
        self.said.append(message.box)

    def on_image_canvas_shape_picked(self, message: ImageCanvas.ShapePicked) -> None:
        self.said.append(message.id)


def main() -> None:
    """Show a picture with two shapes; with the argument `later` an empty canvas that opens it on `o`."""
    if sys.argv[2:] == ["later"]:
        app = CanvasApp()
        app.path = Path(sys.argv[1])
        app.run()
        return
    picture = CanvasPicture.load(Path(sys.argv[1]))
    width, height = picture.size.width, picture.size.height
    shapes = (
        Shape("1", Box(0.1 * width, 0.2 * height, 0.4 * width, 0.6 * height), 0, "1 cup .91"),
        Shape("2", Box(0.5 * width, 0.3 * height, 0.9 * width, 0.8 * height), 1, "2 spoon .52", "suggestion"),
    )
    CanvasApp(picture, shapes).run()


if __name__ == "__main__":
    main()
