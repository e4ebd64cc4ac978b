"""A picture with a result's boxes, drawn with characters on stdout."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from cvflow_tui.cli.output import number, remark
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import one_line

if TYPE_CHECKING:
    from cvflow_tui.model.results import Result

PIPE_COLUMNS = 80
LINES_BELOW = 4
"""Rows of the terminal that are left for the prompt and the head of the table."""


def draw_result(body: bytes, result: Result) -> None:
    """Draw the picture as wide as the terminal and no taller. A picture that can't be decoded here gets a remark: the result stands."""
    from cvflow_tui.widgets.image_canvas.headless import render_to_ansi
    from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
    from cvflow_tui.widgets.image_canvas.scene import Shape

    terminal = shutil.get_terminal_size((PIPE_COLUMNS, 24))
    columns, rows = terminal.columns, max(8, terminal.lines - LINES_BELOW)
    found = [each for each in result.objects if each.box is not None]
    names = sorted({each.label for each in found})
    shapes = [
        Shape(str(position), each.box, names.index(each.label), one_line(f"{each.label} {number(each.score)}", 40))
        for position, each in enumerate(found)
        if each.box is not None
    ]
    try:
        picture = CanvasPicture.load(body, "the picture")
    except (CvflowError, OSError, ValueError) as error:
        remark(f"it can't be drawn here: {error}")
        return
    sys.stdout.write(render_to_ansi(picture, shapes, columns, rows))
