"""Lines of a word and what it means, the meaning wrapped under itself."""

from __future__ import annotations

from textwrap import wrap

LEAST = 20
"""Cells that the meaning gets however narrow the screen is."""


def hang(lead: int, meaning: str, width: int) -> str:
    """`meaning` wrapped for a line of `width` cells of which `lead` are taken: later lines begin under the first one's meaning."""
    return f"\n{' ' * lead}".join(wrap(meaning, max(LEAST, width - lead)) or [""])
