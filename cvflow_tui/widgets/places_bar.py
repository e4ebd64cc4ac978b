"""The line of places at the top."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from cvflow_tui.keymap import PLACES
from cvflow_tui.widgets.cells import cut, width_of

NAME = " cvflow   "


class PlacesBar(Widget):
    """`cvflow  Hub  Packages …` with the current place marked, and on the right what the app says (`app.right_status`)."""

    DEFAULT_CSS = """
    PlacesBar { height: 1; width: 1fr; background: $panel; color: $foreground; }
    PlacesBar > .places--name { color: $muted; }
    PlacesBar > .places--here { color: $accent; text-style: bold underline; }
    PlacesBar > .places--right { color: $muted; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"places--name", "places--here", "places--right"}

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self._spans: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow what the app says at the right end."""
        if hasattr(self.app, "right_status"):
            self.watch(self.app, "right_status", self._changed, init=False)

    def _changed(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        base = self.rich_style
        name, here, right_style = (self.get_component_rich_style(f"places--{part}") for part in ("name", "here", "right"))
        segments = [Segment(NAME, base + name)]
        at = len(NAME)
        self._spans = []
        for key in PLACES:
            self._spans.append((at, at + len(key.title), key.place))
            segments.append(Segment(key.title, base + here if key.place == self.place else base))
            segments.append(Segment("  ", base))
            at += len(key.title) + 2
        right = cut(str(getattr(self.app, "right_status", "")), max(0, width - at - 1))
        gap = max(0, width - at - width_of(right) - 1)
        segments += [Segment(" " * gap, base), Segment(right, base + right_style), Segment(" ", base)]
        return Strip(segments).adjust_cell_length(width, base)

    def on_click(self, event: events.Click) -> None:
        """Go to the place under the mouse."""
        for start, end, place in self._spans:
            if start <= event.x < end:
                self.call_later(self.app.run_action, f"app.go('{place}')")
