"""`cvflow` and `python -m cvflow_tui`."""

from __future__ import annotations

import sys

from cvflow_tui.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
