"""Text that came from somewhere else (labels, logs, READMEs, error messages) made safe for a terminal, and numbers in words."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC: titles, links, clipboard; one without an end hides no further line
    r"|\x1b[P^_X][^\x1b\n]*(?:\x1b\\)?"  # DCS, PM, APC, SOS
    r"|\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[ -/]*[0-~]"  # the rest
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINE_LIMIT = 2000


def clean(text: str) -> str:
    """The text without terminal escapes, control and bidirectional-override characters; tabs and newlines stay, long lines are cut."""
    text = _CONTROLS.sub("\ufffd", _ESCAPES.sub("", text.replace("\r\n", "\n")))
    return "\n".join(line if len(line) <= _LINE_LIMIT else line[: _LINE_LIMIT - 1] + "…" for line in text.split("\n"))


def one_line(text: str, limit: int = 200) -> str:
    """The text on one clean line of at most `limit` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def name_in_text(name: str) -> str:
    """A file's name that may be no text (Linux takes any bytes), with what is none spelt out: `b\\xffd.py`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def in_bytes(count: float) -> str:
    """Bytes for people, in decimal units: `512 B`, `7.6 MB`, `117 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 999.5 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or abs(count) >= 99.95 else f"{count:.1f} {unit}"


def plural(count: int, word: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
