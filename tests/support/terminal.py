"""A real terminal for a real process: a pty that counts bytes, keeps the screen (pyte) and answers what a terminal answers."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import pyte

DA1 = b"\x1b[c"


class Terminal:
    """Runs `command` on a pty of `columns` x `rows`; use as a context manager, which ends the process it started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], columns: int = 80, rows: int = 24) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.began = time.monotonic()
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(command), {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.status: int | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitpid(self.pid, 0)[1]
        os.close(self._descriptor)

    def pump(self, seconds: float) -> int:
        """Take what the process writes for a while; returns how many bytes came."""
        before, deadline = len(self.output), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self._read(left):
                break
        return len(self.output) - before

    def wait_for(self, condition: str | Callable[[str], bool], seconds: float = 30.0) -> str:
        """Read until the screen shows a text (or satisfies a condition); returns the screen. Raises AssertionError with it otherwise."""
        holds = (lambda shown: condition in shown) if isinstance(condition, str) else condition
        deadline = time.monotonic() + seconds
        while True:
            if holds(self.text):
                return self.text
            if time.monotonic() > deadline:
                raise AssertionError(f"{condition!r} did not appear within {seconds} s; the screen:\n{self.text}")
            self._read(0.1)

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._descriptor, keys.encode() if isinstance(keys, str) else keys)

    def kill(self, number: int) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def wait_exit(self, seconds: float = 20.0) -> int:
        """Read until the process has ended; returns its wait status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pump(0.2)
                self.status = status
                return status
        raise AssertionError(f"the process did not end within {seconds} s; the screen:\n{self.text}")

    @property
    def text(self) -> str:
        """The screen as text, one line a row."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, seconds))
        if not ready:
            return seconds > 0.05
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the last process on the pty has closed it
            time.sleep(min(0.05, max(0.0, seconds)))
            return False
        self.output += data
        self._stream.feed(data)
        if DA1 in data:
            self.send(b"\x1b[?62;22c")
        return True
