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
    return binding.tooltip or binding.description


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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss(None)", "back", tooltip="Put the help away", id="help.back"),
    ]

    def __init__(self, title: str, about: str, explained: str, groups: list[KeyGroup]) -> None:
        super().__init__()
        self._title, self._about, self._explained, self._groups = title, about, explained, groups

    @classmethod
    def of(cls, screen: Screen[Any]) -> HelpScreen:
        """The help of what is on the screen now."""
        if isinstance(screen, Place):
            return cls(screen.TITLE_TEXT, screen.ABOUT, screen.explain(), key_groups(screen))
        return cls("Keys", "", "", key_groups(screen))

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        with VerticalScroll(classes="help"):
            yield Static()

    def on_click(self) -> None:
        """The mouse puts it away too."""
        self.dismiss(None)

    def on_resize(self) -> None:
        """Another width wraps otherwise. A column is left for the scrollbar, and one beside it."""
        box = self.query_one(VerticalScroll)
        self.query_one(Static).update(self.text(box.container_size.width - 4 if box.container_size.width else WIDTH))

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
