"""cvflow.Solver, results and datasets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cvflow
import PIL.Image
import pytest

SDK = Path(__file__).resolve().parents[2] / "cvflow_tui/solvers/sdk"


class Cats(cvflow.Solver):
    """As an author writes one: no arguments, no super().__init__()."""

    def __init__(self) -> None:
        self.count = len(self.labels)


def test_a_solver_is_told_everything_before_its_constructor_runs(tmp_path: Path) -> None:
    weights = tmp_path / "cats.onnx"
    cvflow.configure(
        root=tmp_path,
        labels=["cat", "dog"],
        weights={"cats.onnx": weights},
        checkpoint=tmp_path / "r4",
        threads=3,
        package="a/b",
        version="2",
    )
    solver = Cats()
    cvflow.configure(root=tmp_path / "other")
    assert (solver.count, solver.labels, solver.threads, solver.root) == (2, ["cat", "dog"], 3, tmp_path)
    assert solver.weights("cats.onnx") == weights
    with pytest.raises(KeyError, match=r"cats\.onnx"):
        solver.weights("dogs.onnx")
    PIL.Image.new("RGB", (6, 4)).save(tmp_path / "x.png")
    answer = solver.result(cvflow.Image(tmp_path / "x.png"), objects=[cvflow.Detection("cat", 0.51239, (1, 2, 3.456, 4))])
    assert answer == {
        "task": "other",
        "model": {"package": "a/b", "version": "2", "checkpoint": "r4"},
        "image": {"width": 6, "height": 4},
        "objects": [{"label": "cat", "score": 0.5124, "box": [1.0, 2.0, 3.46, 4.0]}],
    }


def test_every_part_of_a_result_is_json() -> None:
    thing = cvflow.Detection(
        "a",
        1,
        polygons=[[0, 0, 1, 1, 2, 0]],
        mask={"size": [1, 1], "counts": "01"},
        keypoints=[(1, 2, 2)],
        text="x",
        embedding=[0.5],
        extra={"sex": None},
    )
    answer = cvflow.result((5, 5), objects=[thing], classes={"low": 0.1, "high": 0.9}, caption="a thing", embedding=[1])
    assert json.loads(json.dumps(answer)) == answer
    assert [told["label"] for told in answer["classes"]] == ["high", "low"]


@pytest.mark.parametrize("box", [(1, 2, 3), (3, 0, 1, 1), (0, 0, float("nan"), 1), (0, 0, float("inf"), 1)])
def test_a_box_that_is_none_is_the_solvers_fault(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"box|finite") as caught:
        cvflow.result((5, 5), objects=[cvflow.Detection("a", 1, box)])
    assert not isinstance(caught.value, cvflow.InputError)


def test_importing_it_needs_the_standard_library_only() -> None:
    """In a bare interpreter: -I -S leaves out every site package."""
    code = f"import sys; sys.path.insert(0, {str(SDK)!r}); import cvflow; print(cvflow.Solver.__name__)"
    assert subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout == "Solver\n"


def _load(folder: Path, told: Any) -> cvflow.Dataset:
    (folder / "dataset.json").write_text(told if isinstance(told, str) else json.dumps(told), "utf-8")
    return cvflow.Dataset.load(folder)


GOOD = {"path": "a.jpg", "sha256": "ab12", "objects": [{"label": "cat", "box": [3, 4, 1, 2]}]}


def test_a_dataset_is_read(tmp_path: Path) -> None:
    told = _load(
        tmp_path,
        {
            "labels": ["cat"],
            "cache": "kept",
            "items": [GOOD, {"path": "/b.jpg", "sha256": "cd", "split": "held_back", "width": 5, "height": 6}],
        },
    )
    assert told.labels == ("cat",)
    assert told.cache == tmp_path / "kept"
    label, box = told.items[0].objects[0]
    assert (label, box, told.items[0].path) == ("cat", (1.0, 2.0, 3.0, 4.0), tmp_path / "a.jpg")
    assert [(item.path, item.objects, item.width) for item in told.held_back] == [(Path("/b.jpg"), (), 5)]


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ("{", "dataset.json"),
        ([], "dataset.json"),
        ({"labels": [], "items": []}, "labels"),
        ({"labels": ["a", "a"], "items": []}, "twice"),
        ({"labels": ["cat"], "items": {}}, "items"),
        ({"labels": ["cat"], "items": [7]}, r"items\[0\]"),
        ({"labels": ["cat"], "items": [{**GOOD, "split": "test"}]}, "split"),
        ({"labels": ["cat"], "items": [{**GOOD, "path": ""}]}, "path"),
        ({"labels": ["cat"], "items": [{**GOOD, "sha256": "../../x"}]}, "sha256"),
        ({"labels": ["dog"], "items": [GOOD]}, "label"),
        ({"labels": ["cat"], "items": [{**GOOD, "objects": [{"label": "cat", "box": [1, 2, 3]}]}]}, "box"),
        ('{"labels": ["cat"], "items": [{"path": "a", "sha256": "b", "objects": [{"label": "cat", "box": [1, 2, 3, NaN]}]}]}', "box"),
    ],
)
def test_a_bad_dataset_gets_one_line_that_names_the_field(tmp_path: Path, told: Any, field: str) -> None:
    with pytest.raises(cvflow.InputError, match=field) as caught:
        _load(tmp_path, told)
    assert "\n" not in str(caught.value)


def test_a_dataset_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(cvflow.InputError, match=r"dataset\.json"):
        cvflow.Dataset.load(tmp_path)
