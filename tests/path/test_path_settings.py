"""Settings on the real command line: set, seen, applied, and what starts by itself with the daemon."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow


def seen(cvflow: Cvflow, ready: int) -> dict[str, Any]:
    for _ in range(200):
        found = cvflow.json("ps")
        if found and found[0]["replicas_ready"] == ready:
            solver: dict[str, Any] = found[0]
            return solver
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_solver_that_is_set_to_starts_with_the_daemon_as_it_was_set(cvflow: Cvflow) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    port = cvflow.json("start", "nanodet")["port"]
    assert cvflow.json("set", "nanodet", "replicas=2", "autostart=on", f"port={port}")["restart_for"] == ["replicas"]
    command = [sys.executable, "-m", "cvflow_tui", "env", "set", "nanodet", "API_KEY"]
    given = subprocess.run(command, input="hunter2hunter2\n", capture_output=True, text=True, env=cvflow.environment)
    assert (given.returncode, given.stdout) == (0, "cvflow/nanodet  API_KEY = (set)\n")
    assert cvflow.json("settings", "nanodet")["restart_for"] == ["replicas", "env"]
    assert cvflow.json("restart", "nanodet")["port"] == port
    before = seen(cvflow, 2)
    assert cvflow.json("settings", "nanodet")["restart_for"] == []
    assert "after: lab/gone/say is not installed: nobody waits for it" in cvflow.run("set", "nanodet", "after=lab/gone/say").stderr
    assert cvflow.run("set", "nanodet", "after=").stderr == ""
    cvflow.ok("daemon", "stop", "--solvers")
    after = seen(cvflow, 2)
    assert (after["port"], after["replicas"]) == (port, 2)
    assert after["pid"] != before["pid"]
    found = cvflow.run("logs", "nanodet", "--since", "1h", "--grep", "is ready", "-n", "2").stdout
    assert found.count("is ready") == 2
    assert "hunter2" not in "".join(cvflow.run(*line).stdout for line in (("logs", "nanodet"), ("settings", "nanodet"), ("ps", "--json")))
    cvflow.ok("remove", "nanodet", "--yes")
    cvflow.ok("install", "nanodet", "--yes")
    told = cvflow.json("settings", "nanodet")
    assert (told["chosen"], told["variables"]) == ([], []), "what was removed took its settings and secrets along"
