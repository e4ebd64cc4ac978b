"""Rule 15: no cell of a CSV that we write is a formula (CWE-1236)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.runner.protocols.cells import write_rows
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Site
from tests.runtime.test_batch import send

WORDS = st.text(st.sampled_from("=+-@\t\r\n'\",;a1 .e"), max_size=6)


def cells(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@given(st.lists(st.dictionaries(WORDS, WORDS | st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=4), max_size=4))
@example([{"=a": "=1+1", "b": "-1", "c": "+cmd|' /C calc'!A0", "@": "\t=1"}])
def test_no_cell_begins_a_formula_and_nothing_is_lost(rows: list[dict[str, object]]) -> None:
    table = cells(write_rows(rows))
    for row in table:
        for text in row:
            if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
                float(text)  # what is left of those is a number
    told = [[text.removeprefix("'") for text in row] for row in table]
    names = list(dict.fromkeys(name for row in rows for name in row))
    values = [[row.get(name, "") for name in names] for row in rows]
    wanted = [[value if isinstance(value, str) else json.dumps(value) for value in row] for row in values]
    assert told == [[text.removeprefix("'") for text in row] for row in [names, *wanted]]


def test_what_a_client_or_a_solver_says_is_no_formula_in_a_batchs_file(
    shared_site: Site,
    spec_of: Callable[..., RunSpec],
    picture: bytes,
) -> None:
    client = shared_site.start(spec_of("Echo"))
    table = 'image,name,@SUM(A1)\na.jpg,"=HYPERLINK(""http://x"")",\n'
    reply = send(client, ("file", "rows.csv", table), ("p", "a.jpg", picture), Accept="text/csv")
    for row in cells(reply.body):
        assert not [text for text in row if text.startswith(("=", "+", "-", "@"))]
