"""From `cvflow new` to a running solver, as a stranger would: each task's package passes its own test, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.path.conftest import Cvflow

REMOTE = 5

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_new_packages_pass_the_check_and_their_own_test(cvflow: Cvflow, tmp_path: Path) -> None:
    environment = {**cvflow.environment, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for task in ("object-detection", "text-recognition", "other"):  # all of them: tests/packages/test_packages_new.py
        folder = tmp_path / task
        assert cvflow.json("new", f"my-{task}", "--task", task, "--folder", str(folder))["ref"] == f"local/my-{task}"
        report = cvflow.run("check", str(folder), "--strict")
        if report.returncode == REMOTE:
            pytest.skip(f"the package index can't be reached: {report.stderr.splitlines()[-1]}")
        assert report.returncode == 0, report.stdout + report.stderr
        assert "passed (nothing to say)" in report.stderr
        own = subprocess.run(
            [sys.executable, "-m", "unittest", "discover", "tests"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert own.returncode == 0, own.stderr
        assert "Ran 1 test" in own.stderr


def test_a_new_package_is_installed_and_answers(cvflow: Cvflow, tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    cvflow.ok("new", "blobs", "--folder", str(folder))
    again = cvflow.run("new", "blobs", "--folder", str(folder))
    assert again.returncode == 4 and "holds a package already" in again.stderr
    done = cvflow.run("install", str(folder), "--yes")
    if done.returncode == REMOTE:
        pytest.skip(f"the package index can't be reached: {done.stderr.strip().splitlines()[-1]}")
    assert cvflow.json("start", "blobs")["state"] == "ready"
    assert len(cvflow.json("infer", str(folder / "tests/picture.png"))["objects"]) == 2


def test_a_broken_package_fails_with_6_and_nothing_is_left(cvflow: Cvflow, tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    cvflow.ok("new", "blobs", "--folder", str(folder))
    (folder / "requirements.txt").unlink()
    solver = folder / "blobs/solver.py"
    solver.write_text("class Blobs:\n    def infer(self, image):\n        return {'objects': [{'label': 'cow'}]}\n")
    report = cvflow.run("check", str(folder), "-q")
    assert report.returncode == 6
    assert len(report.stdout.splitlines()) == 2 and "'cow' is not among" in report.stdout and "has no box" in report.stdout
    assert list((cvflow.home / "environments").iterdir()) == []
    assert [path.name for path in (cvflow.home / "staging").iterdir()] == ["downloads"]
