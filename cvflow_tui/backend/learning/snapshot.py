"""A round's snapshot: the finished pictures as they are when it begins, shared out and written as a dataset folder."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.annotation import pictures
from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.learning.split import Candidate, Part, shared_out
from cvflow_tui.model.geometry import Box, Size


@dataclass(frozen=True, slots=True)
class Item:
    """A picture of a snapshot with what a person stands behind."""

    id: int
    path: Path
    sha256: str
    size: Size
    part: Part
    objects: tuple[tuple[str, Box], ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a round learns from and is measured by. `missing` pictures could not be read any more."""

    items: tuple[Item, ...]
    missing: tuple[str, ...] = ()

    @property
    def held_back(self) -> tuple[Item, ...]:
        """The pictures to measure by."""
        return tuple(item for item in self.items if item.part == "held_back")

    @property
    def teaches(self) -> bool:
        """Whether there is an annotated picture to learn from."""
        return any(item.objects for item in self.items if item.part == "train")


def take(folder: ProjectFolder, progress: Progress) -> Snapshot:
    """The finished pictures that can be read; the part of each new one is written down for good."""
    rows: list[sqlite3.Row] = []
    missing: list[str] = []
    for row in pictures.finished(folder.database):
        progress.check()
        seen = pictures.looked_at(folder.database, row)
        if seen["width"] is None or seen["sha256"] is None:
            missing.append(seen["name"])
        else:
            rows.append(seen)
    candidates = [Candidate(row["id"], row["sha256"], bool(row["annotations"]), row["split"]) for row in rows]
    parts = shared_out(candidates)
    with folder.database.write() as connection:
        connection.executemany(
            "UPDATE pictures SET split = ? WHERE id = ? AND split IS NULL", [(part, number) for number, part in parts.items()]
        )
    return Snapshot(tuple(_item(folder, row, parts[row["id"]]) for row in rows), tuple(missing))


def write(snapshot: Snapshot, folder: Path, labels: tuple[str, ...], cache: Path) -> None:
    """Write `dataset.json` into a new folder; an old one of that name is from a killed process and goes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = {
        "labels": list(labels),
        "cache": str(cache),
        "items": [
            {
                "path": str(item.path),
                "sha256": item.sha256,
                "width": item.size.width,
                "height": item.size.height,
                "split": item.part,
                "objects": [{"label": label, "box": list(box.corners)} for label, box in item.objects],
            }
            for item in snapshot.items
        ],
    }
    with (folder / "dataset.json").open("w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


def _item(folder: ProjectFolder, row: sqlite3.Row, part: Part) -> Item:
    held = pictures.annotations_of(folder.database, row["id"], folder.labels)
    size = Size(row["width"], row["height"])
    return Item(row["id"], Path(row["path"]), row["sha256"], size, part, tuple((item.label, item.box) for item in held))
