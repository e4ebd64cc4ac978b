"""Classes and embeddings by MobileNetV2, on the app's own Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tests.bundled.conftest import ask
from tests.path.conftest import Cvflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def mobilenet(installed: Callable[..., Cvflow]) -> Cvflow:
    return installed("mobilenet", "classify", "embed")


def test_what_pictures_show(mobilenet: Cvflow, photographs: Path) -> None:
    for name, label, score in (("coffee.png", "espresso", 0.99), ("chelsea.png", "Egyptian cat", 0.73), ("camera.png", "tripod", 0.98)):
        classes = ask(mobilenet, photographs / name, "mobilenet/classify")["classes"]
        assert len(classes) == 5
        assert classes[0]["label"] == label and classes[0]["score"] == pytest.approx(score, abs=0.03)
        assert [found["score"] for found in classes] == sorted((found["score"] for found in classes), reverse=True)


def test_all_thousand_scores_add_up_to_one_and_more_are_refused(mobilenet: Cvflow, photographs: Path) -> None:
    classes = ask(mobilenet, photographs / "coffee.png", "mobilenet/classify", top=1000)["classes"]
    assert len({found["label"] for found in classes}) == 1000
    assert sum(found["score"] for found in classes) == pytest.approx(1, abs=0.02)  # four decimals each
    refused = mobilenet.run("infer", str(photographs / "coffee.png"), "--solver", "mobilenet/classify", "-p", "top=1001")
    assert refused.returncode == 2 and "between 1 and 1000" in refused.stderr


def test_embeddings_have_length_one_and_know_a_picture_again(mobilenet: Cvflow, photographs: Path, tmp_path: Path) -> None:
    with PIL.Image.open(photographs / "chelsea.png") as cat:
        cat.resize((300, 200)).save(tmp_path / "smaller.jpg", quality=80)
    pictures = (photographs / "chelsea.png", tmp_path / "smaller.jpg", photographs / "coffee.png")
    cat_numbers, smaller, coffee = (np.array(ask(mobilenet, path, "mobilenet/embed")["embedding"]) for path in pictures)
    assert cat_numbers.shape == (1280,)
    assert np.linalg.norm(cat_numbers) == pytest.approx(1, abs=1e-5)
    assert cat_numbers @ smaller > 0.8 > 0.5 > cat_numbers @ coffee


def test_what_it_installed(mobilenet: Cvflow) -> None:
    assert not list((mobilenet.home / "environments").iterdir()), "it runs on the app's own Python"
    (weight,) = (mobilenet.home / "weights").iterdir()
    assert (weight.name[:8], weight.stat().st_size) == ("b0353104", 14_212_972)
