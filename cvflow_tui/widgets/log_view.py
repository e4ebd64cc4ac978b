"""A log on the screen: follows its end, stands still once someone scrolls up, searches."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cvflow_tui.widgets.cells import cut, width_of
from cvflow_tui.widgets.log_text import LogText


class LogView(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows the text it is given (already clean), literally. At its end it follows; scrolled up it stands and counts the new lines."""

    HELP_TITLE: ClassVar[str] = "in the log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_lines(-1)", "up", show=False, tooltip="A line up; the log stands still", id="log.up"),
        Binding("down,j", "scroll_lines(1)", "down", show=False, tooltip="A line down", id="log.down"),
        Binding("left", "scroll_columns(-8)", "left", show=False, tooltip="To the left", id="log.left"),
        Binding("right", "scroll_columns(8)", "right", show=False, tooltip="To the right", id="log.right"),
        Binding("pageup,ctrl+u", "scroll_pages(-1)", "page up", show=False, tooltip="A page up", id="log.page_up"),
        Binding("pagedown,ctrl+d", "scroll_pages(1)", "page down", show=False, tooltip="A page down", id="log.page_down"),
        Binding("home", "top", "top", show=False, tooltip="The oldest line", id="log.top"),
        Binding("end,G,f", "follow", "follow", show=False, tooltip="The newest line, and follow again", id="log.follow"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--match", "log--here", "log--note", "log--empty"}
    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; background: $background; overflow-x: hidden; overflow-y: auto; }
    LogView > .log--match { background: $cursor-row; text-style: bold; }
    LogView > .log--here { background: $accent; color: $background; text-style: bold; }
    LogView > .log--note { background: $accent; color: $background; }
    LogView > .log--empty { color: $muted; }
    """

    class Changed(Message):
        """It follows or stands, holds more, or found something else."""

        def can_replace(self, message: Message) -> bool:
            """One is enough."""
            return isinstance(message, LogView.Changed)

    class TopReached(Message):
        """Someone wants to see what lies before the first line."""

        def can_replace(self, message: Message) -> bool:
            """One is enough."""
            return isinstance(message, LogView.TopReached)

    def __init__(self, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.empty = empty
        self._log = LogText()
        self._wrap = False
        self._following = True
        self._new = 0
        self._search = ""
        self._found: list[int] = []
        self._here: int | None = None

    # -- text

    @property
    def lines(self) -> list[str]:
        """The lines it holds."""
        return self._log.lines

    @property
    def following(self) -> bool:
        """Whether it moves with its end."""
        return self._following

    @property
    def new_lines(self) -> int:
        """Lines that came since it stands still."""
        return self._new

    def write(self, text: str) -> None:
        """Add text at the end."""
        if not text:
            return
        added = self._log.append(text)
        if not self._following:
            self._new += added
        self._resize_text()
        if self._search:
            self._found = self._log.matches(self._search)
        self.post_message(self.Changed())

    def write_before(self, text: str) -> None:
        """Add older lines at the start; what is in view stays where it is."""
        rows = self._log.prepend(text)
        if self._search:
            self._found = self._log.matches(self._search)
        self._here = None
        self.virtual_size = Size(self._log.longest, self._log.height)
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False, immediate=True, force=True)
        self.refresh()

    def clear(self) -> None:
        """Forget the text, and follow."""
        self._log.clear()
        self._found, self._here, self._new, self._following = [], None, 0, True
        self._resize_text()
        self.post_message(self.Changed())

    @property
    def wrap(self) -> bool:
        """Whether long lines go on in the next row."""
        return self._wrap

    @wrap.setter
    def wrap(self, wrap: bool) -> None:
        self._wrap = wrap
        if wrap:
            self.scroll_to(x=0, animate=False, immediate=True, force=True)
        self._resize_text()

    def _resize_text(self) -> None:
        self._log.lay_out(self.scrollable_content_region.width or 80, self._wrap)
        self.virtual_size = Size(self._log.longest, self._log.height)
        if self._following:
            self._to_end()
        self.refresh()

    def _to_end(self) -> None:
        self.scroll_to(y=max(0, self._log.height - self.scrollable_content_region.height), animate=False, immediate=True, force=True)

    def on_resize(self) -> None:
        """Lay out anew."""
        self._resize_text()

    # -- moving

    def _scrolled(self) -> None:
        """Work out, after a move, whether it follows."""
        at_end = round(self.scroll_offset.y) + self.scrollable_content_region.height >= self._log.height
        if at_end != self._following or (at_end and self._new):
            self._following = at_end
            self._new = 0
            self.post_message(self.Changed())
        if round(self.scroll_offset.y) == 0 and not at_end:
            self.post_message(self.TopReached())
        self.refresh()

    def action_scroll_lines(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False, immediate=True, force=True)
        self._scrolled()

    def action_scroll_columns(self, columns: int) -> None:
        """Scroll sideways."""
        self.scroll_to(x=self.scroll_offset.x + columns, animate=False, immediate=True, force=True)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by pages."""
        self.action_scroll_lines(pages * max(1, self.scrollable_content_region.height - 1))

    def action_top(self) -> None:
        """The oldest line."""
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self._scrolled()

    def action_follow(self) -> None:
        """The newest line."""
        self._to_end()
        self._scrolled()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel."""
        event.prevent_default().stop()
        self.action_scroll_lines(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.prevent_default().stop()
        self.action_scroll_lines(3)

    def watch_scroll_y(self, old: float, new: float) -> None:
        """The scrollbar can be dragged too."""
        super().watch_scroll_y(old, new)
        if self.is_mounted and self.is_vertical_scrollbar_grabbed:
            self._scrolled()

    # -- searching

    @property
    def found(self) -> tuple[int, int]:
        """(which, of how many) matches; (0, n) before the first jump."""
        here = bisect_left(self._found, self._here) + 1 if self._here is not None and self._found else 0
        return here, len(self._found)

    def search(self, words: str) -> None:
        """Mark what matches, and go to the last match at or above the bottom of the view."""
        self._search = words
        self._found = self._log.matches(words)
        self._here = None
        if self._found:
            bottom = min(self._log.height, round(self.scroll_offset.y) + self.scrollable_content_region.height) - 1
            last = self._log.row(bottom)[0] if bottom >= 0 else 0
            self._go_to(self._found[max(0, bisect_right(self._found, last) - 1)])
        self.refresh()
        self.post_message(self.Changed())

    def next_match(self, step: int) -> None:
        """Go to the match after (1) or before (-1) this one; round the ends."""
        if not self._found:
            return
        here = self._here if self._here is not None else (-1 if step > 0 else len(self._log.lines))
        index = bisect_right(self._found, here) if step > 0 else bisect_left(self._found, here) - 1
        self._go_to(self._found[index % len(self._found)])
        self.refresh()
        self.post_message(self.Changed())

    def _go_to(self, line: int) -> None:
        self._here = line
        row, height = self._log.row_of(line), self.scrollable_content_region.height
        top = round(self.scroll_offset.y)
        if not top <= row < top + height - 1:
            self.scroll_to(y=max(0, row - height // 2), animate=False, immediate=True, force=True)
            self._scrolled()

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """One row, or what an empty log says; the last row tells of new lines."""
        width, base = self.scrollable_content_region.width, self.rich_style
        if not self._log.height:
            style = base + self.get_component_rich_style("log--empty", partial=True)
            return Strip([Segment(f" {self.empty}" if y == 1 else "", style)]).adjust_cell_length(width, base)
        number = y + round(self.scroll_offset.y)
        strip = Strip.blank(width, base)
        if number < self._log.height:
            line, text = self._log.row(number)
            left = 0 if self._wrap else round(self.scroll_offset.x)
            strip = self._marked(line, text, base).crop_extend(left, left + width, base)
        if self._new and y == self.scrollable_content_region.height - 1:
            return self._with_note(strip, width)
        return strip

    def _marked(self, line: int, text: str, base: Style) -> Strip:
        if not self._search:
            return Strip([Segment(text, base)])
        style = base + self.get_component_rich_style("log--here" if line == self._here else "log--match")
        segments, at, low, query = [], 0, text.lower(), self._search.lower()
        # A letter whose lower case is longer would shift every mark after it.
        while len(low) == len(text) and (start := low.find(query, at)) >= 0:
            segments += [Segment(text[at:start], base), Segment(text[start : start + len(query)], style)]
            at = start + len(query)
        return Strip([*segments, Segment(text[at:], base)])

    def _with_note(self, strip: Strip, width: int) -> Strip:
        note = cut(f" {self._new} new line{'s' if self._new != 1 else ''} · End follows ", width)
        style = self.rich_style + self.get_component_rich_style("log--note")
        return Strip.join([strip.crop(0, width - width_of(note)), Strip([Segment(note, style)])])

    def on_click(self, event: events.Click) -> None:
        """A click on the note follows again."""
        if self._new and event.y == self.size.height - 1:
            self.action_follow()
