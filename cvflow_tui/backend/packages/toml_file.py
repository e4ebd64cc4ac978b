"""Reading TOML that somebody else wrote, with errors that name the line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

LIMIT = 1 << 20
"""Bytes a manifest may have."""

LOCK_LIMIT = 32 << 20
"""Bytes a lock may have: it names every file of a package and every hash of its environment."""

_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


def read_toml(path: Path, shown: str | None = None, limit: int = LIMIT) -> dict[str, Any]:
    """The tables of a TOML file of at most `limit` bytes. Raises PackageError that names the file (as `shown`) and the line."""
    shown = shown or path.name
    if path.exists() and not path.is_file():  # a pipe would be read for ever
        raise PackageError(f"{shown} is no file")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PackageError(f"{shown} cannot be read: {error.strerror or error}") from error
    if len(raw) > limit:
        raise PackageError(f"{shown} has {len(raw):,} bytes: such a file has at most {limit:,}")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise PackageError(f"{shown}, line {line}: is not UTF-8 text; save it as UTF-8") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PackageError(_complaint(shown, text, str(error))) from error
    except RecursionError as error:
        raise PackageError(f"{shown}: is nested too deeply to be a manifest") from error


def _complaint(shown: str, text: str, message: str) -> str:
    where = _WHERE.search(message)
    line = int(where[1]) if where and where[1] else text.rstrip("\n").count("\n") + 1
    lines = text.split("\n")
    excerpt = one_line(lines[line - 1], 60) if line <= len(lines) else ""
    reason = _WHERE.sub("", message)
    return f"{shown}, line {line}: is not TOML: {one_line(reason)}" + (f" (the line reads: {excerpt})" if excerpt else "")
