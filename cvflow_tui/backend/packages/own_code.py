"""Running strangers' code at an installation (imports, builds, scripts): as confined as in a worker, and nothing of it stays."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.tools import run_tool
from cvflow_tui.backend.runtime.confine import OPEN_FILES
from cvflow_tui.backend.runtime.marks import kill_bearers
from cvflow_tui.backend.runtime.worker import inherited

INSTALL_MARK = "CVFLOW_INSTALL"
"""Names the folder in which an install works, in the environment of all that it runs and that they start."""

_KEEPER = """\
import ctypes, os, resource, signal, sys
for which, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, int(sys.argv[1]))):
    resource.setrlimit(which, (most, most))
os.umask(0o077)
if not sys.platform.startswith("linux"):
    os.execvp(sys.argv[2], sys.argv[2:])
prctl, me = ctypes.CDLL(None).prctl, os.getpid()
prctl(38, 1, 0, 0, 0)  # no rights by a set-uid bit
prctl(36, 1, 0, 0, 0)  # whatever its descendants leave behind becomes a child of this process
def children():
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == me:
                    yield int(name)
        except OSError:
            pass
def end():
    for _ in range(100):
        left = list(children())
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for pid in left:
            os.waitpid(pid, 0)
        if not left:
            break
def called_off(*_):
    end()
    os._exit(143)
child = os.fork()
if child == 0:
    prctl(1, 9, 0, 0, 0)  # it dies with this process
    if os.getppid() != me:
        os._exit(1)
    os.execvp(sys.argv[2], sys.argv[2:])
signal.signal(signal.SIGTERM, called_off)
while True:
    pid, status = os.wait()
    if pid == child:
        break
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end()
if os.WIFSIGNALED(status):
    signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
    os.kill(me, os.WTERMSIG(status))
os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
"""
"""Runs a command within its limits and ends whatever that has started once it is over, in whatever session and environment it hides.

It is asked to with SIGTERM before. It ends as the command did.
"""


def import_environment() -> dict[str, str]:
    """What a package's code is told when it is imported: what a worker would be, and nothing of the user's."""
    return inherited() | {"PYTHONNOUSERSITE": "1", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}


def run_own_code(
    command: Sequence[str],
    *,
    work: Path,
    progress: Progress,
    seconds: float,
    env: Mapping[str, str],
    cwd: Path | None = None,
    watch: Callable[[str], None] | None = None,
) -> tuple[int | None, str]:
    """Run a program that may run a stranger's code, as `run_tool` does. `env` is all that it is told, `work` the install's folder.

    It gets no rights by a set-uid bit, leaves no core, and its files are private. What it started is ended with it, in whatever session
    and environment it has hidden; what a daemon that died left, `end_own_code` ends, where it bears the mark.
    """
    try:
        told = {**env, INSTALL_MARK: str(work)}
        return run_tool(_confined(command), progress=progress, seconds=seconds, cwd=cwd, env=told, watch=watch, kept=True)
    finally:
        end_own_code(work)


def end_own_code(work: Path) -> None:
    """End whatever an install that worked in this folder has started and that still runs."""
    kill_bearers(INSTALL_MARK, str(work))


def _confined(command: Sequence[str]) -> list[str]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = str(OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard))
    return [sys.executable, "-I", "-S", "-c", _KEEPER, files, *command]
