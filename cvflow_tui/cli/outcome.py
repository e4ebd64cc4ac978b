"""How a program ends that did not do what was asked: one line, an exit code, and no traceback unless asked for."""

from __future__ import annotations

import json
import sys

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import clean, one_line


def tell_error(error: CvflowError, as_json: bool = False, debug: bool = False) -> int:
    """Say what went wrong, with what stands behind it where `debug` asks for it; returns the exit code."""
    more = " (the rest: cvflow --debug …)" if error.detail and not debug else ""
    return tell(f"{one_line(error.message, 960)}{more}", error.code, error.exit_code, as_json, error.detail if debug else None)


def tell(message: str, code: str, exit_code: int, as_json: bool = False, detail: str | None = None) -> int:
    """One line on stderr, with `as_json` also `{"error", "code"}` on stdout; returns the exit code."""
    line = one_line(message, 1000)
    print(f"cvflow: {line}", file=sys.stderr)
    if detail:
        print(clean(detail), file=sys.stderr)
    if as_json:
        print(json.dumps({"error": line, "code": code}))
    return exit_code
