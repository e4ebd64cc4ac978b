"""Our runner and bare Starlette, each on a socket that was bound for it."""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving.servers import MODEL, ROOT, START_SECONDS, NotRun, Server, running


@contextmanager
def listening() -> Iterator[tuple[int, int]]:
    """A socket of the loopback as (port, descriptor)."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen(128)
        yield bound.getsockname()[1], bound.fileno()


@contextmanager
def runner(solver: str, folder: Path) -> Iterator[Server]:
    """Our runner with one of the solvers of `bench_model`, from its first ready answer on."""
    from cvflow_tui.backend.runtime.spec import RunSpec

    spec = folder / f"{solver}.json"
    RunSpec("bench/bench", "1", solver.lower(), str(MODEL), f"bench_model/{solver}", "other", sys.executable, batch=16).save(spec)
    command = [sys.executable, "-m", "cvflow_tui.backend.runtime.runner", "--spec", str(spec), "--log", str(folder / f"{solver}.solver")]
    with (
        listening() as (port, descriptor),
        running(
            [*command, "--fd", str(descriptor)],
            port,
            "/_status",
            cwd=ROOT,
            environment={},
            log=folder / f"{solver}.log",
            pass_fds=[descriptor],
        ) as server,
    ):
        _wait_until_ready(port)
        yield server


@contextmanager
def bare(calls: int, folder: Path) -> Iterator[Server]:
    """Bare Starlette + uvicorn, so many calls of the model at a time."""
    with (
        listening() as (port, descriptor),
        running(
            [sys.executable, "-m", "benchmarks.serving.bare", str(descriptor), str(calls)],
            port,
            "/",
            cwd=ROOT,
            environment={},
            log=folder / f"bare-{calls}.log",
            pass_fds=[descriptor],
        ) as server,
    ):
        yield server


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_status") as reply:
            status = json.load(reply)
        if status["state"] == "ready":
            return
        if status["state"] == "failed":
            raise NotRun(f"the runner failed: {status['error']}")
        time.sleep(0.02)
    raise NotRun(f"the runner was not ready within {START_SECONDS:.0f} s")
