"""COCO detection JSON. Ids count from 1: evaluation takes an annotation with id 0 for none."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from cvflow_tui.backend.datasets.records import Dataset, LabelledBox, LabelledPicture, Written
from cvflow_tui.model.errors import CvflowError, NotFoundError, UsageError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.space import is_full, no_space

LARGEST = 2_000_000_000
"""Bytes of a file that is loaded."""


def save(out: Path, labels: tuple[str, ...], pictures: Iterable[LabelledPicture], info: Mapping[str, object]) -> Written:
    """Write `out` whole or not at all, one picture at a time. Categories are the labels in their order, from 1.

    Ids that pictures and boxes bring along are kept (a dataset brings them all or none); others are counted from 1.
    Raises NotFoundError for a folder that is missing, RefusedError for a full disk, CvflowError where it does not take the
    file for another reason.
    """
    if not out.parent.is_dir():
        raise NotFoundError(f"{out.parent} does not exist: make the folder first")
    mark = f".{out.name}.{uuid.uuid4().hex}"
    temporary, aside = out.with_name(mark), out.with_name(mark + ".annotations")
    try:
        with temporary.open("x", encoding="utf-8") as file, aside.open("x+", encoding="utf-8") as boxes:
            written = _stream(file, boxes, labels, pictures, info)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out)
    except OSError as error:
        if is_full(error):
            raise no_space(out.parent) from error
        raise CvflowError(f"{out} could not be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
        aside.unlink(missing_ok=True)
    return written


def _stream(
    file: IO[str], boxes: IO[str], labels: tuple[str, ...], pictures: Iterable[LabelledPicture], info: Mapping[str, object]
) -> Written:
    # COCO keeps images and annotations in two lists: the second grows in a file beside the first, so that nothing stays in memory.
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    count = annotations = 0
    file.write(f'{{"info": {_json(dict(info))},\n"licenses": [],\n"images": [')
    for count, picture in enumerate(pictures, start=1):  # counted, used after the loop
        image_id = picture.id if picture.id is not None else count
        image = {"id": image_id, "file_name": picture.file_name, "width": picture.width, "height": picture.height}
        file.write(("" if count == 1 else ",") + "\n" + _json(image))
        for item in picture.objects:
            annotations += 1
            boxes.write(("" if annotations == 1 else ",") + "\n" + _json(_annotation(item, annotations, image_id, numbers)))
    file.write('],\n"annotations": [')
    boxes.seek(0)
    while piece := boxes.read(1 << 20):
        file.write(piece)
    categories = [{"id": number, "name": label, "supercategory": ""} for label, number in numbers.items()]
    file.write(f'],\n"categories": {_json(categories)}}}\n')
    return Written(count, annotations)


def _annotation(item: LabelledBox, count: int, image_id: int, numbers: Mapping[str, int]) -> dict[str, object]:
    box = item.box
    return {
        "id": item.id if item.id is not None else count,
        "image_id": image_id,
        "category_id": numbers[item.label],
        "bbox": [box.x0, box.y0, box.width, box.height],
        "area": box.area,
        "iscrowd": 0,
        "segmentation": [],
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def load(path: Path) -> Dataset:
    """Read a COCO detection file; classes in the order of their ids, crowd regions left out (and said).

    Ids are kept, unless one is below 1: then pictures and boxes are counted anew (and that is said).
    Raises NotFoundError for a missing file, UsageError naming file and field for a wrong one.
    """
    told = _read(path)
    categories = {_id(path, f"categories[{i}].id", item.get("id")): _name(path, i, item) for i, item in _items(path, told, "categories")}
    if len(set(categories.values())) < len(categories):
        raise UsageError(f"{path}: field categories: two categories have the same name")
    images: dict[int, tuple[str, int, int]] = {}
    for i, item in _items(path, told, "images"):
        number = _id(path, f"images[{i}].id", item.get("id"))
        if number in images:
            raise UsageError(f"{path}: field images[{i}].id: {number} is given twice")
        images[number] = _image(path, i, item)
    objects, crowds = _objects(path, told, images, categories)
    countable = min([1, *images, *(item.id for found in objects.values() for item in found if item.id is not None)]) >= 1
    if not countable:
        objects = {number: [replace(item, id=None) for item in found] for number, found in objects.items()}
    info, dropped = told.get("info"), [f"{crowds} crowd regions"] if crowds else []
    return Dataset(
        labels=tuple(categories[number] for number in sorted(categories)),
        pictures=tuple(LabelledPicture(*facts, tuple(objects[number]), number if countable else None) for number, facts in images.items()),
        info=info if isinstance(info, dict) else {},
        dropped=tuple(dropped if countable else [*dropped, "ids below 1: pictures and boxes are counted from 1"]),
    )


def _objects(
    path: Path, told: Mapping[str, Any], images: Mapping[int, object], categories: Mapping[int, str]
) -> tuple[dict[int, list[LabelledBox]], int]:
    """The boxes by image, and how many crowd regions were left out."""
    objects: dict[int, list[LabelledBox]] = {number: [] for number in images}
    seen: set[int] = set()
    crowds = 0
    for i, item in _items(path, told, "annotations"):
        if item.get("iscrowd"):
            crowds += 1
            continue
        image = _known(path, f"annotations[{i}].image_id", item.get("image_id"), images)
        label = categories[_known(path, f"annotations[{i}].category_id", item.get("category_id"), categories)]
        number = _id(path, f"annotations[{i}].id", item.get("id"))
        if number in seen:
            raise UsageError(f"{path}: field annotations[{i}].id: {number} is given twice")
        seen.add(number)
        objects[image].append(LabelledBox(label, _box(path, f"annotations[{i}].bbox", item.get("bbox")), number))
    return objects, crowds


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} has more than {LARGEST // 1_000_000_000} GB: split it")
        told = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} does not exist") from error
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise UsageError(f"{path}: a COCO file is an object with images, annotations and categories")
    return told


def _items(path: Path, told: Mapping[str, Any], field: str) -> Sequence[tuple[int, Mapping[str, Any]]]:
    value = told.get(field)
    if not isinstance(value, list):
        raise UsageError(f"{path}: field {field} must be a list")
    for i, item in enumerate(value):
        if not isinstance(item, dict):
            raise UsageError(f"{path}: field {field}[{i}] must be an object")
    return list(enumerate(value))


def _id(path: Path, field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{path}: field {field} must be a whole number")
    return value


def _known(path: Path, field: str, value: object, known: Mapping[int, object]) -> int:
    number = _id(path, field, value)
    if number not in known:
        raise UsageError(f"{path}: field {field}: there is no {number}")
    return number


def _name(path: Path, i: int, item: Mapping[str, Any]) -> str:
    name = item.get("name")
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"{path}: field categories[{i}].name must be a text")
    return name


def _image(path: Path, i: int, item: Mapping[str, Any]) -> tuple[str, int, int]:
    name = item.get("file_name")
    if not isinstance(name, str) or not name:
        raise UsageError(f"{path}: field images[{i}].file_name must be a text")
    width, height = (_id(path, f"images[{i}].{side}", item.get(side)) for side in ("width", "height"))
    if width < 1 or height < 1:
        raise UsageError(f"{path}: field images[{i}]: width and height must be at least 1")
    return name, width, height


def _box(path: Path, field: str, value: object) -> Box:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 4 or not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
        raise UsageError(f"{path}: field {field} must be four finite numbers: x, y, width, height")
    x, y, width, height = (float(n) for n in numbers)
    if width < 0 or height < 0:
        raise UsageError(f"{path}: field {field}: width and height must not be negative")
    return Box(x, y, x + width, y + height)
