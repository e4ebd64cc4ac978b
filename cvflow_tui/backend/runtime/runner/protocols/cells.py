"""CSV and lines of JSON in, CSV out. What comes out is safe to open in a spreadsheet: no cell that we write begins a formula (CWE-1236)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cvflow_tui.backend.runtime.runner.faults import bad_input, too_large
from cvflow_tui.model.text import one_line

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = 1000


def read_rows(data: bytes, most: int) -> list[dict[str, str]]:
    """The rows of a CSV with a header. Raises Fault 400 for one that can't be read, naming the line; 413 beyond `most` rows."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise bad_input(f"the CSV is not UTF-8 (byte {error.start})") from error
    csv.field_size_limit(max(csv.field_size_limit(), 64 * 1024 * 1024))
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    rows: list[dict[str, str]] = []
    try:
        names = list(reader.fieldnames or [])
        if not names or len(set(names)) != len(names) or len(names) > _COLUMNS:
            raise bad_input(f"the CSV needs a header of 1 to {_COLUMNS} different names")
        for row in reader:
            if "" in row and "" not in names:
                raise bad_input(f"line {reader.line_num} of the CSV has more cells than the header")
            if len(rows) >= most:
                raise too_large(f"the CSV has more than {most} rows")
            rows.append({name: value if value is not None else "" for name, value in row.items()})
    except csv.Error as error:
        raise bad_input(f"line {reader.line_num} of the CSV can't be read: {error}") from error
    return rows


def read_lines(data: bytes, most: int) -> list[dict[str, str]]:
    """The rows of lines of JSON: an object each; what is no text stands as JSON, null as nothing.

    Raises Fault 400 for a line that is no such object, naming it; 413 beyond `most` rows.
    """
    rows: list[dict[str, str]] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        if len(rows) >= most:
            raise too_large(f"there are more than {most} lines")
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise bad_input(f"line {number} is no JSON: {one_line(str(error))}") from error
        if not isinstance(row, dict) or len(row) > _COLUMNS:
            raise bad_input(f"line {number} is no object of at most {_COLUMNS} names")
        rows.append({name: _as_text(value) for name, value in row.items()})
    return rows


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as CSV; the header is every name that a row has, in the order of their first appearance."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([cell(name) for name in names])
    for row in rows:
        writer.writerow([cell(row.get(name, "")) for name in names])
    return file.getvalue().encode("utf-8", "replace")


def cell(value: Any) -> str:
    """A value as a cell: text as it is, anything else as JSON; what a spreadsheet would calculate gets a `'` before it."""
    text = _as_text(value)
    if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text
