"""A place in a log stays the same place, whatever number its file has meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.log_search import search
from cvflow_tui.backend.runtime.logs import read_log
from cvflow_tui.model.errors import NotFoundError
from tests.support.logs import turned_over


def line(number: int) -> str:
    return f"line {number:03} of the solver, padded to a fair length ......"


def test_what_is_found_in_an_older_file_is_read_there_though_the_log_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    turned_over(log, [line(number) for number in range(60)])
    (hit,) = search(log, "line 012", "debug", None, 10).lines
    assert hit.file not in ("", read_log(log, None, 100, 0).file)
    turned_over(log, [line(number) for number in range(60, 80)])
    below = read_log(log, hit.start, 120, 0, file=hit.file)
    assert below.text.splitlines() == [line(12), line(13)]
    above = read_log(log, None, 120, 0, file=hit.file, until=hit.start)
    assert (above.text.splitlines(), above.end) == ([line(10), line(11)], hit.start)


def test_file_after_file_is_the_whole_log_backwards_and_forwards(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    turned_over(log, [line(number) for number in range(50)])
    backwards, file, until = list[str](), "", None
    while True:
        chunk = read_log(log, None, 130, 0, file=file, until=until)
        backwards = chunk.text.splitlines() + backwards
        file, until = (chunk.file, chunk.start) if chunk.start else (chunk.before, None)
        if not file:
            break
    assert backwards == [line(number) for number in range(50)]
    forwards, file, offset = list[str](), chunk.file, 0
    while True:
        # Nothing is waited for at the end of a file that is not written to any more.
        chunk = read_log(log, offset, 130, 60 if file != read_log(log, None, 1, 0).file else 0, file=file)
        forwards += chunk.text.splitlines()
        file, offset = (chunk.file, chunk.end) if chunk.text or not chunk.after else (chunk.after, 0)
        if not chunk.text and not chunk.after:
            break
    assert forwards == backwards


def test_a_file_that_is_gone_is_not_another_one(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    turned_over(log, [line(number) for number in range(5)])
    file = read_log(log, None, 100, 0).file
    time.sleep(1.1)  # a log is not turned over five times in the second that it was begun in
    turned_over(log, [line(number) for number in range(200)])
    with pytest.raises(NotFoundError, match="this part of the log is gone"):
        read_log(log, 0, 100, 0, file=file)


def test_a_file_is_the_same_before_and_after_its_first_line(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    named = read_log(log, None, 100, 0).file
    turned_over(log, ["first"])
    assert read_log(log, 0, 100, 0, file=named).text == "first\n"


def test_a_line_longer_than_a_piece_has_lines_before_it(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n" + "y" * 500 + "\n")
    chunk = read_log(log, None, 100, 0)
    assert (chunk.text, chunk.start) == ("y" * 99 + "\n", 408)
