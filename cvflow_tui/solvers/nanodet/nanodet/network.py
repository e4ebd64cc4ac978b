"""The frozen network: pictures in; scores, box distributions and features of every cell out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from cvflow import Image

from nanodet.geometry import INPUT, Array

_MEAN = np.array([103.53, 116.28, 123.675], np.float32)
_SCALE = 1 / np.array([57.375, 57.12, 58.395], np.float32)
_GRIDS = ("s8", "s16", "s32")


@dataclass(frozen=True)
class Outputs:
    """What the network says of n pictures. float32."""

    scores: Array
    """[n, 3549, 80], 0..1, COCO's order."""
    sides: Array
    """[n, 3549, 44] logits: see `geometry.boxes_of`."""
    features: Array | None
    """[n, 3549, 128]: what its last layer saw; None where they were not asked for."""


class Network:
    """NanoDet-m 416 under onnxruntime."""

    def __init__(self, weights: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin between requests would take the cores from the solvers beside this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def __call__(self, tensors: Array, features: bool) -> Outputs:
        """Run pictures prepared by `prepare` [n, 3, 416, 416]."""
        kinds = ("scores", "boxes", "features") if features else ("scores", "boxes")
        names = [f"{kind}_{grid}" for kind in kinds for grid in _GRIDS]
        told = dict(zip(names, self._session.run(names, {"images": tensors}), strict=True))
        scores, sides = (np.concatenate([told[f"{kind}_{grid}"] for grid in _GRIDS], axis=1) for kind in ("scores", "boxes"))
        if not features:
            return Outputs(scores, sides, None)
        seen = [told[f"features_{grid}"].reshape(len(tensors), 128, -1) for grid in _GRIDS]
        return Outputs(scores, sides, np.ascontiguousarray(np.concatenate(seen, axis=2).transpose(0, 2, 1)))


def prepare(image: Image) -> Array:
    """A picture as the network takes it: float32 [3, 416, 416], BGR, stretched, normalised. Raises InputError for an unreadable one."""
    import PIL.Image

    picture = image.open(at_least=(2 * INPUT, 2 * INPUT))
    seen = np.asarray(picture.resize((INPUT, INPUT), PIL.Image.Resampling.BILINEAR))
    return np.ascontiguousarray(((seen[:, :, ::-1] - _MEAN) * _SCALE).transpose(2, 0, 1))


def prepared(images: Sequence[Image]) -> Array:
    """Several pictures, [n, 3, 416, 416]."""
    return np.stack([prepare(image) for image in images])
