"""What a check says of answers: nothing of good ones, the field and the mend of bad ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from cvflow_tui.backend.packages.check.results import _runs, result_findings
from cvflow_tui.model.authoring import Level
from cvflow_tui.model.geometry import Size

SIZE = Size(40, 30)


def answer(task: str = "object-detection", **more: Any) -> dict[str, Any]:
    return {"task": task, "model": {}, "image": {"width": 40, "height": 30}, **more}


def thing(**changes: Any) -> dict[str, Any]:
    return {"label": "cat", "score": 0.5, "box": [1.0, 2.0, 30.0, 20.0], **changes}


def told(result: Any, task: str = "object-detection") -> list[str]:
    return [f"{finding.level} {finding.message}" for finding in result_findings(result, task, ("cat", "dog"), SIZE, "solver x")]


@pytest.mark.parametrize(
    ("task", "result"),
    [
        ("object-detection", answer(objects=[thing(), thing(label="dog", score=1, box=[0, 0, 40.3, 30])])),
        ("object-detection", answer(objects=[thing(score=0.0, box=[3, 3, 3, 3])])),
        ("instance-segmentation", answer("instance-segmentation", objects=[thing(polygons=[[0, 0, 40, 0, 40, 30]])])),
        ("instance-segmentation", answer("instance-segmentation", objects=[thing(mask={"size": [30, 40], "counts": [100, 1100]})])),
        ("keypoint-detection", answer("keypoint-detection", objects=[thing(keypoints=[[1, 2, 2], [-9, 99, 0]])])),
        ("text-recognition", answer("text-recognition", objects=[thing(text="")])),
        ("image-classification", answer("image-classification", classes=[{"label": "cat", "score": 0.9}])),
        ("image-captioning", answer("image-captioning", caption="A cat.")),
        ("embedding", answer("embedding", embedding=[0.1, -3])),
        ("other", {"anything": [1]}),
        ("other", 7),
    ],
)
def test_of_a_good_answer_nothing_is_said(task: str, result: Any) -> None:
    assert told(result, task) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"box": [1, 2, 41, 20]}, "leaves the picture of 40x30"),
        ({"box": [-2, 2, 4, 20]}, "leaves the picture"),
        ({"box": [30, 2, 10, 20]}, "inside out"),
        ({"box": [1, 2, 3]}, "not four numbers"),
        ({"box": [1, 2, None, 4]}, "not four numbers"),
        ({"box": [0.1, 0.2, 0.9, 0.8]}, "shares of the picture"),
        ({"box": None}, "has no box"),
        ({"label": "cow"}, "'cow' is not among"),
        ({"label": ""}, "no label"),
        ({"score": 1.2}, "1.2 is not from 0 to 1"),
        ({"score": None}, "no number"),
        ({"score": "high"}, "not from 0 to 1"),
        ({"polygons": [[1, 2, 3]]}, "no ring"),
        ({"polygons": [[1, 2, 3, 4, 50, 6]]}, "no ring"),
        ({"keypoints": [[1, 2]]}, "not x, y, visible"),
        ({"mask": {"size": [40, 30], "counts": [1200]}}, "not of the picture's size"),
        ({"mask": {"size": [30, 40], "counts": [1199]}}, "do not add up"),
        ({"mask": {"size": [30, 40], "counts": "\x7f"}}, "do not add up"),
    ],
)
def test_a_bad_object_is_a_fault_that_names_it_and_is_counted(changes: dict[str, Any], words: str) -> None:
    findings = result_findings(answer(objects=[thing(), thing(**changes)]), "object-detection", ("cat", "dog"), SIZE, "solver x")
    (finding,) = findings
    assert finding.level is Level.FAULT and words in finding.message and "(1 of 2 objects)" in finding.message
    assert finding.mend and finding.where == "solver x"


@pytest.mark.parametrize(
    ("task", "result", "words"),
    [
        ("object-detection", None, "warning it answers with nothing"),
        ("object-detection", [[1, 2, 3, 4]], "warning it answers with a list"),
        ("object-detection", {"faces": []}, "warning it answers with the keys faces"),
        ("object-detection", answer(classes=[]), "fault the task is object-detection, and the answer has no 'objects'"),
        ("object-detection", answer(objects=[]), "note it found nothing"),
        ("object-detection", answer(objects={}), "fault 'objects' is not a list"),
        ("object-detection", answer(objects=["cat"]), "fault an object is text"),
        (
            "object-detection",
            {**answer(objects=[thing()]), "image": {"width": 30, "height": 40}},
            "fault the answer is for a picture of 30x40",
        ),
        ("object-detection", answer("embedding", objects=[thing()]), "fault the answer says task 'embedding'"),
        ("instance-segmentation", answer("instance-segmentation", objects=[thing()]), "fault an object has no polygons or mask"),
        ("text-recognition", answer("text-recognition", objects=[thing()]), "fault an object has no text"),
        ("image-classification", answer("image-classification", classes=[{"label": "cow", "score": 0.1}]), "fault the label 'cow'"),
        ("image-classification", answer("image-classification", classes=[{"label": "cat", "score": None}]), "fault a score is no number"),
        ("image-captioning", answer("image-captioning", caption=" "), "fault the caption is empty"),
        ("embedding", answer("embedding", embedding=[1, None]), "fault the embedding is no list of numbers"),
        ("embedding", answer("embedding", embedding=[]), "note the embedding is empty"),
        ("embedding", answer("embedding", embedding=[0.0, 0]), "warning all numbers"),
    ],
)
def test_a_bad_answer(task: str, result: Any, words: str) -> None:
    (message,) = told(result, task)
    assert message.startswith(words)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=4, max_size=4), st.floats(allow_nan=True))
def test_no_numbers_break_it(box: list[float], score: float) -> None:
    found = told(answer(objects=[thing(box=box, score=score)]))
    good_box = all(map(math.isfinite, box)) and box[0] <= box[2] and box[1] <= box[3]
    assert not any("four numbers" in each or "inside out" in each for each in found) or not good_box
    assert any("score" in each for each in found) == (not 0 <= score <= 1)


@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_run_lengths_are_read_as_coco_writes_them(height: int, width: int, random: Any) -> None:
    pixels = np.array([[random.random() < 0.4 for _ in range(width)] for _ in range(height)], np.uint8)
    packed = coco.encode(np.asfortranarray(pixels))
    runs = _runs(packed["counts"].decode())
    assert runs is not None and sum(runs) == pixels.size and sum(runs[1::2]) == pixels.sum()
