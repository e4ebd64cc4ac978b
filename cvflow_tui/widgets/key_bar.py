"""The line of keys at the bottom, made from the bindings that work right now."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.keys import key_to_character
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from cvflow_tui.keymap import spell
from cvflow_tui.widgets.cells import width_of

WIDE = 120
"""Columns from which more than seven keys are shown."""
SEVEN = 7
TEN = 10
HELP = "app.help"
TAIL = ("filter", "toggle_side", HELP)
"""Actions whose keys stand last: every place has them."""


def shown_bindings(screen: Screen[object]) -> list[Binding]:
    """The enabled bindings with show=True, one an action, in the order they were declared, help last."""
    seen: dict[str, Binding] = {}
    focused = screen.focused
    for active in screen.active_bindings.values():
        binding = active.binding
        if focused is not None and focused.check_consume_key(binding.key, _character(binding)):
            continue  # typed into a line, not pressed
        if binding.show and active.enabled and binding.description:
            seen.setdefault(binding.action, binding)
    ours = [binding for action, binding in seen.items() if action not in TAIL]
    return ours + [seen[action] for action in TAIL if action in seen]


def _character(binding: Binding) -> str | None:
    """What the key types. The toolkit does not know it of every name that it has itself: a slash is a solidus to it."""
    spelled = spell(binding)
    return key_to_character(binding.key) or (spelled if len(spelled) == 1 and spelled.isascii() else None)


def fitting(bindings: list[Binding], width: int) -> list[Binding]:
    """As many as the line holds (seven at most below 120 columns); help is always one of them."""
    limit = SEVEN if width < WIDE else TEN
    room = width - 1
    chosen: list[Binding] = []
    last = bindings[-1:] if bindings and bindings[-1].action == HELP else []
    for binding in last + bindings[: len(bindings) - len(last)]:
        need = width_of(spell(binding)) + 1 + width_of(binding.description) + 3
        if len(chosen) == limit or need - 3 > room:
            break
        chosen.append(binding)
        room -= need
    return chosen[len(last) :] + chosen[: len(last)]


class KeyBar(Widget):
    """The keys as `a accept   x decline   ? help`; a click on one presses it."""

    DEFAULT_CSS = """
    KeyBar { height: 1; width: 1fr; background: $panel; color: $foreground; }
    KeyBar > .keys--key { color: $accent; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key"}

    def __init__(self) -> None:
        super().__init__()
        self._spans: list[tuple[int, int, str]] = []
        self._line: list[tuple[str, str, str]] = []

    def on_mount(self) -> None:
        """Follow the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        # The signal comes on every change of focus; only another line is worth drawing.
        line = [(spell(binding), binding.description, binding.key) for binding in fitting(shown_bindings(screen), self.app.size.width)]
        if line != self._line:
            self._line = line
            self.refresh()

    def on_resize(self) -> None:
        """Another width holds other keys."""
        self._changed(self.screen)

    @property
    def text(self) -> str:
        """The line as plain text."""
        return " " + "   ".join(f"{key} {word}" for key, word, _ in self._line)

    def render_line(self, y: int) -> Strip:
        """The line."""
        base = self.rich_style
        key_style = base + self.get_component_rich_style("keys--key", partial=True)
        segments = [Segment(" ", base)]
        self._spans, at = [], 1
        for key, word, press in self._line:
            segments += [Segment(key, key_style), Segment(f" {word}", base), Segment("   ", base)]
            end = at + width_of(key) + 1 + width_of(word)
            self._spans.append((at, end, press))
            at = end + 3
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        for start, end, press in self._spans:
            if start <= event.x < end:
                self.app.simulate_key(press)
