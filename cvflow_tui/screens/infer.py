"""A picture through a solver: which one, then what came back, drawn."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from cvflow_tui.keymap import zoom_keys
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.results import DetectedObject, Result
from cvflow_tui.model.solvers import RunningSolver
from cvflow_tui.model.text import clean, one_line
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.widgets.cells import fit, width_of
from cvflow_tui.widgets.figures import millis_of, score_of
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.image_canvas.scene import Shape
from cvflow_tui.widgets.image_canvas.still import PictureView
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.path_suggester import PathSuggester

if TYPE_CHECKING:
    from cvflow_tui.app import CvflowApp

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MUTED = "$muted"
PAN = 4
"""Cells that hjkl move the picture by."""
MOST = 200
"""Objects that the list shows."""
DOT = 3.0
"""Half the side of the box that marks a landmark, in thousandths of the picture's longer side."""


def wrong_path(line: str) -> str | None:
    """Why the line names no picture file, or None."""
    if not line:
        return "type the path of a picture"
    path = Path(line).expanduser()
    if not path.exists():
        return f"{line}: no such file"
    return f"{line} is a folder" if path.is_dir() else None


async def infer(app: CvflowApp, solver: RunningSolver) -> str:
    """Ask for a picture, run it through, show the result; returns one line for the status. Raises CvflowError."""
    ask = AskLine(
        f"Run a picture through {solver.name}",
        value=app.last_picture,
        placeholder="~/pictures/dog.jpg",
        suggester=PathSuggester(SUFFIXES),
        check=wrong_path,
    )
    line = await app.run_dialog(ask)
    if not line:
        return ""
    app.last_picture = line
    path = await asyncio.to_thread(lambda: Path(line).expanduser().absolute())
    began = time.perf_counter()
    result = await app.client.infer(solver, path)
    took = (time.perf_counter() - began) * 1000
    picture = await asyncio.to_thread(CanvasPicture.load, path)
    await app.run_dialog(ResultScreen(solver.name, path.name, picture, result, took))
    return f"{path.name}: {summary_of(result)} in {millis_of(took)}"


def summary_of(result: Result) -> str:
    """What came back, in a few words."""
    if result.objects:
        return f"{len(result.objects)} object{'s' if len(result.objects) != 1 else ''}"
    if result.classes:
        return f"{one_line(result.classes[0].label, 40)} {score_of(result.classes[0].score)}"
    if result.caption:
        return one_line(result.caption, 60)
    if result.embedding:
        return f"{len(result.embedding)} numbers"
    return "answered" if other_parts(result) else "nothing found"


def other_parts(result: Result) -> dict[str, object]:
    """What a solver answered beside the common shape."""
    known = {"task", "model", "image", "objects", "classes", "caption", "embedding"}
    return {key: value for key, value in result.raw.items() if key not in known}


class ResultScreen(ModalScreen[None]):
    """The picture with what was found on it, and the list beside it (below it on a narrow screen)."""

    CSS_PATH = "infer.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss(None)", "back", tooltip="Back to the monitor", id="result.back"),
        Binding("question_mark", "app.help", "help", tooltip="The keys", id="result.help"),
        *zoom_keys("result"),
        *(
            Binding(key, f"pan({dx},{dy})", "pan", show=False, tooltip="Move the picture", id=f"result.pan_{key}")
            for key, dx, dy in (("h", -PAN, 0), ("j", 0, PAN), ("k", 0, -PAN), ("l", PAN, 0))
        ),
    ]

    def __init__(self, solver: str, name: str, picture: CanvasPicture, result: Result, took: float) -> None:
        super().__init__()
        self._solver, self._file, self._picture, self._result, self._took = solver, name, picture, result, took

    def compose(self) -> ComposeResult:
        """Head, picture, list, keys."""
        size = self._picture.size
        head = f"{self._file}  {size.width}x{size.height}  ·  {self._solver}  ·  {summary_of(self._result)}  ·  {millis_of(self._took)}"
        yield Static(one_line(head), id="result-head", markup=False)
        with Horizontal(id="result-body"):
            yield PictureView()
            with VerticalScroll(id="result-list", classes="-reads" if any(item.text for item in self._result.objects) else ""):
                yield Static(listed(self._result))
        yield KeyWords(" Esc back   + closer   - back   f whole   hjkl move   ↑ ↓ list", id="result-keys")

    def on_mount(self) -> None:
        """Draw, and let the arrows scroll the list."""
        view = self.query_one(PictureView)
        view.show(self._picture)
        view.set_shapes(shapes_of(self._result))
        self.query_one("#result-list").focus()

    def action_zoom(self, how: str) -> None:
        """Zoom in, out, to the whole picture, to its own pixels."""
        self.query_one(PictureView).zoom_by_name(how)

    def action_pan(self, dx: int, dy: int) -> None:
        """Move the picture, where it is larger than its room."""
        self.query_one(PictureView).pan(dx, dy)


