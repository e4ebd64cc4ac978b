"""Asking runners how they are, over loopback, all at once."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.model.solvers import RunningSolver, SolverState

TIMEOUT = 1.0
"""Seconds a runner may take to say how it is."""


class Poller:
    """Asks many runners at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="runner-status")

    def ask(self, runs: Iterable[Run]) -> list[dict[str, Any] | None]:
        """Each runner's `/_status`, in order; None for one that does not answer in time."""
        return list(self._pool.map(lambda run: status_of(run.port), runs))

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def status_of(port: int, timeout: float = TIMEOUT) -> dict[str, Any] | None:
    """A runner's `/_status`, or None where it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/_status")
        reply = connection.getresponse()
        told = json.loads(reply.read()) if reply.status == 200 else None
        return told if isinstance(told, dict) and {"state", "package", "solver"} <= told.keys() else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def as_solver(run: Run, told: dict[str, Any] | None) -> RunningSolver:
    """A live runner as clients see it; one that does not answer is taken to be starting or too busy to tell."""
    if told is None:
        return RunningSolver(run.package, run.solver, SolverState.STARTING, run.port, run.pid, run.url, version=run.version)
    return RunningSolver(
        package=run.package,
        solver=run.solver,
        state=SolverState(told["state"]),
        port=run.port,
        pid=run.pid,
        url=run.url,
        uptime=float(told["uptime"]),
        cpu=float(told["cpu"]),
        rss=int(told["rss"]),
        requests=int(told["requests"]),
        errors=int(told["errors"]),
        rate=float(told["rate"]),
        p50=told["p50"],
        p95=told["p95"],
        restarts=int(told["restarts"]),
        version=str(told["version"]),
        variants=tuple(told["variants"]),
        error=told["error"],
    )


def without_process(run: Run, state: SolverState, error: str | None = None) -> RunningSolver:
    """A run behind which no process stands."""
    return RunningSolver(run.package, run.solver, state, version=run.version, error=error)
