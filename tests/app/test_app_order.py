"""Filter and order of a table, and the text of a log: rules that hold for any rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.text import clean
from cvflow_tui.widgets.cells import cut, cut_left, cut_middle, fit, width_of
from cvflow_tui.widgets.figures import bytes_of, millis_of, score_of, seconds_of, sparkline
from cvflow_tui.widgets.log_text import LogText
from cvflow_tui.widgets.solver_names import short_names, without_vendors
from cvflow_tui.widgets.table_order import Order, words_of

WORDS = st.text("abcdeAB", min_size=0, max_size=6)


@given(st.lists(WORDS, max_size=30), st.lists(WORDS.filter(bool), max_size=2), st.lists(WORDS.filter(bool), max_size=2))
def test_a_filter_keeps_exactly_what_holds_its_words(rows: list[str], wanted: list[str], unwanted: list[str]) -> None:
    order = Order(rows)
    order.filter(" ".join([*wanted, *(f"!{word}" for word in unwanted)]))
    expected = [
        row
        for row in rows
        if all(word.lower() in row.lower() for word in wanted) and not any(word.lower() in row.lower() for word in unwanted)
    ]
    assert [order[row] for row in range(len(order))] == expected


@given(st.lists(st.integers(0, 9), max_size=30), st.booleans())
def test_sorting_is_stable_and_survives_a_filter(rows: list[int], reverse: bool) -> None:
    order = Order(list(enumerate(rows)), lambda item: str(item[1]))
    order.reverse = reverse
    order.sort(lambda item: item[1])
    order.filter("!7")
    expected = sorted(((number, row) for number, row in enumerate(rows) if row != 7), key=lambda item: item[1], reverse=reverse)
    assert [order[row] for row in range(len(order))] == expected


def test_a_lone_exclamation_mark_filters_nothing_yet() -> None:
    assert words_of("one ! !two") == (["one"], ["two"])


@given(st.text(max_size=40), st.integers(0, 20), st.sampled_from(["left", "right"]), st.sampled_from([cut, cut_middle, cut_left]))
def test_fitted_text_takes_exactly_its_cells(text: str, width: int, align: str, shorten: Callable[[str, int], str]) -> None:
    text = " ".join(clean(text).split())
    assert width_of(shorten(text, width)) <= width
    assert width_of(fit(text, width, align, shorten)) == width


NAMES = st.from_regex(r"[a-c]{1,2}/[a-z]{1,12}/[a-z]{1,9}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True).map(tuple), st.integers(1, 30))
def test_short_names_fit_and_the_vendor_stands_before_all_or_none(names: tuple[str, ...], width: int) -> None:
    assert all(width_of(short) <= width for short in short_names(names, width).values())
    called = without_vendors(names, width)
    assert len(set(called.values())) == len(names)
    assert len({name.count("/") for name in called.values()}) == 1


def test_a_name_loses_its_vendor_and_then_the_middle_of_its_package() -> None:
    name = "cvflow/face_utility/landmarks"

    def short(width: int, *others: str) -> str:
        return short_names((name, *others), width)[name]

    assert short(29) == name
    assert short(25) == "face_utility/landmarks"
    assert short(18) == "face…ity/landmarks"
    assert short(25, "lab/face_utility/landmarks") == "cvflow/…utility/landmarks"
    assert short(10) == "landmarks"


def test_names_that_would_be_cut_to_the_same_are_cut_elsewhere() -> None:
    names = ("lab/badstart/detect", "lab/nanodet/detect", "local/chatty/detect")
    assert list(short_names(names, 5).values()) == ["ba…ct", "na…ct", "ch…ct"]
    assert list(short_names(("lab/a/detect_all", "lab/b/detect_one"), 4).values()) == ["a/…l", "b/…e"]


LINES = st.lists(st.text("ab \t漢", max_size=30), max_size=12)


@given(LINES, st.lists(st.integers(0, 200), max_size=6), st.integers(2, 40), st.booleans())
def test_a_log_holds_the_same_lines_however_it_came(lines: list[str], cuts: list[int], width: int, wrap: bool) -> None:
    text = "".join(f"{line}\n" for line in lines)
    log = LogText(width, wrap)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        log.append(text[start:end])
    assert log.lines == lines
    shown: dict[int, str] = {}
    for row in range(log.height):
        line, part = log.row(row)
        assert not wrap or width_of(part) <= width
        shown[line] = shown.get(line, "") + part
    assert [shown[number] for number in range(len(lines))] == [line.expandtabs(8) for line in lines]
    assert all(log.row(log.row_of(number))[0] == number for number in range(len(lines)))


def test_an_open_last_line_goes_on_and_counts_once() -> None:
    log = LogText()
    assert log.append("one\ntw") == 2
    assert log.append("o\nthree\n") == 1
    assert log.lines == ["one", "two", "three"]


def test_older_lines_go_in_front() -> None:
    log = LogText()
    log.append("three\n")
    assert log.prepend("one\ntwo\n") == 2
    assert log.lines == ["one", "two", "three"]


def test_figures_read_well() -> None:
    assert [bytes_of(count) for count in (None, 0, 999, 1000, 3_720_000, 101_400_000, 52e9)] == [
        "–",
        "0 B",
        "999 B",
        "1.0 kB",
        "3.7 MB",
        "101 MB",
        "52.0 GB",
    ]
    assert [seconds_of(seconds) for seconds in (None, 8.4, 185, 3725, 358_000)] == ["–", "8 s", "3:05 min", "1:02 h", "4 d 3 h"]
    assert [millis_of(value) for value in (None, 0.84, 31.2, 1234)] == ["–", "0.8 ms", "31 ms", "1.2 s"]
    assert [score_of(score) for score in (None, 0.914, 1.0, 0.0)] == ["–", ".91", "1.0", ".00"]
    assert sparkline([0, 0.5, 1, 2], 3) == "▅██"
