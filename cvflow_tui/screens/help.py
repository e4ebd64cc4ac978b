"""`?`: what is under the cursor, and every key that works here, from the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from cvflow_tui.keymap import spell
from cvflow_tui.model.text import clean
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets.hanging import hang

NOT_OURS = frozenset({"screen.copy_text"})
"""What the toolkit binds on every screen, and no place speaks of."""
OURS = {"app.focus_next": "To the next part of the screen", "app.focus_previous": "To the part before it"}
"""What the toolkit binds on every screen in words of its own, in ours."""
WIDTH = 76
"""Cells of a line where the screen does not say."""
LEAD = 15
"""Cells of a line of keys before their meaning."""


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """Keys of one thing: the widget under the cursor, the place, or the app."""

    title: str
    keys: tuple[tuple[str, str], ...]


def key_groups(screen: Screen[Any]) -> list[KeyGroup]:
    """The enabled keys: of the focused widget first, then of the screen, then of the app. Keys of one meaning share a line."""
    nodes: dict[DOMNode, list[Binding]] = {}
    for active in screen.active_bindings.values():
        if active.enabled and not active.binding.system and active.binding.action not in NOT_OURS and _meaning(active.binding):
            nodes.setdefault(active.node, []).append(active.binding)
    order = sorted(nodes, key=lambda node: (node is screen.app, node is screen))
    return [KeyGroup(_title(node, screen), tuple(_lines(nodes[node]))) for node in order]


def _title(node: DOMNode, screen: Screen[Any]) -> str:
    if node is screen.app:
        return "everywhere"
    if node is screen:
        return "in this place"
    return str(getattr(node, "HELP_TITLE", "under the cursor"))


def _lines(bindings: Iterable[Binding]) -> Iterable[tuple[str, str]]:
    by_meaning: dict[str, list[str]] = {}
    for binding in bindings:
        by_meaning.setdefault(_meaning(binding), []).append(spell(binding))
    for meaning, keys in by_meaning.items():
        yield _together(list(dict.fromkeys(keys))), meaning


def _meaning(binding: Binding) -> str:
    return binding.tooltip or OURS.get(binding.action, binding.description)


def _together(keys: list[str]) -> str:
    """`1-9` for a run of digits, `S-← ↓` for keys with one modifier; otherwise the keys side by side."""
    if len(keys) > 2 and "".join(keys) in "0123456789":
        return f"{keys[0]}-{keys[-1]}"
    if len(keys) > 1 and all(key.startswith("S-") for key in keys):
        return f"S-{' '.join(key.removeprefix('S-') for key in keys)}"
    return " ".join(keys)


class HelpScreen(ModalScreen[None]):
    """The help of a place, made as it is asked for."""

    CSS_PATH = "help.tcss"
    # Of the screen, not of what scrolls: a key typed right behind the ? comes before anything has the focus.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss(None)", "back", tooltip="Put the help away", id="help.back"),
        Binding("up,k", "move(-1)", "up", show=False, tooltip="A line up", id="help.up"),
        Binding("down,j", "move(1)", "down", show=False, tooltip="A line down", id="help.down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, tooltip="A page up", id="help.page_up"),
        Binding("pagedown,ctrl+d,space", "page(1)", "page down", show=False, tooltip="A page down", id="help.page_down"),
        Binding("home,g", "jump(False)", "top", show=False, tooltip="The beginning", id="help.top"),
        Binding("end,G", "jump(True)", "end", show=False, tooltip="The end", id="help.end"),
    ]

    def __init__(self, title: str, about: str, explained: str, groups: list[KeyGroup]) -> None:
        super().__init__()
        self._title, self._about, self._explained, self._groups = title, about, explained, groups
        self._at_end = False
        """Whether the end is what should show, however the text is laid out."""

    @classmethod
    def of(cls, screen: Screen[Any]) -> HelpScreen:
        """The help of what is on the screen now."""
        if isinstance(screen, Place):
            return cls(screen.TITLE_TEXT, screen.ABOUT, screen.explain(), key_groups(screen))
        return cls("Keys", "", "", key_groups(screen))

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        with VerticalScroll(classes="help", can_focus=False):
            yield Static()

    def on_click(self) -> None:
        """The mouse puts it away too."""
        self.dismiss(None)

    def on_resize(self) -> None:
        """Another width wraps otherwise. A column is left for the scrollbar, and one beside it."""
        width = self._box.container_size.width
        self.query_one(Static).update(self.text(width - 4 if width else WIDTH))
        self.call_after_refresh(self._keep_end)

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def action_move(self, lines: int) -> None:
        """Scroll by lines."""
        self._to(self._box.scroll_offset.y + lines)

    def action_page(self, pages: int) -> None:
        """Scroll by pages; a line of the one before stays in view."""
        self.action_move(pages * max(1, self._box.scrollable_content_region.height - 1))

    def action_jump(self, end: bool) -> None:
        """Go to the beginning or the end."""
        self._to(0)
        self._at_end = end
        self.call_after_refresh(self._keep_end)

    def _keep_end(self) -> None:
        if self._at_end:
            self._to(self._box.max_scroll_y)
            self._at_end = True

    def _to(self, line: float) -> None:
        self._at_end = False
        self._box.scroll_to(y=line, animate=False, immediate=True, force=True)

    def text(self, width: int = WIDTH) -> Text:
        """All of it as text `width` cells wide, with a style for headings and keys."""
        styles = self.app.theme_variables
        accent, muted = styles.get("accent", "cyan"), "dim"
        text = Text()
        text.append(self._title, "bold")
        text.append("   Esc puts this away\n", muted)
        for paragraph in (self._about, self._explained):
            if paragraph:
                text.append(f"\n{clean(paragraph)}\n")
        for group in self._groups:
            text.append(f"\n{group.title}\n", "bold")
            for key, meaning in group.keys:
                lead = f"  {key:<{LEAD - 3}} "
                text.append(lead, accent if accent.startswith("#") else "bold")
                text.append(f"{hang(len(lead), meaning, width)}\n")
        return text
