"""Solvers with bad habits, and a home to run them in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.conftest import package, picture, shared_site, site, spec_of

__all__ = ["package", "picture", "shared_site", "site", "spec_of"]

HABITS = '''
import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import cvflow


class Sleeper:
    """Takes as long as it is told."""

    def infer(self, image, seconds: float = 0.0):
        time.sleep(seconds)
        return {"caption": str(os.getpid())}


class Leaky:
    """Keeps as many megabytes more with each call as it is told."""

    def __init__(self):
        self.kept = []

    def infer(self, image, megabytes: int = 0, seconds: float = 0.0):
        self.kept.append(bytearray(os.urandom(1024)) * 1024 * megabytes)
        time.sleep(seconds)
        return {"caption": str(os.getpid())}


class Greedy:
    """Needs much from the beginning."""

    def __init__(self):
        self.kept = bytearray(os.urandom(1024)) * 1024 * 300

    def infer(self, image):
        return {"caption": "ok"}


class Fragile:
    """Ends like a library that could not have the memory it wants."""

    def __init__(self):
        try:
            bytearray(1 << 30)
        except MemoryError:
            os._exit(3)

    def infer(self, image):
        return {"caption": "ok"}


class Learns(cvflow.Solver):
    """Trains with every bad habit there is, and loads as long as its checkpoint says."""

    def __init__(self):
        if self.checkpoint is not None:
            time.sleep(float(self.checkpoint.read_text()))

    def infer(self, image):
        return {"caption": "ok"}

    def train(self, dataset, checkpoint, report, way: str = "well", seconds: float = 0.0):
        report(1, 10)
        (Path(dataset.cache) / "pid").write_text(str(os.getpid()))
        kept = []
        while way == "hangs":
            time.sleep(1)
        while way == "grows":
            kept.append(bytearray(os.urandom(1024)) * 1024 * 20)
            report(1 + len(kept) / 100, 10)
            time.sleep(0.05)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.3)
            if way == "prints":
                print("still at it", flush=True)
            elif way == "reports":
                report(2, 10)
        checkpoint.write_text("0")
        return {}


class Telling:
    """Says all it knows of its environment, in every way."""

    def __init__(self):
        self.secret = os.environ.get("API_KEY", "")
        print("the key is", self.secret, flush=True)
        print(repr({"key": self.secret}), file=sys.stderr)

    def infer(self, image, raises: bool = False):
        if raises:
            raise RuntimeError(f"no access with {self.secret}")
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        threads = os.environ["OMP_NUM_THREADS"]
        return {"caption": str(len(self.secret)), "threads": threads, "devices": devices, "cores": len(os.sched_getaffinity(0))}


class Refused:
    """Fails to start, and tells the secret."""

    def __init__(self):
        raise ValueError("bad key " + os.environ["API_KEY"])


class Bomb:
    """Starts processes that start processes, each a session of its own: forty in all."""

    def infer(self, image):
        lines = [
            "import os, sys, time",
            "for _ in range(3):",
            "    if int(sys.argv[1]) and os.fork() == 0:",
            "        os.setsid()",
            "        os.execv(sys.executable, [sys.executable, '-c', sys.argv[2], str(int(sys.argv[1]) - 1), sys.argv[2]])",
            "time.sleep(600)",
        ]
        program = "\\n".join(lines)
        subprocess.Popen([sys.executable, "-c", program, "3", program], start_new_session=True)
        return {"caption": "lit"}


class Hider:
    """Starts a process that nobody can tell from a stranger's: no parent, no session of ours, no variable, no open file."""

    def infer(self, image, seconds: float = 600.0):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.setsid()
            pid = os.fork()
            if pid:
                os.write(writing, str(pid).encode())
                os._exit(0)
            os.closerange(0, 100)
            os.execve("/bin/sleep", ["sleep", str(seconds)], {})
        os.wait()
        return {"caption": os.read(reading, 20).decode()}


class Talker:
    """Writes numbered lines for as long as it lives."""

    def __init__(self):
        import threading

        def talk():
            number = 0
            while True:
                print("line", number, "x" * 200, flush=True)
                number += 1

        threading.Thread(target=talk, daemon=True).start()

    def infer(self, image):
        return {"caption": "ok"}
'''


@pytest.fixture(scope="session")
def habit(tmp_path_factory: pytest.TempPathFactory, spec_of: Callable[..., RunSpec]) -> Callable[[str], RunSpec]:
    root = tmp_path_factory.mktemp("habits")
    (root / "bad").mkdir()
    (root / "bad" / "habits.py").write_text(HABITS)

    def make(kind: str) -> RunSpec:
        return replace(spec_of(kind), root=str(root), class_path=f"bad/habits/{kind}")

    return make


Habit = Callable[[str], RunSpec]


def bytes_of(folder: Path) -> bytes:
    """Everything that lies in a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
