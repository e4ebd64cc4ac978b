"""Masks of what catches the eye, in an environment of their own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from cvflow_tui.backend.packages.service import BUNDLED
from tests.bundled.conftest import ask
from tests.path.conftest import Cvflow


@pytest.fixture(scope="module")
def saliency(installed: Callable[..., Cvflow]) -> Cvflow:
    return installed("saliency", "segment")


def read(mask: dict[str, Any]) -> np.ndarray[Any, Any]:
    """A mask's pixels, as pycocotools reads them."""
    return np.asarray(coco.decode({"size": mask["size"], "counts": mask["counts"].encode()})).astype(bool)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("name", "score", "box"),
    [
        ("coffee.png", 0.70, (90, 27, 470, 380)),
        ("chelsea.png", 0.94, (0, 0, 387, 300)),
        ("rocket.jpg", 0.77, (284, 138, 376, 427)),
    ],
)
def test_one_thing_one_region(saliency: Cvflow, photographs: Path, name: str, score: float, box: tuple[int, ...]) -> None:
    answer = ask(saliency, photographs / name, "saliency/segment")
    (region,) = answer["objects"]
    assert region["label"] == "salient" and region["score"] == pytest.approx(score, abs=0.03)
    assert all(abs(value - there) < 8 for value, there in zip(region["box"], box, strict=True))
    mask = read(region["mask"])
    assert mask.shape == (answer["image"]["height"], answer["image"]["width"])
    rows, columns = np.nonzero(mask)
    assert np.allclose(region["box"], [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], atol=1)
    drawn = PIL.Image.new("1", mask.shape[::-1])
    for ring in region["polygons"]:
        PIL.ImageDraw.Draw(drawn).polygon(ring, fill=1)
    outlined = np.asarray(drawn)
    assert (outlined & mask).sum() / (outlined | mask).sum() > 0.9, "outline and mask are one shape, but for holes"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_threshold_widens_and_narrows(saliency: Cvflow, photographs: Path) -> None:
    areas = []
    for threshold in (0.3, 0.5, 0.7):
        objects = ask(saliency, photographs / "astronaut.png", "saliency/segment", threshold=threshold)["objects"]
        assert objects and all(each["score"] >= threshold for each in objects)
        areas.append(sum(int(read(each["mask"]).sum()) for each in objects))
    assert areas == sorted(areas, reverse=True)
    large = ask(saliency, photographs / "astronaut.png", "saliency/segment", smallest=0.05)["objects"]
    assert all(read(each["mask"]).mean() > 0.049 for each in large)
    refused = saliency.run("infer", str(photographs / "coffee.png"), "--solver", "saliency", "-p", "threshold=0")
    assert refused.returncode == 2


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_pixel_and_a_strip_are_pictures_too(saliency: Cvflow, tmp_path: Path) -> None:
    for size in ((1, 1), (3000, 2), (2, 900)):
        PIL.Image.new("RGB", size, "red").save(tmp_path / "odd.png")
        answer = ask(saliency, tmp_path / "odd.png", "saliency/segment")
        assert (answer["image"]["width"], answer["image"]["height"]) == size
        for region in answer["objects"]:
            (ring,) = region["polygons"]
            assert len(ring) >= 6 and region["mask"]["size"] == list(size[::-1])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.02, 0.5, 1.0]))
def test_masks_are_written_as_coco_writes_them(height: int, width: int, seed: int, share: float) -> None:
    sys.path.insert(0, str(BUNDLED / "saliency"))
    try:
        encode = importlib.import_module("saliency.rle").encode
    finally:
        sys.path.pop(0)
    pixels = np.random.default_rng(seed).random((height, width)) < share
    told = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))
    assert encode(pixels) == {"size": [height, width], "counts": told["counts"].decode()}
