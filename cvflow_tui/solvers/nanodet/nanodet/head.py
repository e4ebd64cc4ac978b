"""A project's head on the frozen features: what `train` writes and serving reads. numpy only."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cvflow
import numpy as np

from nanodet.geometry import CELLS, LEVEL_STARTS, Array

FORMAT = "cvflow-nanodet-head-1"
FEATURES = 128
LEVELS = np.searchsorted(LEVEL_STARTS, np.arange(CELLS), side="right") - 1
"""int64 [3549]: which grid a cell belongs to."""


@dataclass(frozen=True)
class Head:
    """Scores for the project's labels, and a correction of the box distributions.

    score logit = relu(x @ hidden + hidden_level) @ out + out_bias + gain * prior, with x = (features - mean) * scale and `prior` what COCO
    says (see `prior_of`); side logits += x @ side + side_level. All arrays float32.
    """

    labels: tuple[str, ...]
    mean: Array
    """[128]"""
    scale: Array
    """[128]"""
    hidden: Array
    """[128, h]"""
    hidden_level: Array
    """[3, h]: the bias, one a grid."""
    out: Array
    """[h, labels]"""
    out_bias: Array
    """[labels]"""
    gain: Array
    """[labels]: how far what COCO says is believed."""
    source: Array
    """int64 [labels]: the label's place among COCO's, -1 where COCO does not know it."""
    side: Array
    """[128, 44]"""
    side_level: Array
    """[3, 44]"""

    def scores(self, features: Array, coco: Array) -> Array:
        """Scores float32 [3549, labels], 0..1, of one picture's cells, from features [3549, 128] and COCO scores [3549, 80]."""
        hidden = self._normal(features) @ self.hidden
        hidden += self.hidden_level[LEVELS]
        logits = np.maximum(hidden, 0, out=hidden) @ self.out + self.out_bias + prior_of(coco, self.source) * self.gain
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)

    def corrected(self, features: Array, sides: Array, cells: Array) -> Array:
        """Corrected box distributions [k, 44] of the cells [k], from their features [k, 128] and the network's own [k, 44]."""
        return np.asarray(sides + self._normal(features) @ self.side + self.side_level[LEVELS[cells]])

    def _normal(self, features: Array) -> Array:
        return np.asarray((features - self.mean) * self.scale)

    def save(self, path: Path) -> None:
        """Write the checkpoint file, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "labels"}
        meta = np.array(json.dumps({"format": FORMAT, "labels": list(self.labels)}))
        try:
            with temporary.open("wb") as file:
                np.savez(file, meta=meta, **arrays)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Head:
        """Read a checkpoint file. Raises InputError for one that `save` did not write, or that is damaged."""
        try:
            with np.load(path, allow_pickle=False) as told:
                meta = json.loads(str(told["meta"]))
                if meta["format"] != FORMAT:
                    raise cvflow.InputError(f"{path} is a checkpoint of another kind ({meta['format']}); this solver reads {FORMAT}")
                arrays = {field.name: told[field.name] for field in fields(cls) if field.name != "labels"}
                head = cls(tuple(meta["labels"]), **arrays)
        except cvflow.InputError:
            raise
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise cvflow.InputError(f"{path} is no checkpoint of this solver: {error}") from error
        head.check(path)
        return head

    def check(self, path: Path) -> None:
        """Raises InputError where the arrays' shapes do not fit each other."""
        width, count = self.hidden.shape[-1], len(self.labels)
        expected: dict[str, tuple[int, ...]] = {
            "mean": (FEATURES,),
            "scale": (FEATURES,),
            "hidden": (FEATURES, width),
            "hidden_level": (3, width),
            "out": (width, count),
            "out_bias": (count,),
            "gain": (count,),
            "source": (count,),
            "side": (FEATURES, 44),
            "side_level": (3, 44),
        }
        for name, shape in expected.items():
            held: Any = getattr(self, name).shape
            if held != shape:
                raise cvflow.InputError(f"{path} is no checkpoint of this solver: {name} has shape {held}, not {shape}")


def prior_of(coco: Array, source: Array) -> Array:
    """What COCO says of labels, float32 [cells, labels]: logits within ±9.2; 0 for a label that COCO does not know."""
    known = source >= 0
    prior = np.zeros((len(coco), len(source)), np.float32)
    bounded = np.clip(coco[:, source[known]].astype(np.float32), 1e-4, 1 - 1e-4)
    prior[:, known] = np.log(bounded / (1 - bounded))
    return prior
