"""`cvflow` and `python -m cvflow_tui`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from cvflow_tui.leaving import leave


def program() -> NoReturn:
    """The console script: `main`, and away."""
    leave(main())


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


if __name__ == "__main__":
    program()
