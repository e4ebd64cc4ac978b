"""Records into COCO JSON, written in passes so that a million pictures need no memory, and put in place by one rename."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cvflow_tui.cli.labelling.records import Record

Records = Callable[[], Iterable[Record]]
"""Gives all records again each time it is called."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a COCO file holds."""

    pictures: int
    annotations: int
    categories: tuple[str, ...]


def write_coco(out: Path, records: Records, labels: Sequence[str], info: dict[str, Any]) -> Written:
    """Write the pictures that could be labelled, atomically. Category ids follow `labels` from 1; labels beyond them are appended."""
    categories = {label: number for number, label in enumerate(labels, 1)}
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(f'{{"info": {json.dumps(info)},\n"images": [')
            pictures = _write_list(file, _images(records()))
            file.write('],\n"annotations": [')
            annotations = _write_list(file, _annotations(records(), categories))
            listed = [{"id": number, "name": label} for label, number in categories.items()]
            file.write(f'],\n"categories": {json.dumps(listed)}}}\n')
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return Written(pictures, annotations, tuple(categories))


def _write_list(file: IO[str], items: Iterator[dict[str, Any]]) -> int:
    count = 0
    for item in items:
        file.write(f"{',' if count else ''}\n{json.dumps(item)}")
        count += 1
    return count


def _images(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    for number, record in enumerate(records, 1):
        if record.error is None:
            yield {"id": number, "file_name": record.name, "width": record.width, "height": record.height}


def _annotations(records: Iterable[Record], categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    count = 0
    for number, record in enumerate(records, 1):
        for each in record.objects if record.error is None else ():
            count += 1
            x0, y0, x1, y1 = each["box"]
            category = categories.setdefault(each["label"], len(categories) + 1)
            told = {"id": count, "image_id": number, "category_id": category, "bbox": [x0, y0, x1 - x0, y1 - y0]}
            told |= {"area": (x1 - x0) * (y1 - y0), "iscrowd": 0}
            if each.get("score") is not None:
                told["score"] = each["score"]
            if segmentation := each.get("polygons") or each.get("mask"):
                told["segmentation"] = segmentation
            yield told
