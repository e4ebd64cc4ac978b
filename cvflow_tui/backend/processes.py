"""Knowing a process again: pid + start time + boot id (a pid alone is reused)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_DEAD = ("Z", "X", "x")
"""States of a process that has ended, and that nobody has asked for its end yet (proc(5))."""


@lru_cache(maxsize=1)
def boot_id() -> str:
    """The kernel's name for this boot; the boot time where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


def start_time(pid: int | None = None) -> float:
    """When a process (this one by default) began, in seconds since the boot: unmoved by changes of the clock.

    Raises psutil.NoSuchProcess for a pid that is not there.
    """
    pid = os.getpid() if pid is None else pid
    try:
        return _began(_stat(pid))
    except OSError:
        import psutil

        return float(psutil.Process(pid).create_time())


def is_same_process(pid: int, started: float, boot: str) -> bool:
    """Whether `pid` is alive (not a zombie) and is the very process that began at `started` in the boot `boot`."""
    if boot != boot_id():
        return False
    try:
        fields = _stat(pid)
    except OSError:
        return _is_same_elsewhere(pid, started)
    return fields[0] not in _DEAD and abs(_began(fields) - started) < 0.02


def _stat(pid: int) -> list[str]:
    """What /proc/PID/stat says after the name, from the state on. Raises OSError where there is no such process, or no /proc."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _began(fields: list[str]) -> float:
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _is_same_elsewhere(pid: int, started: float) -> bool:
    """`is_same_process` where no /proc tells: asked apart, for psutil is a twentieth of the time that a command takes."""
    if Path("/proc/self/stat").exists():
        return False
    import psutil

    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 0.02 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def listening_port(pids: Iterable[int]) -> int | None:
    """The TCP port at which one of some processes listens; None where none of them does."""
    import psutil

    for pid in pids:
        with suppress(psutil.Error):
            for entry in psutil.Process(pid).net_connections("tcp"):
                if entry.status == psutil.CONN_LISTEN:
                    return int(entry.laddr[1])
    return None


def port_owner(port: int) -> str | None:
    """Who listens at a TCP port, as `name (pid N)`; `another user's process` where the system does not tell; None when nobody does."""
    import psutil

    try:
        listeners = [entry for entry in psutil.net_connections("tcp") if entry.status == psutil.CONN_LISTEN and entry.laddr[1:] == (port,)]
    except psutil.AccessDenied:
        return "another process"
    for entry in listeners:
        if entry.pid is None:
            continue
        try:
            return f"{psutil.Process(entry.pid).name()} (pid {entry.pid})"
        except psutil.Error:
            continue
    return "another user's process" if listeners else None
