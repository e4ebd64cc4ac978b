"""`python -I -S keeper.py FILES COMMAND…`: run a stranger's command within limits, and end whatever it has started once it is over.

A program of its own, which imports nothing of ours: it is run for every import, build and script of an installation. As its
descendants' reaper (Linux) it finds also what has hidden in a session of its own, without an environment and without a parent. SIGTERM
has it end all of that at once. It ends as the command did. `FILES` is how many files may be open.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 36, 38
"""prctl(2)."""
_ROUNDS = 100
"""So often is looked for what was started while the rest was ended."""


def main(files: str, *command: str) -> None:
    """Become the keeper of a command; does not return."""
    for which, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, int(files))):
        resource.setrlimit(which, (most, most))
    os.umask(0o077)
    if not sys.platform.startswith("linux"):
        os.execvp(command[0], command)  # noqa: S606 - no shell is what is wanted
    _switch(_SET_NO_NEW_PRIVS, 1)
    _switch(_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        _switch(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        os.execvp(command[0], command)  # noqa: S606 - as above
    signal.signal(signal.SIGTERM, _called_off)
    pid = status = 0
    while pid != child:
        pid, status = os.wait()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _end_children()
    _end_as(os.waitstatus_to_exitcode(status))


def _switch(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _called_off(*_: object) -> None:
    _end_children()
    os._exit(128 + signal.SIGTERM)


def _end_children() -> None:
    for _ in range(_ROUNDS):
        left = _children()
        for pid in left:
            os.kill(pid, signal.SIGKILL)  # nobody but us waits for it: the number is still its own
        for pid in left:
            os.waitpid(pid, 0)
        if not left:
            return


def _children() -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - pathlib would be half of this program's time
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                parent = file.read().rpartition(b")")[2].split()[1]
        except OSError:
            continue  # it has ended meanwhile
        if int(parent) == os.getpid():
            found.append(int(name))
    return found


def _end_as(status: int) -> None:
    """With a status, or by the signal that the command was ended by (negative)."""
    if status < 0:
        if status not in (-signal.SIGKILL, -signal.SIGSTOP):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main(*sys.argv[1:])
