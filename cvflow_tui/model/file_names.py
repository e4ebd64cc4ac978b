"""File names made of names: two names never share one, whatever dots and dashes they have."""

from __future__ import annotations

import string

SEPARATOR = "+"
"""Between the parts of a name. No part may have one (`packages.NAME`), so that `acme.x/y` and `acme/x.y` stay two."""

_PLAIN = frozenset(string.ascii_letters + string.digits + "._-")
_LONGEST = 60
"""Bytes of a part: three of them, and what log files have behind that, stay below the 255 that a file system takes."""
_DIGITS = 32


def file_stem(name: str) -> str:
    """`vendor+package+solver` of `vendor/package/solver`. Injective: what is no part of a plain name is written as `%` and its bytes."""
    return SEPARATOR.join(_part(part) for part in name.split("/"))


def _part(text: str) -> str:
    written = "".join(letter if letter in _PLAIN else _escaped(letter) for letter in text)
    if len(written) <= _LONGEST:
        return written
    from hashlib import sha256  # rare, and the command line is in a hurry

    # A tilde is escaped elsewhere, so that nothing else is written like this.
    return f"{written[: _LONGEST - _DIGITS - 1]}~{sha256(written.encode()).hexdigest()[:_DIGITS]}"


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
