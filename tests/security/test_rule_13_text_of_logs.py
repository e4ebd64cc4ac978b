"""Rule 13: what a solver writes reaches no terminal as more than text; lines are bounded; nothing is markup."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.log_files import times_path
from cvflow_tui.backend.runtime.log_search import search
from cvflow_tui.backend.runtime.logs import safe
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.conftest import package, picture, site, spec_of
from tests.runtime.helpers import Site

__all__ = ["package", "picture", "site", "spec_of"]

CONTROLS = {chr(number) for number in (*range(9), *range(11, 32), *range(127, 160))}
SEQUENCES = [
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]52;c;Y29weQ==\x1b\\",
    "\x9b31m",
    "\x1bP1$r0m\x1b\\",
    "\x1bc",
    "\x08",
    "\x07",
    "\u202e",
    "\r",
]


@given(st.lists(st.sampled_from([*SEQUENCES, "word", "é", "[b]bold[/b]", "\n", " "]), max_size=40))
def test_no_control_character_comes_through_in_pieces_or_found(parts: list[str]) -> None:
    text = safe("".join(parts).encode())
    assert not CONTROLS & set(text)
    assert "\u202e" not in text
    assert (
        "[b]bold[/b]" in text
        or "[b]bold[/b]" not in "".join(parts)
        or "\x1b]" in "".join(parts)
        or "\x1bP" in "".join(parts)
        or "\r" in parts
    )


def test_the_log_and_its_search_show_text_only(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    site.start(spec_of("Chatty"))
    found = site.supervisor.search_log("tests/demo/chatty", "title", "debug", None, 10)
    assert [line.text.replace("\ufffd", "") for line in found.lines] == ["red title clear"]
    assert not CONTROLS & set("".join(line.text for line in site.supervisor.search_log("tests/demo/chatty", "", "debug", None, 100).lines))


def test_a_long_line_is_cut_where_it_is_shown(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"needle" + b"y" * 1_000_000 + b"\n")
    (line,) = search(tmp_path / "x.log", "needle", "debug", None, 10).lines
    assert len(line.text) == 2000


def rotated(folder: Path, files: int, lines: int) -> Path:
    """A log of several files, each line a second after the one before."""
    path = folder / "x.log"
    number = 0
    for file in reversed(range(files)):
        name = path if file == 0 else path.with_name(f"x.log.{file}")
        offset, text, times = 0, "", ""
        for _ in range(lines):
            level = ("INFO", "WARNING", "ERROR", "DEBUG")[number % 4]
            line = f"{level} line {number}\n"
            times += f"{offset} {1000 + number}\n"
            text += line
            offset += len(line)
            number += 1
        name.write_text(text)
        times_path(name).write_text(times)
    return path


@given(
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(1, 50),
    st.sampled_from(["debug", "info", "warning", "error"]),
    st.integers(990, 1130),
)
def test_a_search_finds_the_last_lines_over_all_files(files: int, lines: int, limit: int, level: str, since: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = rotated(Path(folder), files, lines)
        found = search(path, "line", level, float(since), limit)
    least = ["debug", "info", "warning", "error"].index(level)
    ranks = {0: 1, 1: 2, 2: 3, 3: 0}
    wanted = [number for number in range(files * lines) if ranks[number % 4] >= least and 1000 + number >= since]
    assert [int(line.text.split()[-1]) for line in found.lines] == wanted[-limit:]
    assert [line.time for line in found.lines] == [1000.0 + number for number in wanted[-limit:]]
    assert found.complete


def test_a_traceback_is_an_error_to_its_end_and_capitals_count_when_given(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text('all well\nTraceback (most recent call last):\n  File "x.py"\nValueError: No\nall well again: no error\n')
    found = search(path, "", "error", None, 10)
    assert [line.text for line in found.lines] == ["Traceback (most recent call last):", '  File "x.py"', "ValueError: No"]
    assert len(search(path, "No", "debug", None, 10).lines) == 1
    assert len(search(path, "no", "debug", None, 10).lines) == 2


def test_a_search_is_bounded_whatever_is_asked(tmp_path: Path) -> None:
    """Sixty megabytes of what backtracking patterns choke on: text is looked for, not patterns."""
    path = tmp_path / "x.log"
    for name in (path, *(path.with_name(f"x.log.{number}") for number in range(1, 6))):
        name.write_bytes(b"a" * 10_000_000)
    began = time.process_time()
    found = search(path, "(a+)+$", "debug", None, 1000)
    assert found.lines == ()
    assert found.searched <= 100_000_000
    assert time.process_time() - began < 20, "not for minutes"


def test_a_search_of_nothing(tmp_path: Path) -> None:
    assert search(tmp_path / "x.log", "a", "debug", None, 10).lines == ()
