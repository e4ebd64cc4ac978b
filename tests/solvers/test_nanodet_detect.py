"""The bundled detector, asked through its class."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cvflow
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.detector import COCO128, measure, through_class
from tests.solvers.conftest import SOLVERS

PACKAGE = SOLVERS / "nanodet"


def test_the_package_holds_what_its_manifest_says() -> None:
    manifest = tomllib.loads((PACKAGE / "cvpm.toml").read_text("utf-8"))
    for weight in manifest["models"]:
        assert hashlib.sha256((PACKAGE / weight["url"]).read_bytes()).hexdigest() == weight["sha256"]
    labels = (PACKAGE / manifest["solvers"][0]["labels"]).read_text("utf-8").splitlines()
    assert (len(labels), labels[0], labels[79]) == (80, "person", "toothbrush")
    notice = (PACKAGE / "NOTICE").read_text("utf-8")
    assert "Apache License" in notice
    assert "Permission is hereby granted" in notice


def test_it_never_imports_the_app_and_serves_without_torch() -> None:
    sources = "".join(file.read_text("utf-8") for file in PACKAGE.rglob("*.py"))
    assert "cvflow_tui" not in sources
    code = (
        f"import sys; sys.path[:0] = {[str(PACKAGE), str(SOLVERS / 'sdk')]!r}; import nanodet.solver;"
        "print([name for name in ('torch', 'cvflow_tui') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_it_finds_the_person_and_answers_in_json(nanodet: Callable[..., Any], photograph: Path) -> None:
    answer = nanodet().infer(cvflow.Image(photograph))
    assert json.loads(json.dumps(answer)) == answer
    assert answer["image"] == {"width": 512, "height": 512}
    assert answer["model"] == {"package": "cvflow/nanodet", "version": "1.0.0", "checkpoint": None}
    best = answer["objects"][0]
    assert best["label"] == "person"
    assert best["score"] > 0.5
    x0, y0, x1, y1 = best["box"]
    assert x0 < 225 < x1
    assert y0 < 120 < y1


def test_a_batch_answers_as_single_pictures_do(nanodet: Callable[..., Any], photograph: Path, tmp_path: Path) -> None:
    with PIL.Image.open(photograph) as opened:
        opened.convert("L").crop((0, 0, 300, 500)).save(tmp_path / "part.jpg")
    solver, images = nanodet(), [cvflow.Image(photograph), cvflow.Image(tmp_path / "part.jpg")]
    batch, single = solver.infer_batch(images, threshold=0.2), [solver.infer(image, threshold=0.2) for image in images]
    for together, alone in zip(batch, single, strict=True):
        assert together["image"] == alone["image"]
        assert [told["label"] for told in together["objects"]] == [told["label"] for told in alone["objects"]]
        for one, other in zip(together["objects"], alone["objects"], strict=True):
            assert one["box"] == pytest.approx(other["box"], abs=0.1)


def test_a_turned_photograph_has_its_boxes_where_it_is_shown(nanodet: Callable[..., Any], photograph: Path, tmp_path: Path) -> None:
    """Turned in the file and turned back by EXIF: the same objects at the same places."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    with PIL.Image.open(photograph) as opened:
        opened.convert("RGB").transpose(PIL.Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    solver = nanodet()
    assert solver.infer(cvflow.Image(tmp_path / "turned.png"))["objects"] == solver.infer(cvflow.Image(photograph))["objects"]


def test_threshold_and_iou_do_what_they_say(nanodet: Callable[..., Any], photograph: Path) -> None:
    solver, image = nanodet(), cvflow.Image(photograph)
    few, many = (solver.infer(image, threshold=value)["objects"] for value in (0.3, 0.2))
    assert len(few) < len(many)
    assert [told for told in many if told["score"] >= 0.3] == few
    assert (
        len(solver.infer(image, threshold=0.2, iou=1.0)["objects"])
        > len(many)
        > len(solver.infer(image, threshold=0.2, iou=0.1)["objects"])
    )


@pytest.mark.parametrize("wrong", [{"threshold": -0.1}, {"threshold": 1.1}, {"iou": 2.0}, {"threshold": float("nan")}])
def test_parameters_outside_0_to_1_are_the_callers_fault(nanodet: Callable[..., Any], photograph: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(cvflow.InputError, match=next(iter(wrong))):
        nanodet().infer(cvflow.Image(photograph), **wrong)


def test_odd_pictures(nanodet: Callable[..., Any], tmp_path: Path) -> None:
    solver = nanodet()
    for name, size in [("dot.png", (1, 1)), ("line.png", (5000, 1)), ("tower.png", (2, 3000))]:
        PIL.Image.new("RGB", size, "grey").save(tmp_path / name)
        answer = solver.infer(cvflow.Image(tmp_path / name), threshold=0.0)
        assert answer["image"] == {"width": size[0], "height": size[1]}
        for told in answer["objects"]:
            x0, y0, x1, y1 = told["box"]
            assert 0 <= x0 <= x1 <= size[0]
            assert 0 <= y0 <= y1 <= size[1]
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with pytest.raises(cvflow.InputError):
        solver.infer(cvflow.Image(tmp_path / "cut.jpg"))


_corner = st.floats(0, 400, width=32)


@settings(max_examples=100, deadline=None)
@given(count=st.integers(0, 12), iou=st.floats(0, 1), data=st.data())
def test_suppression_keeps_the_surest_and_nothing_too_close(count: int, iou: float, data: st.DataObject) -> None:
    """Against the definition: a kept box overlaps no surer kept box of its label by more than `iou`, a dropped one does."""
    from nanodet.geometry import overlaps, suppress

    corners = data.draw(arrays(np.float32, (count, 2, 2), elements=_corner))
    boxes = np.sort(corners, axis=1).reshape(count, 4)
    scores = data.draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    labels = data.draw(arrays(np.int64, count, elements=st.integers(0, 2)))
    kept = suppress(boxes, scores, labels, iou).tolist()
    close = overlaps(boxes, boxes) > iou
    order = sorted(range(count), key=lambda place: -scores[place])
    expected: list[int] = []
    for place in order:
        if not any(labels[other] == labels[place] and close[other, place] for other in expected):
            expected.append(place)
    assert sorted(kept) == sorted(expected)
    assert [scores[place] for place in kept] == sorted((scores[place] for place in kept), reverse=True)


@pytest.mark.slow
@pytest.mark.skipif(not COCO128.exists(), reason="../shared/data/coco128 is not there")
def test_average_precision_on_real_pictures() -> None:
    told = measure(through_class())
    assert told["pictures"] == 128
    assert told["ap"] >= 0.28
    assert told["ap50"] >= 0.43
