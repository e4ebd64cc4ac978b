"""The Haar cascades, in an environment of their own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import PIL.ImageOps
import pytest

from tests.bundled.conftest import ask
from tests.path.conftest import Cvflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

FACES = ["face", "face-alt", "face-alt2", "face-alt-tree", "face-profile", "eye", "eye-glasses", "smile", "cat-face", "cat-face-extended"]
OTHERS = ["body", "upper-body", "lower-body", "plate", "plate-rus"]


@pytest.fixture(scope="module")
def viola_jones(installed: Callable[..., Cvflow]) -> Cvflow:
    return installed("viola_jones", "detect")


def test_her_face_and_nothing_else(viola_jones: Cvflow, photographs: Path) -> None:
    (face,) = ask(viola_jones, photographs / "astronaut.png", "viola_jones/detect")["objects"]
    assert face["label"] == "face" and 0.52 < face["score"] < 0.7
    assert all(abs(value - there) < 12 for value, there in zip(face["box"], (177, 66, 272, 161), strict=True))


def test_both_eyes_lie_in_the_face(viola_jones: Cvflow, photographs: Path) -> None:
    eyes = ask(viola_jones, photographs / "astronaut.png", "viola_jones/detect", cascade="eye")["objects"]
    assert [eye["label"] for eye in eyes] == ["eye", "eye"]
    for eye in eyes:
        x0, y0, x1, y1 = eye["box"]
        assert 177 < (x0 + x1) / 2 < 272 and 66 < (y0 + y1) / 2 < 130


@pytest.mark.parametrize("cascade", [*FACES, *OTHERS])
def test_every_cascade_keeps_its_scores_between_its_cut_and_its_most(viola_jones: Cvflow, photographs: Path, cascade: str) -> None:
    asked: dict[str, Any] = {"cascade": cascade, "neighbours": 0, "scale": 1.3}
    found = ask(viola_jones, photographs / "astronaut.png", "viola_jones/detect", **asked)["objects"]
    scores = [each["score"] for each in found]
    assert all(0.5 <= score < 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    if scores:
        middle = scores[len(scores) // 2]
        kept = ask(viola_jones, photographs / "astronaut.png", "viola_jones/detect", threshold=middle, **asked)["objects"]
        left = [each["score"] for each in kept]
        assert set(scores) >= set(left) >= {score for score in scores if score > middle}
        assert all(score >= middle for score in left)


def test_mirrored_finds_what_looks_the_other_way(viola_jones: Cvflow, photographs: Path, tmp_path: Path) -> None:
    with PIL.Image.open(photographs / "camera.png") as man:
        PIL.ImageOps.mirror(man).save(tmp_path / "mirror.png")
    asked = {"cascade": "face-profile", "neighbours": 3, "mirrored": True}
    here, there = (
        ask(viola_jones, path, "viola_jones/detect", **asked)["objects"] for path in (photographs / "camera.png", tmp_path / "mirror.png")
    )
    assert here and len(here) == len(there)
    for one, other in zip(here, there, strict=True):
        x0, y0, x1, y1 = one["box"]
        assert other["box"] == [512 - x1, y0, 512 - x0, y1]


def test_what_is_no_cascade_is_refused(viola_jones: Cvflow, photographs: Path) -> None:
    refused = viola_jones.run("infer", str(photographs / "astronaut.png"), "--solver", "viola_jones", "-p", "cascade=dog")
    assert refused.returncode == 2 and "cat-face" in refused.stderr


def test_it_runs_apart_from_the_app_and_fetches_no_weights(viola_jones: Cvflow) -> None:
    assert importlib.util.find_spec("cv2") is None
    assert not list((viola_jones.home / "weights").iterdir())
