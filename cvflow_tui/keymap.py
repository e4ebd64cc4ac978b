"""Keys that mean the same on every place, and how keys are spelled on the screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class PlaceKey:
    """A place in the top line: its name, its title, the letter that follows `g`, its function key and its digit."""

    place: str
    title: str
    letter: str
    function: str
    digit: str


PLACES: tuple[PlaceKey, ...] = (
    PlaceKey("hub", "Hub", "h", "f1", "1"),
    PlaceKey("packages", "Packages", "p", "f2", "2"),
    PlaceKey("monitor", "Monitor", "m", "f3", "3"),
    PlaceKey("projects", "Projects", "j", "f4", "4"),
    PlaceKey("annotate", "Annotate", "a", "f5", "5"),
    PlaceKey("training", "Training", "t", "f6", "6"),
)

GLOBAL: list[BindingType] = [
    *(
        Binding(key.function, f"app.go('{key.place}')", key.title, show=False, tooltip=f"Go to {key.title}", id=f"app.go.{key.place}")
        for key in PLACES
    ),
    Binding("g", "app.choose_place", "go to", show=False, tooltip="Then the letter of a place: h p m j a t", id="app.go"),
    Binding("ctrl+p", "app.palette", "commands", show=False, tooltip="Find a command by its name", id="app.palette"),
    Binding(
        "q,ctrl+q", "app.leave", "quit", show=False, tooltip="Close the app; asks once where solvers run and no daemon stays", id="app.quit"
    ),
]
"""Bindings of the app itself."""

DIGITS: list[BindingType] = [
    Binding(key.digit, f"app.go('{key.place}')", key.title, show=False, tooltip=f"Go to {key.title}", id=f"digit.go.{key.place}")
    for key in PLACES
]
"""For places whose digits mean nothing else: add them to BINDINGS."""


def zoom_keys(owner: str) -> list[BindingType]:
    """The keys of a picture that can be looked at closely, for the bindings of `owner`, whose `action_zoom` they call."""
    return [
        Binding(key, f"zoom('{how}')", word, show=False, tooltip=tip, id=f"{owner}.zoom_{how}")
        for key, how, word, tip in (
            ("plus", "in", "zoom in", "Zoom in"),
            ("minus", "out", "zoom out", "Zoom out"),
            ("f,equals_sign", "fit", "fit", "The whole picture"),
            ("z", "one", "1:1", "One picture pixel a sub-cell"),
        )
    ]


_SPELLED = {
    "enter": "Enter",
    "escape": "Esc",
    "space": "Space",
    "tab": "Tab",
    "shift+tab": "S-Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "delete": "Del",
    "backspace": "Bksp",
    "slash": "/",
    "question_mark": "?",
    "full_stop": ".",
    "comma": ",",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "exclamation_mark": "!",
    "colon": ":",
}


def spell(binding: Binding) -> str:
    """The binding's key as a person reads it: `Enter`, `^p`, `F1`, `?`."""
    if binding.key_display:
        return binding.key_display
    key = binding.key
    if key.startswith("ctrl+") and key not in _SPELLED:
        return "^" + _SPELLED.get(key[5:], key[5:])
    if key.startswith("shift+") and key not in _SPELLED:
        return "S-" + _SPELLED.get(key[6:], key[6:])
    if len(key) > 1 and key[0] == "f" and key[1:].isdigit():
        return key.upper()
    return _SPELLED.get(key, key)
