"""Starting a worker process: its command, its clean environment, its limits, its socket. Little is imported: it is the first thing done."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvflow_tui.backend.runtime.confine import confine
from cvflow_tui.backend.runtime.devices import devices_of
from cvflow_tui.backend.runtime.orphans import ORPHANS
from cvflow_tui.backend.runtime.redaction import Redactor
from cvflow_tui.backend.runtime.spec import RunSpec

SDK = Path(__file__).resolve().parents[2] / "solvers" / "sdk"
"""What a worker finds on its import path."""

TRAIN_NICENESS = 10
"""How far a training stands back behind what serves."""

RUN_MARK = "CVFLOW_RUN"
"""Names the run, in the environment of a runner, its workers and all that they start: the path of its specification."""
WORKER_MARK = "CVFLOW_WORKER"
"""Names one worker, in its environment and that of all that it starts: a word of its own."""

_NAMES = {
    RUN_MARK,
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
}
_PREFIXES = ("LC_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "ORT_", "XDG_", "SSL_CERT_")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Spawned:
    """A worker that was started: its process, our end of the socket, the reading end of its log (None where it writes to ours)."""

    process: subprocess.Popen[bytes]
    socket: socket.socket
    log: int
    mark: str
    """What the worker and all that it starts bear in their environment."""
    redactor: Redactor = field(default_factory=Redactor)
    """Takes the values it was given out of what it says."""


def threads(spec: RunSpec) -> int:
    """How many CPU threads a worker may keep busy: what was set, else the cores it may use, shared among the replicas."""
    settings = spec.settings
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.threads or min(settings.cpus or cores, max(1, cores // settings.replicas))


def inherited() -> dict[str, str]:
    """What of our environment a package's code is told: where things are and which threads and devices to use, nothing of the user's."""
    return {name: value for name, value in os.environ.items() if name in _NAMES or name.startswith(_PREFIXES)}


def environment(spec: RunSpec, devices: Mapping[str, str]) -> dict[str, str]:
    """What a worker sees: of our environment where things are and how many threads (no tokens, no import paths), which devices, and
    over all that the variables that the user set for it.
    """
    kept = inherited()
    for name in _THREADS:
        if spec.settings.threads is not None:
            kept[name] = str(threads(spec))
        kept.setdefault(name, str(threads(spec)))
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8:backslashreplace", **devices, **spec.environment}


def load_frame(spec: RunSpec, checkpoint: str | None = None) -> dict[str, Any]:
    """The frame that has a worker load the solver, with a checkpoint in place of the package's own weights."""
    return {
        "op": "load",
        "root": spec.root,
        "class": spec.class_path,
        "solver": spec.solver,
        "task": spec.task,
        "package": spec.package,
        "version": spec.version,
        "labels": list(spec.labels),
        "result": spec.result,
        "weights": dict(spec.weights),
        "checkpoint": checkpoint,
        "threads": threads(spec),
    }


def spawn(spec: RunSpec, niceness: int = 0, devices: Mapping[str, str] | None = None) -> Spawned:
    """Start a worker in the package's environment, in a process group of its own. Raises OSError where that cannot be,
    NoDevice where it shall see a device that is not there.

    Call it from the main thread only: the kernel ends the worker when the thread that started it ends. `devices` are the variables
    that choose its accelerators; without them, they are looked for here.
    """
    devices = devices_of(spec.settings.gpu) if devices is None else devices
    mark = secrets.token_hex(16)
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    command = [spec.python, "-B", str(SDK / "cvflow_worker"), "--fd", str(theirs.fileno()), "--nice", str(niceness)]
    try:
        process = subprocess.Popen(
            command,
            cwd=spec.root,
            env={**environment(spec, devices), WORKER_MARK: mark},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            process_group=0,
        )
    except OSError:
        ours.close()
        os.close(reading)
        raise
    finally:
        theirs.close()
        os.close(writing)
    ORPHANS.worker_began(process.pid)
    confine(process.pid, spec.settings)
    ours.setblocking(False)
    return Spawned(process, ours, reading, mark, Redactor(spec.environment.values()))
