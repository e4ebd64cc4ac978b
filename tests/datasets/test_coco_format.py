"""COCO: what is written, pycocotools reads; what is wrong is named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvflow_tui import __version__
from cvflow_tui.backend.datasets.export import export_project
from cvflow_tui.backend.datasets.formats import coco
from cvflow_tui.backend.datasets.records import LabelledBox, LabelledPicture
from cvflow_tui.model.errors import CvflowError, NotFoundError, RefusedError, UsageError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Annotation, Picture, PictureState, Project, ProjectSettings

LABELS = ("raccoon", "[bold]", "naïve 犬")

PICTURES = (
    LabelledPicture("a/1.jpg", 640, 480, (LabelledBox("raccoon", Box(1.5, 2, 11.5, 22)), LabelledBox("naïve 犬", Box(0, 0, 640, 480)))),
    LabelledPicture("a/2.jpg", 100, 50),
    LabelledPicture("b/1.jpg", 100, 50, (LabelledBox("[bold]", Box(10, 10, 20, 20)),)),
)


class Shown:
    """A project as an export sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def project(self, name: str) -> Project:
        return Project(name, str(self.path), LABELS, ProjectSettings(), credit="a friend")

    def finished(self, name: str) -> Iterator[tuple[Picture, tuple[Annotation, ...]]]:
        for number, item in enumerate(PICTURES, start=1):
            state = PictureState.ANNOTATED if item.objects else PictureState.CONFIRMED_EMPTY
            picture = Picture(number, number, item.file_name, "/" + item.file_name, state, item.width, item.height)
            yield picture, tuple(Annotation(i, found.label, found.box) for i, found in enumerate(item.objects, start=1))
        yield Picture(9, 9, "gone.jpg", "/gone.jpg", PictureState.CONFIRMED_EMPTY), ()


def test_an_export_is_what_pycocotools_loads(tmp_path: Path) -> None:
    coco_tools = pytest.importorskip("pycocotools.coco")
    out = tmp_path / "out.json"
    report = export_project(Shown(tmp_path), "raccoons", "coco", out)
    assert (report.pictures, report.annotations, report.path) == (3, 3, str(out))
    assert report.dropped == ("gone.jpg: its size is not known",)
    loaded = coco_tools.COCO(str(out))
    assert loaded.getImgIds() == [1, 2, 3]
    assert loaded.getAnnIds() == [1, 2, 3]
    assert [item["name"] for item in loaded.loadCats(loaded.getCatIds())] == list(LABELS)
    assert loaded.getCatIds() == [1, 2, 3]
    first = loaded.loadAnns([1])[0]
    assert (first["bbox"], first["area"], first["iscrowd"], first["image_id"]) == ([1.5, 2, 10, 20], 200, 0, 1)
    assert loaded.getAnnIds(imgIds=[2]) == []
    told = json.loads(out.read_text())
    assert (told["info"]["project"], told["info"]["version"], told["info"]["contributor"]) == ("raccoons", __version__, "a friend")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_an_export_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text("old")

    def breaks() -> Iterator[LabelledPicture]:
        yield PICTURES[0]
        raise CvflowError("the disk went away")

    with pytest.raises(CvflowError, match="went away"):
        coco.save(out, LABELS, breaks(), {})
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_wrong_requests_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="format 'yolo9' is not known: there is coco"):
        export_project(Shown(tmp_path), "p", "yolo9", tmp_path / "out.json")
    with pytest.raises(UsageError, match="not an absolute path"):
        export_project(Shown(tmp_path), "p", "coco", Path("out.json"))
    with pytest.raises(UsageError, match="is a folder"):
        export_project(Shown(tmp_path), "p", "coco", tmp_path)
    with pytest.raises(NotFoundError, match="does not exist"):
        export_project(Shown(tmp_path), "p", "coco", tmp_path / "no" / "out.json")


def test_an_older_export_is_replaced_and_a_picture_is_not(tmp_path: Path) -> None:
    out, picture = tmp_path / "out.json", tmp_path / "1.png"
    out.write_text("{}")
    assert export_project(Shown(tmp_path), "p", "coco", out).pictures == 3
    assert json.loads(out.read_text())["images"]
    picture.write_bytes(held := b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(UsageError, match="is no text file: it is not written over"):
        export_project(Shown(tmp_path), "p", "coco", picture)
    assert picture.read_bytes() == held


def test_what_is_wrong_with_the_path_itself_is_told_as_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(NotFoundError, match="does not exist: make the folder first"):
        export_project(Shown(tmp_path), "p", "coco", tmp_path / "file" / "out.json")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="is a device or a pipe, which a file would take the place of"):
        export_project(Shown(tmp_path), "p", "coco", tmp_path / "pipe")


