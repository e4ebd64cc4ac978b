"""Running other programs (uv, a package's Python) so that they can be called off and never outlive us."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.model.text import clean

OUTPUT_LIMIT = 256 << 10
"""Bytes of a program's output that are kept (its end)."""

_TICK = 0.05
_GRACE = 3.0
"""Seconds in which whoever keeps a stranger's processes ends them."""

_GUARD = """\
import ctypes, os, sys
with __import__("contextlib").suppress(OSError, AttributeError):
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


_SAME_PARENT = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'
"""The same second half in the words of sh. What is run comes as arguments, which no shell reads."""


def guarded(command: Sequence[str]) -> list[str]:
    """The command, made to die with this process even by `kill -9` (Linux): what runs on would write into a folder that was given up.

    A small program sets the death signal and becomes the command: safe in a process with threads, where a preexec function is not.
    """
    if not sys.platform.startswith("linux"):
        return list(command)
    parent = str(os.getpid())
    if (setpriv := _setpriv()) is not None:
        return [setpriv, "--pdeathsig", "KILL", "/bin/sh", "-c", _SAME_PARENT, parent, *command]
    return [sys.executable, "-I", "-S", "-c", _GUARD, parent, *command]


@cache
def _setpriv() -> str | None:
    """The system's own program that sets the signal, if it can (busybox's cannot): a Python takes ten times as long to begin."""
    found = shutil.which("setpriv")
    if found is None:
        return None
    tried = subprocess.run([found, "--pdeathsig", "KILL", "/bin/sh", "-c", ":"], capture_output=True, check=False)
    return found if tried.returncode == 0 else None


def run_tool(
    command: Sequence[str],
    *,
    progress: Progress,
    seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    watch: Callable[[str], None] | None = None,
    kept: bool = False,
) -> tuple[int | None, str]:
    """Run a program to its end; (exit status, clean output). The status is None where it ran past `seconds` and was killed.

    `kept`: it ends all that it has started where it is told to end (SIGTERM), and is given a moment for that. `watch` is called with each
    whole line of its output, soon after the program wrote it.

    Raises Cancelled when the job is called off; the program is gone by then, its children were killed with it.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            guarded(command), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = wait(process, progress, seconds, _Lines(output.fileno(), watch).read if watch else None)
        finally:
            if kept and process.poll() is None:
                _ask_to_end(process)
            kill_group(process)
        output.seek(max(0, output.seek(0, os.SEEK_END) - OUTPUT_LIMIT))
        return status, clean(output.read().decode("utf-8", "replace"))


class _Lines:
    """Reads what was added to a file, by position: the program writes through the same descriptor, which must not be moved."""

    def __init__(self, descriptor: int, tell: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._tell = tell
        self._position = 0
        self._rest = b""

    def read(self) -> None:
        """Tell every line that is complete by now."""
        while data := os.pread(self._descriptor, 65536, self._position):
            self._position += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._tell(clean(line.decode("utf-8", "replace")))


def wait(process: subprocess.Popen[bytes], progress: Progress, seconds: float, look: Callable[[], None] | None = None) -> int | None:
    """The exit status of a process; None after `seconds`. Raises Cancelled at once when the job is called off.

    `look` is called now and then, and once more after the process has ended.
    """
    deadline = time.monotonic() + seconds
    with _ending(process) as rest:
        while time.monotonic() < deadline:
            progress.check()
            rest()
            status = process.poll()
            if look is not None:
                look()
            if status is not None:
                return status
    return None


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[Callable[[], object]]:
    """A way to wait a moment that is over the instant the process ends; `Popen.wait` would sleep on for up to a whole moment."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or one from before 2019
        yield lambda: _wait(process)
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        yield lambda: poll.poll(_TICK * 1000)
    finally:
        os.close(descriptor)


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(_TICK)


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        process.terminate()
        process.wait(_GRACE)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group of its own, with all its children."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_lines(output: str, count: int = 4) -> list[str]:
    """The last lines that say something."""
    return [line.rstrip() for line in output.splitlines() if line.strip(" \t×│╰▶├─·|")][-count:]
