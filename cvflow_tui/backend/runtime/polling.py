"""Asking runners how they are, over loopback, all at once."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.model.errors import RemoteError
from cvflow_tui.model.solvers import Figures, RunningSolver, SolverHistory, SolverState, WorkerStatus

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
    told = _ask(port, "/_status", {}, timeout)
    return told if told is not None and {"state", "package", "solver"} <= told.keys() else None


def history_of(run: Run) -> SolverHistory:
    """A runner's last minutes. Raises RemoteError where it does not tell."""
    told = _ask(run.port, "/_cvflow/history", {"Authorization": f"Bearer {run.token}"}, 5.0)
    if told is None:
        raise RemoteError(f"{run.name} does not tell its history")
    names = ("age", "requests", "errors", "p50", "p95", "cpu", "rss", "waiting")
    return SolverHistory(run.name, tuple(Figures(*values) for values in zip(*(told[name] for name in names), strict=True)))


def _ask(port: int, path: str, headers: dict[str, str], timeout: float) -> dict[str, Any] | None:
    """A runner's JSON object at a path, or None where it does not answer with one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        told = json.loads(reply.read()) if reply.status == 200 else None
        return told if isinstance(told, dict) else None
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
        # a runner that an older version started, and that serves on, does not tell these
        replicas=int(told.get("replicas", 1)),
        replicas_ready=int(told.get("replicas_ready", 0)),
        workers=tuple(WorkerStatus(**worker) for worker in told.get("workers", ())),
        waiting=int(told.get("waiting", 0)),
        asleep=bool(told.get("asleep", False)),
    )


def without_process(run: Run, state: SolverState, error: str | None = None) -> RunningSolver:
    """A run behind which no process stands."""
    return RunningSolver(run.package, run.solver, state, version=run.version, error=error)