def test_a_file_that_cannot_be_read_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.json"
    out.write_text("{}")

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", closed)
        with pytest.raises(RefusedError, match="is there already and cannot be read"):
            export_project(Shown(tmp_path), "p", "coco", out)
    assert out.read_text() == "{}"


_coordinates = st.floats(0, 400, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def _datasets(draw: st.DrawFn) -> tuple[LabelledPicture, ...]:
    made, ids = [], draw(st.permutations(range(1, 60)))
    for number in draw(st.lists(st.integers(1, 10**9), max_size=6, unique=True)):
        objects = []
        for _ in range(draw(st.integers(0, 5))):
            x, y = draw(_coordinates), draw(_coordinates)
            box = Box(x, y, x + draw(st.integers(1, 50)), y + draw(st.integers(1, 50)))
            objects.append(LabelledBox(draw(st.sampled_from(LABELS)), box, ids.pop()))
        made.append(LabelledPicture(f"{number}.jpg", draw(st.integers(1, 500)), 500, tuple(objects), number))
    return tuple(made)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_datasets())
def test_what_is_saved_is_loaded_again_ids_and_all(tmp_path: Path, pictures: tuple[LabelledPicture, ...]) -> None:
    out = tmp_path / "out.json"
    coco.save(out, LABELS, pictures, {"x": 1})
    loaded = coco.load(out)
    assert loaded.labels == LABELS
    assert loaded.info == {"x": 1}
    assert [(item.file_name, item.width, item.height, item.id) for item in loaded.pictures] == [
        (item.file_name, item.width, item.height, item.id) for item in pictures
    ]
    for there, here in zip(loaded.pictures, pictures, strict=True):
        assert [(item.label, item.id) for item in there.objects] == [(item.label, item.id) for item in here.objects]
        for back, sent in zip(there.objects, here.objects, strict=True):
            assert back.box.corners == pytest.approx(sent.box.corners, abs=1e-9)
    again = tmp_path / "again.json"
    coco.save(again, loaded.labels, loaded.pictures, loaded.info)
    assert [item.id for item in coco.load(again).pictures] == [item.id for item in pictures]


BOX = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 2, 2]}


def _file(**changes: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 10, "height": 10}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 2, 2]}],
        "categories": [{"id": 7, "name": "cat"}],
    } | changes


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ([], "an object with images"),
        (_file(images=None), "field images must be a list"),
        (_file(images=[{"id": "1", "file_name": "a", "width": 1, "height": 1}]), r"images\[0\].id"),
        (_file(images=[{"id": 1, "file_name": "", "width": 1, "height": 1}]), r"images\[0\].file_name"),
        (_file(images=[{"id": 1, "file_name": "a", "width": 0, "height": 1}]), r"images\[0\]"),
        (_file(annotations=[3]), r"annotations\[0\] must be an object"),
        (
            _file(annotations=[{"id": 1, "image_id": 2, "category_id": 7, "bbox": [1, 1, 2, 2]}]),
            r"annotations\[0\].image_id: there is no 2",
        ),
        (_file(annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}]), r"annotations\[0\].category_id"),
        (_file(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, 2]}]), r"annotations\[0\].bbox"),
        (_file(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 1, -2, 2]}]), r"annotations\[0\].bbox"),
        (_file(categories=[{"id": 7, "name": "cat"}, {"id": 8, "name": "cat"}]), "same name"),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_field(tmp_path: Path, told: object, field: str) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps(told))
    with pytest.raises(UsageError, match=field) as caught:
        coco.load(path)
    assert str(path) in caught.value.message


def test_a_broken_or_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no\.json does not exist"):
        coco.load(tmp_path / "no.json")
    (tmp_path / "cut.json").write_text('{"images": [')
    with pytest.raises(UsageError, match=r"cut\.json is no JSON"):
        coco.load(tmp_path / "cut.json")


def test_ids_from_zero_are_counted_from_one_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    annotations = [
        {"id": 0, "image_id": 1, "category_id": 7, "bbox": [1, 1, 2, 2]},
        {"id": 5, "image_id": 1, "category_id": 7, "iscrowd": 1},
    ]
    path.write_text(json.dumps(_file(annotations=annotations)))
    loaded = coco.load(path)
    assert loaded.dropped == ("1 crowd regions", "ids below 1: pictures and boxes are counted from 1")
    coco.save(path, loaded.labels, loaded.pictures, {})
    assert [item["id"] for item in json.loads(path.read_text())["annotations"]] == [1]
