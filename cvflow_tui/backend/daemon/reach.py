"""A client of whatever daemon serves a home; one is started in the background where there is none."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

from cvflow_tui.backend.client import DaemonClient, answered, find_daemon
from cvflow_tui.backend.daemon.lock import is_held
from cvflow_tui.home import Home
from cvflow_tui.model.circumstances import NOTHING_TOLD
from cvflow_tui.model.errors import CvflowError, RemoteError
from cvflow_tui.model.space import is_short, no_space

START_SECONDS = 30.0


async def connect(home: Home, *, start: bool = True) -> DaemonClient:
    """A client that has been answered once.

    Raises RemoteError when no daemon answers and `start` is false, CvflowError when one cannot be started (RefusedError: the disk is full).
    """
    deadline = time.monotonic() + START_SECONDS
    if client := await answered(home):
        return client
    if not start:
        raise RemoteError(f"no daemon serves {home.root}; start one: cvflow daemon run")
    process: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        if process is None and find_daemon(home) is None:  # beside one that lives, none can begin
            process = _spawn(home)
        if client := await answered(home):
            return client
        ended = process is not None and process.poll() is not None
        # Ours was refused where another began at the same time: that one is waited for.
        if ended and not is_held(home) and find_daemon(home) is None:
            if is_short(home.root):
                raise no_space(home.root)
            raise CvflowError(f"the daemon could not start: {_last_words(home)}")
        await asyncio.sleep(0.05)
    if silent := find_daemon(home):
        raise RemoteError(
            f"the daemon (pid {silent.pid}) at {silent.url} lives and does not answer; end it: kill -9 {silent.pid} (solvers go on"
            " serving, and the next command starts another)"
        )
    raise CvflowError(f"the daemon did not answer within {START_SECONDS:.0f} s; see {home.logs / 'daemon.log'}")


def _spawn(home: Home) -> subprocess.Popen[bytes]:
    home.make()
    command = [sys.executable, "-m", "cvflow_tui", "daemon", "run"]
    # What the command was told of proxies, indexes, offline is its own: whoever asks this daemon next brings theirs.
    environment = {**NOTHING_TOLD.over(os.environ), "CVFLOW_HOME": str(home.root)}
    with (home.logs / "daemon.err").open("wb") as errors:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )


def _last_words(home: Home) -> str:
    try:
        lines = (home.logs / "daemon.err").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].removeprefix("cvflow: ") if lines else f"see {home.logs / 'daemon.log'}"
