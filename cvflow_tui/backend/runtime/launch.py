"""Starting a runner's process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from cvflow_tui.backend.runtime.worker import RUN_MARK

_PACKAGE_ROOT = Path(__file__).resolve().parents[3]


def launch(file: Path, listening: socket.socket, log: Path, scratch: Path) -> subprocess.Popen[bytes]:
    """Start a runner of the specification `file` at a socket that listens already. Raises OSError.

    A session of its own, so that nothing that ends us ends it; what it says before it writes its log itself goes there too.
    """
    options = ["--spec", str(file), "--fd", str(listening.fileno()), "--log", str(log), "--scratch", str(scratch)]
    with log.open("ab") as output:
        log.chmod(0o600)
        return subprocess.Popen(
            [sys.executable, "-m", "cvflow_tui.backend.runtime.runner", *options],
            cwd=_PACKAGE_ROOT,
            env={**os.environ, RUN_MARK: str(file)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(listening.fileno(),),
            start_new_session=True,
        )
