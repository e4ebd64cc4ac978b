"""What the network saw in annotated pictures, kept by digest: a round runs the network only on pictures it has not met."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cvflow
import numpy as np

from nanodet.geometry import CELLS, INPUT, Array
from nanodet.network import Network, prepare

BATCH = 4
"""Pictures that go through the network together (each as it is and mirrored)."""


@dataclass(frozen=True)
class View:
    """A picture as it is, or mirrored, with what is true of it."""

    features: Array
    """float16 [3549, 128]"""
    sides: Array
    """float16 [3549, 44], logits."""
    scores: Array
    """float16 [3549, 80], 0..1."""
    boxes: Array
    """float32 [m, 4]: the true boxes, in pixels of the network's input."""
    labels: Array
    """int64 [m]: places among the dataset's labels."""


class ViewCache:
    """A folder with one file a picture, written whole or not at all."""

    def __init__(self, folder: Path, network: Network) -> None:
        self._folder = folder
        self._network = network

    def missing(self, items: Sequence[cvflow.Item]) -> list[cvflow.Item]:
        """The pictures the network has yet to see."""
        return [item for item in items if not self._file(item).exists()]

    def fill(self, items: Sequence[cvflow.Item], seen: Callable[[int], None]) -> None:
        """Run the network on pictures and keep what it says; `seen` is told how many are done. Raises InputError for an unreadable one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(".*.npz.*"):  # half-written by a round that was killed; one round at a time uses the folder
            left.unlink(missing_ok=True)
        for start in range(0, len(items), BATCH):
            part = items[start : start + BATCH]
            tensors = np.stack([prepare(item.image) for item in part])
            outputs = self._network(np.concatenate([tensors, tensors[:, :, :, ::-1]]), features=True)
            assert outputs.features is not None
            for place, item in enumerate(part):
                both = (place, place + len(part))
                self._write(item, outputs.features[both, :], outputs.sides[both, :], outputs.scores[both, :])
            seen(start + len(part))

    def views(self, items: Sequence[cvflow.Item], labels: Sequence[str]) -> Iterator[View]:
        """Each picture's two views, as it is first. A damaged or lost file is made again. Raises InputError for an unreadable picture."""
        for item in items:
            arrays = self._read(item) or self._see(item)
            boxes = _truth(item)
            known = np.array([labels.index(target.label) for target in item.objects], np.int64)
            features, sides, scores = arrays
            yield View(features[0], sides[0], scores[0], boxes, known)
            mirrored = boxes.copy()
            mirrored[:, [0, 2]] = INPUT - boxes[:, [2, 0]]
            yield View(features[1], sides[1], scores[1], mirrored, known)

    def _see(self, item: cvflow.Item) -> tuple[Array, Array, Array]:
        self.fill([item], lambda _: None)
        arrays = self._read(item)
        if arrays is None:
            raise OSError(f"{self._file(item)} can't be read back right after it was written: is the disk full or failing?")
        return arrays

    def _file(self, item: cvflow.Item) -> Path:
        return self._folder / f"{item.sha256}.npz"

    def _read(self, item: cvflow.Item) -> tuple[Array, Array, Array] | None:
        """Features, sides and scores [2, 3549, …]; None where there are none, or the file is damaged."""
        try:
            with np.load(self._file(item), allow_pickle=False) as told:
                arrays = told["features"], told["sides"], told["scores"]
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        return arrays if [array.shape for array in arrays] == [(2, CELLS, width) for width in (128, 44, 80)] else None

    def _write(self, item: cvflow.Item, features: Array, sides: Array, scores: Array) -> None:
        path = self._file(item)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                half = [array.astype(np.float16) for array in (features, sides, scores)]
                np.savez(file, features=half[0], sides=half[1], scores=half[2])
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _truth(item: cvflow.Item) -> Array:
    """The true boxes in pixels of the network's input, float32 [m, 4], clipped to the picture."""
    width, height = (item.width, item.height) if item.width and item.height else item.image.size
    boxes = np.array([target.box for target in item.objects], np.float32).reshape(-1, 4)
    return np.asarray(np.clip(boxes * (INPUT / np.array([width, height] * 2, np.float32)), 0, INPUT))
