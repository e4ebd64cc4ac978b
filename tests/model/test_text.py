"""Nothing that comes from outside can drive a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.text import clean, one_line


@pytest.mark.parametrize(
    ("dirty", "safe"),
    [
        ("\x1b]0;title\x07word", "word"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b2Jgone", "gone"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("a\r\nb", "a\nb"),
        ("bell\x07", "bell\ufffd"),
        ("\u202eevil", "\ufffdevil"),
        ("[bold]markup stays text[/]", "[bold]markup stays text[/]"),
    ],
)
def test_escapes_go_and_words_stay(dirty: str, safe: str) -> None:
    assert clean(dirty) == safe


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    assert not [character for character in clean(text) if unicodedata.category(character) == "Cc" and character not in "\n\t"]


@given(st.text(), st.integers(2, 50))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert "\n" not in line
    assert len(line) <= limit


@pytest.mark.parametrize("begun", ["\x1b]", "\x1b]0;title", "\x1bP", "\x1b_x", "\x1b^", "\x1bX"])
def test_a_sequence_without_an_end_hides_no_further_line(begun: str) -> None:
    assert clean(f"before\n{begun}rest\nafter\n").splitlines()[::2] == ["before", "after"]
