"""`cvflow` and `python -m cvflow_tui`."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

COLLECTED_AFTER = 50_000
"""New objects before Python looks for garbage. What a command makes until it is done is what it has imported: none of it is garbage."""


def program() -> NoReturn:
    """The console script: `main`, and away."""
    gc.set_threshold(COLLECTED_AFTER)
    _leave(main())


def main() -> int:
    """Run the program; returns its exit code.

    The bare `cvflow` in a terminal goes straight to the workstation: reading options would be a tenth of the time to its first paint.
    """
    if sys.argv[1:] in ([], ["app"]) and not {"CVFLOW_DEBUG", "_CVFLOW_COMPLETE"} & os.environ.keys():
        from cvflow_tui.cli.workstation import on_a_terminal

        if on_a_terminal():
            return _workstation()
    from cvflow_tui.cli.main import main as command

    return command()


def _workstation() -> int:
    from cvflow_tui.cli.outcome import tell_error
    from cvflow_tui.cli.session import Session
    from cvflow_tui.cli.workstation import open_app
    from cvflow_tui.model.errors import CvflowError

    try:
        return open_app(Session())
    except CvflowError as error:
        return tell_error(error)


def _leave(code: int) -> NoReturn:
    """End the process as the interpreter would, but for taking every module apart first: that is a fifth of a short command's time."""
    import atexit
    import threading

    if threading.active_count() == 1:
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            sys.exit(code)  # which tells of a stream that takes nothing more, as ever
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    program()
