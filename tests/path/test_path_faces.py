"""The face package as a user gets it: from the index, into an environment of its own, three solvers on real photographs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow


@pytest.mark.timeout(400)
def test_three_solvers_in_an_environment_of_their_own(cvflow: Cvflow, photographs: Path) -> None:
    done = cvflow.run("install", "face_utility", "--yes", timeout=300)
    if done.returncode == 5:
        pytest.skip(f"the package index can't be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert importlib.util.find_spec("dlib") is None, "dlib must stay out of the app's environment"
    (environment,) = (cvflow.home / "environments").iterdir()
    assert list(environment.rglob("*dlib*"))

    astronaut = str(photographs / "astronaut.png")
    for solver in ("detect", "landmarks", "encode"):
        assert cvflow.json("start", f"face_utility/{solver}")["state"] == "ready"
    faces = cvflow.json("infer", astronaut, "--solver", "face_utility/detect")["objects"]
    x0, y0, x1, y1 = faces[0]["box"]
    assert x0 < 225 < x1, "the astronaut's nose"
    assert y0 < 115 < y1
    for points in (68, 5):
        found = cvflow.json("infer", astronaut, "--solver", "face_utility/landmarks", "-p", f"points={points}")["objects"]
        assert len(found[0]["keypoints"]) == points
    encoded = cvflow.json("infer", astronaut, "--solver", "face_utility/encode")
    assert len(encoded["embedding"]) == 128

    refused = cvflow.run("infer", astronaut, "--solver", "face_utility/landmarks", "-p", "points=7")
    assert refused.returncode == 2
    removed = cvflow.json("remove", "face_utility", "--yes")
    assert len(removed["stopped"]) == 3
    assert list((cvflow.home / "environments").iterdir()) == []
    assert list((cvflow.home / "weights").iterdir()) == []
