"""What went wrong, in one line and in full."""

from __future__ import annotations

import sys
import traceback
from typing import Any, Dict

_UNREADABLE = {"UnidentifiedImageError", "DecompressionBombError"}


class BadParameter(Exception):
    """A parameter that `infer` or `train` does not know, or whose value does not fit."""


class MissingField(KeyError):
    """A field that an original solver reads and that was not sent."""

    def __str__(self) -> str:
        return f"the solver needs a field {str(self.args[0])!r}, which was not sent"


def message_of(error: BaseException) -> str:
    """What an exception says, on one line; an exception is a package's code too, and may fail to say anything."""
    try:
        return " ".join(str(error).split())
    except Exception as another:
        return f"its message cannot be told: {type(another).__name__}"


def one_line(error: BaseException) -> str:
    """The last line of a traceback: the exception's type and message on one line."""
    message = message_of(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def full(error: BaseException) -> str:
    """The whole traceback."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def is_input(error: BaseException) -> bool:
    """Whether the fault lies with what was sent (a bad parameter, an unreadable picture) rather than with the solver."""
    if isinstance(error, (BadParameter, MissingField)) or type(error).__name__ in _UNREADABLE:
        return True
    if isinstance(error, OSError) and "truncated" in message_of(error):  # how Pillow says that a picture ends too early
        return True
    declared = getattr(sys.modules.get("cvflow"), "InputError", None)
    return isinstance(declared, type) and isinstance(error, declared)


def error_frame(error: BaseException) -> Dict[str, Any]:
    """The `error` frame for an exception; the caller adds the `id`."""
    if is_input(error):
        return {"op": "error", "kind": "input", "error": message_of(error) or type(error).__name__, "traceback": ""}
    return {"op": "error", "kind": "solver", "error": one_line(error), "traceback": full(error)}
