"""LitServe, BentoML and the original servers, each in a virtual environment of its own that is kept from run to run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.load import Ask
from benchmarks.serving.servers import MODEL, ROOT, NotRun, Server, free_port, running

FOLDER = ROOT / "benchmarks/peers"
KEEP = ("delete_after_process", "keep")
"""Without this field cvpm 0.0.2.5 answers 500 after the work is done; any word but its own true and false (both delete) keeps the file."""

DELETE = ("delete_after_process", "true")
"""What a client says that wants its picture deleted: with one file name for all clients, they delete each other's."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that we are compared with."""

    name: str
    title: str
    command: tuple[str, ...]
    """What `python` of its environment is given; PORT stands for the port."""
    health: str
    form: Ask
    raw: Ask | None = None
    """None: it takes forms only."""
    batching: bool = False
    """Whether it serves the batchable model at /alone and /batched."""
    environment: Mapping[str, str] = field(default_factory=dict)


PEERS = (
    Peer("litserve", "LitServe", ("server.py", "PORT"), "/health", Ask("form"), Ask("raw", "/raw"), batching=True),
    Peer(
        "bentoml",
        "BentoML",
        ("-m", "bentoml", "serve", "server:Bench", "--host", "127.0.0.1", "--port", "PORT"),
        "/readyz",
        Ask("form"),
        Ask("raw", "/raw"),
        environment={"BENTOML_DO_NOT_TRACK": "True"},
    ),
    Peer("cvpm", "original cvpm", ("server.py", "PORT"), "/_status", Ask("form", fields=(KEEP,))),
    Peer(
        "mlpm",
        "original mlpm",
        ("-m", "gunicorn", "server:aidserver", "-k", "uvicorn.workers.UvicornWorker", "-b", "127.0.0.1:PORT", "--log-level", "error"),
        "/",
        Ask("form", fields=(KEEP,)),
    ),
)


def cache() -> Path:
    """Where the environments are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cvflow-bench"


def python_of(peer: Peer) -> Path:
    """The Python of a peer's environment, which is made where there is none with these pins yet. Raises NotRun."""
    pins = FOLDER / peer.name / "requirements.txt"
    key = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache() / f"{peer.name}-{key}"
    python, whole = folder / "bin/python", folder / "whole"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"making {folder}", file=sys.stderr)
        _uv("venv", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--python", str(python), "--no-deps", "--requirement", str(pins))
        whole.touch()
    return python


@contextmanager
def peer_server(peer: Peer, folder: Path) -> Iterator[Server]:
    """A peer that answers; `folder` is where it keeps what it is sent. Raises NotRun."""
    python, port = python_of(peer), free_port()
    home = folder / peer.name
    home.mkdir()
    environment = {
        "PYTHONPATH": os.pathsep.join((str(MODEL), str(FOLDER / peer.name))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BENTOML_HOME": str(home),
        **peer.environment,
    }
    words = [str(FOLDER / peer.name / word) if word == "server.py" else word.replace("PORT", str(port)) for word in peer.command]
    with running([str(python), *words], port, peer.health, cwd=home, environment=environment, log=folder / f"{peer.name}.log") as server:
        yield server


def _uv(*arguments: str) -> None:
    from uv import find_uv_bin

    done = subprocess.run([find_uv_bin(), *arguments], capture_output=True, text=True)
    if done.returncode:
        log = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotRun(f"it cannot be installed: {log[-1].strip()[:200] if log else f'uv ended with status {done.returncode}'}")