def colors_of(result: Result) -> dict[str, int]:
    """A colour's position for each label, in the order the labels appear."""
    return {label: number for number, label in enumerate(dict.fromkeys(item.label for item in result.objects))}


def shapes_of(result: Result) -> tuple[Shape, ...]:
    """Boxes, and a small box for each landmark."""
    colors = colors_of(result)
    shapes: list[Shape] = []
    for number, item in enumerate(result.objects):
        color = colors[item.label]
        if item.box is not None:
            # What is read there stands in the list, under the same number.
            tag = one_line(f"{item.label} {score_of(item.score)}", 40) if item.text is None else str(number + 1)
            shapes.append(Shape(f"o{number}", item.box, color, tag, rings=item.polygons))
        half = DOT / 1000 * max(result.image.width, result.image.height) if result.image else 1.0
        shapes += [
            Shape(f"o{number}k{index}", Box(point.x - half, point.y - half, point.x + half, point.y + half), color)
            for index, point in enumerate(item.keypoints)
            if point.visible > 0
        ]
    return tuple(shapes)


def listed(result: Result) -> Content:
    """The result as lines."""
    shown = result.objects[:MOST]
    width = max((width_of(_name(item)) for item in shown), default=0)
    lines = [_object_line(item, width) if item.text is None else _text_line(number, item) for number, item in enumerate(shown, 1)]
    if len(result.objects) > MOST:
        lines.append(Content.styled(f"and {len(result.objects) - MOST} more", MUTED))
    lines += [Content.styled(f"{score_of(each.score):>4}  ", MUTED) + Content(one_line(each.label)) for each in result.classes[:MOST]]
    if result.caption:
        lines.append(Content(clean(result.caption)))
    if result.embedding:
        lines.append(Content(f"{len(result.embedding)} numbers: {', '.join(f'{value:.3g}' for value in result.embedding[:8])} …"))
    if not lines:
        other = other_parts(result)
        lines.append(Content(one_line(str(other), 2000)) if other else Content.styled("Nothing was found on it.", MUTED))
    return Content("\n").join(lines)


def _name(item: DetectedObject) -> str:
    return one_line(item.label or "object", 40)


def _object_line(item: DetectedObject, width: int) -> Content:
    line = Content.styled(f"{score_of(item.score):>4}  ", MUTED) + Content(fit(_name(item), width))
    if item.box is not None:
        box = item.box
        line += Content.styled(f"  {f'{box.x0:.0f},{box.y0:.0f}':>9}  {f'{box.width:.0f}x{box.height:.0f}':>9}", MUTED)
    if item.keypoints:
        line += Content.styled(f"  {len(item.keypoints)} points", MUTED)
    return line


def _text_line(number: int, item: DetectedObject) -> Content:
    return Content.styled(f"{number:>3}  {score_of(item.score):>4}  ", MUTED) + Content(one_line(item.text or "", 500))
