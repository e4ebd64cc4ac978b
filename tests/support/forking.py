"""Commands of `cvflow` as real processes that need not import everything anew: forked from one that has imported what commands import.

Only their start is shorter. Each has its own arguments, environment, folder, streams and end, and starts a daemon like any other.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

IMPORTED = (
    "httpx",
    "httpcore",
    "cvflow_tui.backend.client",
    "cvflow_tui.cli.packages",
    "cvflow_tui.cli.progress",
    "cvflow_tui.cli.solvers",
)
"""What nearly every command imports."""

_MOST = 1 << 20
"""Bytes of a request: arguments and environment."""


class Forge:
    """The process from which commands are forked. It ends with the one that made it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.support.forking", str(theirs.fileno())]
            root = Path(__file__).resolve().parents[2]
            self._process = subprocess.Popen(command, cwd=root, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._socket = ours
        atexit.register(self._end)

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run(["cvflow", *arguments], capture_output=True, text=True)` with nothing on stdin. Raises TimeoutExpired too."""
        told, tell = socket.socketpair()
        with told, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with tell, Path(os.devnull).open("rb") as nothing:
                request = json.dumps([list(arguments), dict(environment), str(Path.cwd())]).encode()
                socket.send_fds(self._socket, [request], [nothing.fileno(), out.fileno(), err.fileno(), tell.fileno()])
            told.settimeout(timeout)
            with told.makefile("rb") as replies:
                pid = int(replies.readline())
                try:
                    status = int(replies.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    told.settimeout(10)
                    told.recv(16)  # its status: it has ended
                    raise subprocess.TimeoutExpired(["cvflow", *arguments], timeout, _text(out), _text(err)) from None
            return subprocess.CompletedProcess(["cvflow", *arguments], status, _text(out), _text(err))

    def _end(self) -> None:
        self._socket.close()
        self._process.wait(10)


@cache
def forge() -> Forge:
    """The one of this process."""
    return Forge()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def _serve(requests: socket.socket) -> None:
    """Fork for every request, until nobody is left who could send one."""
    for name in IMPORTED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _MOST, 4)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _look_after(json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _look_after(request: tuple[list[str], dict[str, str], str], descriptors: list[int]) -> NoReturn:
    """Run one command and tell its pid, then its exit status as `subprocess` has it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, tell = descriptors
    if (pid := os.fork()) == 0:
        os.close(tell)
        _become(*request, streams)
    os.write(tell, b"%d\n" % pid)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(BrokenPipeError):  # nobody waits any longer
        os.write(tell, b"%d\n" % status)
    os._exit(0)


def _become(arguments: list[str], environment: dict[str, str], folder: str, streams: list[int]) -> NoReturn:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["cvflow", *arguments]
    from cvflow_tui.__main__ import program

    program()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
