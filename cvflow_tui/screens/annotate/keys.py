"""The keys of the annotate place. Which of them work depends on what the keys are for just now: see `allowed`."""

from __future__ import annotations

from enum import Enum

from textual.binding import Binding, BindingType

from cvflow_tui.keymap import zoom_keys

NUDGE, LEAP = 1, 10
"""Pixels that an arrow moves a box, alone and with Shift."""

HELD = "Move what is held: the selected box, the corner, the drawing cursor, or the picture"
PANNED = "Move the picture; the cursor while drawing"


class KeyMode(Enum):
    """What the keys are for."""

    BROWSE = "browse"
    DRAW = "draw"
    RESIZE = "resize"


def _key(key: str, action: str, word: str, tip: str, *, name: str = "", show: bool = True) -> Binding:
    return Binding(key, action, word, show=show, tooltip=tip, id=f"annotate.{name or action}")


def _quiet(key: str, action: str, word: str, tip: str, *, name: str = "") -> Binding:
    return _key(key, action, word, tip, name=name, show=False)


def _steering() -> list[BindingType]:
    found: list[BindingType] = []
    for name, letter, dx, dy in (("left", "h", -1, 0), ("down", "j", 0, 1), ("up", "k", 0, -1), ("right", "l", 1, 0)):
        for key, big, tip in ((name, False, HELD), (f"shift+{name}", True, f"The same, {LEAP} times as far")):
            found.append(
                Binding(key, f"arrow({dx},{dy},{big})", name, show=False, tooltip=tip, id=f"annotate.{'leap' if big else 'move'}_{name}")
            )
        for key, big, tip in ((letter, False, PANNED), (letter.upper(), True, f"{PANNED}, far")):
            found.append(
                Binding(key, f"steer({dx},{dy},{big})", name, show=False, tooltip=tip, id=f"annotate.{'far' if big else 'pan'}_{name}")
            )
    return found


BINDINGS: list[BindingType] = [
    _key("space,enter", "corner", "corner", "Set a corner here; the second one makes the box"),
    _key("enter", "keep", "keep", "Keep the new size"),
    _key("tab", "switch_corner", "other corner", "Hold the next corner"),
    _key("escape", "cancel", "cancel", "Leave it as it was"),
    _key("a", "accept", "accept", "Accept the selected suggestion, or the first undecided one"),
    _key("A", "accept_rest", "accept rest", "Accept all that is left above the threshold"),
    _key("x,delete", "decline", "decline", "Decline the suggestion; delete the annotation"),
    _key("r", "draw", "box", "Draw a box: arrows move, Space sets the corners; or drag with the mouse"),
    _key("e", "resize", "edit", "Resize the selected box with the arrows"),
    _key("n", "next", "next", "Finish this picture and go to the next"),
    _key("s", "skip", "skip", "Set this picture aside and go to the next"),
    _key("u", "undo", "undo", "Take the last act back, on whichever picture it was"),
    _key("0", "confirm_empty", "empty", "Confirm that the picture holds nothing, or take that back"),
    _quiet("U", "redo", "redo", "Do again what was undone last"),
    _quiet("p", "previous", "previous", "The picture before"),
    _quiet("tab", "select(1)", "object", "Select the next object", name="select_next"),
    _quiet("shift+tab", "select(-1)", "object", "Select the object before", name="select_previous"),
    _quiet("escape", "deselect", "deselect", "Select nothing: digits then choose the class to draw"),
    *(
        _quiet(str(digit), f"digit({digit})", f"class {digit}", "Class of the selected object, or to draw with", name=f"class_{digit}")
        for digit in range(1, 10)
    ),
    _quiet("c", "choose_class", "class", "Choose a class by its name"),
    *_steering(),
    _quiet("left_square_bracket", "threshold(-1)", "lower", "Show suggestions with lower scores too", name="threshold_down"),
    _quiet("right_square_bracket", "threshold(1)", "raise", "Hide suggestions with low scores", name="threshold_up"),
    *zoom_keys("annotate"),
    _quiet("v", "toggle_shapes", "shapes", "Hide the boxes, or show them again"),
    _quiet("slash,G", "find", "go to", "Go to a picture by number or name"),
    _quiet("T", "train", "train", "Begin a fine-tuning round now"),
    _quiet("E", "export", "export", "Write the annotations as COCO JSON"),
    _quiet("q,ctrl+q", "leave", "quit", "Close the app once everything typed is done"),
]
"""In the order of the key bar."""

_ONLY: dict[str, frozenset[KeyMode]] = {
    "corner": frozenset({KeyMode.DRAW}),
    "keep": frozenset({KeyMode.RESIZE}),
    "switch_corner": frozenset({KeyMode.RESIZE}),
    "cancel": frozenset({KeyMode.DRAW, KeyMode.RESIZE}),
    "digit": frozenset({KeyMode.BROWSE, KeyMode.DRAW}),
    "choose_class": frozenset({KeyMode.BROWSE, KeyMode.DRAW}),
    **{
        action: frozenset({KeyMode.BROWSE})
        for action in (
            "accept", "accept_rest", "decline", "draw", "resize", "next", "skip", "undo", "redo", "confirm_empty", "previous",
            "select", "deselect", "threshold", "find", "train", "export",
        )
    },
}  # fmt: skip


def allowed(action: str, mode: KeyMode) -> bool:
    """Whether an action works in a mode."""
    return action not in _ONLY or mode in _ONLY[action]


def needs_project(action: str) -> bool:
    """Whether an action does something to a project."""
    return action in _ONLY
