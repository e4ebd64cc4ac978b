"""Pictures as the network saw them when it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image
import torch
from cvflow import Image

SHORTER = 256
"""The shorter side is scaled to this, and the middle of it is looked at."""
SEEN = 224

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def prepared(images: Sequence[Image]) -> torch.Tensor:
    """Several pictures, float32 [n, 3, 224, 224]. Raises InputError for an unreadable one."""
    return torch.from_numpy(np.stack([_prepare(image) for image in images]))


def _prepare(image: Image) -> np.ndarray[Any, Any]:
    picture = image.open(at_least=(2 * SHORTER, 2 * SHORTER))
    scale = SHORTER / min(picture.size)
    # The middle is cut before it is scaled: a panorama's sides would be scaled for nothing.
    width, height = picture.size
    half = SEEN / scale / 2
    middle = (max(0.0, width / 2 - half), max(0.0, height / 2 - half), min(width, width / 2 + half), min(height, height / 2 + half))
    seen = picture.resize((SEEN, SEEN), PIL.Image.Resampling.BILINEAR, box=middle)
    return ((np.asarray(seen, np.float32) / 255 - _MEAN) / _DEVIATION).transpose(2, 0, 1)
