"""Having a live runner serve by another specification: loaded beside what serves, and put in its place once it is ready."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.model.errors import PackageError, RemoteError
from cvflow_tui.model.text import one_line

ROUTE = "/_cvflow/specification"


def beside(specification: Path) -> Path:
    """Where the specification lies that a runner is to go over to; no solver's is called like this: an `@` is escaped there."""
    return specification.with_name(f"next@{specification.name}")


def exchange(run: Run, specification: Path, seconds: float) -> bool:
    """Ask, and wait until the runner has gone over; False where it cannot: it has ended, or an older version of us started it.

    Raises PackageError with why the solver does not start by that specification, RemoteError where the runner does not say how it
    went. In both cases what served serves on.
    """
    connection = http.client.HTTPConnection("127.0.0.1", run.port, timeout=seconds)
    headers = {"Authorization": f"Bearer {run.token}", "Content-Type": "application/json"}
    try:
        connection.request("PUT", ROUTE, json.dumps({"specification": str(specification)}), headers)
        reply = connection.getresponse()
        body = reply.read()
    except (OSError, http.client.HTTPException) as error:
        if not run.lives():
            return False
        raise RemoteError(f"the runner of {run.name} did not say how it went: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if reply.status in (404, 405):
        return False
    if reply.status != 200:
        why = _why(body) or f"its runner answered with status {reply.status}"
        raise PackageError(f"{run.name} failed to start: {why}")
    return True


def _why(body: bytes) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    return one_line(str(told.get("error", ""))) if isinstance(told, dict) else ""
