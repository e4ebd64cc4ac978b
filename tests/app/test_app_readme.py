"""READMEs are text: nothing in one is obeyed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.widgets.readme import readme


def test_markdown_becomes_calm_text() -> None:
    text = readme("# Title\n\nSome *soft* and **hard** `code`\nwords.\n\n- one\n- two\n  1. three\n\n```\nrun [it]\n```\n> said\n").plain
    assert text.splitlines() == [
        "Title",
        "",
        "Some soft and hard code words.",
        "",
        "• one",
        "• two",
        "  1. three",
        "    run [it]",
        "",
        "│ said",
    ]


def test_a_tables_cells_are_told_under_their_titles() -> None:
    text = readme("Before\n\n| solver | **task** | |\n|---|---|---|\n| `classify` | classes | x |\n| encode | | |\n\nAfter\n").plain
    assert text.splitlines() == ["Before", "", "• classify", "  task: classes", "  x", "• encode", "", "After"]


def test_a_table_of_titles_alone_is_shown() -> None:
    assert readme("| a | b |\n|---|---|\n").plain == "a · b"


def test_markup_html_links_and_escapes_are_shown_not_obeyed() -> None:
    text = readme(
        "[red]plain[/red] <b>bold</b> [here](https://example.org/x) ![cat](cat.png)\n\n<script>x</script>\n\n\x1b[31mred\x1b]0;t\x07"
    ).plain
    assert "[red]plain[/red]" in text
    assert "<b>bold</b>" in text
    assert "here (https://example.org/x)" in text
    assert "[picture: cat]" in text
    assert "<script>x</script>" in text
    assert "\x1b" not in text
    assert "\x07" not in text


@given(st.text(max_size=200))
def test_any_text_is_shown_without_escapes(text: str) -> None:
    assert "\x1b" not in readme(text).plain
