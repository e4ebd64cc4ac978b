"""A log on the screen: follows its end, stands still once someone scrolls up, marks what was looked for."""

from __future__ import annotations

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
    """Shows the text it is given (already clean), literally. At its end it follows; scrolled up it stands and counts the new lines.

    What it is given may be a piece out of the middle (`show_at`): then its last line is not the log's, and it never follows.
    """

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
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--match", "log--here", "log--line", "log--note", "log--empty"}
    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; background: $background; overflow-x: hidden; overflow-y: auto; }
    LogView > .log--match { background: $cursor-row; text-style: bold; }
    LogView > .log--line { background: $cursor-row; }
    LogView > .log--here { background: $accent; color: $background; text-style: bold; }
    LogView > .log--note { background: $accent; color: $background; }
    LogView > .log--empty { color: $muted; }
    """

    class Changed(Message):
        """It follows or stands, or holds more."""

        def can_replace(self, message: Message) -> bool:
            """One is enough."""
            return isinstance(message, LogView.Changed)

    class TopReached(Message):
        """Someone wants to see what lies before the first line."""

        def can_replace(self, message: Message) -> bool:
            """One is enough."""
            return isinstance(message, LogView.TopReached)

    class BottomReached(Message):
        """Someone wants to see what lies behind the last line, which is not the log's."""

        def can_replace(self, message: Message) -> bool:
            """One is enough."""
            return isinstance(message, LogView.BottomReached)

    class EndWanted(Message):
        """Someone wants to see the log's end, which is not here."""

    def __init__(self, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._empty = empty
        self._log = LogText()
        self._wrap = False
        self._following = True
        self._new = 0
        self._live = True
        self._words = ""
        self._here: int | None = None
        self._stays = False
        """Whether the line that was gone to stays in view when the room changes: until somebody scrolls."""

    # -- text

    @property
    def empty(self) -> str:
        """What is said where there is no line."""
        return self._empty

    @empty.setter
    def empty(self, empty: str) -> None:
        if empty != self._empty:
            self._empty = empty
            if not self._log.height:
                self.refresh()

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
        self.post_message(self.Changed())

    def write_after(self, text: str, *, live: bool) -> None:
        """Add what comes behind the last line; `live`: with it the view holds the log's end."""
        self._log.append(text)
        self._live = live
        self._resize_text()
        self.post_message(self.Changed())

    def show_at(self, text: str, line: int, *, live: bool) -> None:
        """Show another piece of the log with this line in view; `live`: its last line is the log's."""
        self._log.clear()
        self._log.append(text)
        self._live, self._following, self._new = live, False, 0
        self._resize_text()
        self._go_to(min(line, len(self._log.lines) - 1))
        self.post_message(self.Changed())

    def write_before(self, text: str) -> None:
        """Add older lines at the start; what is in view stays where it is."""
        before = len(self._log.lines)
        rows = self._log.prepend(text)
        if self._here is not None:
            self._here += len(self._log.lines) - before
        self.virtual_size = Size(self._log.longest, self._log.height)
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False, immediate=True, force=True)
        self.refresh()

    def clear(self) -> None:
        """Forget the text, and follow."""
        self._log.clear()
        self._here, self._new, self._following, self._live = None, 0, True, True
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
        """Lay out anew; the line that was gone to stays in view."""
        self._resize_text()
        if self._stays and self._here is not None and not self._following:
            self._go_to(self._here)

    # -- moving

    def _scrolled(self) -> None:
        """Work out, after a move, whether it follows."""
        self._stays = False
        at_bottom = round(self.scroll_offset.y) + self.scrollable_content_region.height >= self._log.height
        at_end = at_bottom and self._live
        if at_bottom and not self._live:
            self.post_message(self.BottomReached())
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
        if not self._live:
            self.post_message(self.EndWanted())
            return
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

    def mark(self, words: str) -> None:
        """Mark these words wherever they stand; capitals count where there are some. Empty words mark nothing."""
        self._words = words
        if not words:
            self._here = None
        self.refresh()

    def _go_to(self, line: int) -> None:
        """Show a line in the middle, and of a long one the part with the words."""
        self._here, self._stays = line, True
        row, height = self._log.row_of(line), self.scrollable_content_region.height
        left, width = 0, self.scrollable_content_region.width
        if not self._wrap and self._words and line >= 0:
            text = self._log.lines[line].expandtabs(8)
            end = width_of(text[: self._place(text, 0) + len(self._words)])
            left = max(0, end - width // 2) if end > width else 0
        self.scroll_to(x=left, y=max(0, row - height // 2), animate=False, immediate=True, force=True)
        self.refresh()

    def _place(self, text: str, start: int) -> int:
        """Where the words stand in a text; -1 where they do not."""
        if self._words != self._words.lower():
            return text.find(self._words, start)
        low = text.lower()
        # A letter whose lower case is longer would shift every mark after it.
        return low.find(self._words, start) if len(low) == len(text) else text.find(self._words, start)

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
            fill = base + self.get_component_rich_style("log--line") if line == self._here else base
            strip = self._marked(line, text, fill).crop_extend(left, left + width, fill)
        if self._new and y == self.scrollable_content_region.height - 1:
            return self._with_note(strip, width)
        return strip

    def _marked(self, line: int, text: str, base: Style) -> Strip:
        if not self._words:
            return Strip([Segment(text, base)])
        style = base + self.get_component_rich_style("log--here" if line == self._here else "log--match")
        segments, at = [], 0
        while (start := self._place(text, at)) >= 0:
            end = start + len(self._words)
            segments += [Segment(text[at:start], base), Segment(text[start:end], style)]
            at = end
        return Strip([*segments, Segment(text[at:], base)])

    def _with_note(self, strip: Strip, width: int) -> Strip:
        note = cut(f" {self._new} new line{'s' if self._new != 1 else ''} · End follows ", width)
        style = self.rich_style + self.get_component_rich_style("log--note")
        return Strip.join([strip.crop(0, width - width_of(note)), Strip([Segment(note, style)])])

    def on_click(self, event: events.Click) -> None:
        """A click on the note follows again."""
        if self._new and event.y == self.size.height - 1:
            self.action_follow()
