"""How a process of ours ends once it has done its work."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process as the interpreter would, but for taking every module apart first.

    That is a fifth of a short command's time, and half a second of a daemon's. What was registered to be done at the end is done; where
    threads still run the interpreter waits for them, as ever.
    """
    import atexit
    import threading

    if threading.active_count() == 1:
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            sys.exit(code)  # which tells of a stream that takes nothing more
        os._exit(code)
    sys.exit(code)
