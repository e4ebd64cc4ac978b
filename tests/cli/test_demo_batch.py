"""`cvflow demo --batch` for real: a daemon, a runner, a worker, rounds; nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cvflow_tui.demo import photographs
from tests.support.processes import is_alive

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("skimage") is None, reason="the [demo] extra (scikit-image) is not installed"),
    pytest.mark.timeout(600),
]
STEPS = ["daemon", "hub", "install", "start", "infer", "project", "annotate 1-5", "round 1", "annotate 6-10", "round 2"]
STEPS += ["undo", "accuracy", "export", "stop", "remove", "end"]


def _cvflow(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CVFLOW_HOME": str(home)}
    return subprocess.run([sys.executable, "-m", "cvflow_tui", *arguments], env=environment, capture_output=True, text=True, timeout=580)


def test_the_whole_path_unattended(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = _cvflow("demo", "--batch", "--json", home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    steps = {step["name"]: step for step in report["steps"]}
    assert report["ok"] and list(steps) == STEPS
    assert all(step["ok"] for step in report["steps"])
    assert steps["infer"]["measures"]["found"] >= 4
    for name in ("round 1", "round 2"):
        measured = steps[name]["measures"]
        assert measured["outcome"] in ("promoted", "kept old")
        assert measured["outcome"] == "promoted" or measured["reason"]
    assert steps["export"]["measures"]["annotations"] == sum(len(each.things) for each in photographs())
    assert steps["accuracy"]["measures"]["pictures"] > 0
    for pid in (steps["daemon"]["measures"]["pid"], steps["start"]["measures"]["pid"]):
        assert not is_alive(pid)
    assert _cvflow("daemon", "status", home=home).returncode == 3
    assert not list((home / "projects").iterdir())


def test_a_step_that_fails_names_itself(tmp_path: Path) -> None:
    """A home that cannot be made: the first step says so, and nothing else is tried."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    done = _cvflow("demo", "--batch", "--json", home=blocked / "home")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
