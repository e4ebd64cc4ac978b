"""A log as a runner writes it, turned over where it grows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from cvflow_tui.backend.runtime.runner.logfile import LogFile
log = LogFile(Path(sys.argv[1]), rotate_bytes=int(sys.argv[2]))
for line in sys.stdin.buffer:
    log.write(line)
"""


def turned_over(log: Path, lines: Iterable[str], rotate_bytes: int = 1000) -> None:
    """Append lines to a log that is turned over at this size. In a process of its own: a log takes the standard output for itself."""
    text = "".join(f"{line}\n" for line in lines)
    subprocess.run([sys.executable, "-c", PROGRAM, str(log), str(rotate_bytes)], input=text.encode(), check=True, timeout=30, cwd=ROOT)
