"""Servers as processes: started, waited for, weighed and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
MODEL = Path(__file__).resolve().parent / "model"
START_SECONDS = 60.0


class NotRun(Exception):
    """A server that cannot be had or does not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers."""

    port: int
    process: psutil.Process
    started: float
    """Seconds from its start to its first answer."""

    def cpu(self) -> float:
        """CPU seconds so far, those of its children included."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self.family()))

    def memory(self) -> float:
        """Megabytes, shared pages counted once."""
        return sum(process.memory_full_info().pss for process in self.family()) / 1e6

    def family(self) -> list[psutil.Process]:
        """Its processes."""
        return [self.process, *self.process.children(recursive=True)]


def free_port() -> int:
    """A port of the loopback that is free now."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], port: int, path: str, *, cwd: Path, environment: Mapping[str, str], log: Path, pass_fds: Sequence[int] = ()
) -> Iterator[Server]:
    """A server process, from its first answer to `GET path` (200; any status where `path` is `/`) on.

    Raises NotRun with its last words where it ends or never answers.
    """
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    family: list[psutil.Process] = []
    try:
        while not _answers(port, path):
            if process.poll() is not None:
                raise NotRun(f"it ended with status {process.returncode}: {last_line(log)}")
            if time.perf_counter() - began > START_SECONDS:
                raise NotRun(f"it did not answer within {START_SECONDS:.0f} s: {last_line(log)}")
            time.sleep(0.02)
        server = Server(port, psutil.Process(process.pid), time.perf_counter() - began)
        family = server.family()
        yield server
    finally:
        end(process, family)


def end(process: subprocess.Popen[bytes], family: Sequence[psutil.Process]) -> None:
    """End a server and what it has started; by force where it does not go."""
    with suppress(psutil.NoSuchProcess):
        family = [*family, *psutil.Process(process.pid).children(recursive=True)]
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    for left in family:
        with suppress(psutil.NoSuchProcess):
            left.kill()


def last_line(log: Path) -> str:
    """What a server said last."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


def _answers(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as asking:
            asking.settimeout(2.0)
            asking.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            reply = asking.recv(12)
            return reply == b"HTTP/1.1 200" if path != "/" else reply.startswith(b"HTTP/1.1 ")
    except OSError:
        return False
