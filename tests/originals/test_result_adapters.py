"""What solvers of other houses return, made the common result."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from faster_coco_eval.core import mask as coco
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cvflow_tui.backend.packages.manifest import ADAPTERS
from cvflow_tui.backend.runtime.worker import SDK
from cvflow_tui.model.results import parse_result


@pytest.fixture(scope="module", autouse=True)
def sdk() -> Iterator[None]:
    sys.path.insert(0, str(SDK))
    yield
    sys.path.remove(str(SDK))


def adapt(name: str, result: Any, labels: tuple[str, ...] = ("face",), size: tuple[int, int] | None = (100, 50)) -> Any:
    module = importlib.import_module("cvflow_worker.adapters")
    return module.adapt(name, result, module.Picture(labels, size))


def test_the_manifest_knows_the_adapters_that_there_are() -> None:
    assert set(ADAPTERS) == set(importlib.import_module("cvflow_worker.adapters").ADAPTERS)


@pytest.mark.parametrize(
    ("name", "numbers", "box"),
    [
        ("top-right-bottom-left", [10, 40, 30, 20], [20, 10, 40, 30]),
        ("xyxy", [20, 10, 40, 30], [20, 10, 40, 30]),
        ("xyxy", [40, 30, 20, 10], [20, 10, 40, 30]),
        ("yxyx", [10, 20, 30, 40], [20, 10, 40, 30]),
        ("xywh", [20, 10, 20, 20], [20, 10, 40, 30]),
        ("cxcywh", [30, 20, 20, 20], [20, 10, 40, 30]),
        ("xyxy-normalized", [0.2, 0.2, 0.4, 0.6], [20, 10, 40, 30]),
        ("yxyx-normalized", [0.2, 0.2, 0.6, 0.4], [20, 10, 40, 30]),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_boxes_in_every_order(name: str, numbers: list[float], box: list[float], wrapped: bool) -> None:
    told = adapt(name, {"faces": [numbers]} if wrapped else [numbers])
    assert told == {"objects": [{"label": "face", "box": pytest.approx(box)}]}


def test_scores_and_classes_behind_the_box() -> None:
    told = adapt("xyxy", [[0, 0, 1, 1, 0.5, 1], [0, 0, 2, 2, 0.25, "dog"], [0, 0, 3, 3, 0.1, 9]], labels=("cat", "bird"))
    assert [(each["label"], each["score"]) for each in told["objects"]] == [("bird", 0.5), ("dog", 0.25), ("9", 0.1)]


@pytest.mark.parametrize("name", sorted(ADAPTERS))
@pytest.mark.parametrize("result", ["text", 3, {"error": "no"}, [[1, 2]], [None], [{"a": 1}], [[True, "x", None, {}]], {"data": "x"}])
def test_what_is_not_in_the_form_is_served_as_it_is(name: str, result: Any) -> None:
    told = adapt(name, result)
    assert told == result or (isinstance(told, dict) and {"objects", "classes", "caption", "embedding"} & told.keys())
    parse_result(told if isinstance(told, dict) else {"result": told})


def test_nothing_found_is_an_empty_list() -> None:
    assert adapt("xyxy", []) == adapt("xyxy", None) == {"objects": []}


def test_labels() -> None:
    two = {"classes": [{"label": "dog", "score": 0.7}, {"label": "cat", "score": 0.2}]}
    assert adapt("labels", {"cat": 0.2, "dog": 0.7}) == two
    assert adapt("labels", [["cat", 0.2], [0.7, "dog"]]) == two
    assert adapt("labels", {"predictions": [{"class": "dog", "confidence": 0.7}, {"name": "cat", "prob": 0.2}]}) == two
    assert adapt("labels", "dog") == {"classes": [{"label": "dog"}]}
    assert adapt("labels", 1, labels=("cat", "dog")) == {"classes": [{"label": "dog"}]}


def test_captions_and_embeddings() -> None:
    assert adapt("caption", "a dog") == adapt("caption", {"text": "a dog"}) == adapt("caption", ["a dog"]) == {"caption": "a dog"}
    assert adapt("embedding", [[1, 2.5]]) == adapt("embedding", {"data": [1, 2.5]}) == {"embedding": [1.0, 2.5]}


def test_points_of_faces() -> None:
    face = {"nose": [[1, 2]], "eyes": [[3, 4], [5, 6]]}
    wanted = {"objects": [{"label": "face", "keypoints": [[1.0, 2.0, 2], [3.0, 4.0, 2], [5.0, 6.0, 2]]}]}
    assert (
        adapt("keypoints", [face])
        == adapt("keypoints", [[[1, 2], [3, 4], [5, 6]]])
        == adapt("keypoints", [[1, 2], [3, 4], [5, 6]])
        == wanted
    )


def test_detections_by_their_usual_words_and_the_interface() -> None:
    wanted = {"objects": [{"label": "cat", "score": 0.5, "box": [1.0, 2.0, 3.0, 4.0]}]}
    assert adapt("detections", [{"class": "cat", "confidence": 0.5, "bbox": [1, 2, 3, 4]}]) == wanted
    told = adapt("interface", {"data": [{"x_start": 1, "x_stop": 3, "y_start": 2, "y_stop": 4, "name": "cat"}]})
    assert told == {"objects": [{"label": "cat", "box": [1.0, 2.0, 3.0, 4.0]}]}


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2)))
def test_masks_are_what_coco_packs(mask: np.ndarray[Any, Any]) -> None:
    told = adapt("mask", mask.tolist(), labels=("cat", "dog"))["objects"]
    found = {each["label"]: each["mask"] for each in told}
    assert found.keys() == {label for value, label in ((1, "cat"), (2, "dog")) if (mask == value).any()}
    for value, label in ((1, "cat"), (2, "dog")):
        if label in found:
            packed = coco.encode(np.asfortranarray(mask == value).astype(np.uint8))
            counts = packed["counts"]
            assert found[label] == {"size": packed["size"], "counts": counts.decode() if isinstance(counts, bytes) else counts}


def test_a_mask_of_shades_is_cut_at_the_half() -> None:
    told = adapt("mask", [[0, 100], [200, 255]], labels=())["objects"]
    cut = coco.encode(np.asfortranarray(np.array([[0, 0], [1, 1]], np.uint8)))["counts"]
    assert [each["label"] for each in told] == ["object"]
    assert told[0]["mask"]["counts"] == (cut.decode() if isinstance(cut, bytes) else cut)
