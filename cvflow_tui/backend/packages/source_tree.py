"""A package's source files as trees, without running a line of them."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

LIMIT = 4 << 20
"""Bytes of a source file that is worth parsing."""

_ONE_AT_A_TIME = threading.Lock()
"""Python 3.11 counts how deep all threads together are while it makes a tree, and fails with SystemError where two make one at once."""


def parse(file: Path) -> ast.Module | None:
    """A source file's tree; None for what is none, is too large, or is nested more deeply than Python can read."""
    try:
        if file.stat().st_size > LIMIT:
            return None
        source = file.read_bytes()
        with _ONE_AT_A_TIME:
            return ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def spelled(node: ast.expr) -> str:
    """An expression as it is written; empty where it is nested too deeply to be anything a person wrote."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return ""
