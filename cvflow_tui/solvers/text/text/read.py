"""Where text stands and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cvflow
import numpy as np
from rapidocr import RapidOCR

from text.threads import sleep_between_pictures

LABEL = "text"
THINNEST = 6
"""How many times longer than wide a picture may be: rapidocr makes 736 pixels of the shorter side, whatever becomes of the longer one."""
SAME = 0.5
"""Two readings whose boxes overlap (IoU) by more than this are of one line."""

_FILES = {"Det": "PP-OCRv6_det_small.onnx", "Rec": "PP-OCRv6_rec_small.onnx"}
"""rapidocr's name of a network → the weight it shall use: ours, whose digests were checked, not the wheel's own copy."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Line:
    """A line as it was read."""

    corners: Array
    """x, y [4, 2] in pixels of the picture, from the text's own upper left corner on, clockwise."""
    words: str
    score: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The upright box around it."""
        (x0, y0), (x1, y1) = self.corners.min(axis=0), self.corners.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def detection(self) -> cvflow.Detection:
        """The line as an object of an answer."""
        return cvflow.Detection(LABEL, self.score, self.box, polygons=[self.corners.ravel().tolist()], text=self.words)


class TextReader(cvflow.Solver):
    """Finds lines of text (Latin script, Chinese, Japanese, digits) and reads each."""

    def __init__(self) -> None:
        settings: dict[str, Any] = {f"{network}.model_path": str(self.weights(file)) for network, file in _FILES.items()}
        settings |= {
            "Global.log_level": "error",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": self.threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
        sleep_between_pictures()
        self._reader = RapidOCR(params=settings)
        # rapidocr makes its networks when the first picture comes; a solver that is ready has them.
        self._reader(np.full((64, 64, 3), 255, np.uint8))
        self._reader.recognize_txt([np.full((48, 96, 3), 255, np.uint8)])

    def infer(self, image: cvflow.Image, threshold: float = 0.5, turned: bool = False) -> dict[str, Any]:
        """Lines that were read with a score of at least `threshold`, in reading order.

        `turned` reads the picture upside down as well and keeps the surer reading of each line, in twice the time.
        """
        if not 0 <= threshold <= 1:
            raise cvflow.InputError(f"threshold must be between 0 and 1, not {threshold}")
        # The networks were trained on OpenCV's order of channels.
        pixels = np.ascontiguousarray(image.array()[:, :, ::-1])
        lines = self._read(pixels, threshold)
        if turned:
            size = np.array(image.size, float)
            around = self._read(np.ascontiguousarray(pixels[::-1, ::-1]), threshold)
            lines = _surest(lines, [Line(size - line.corners, line.words, line.score) for line in around])
        objects = [
            cvflow.Detection(LABEL, line.score, line.box, polygons=[line.corners.ravel().tolist()], text=line.words) for line in lines
        ]
        return self.result(image, objects=objects)

    def _read(self, pixels: Array, threshold: float) -> list[Line]:
        read = self._reader(_thick_enough(pixels), text_score=threshold)
        found = zip(read.boxes, read.txts, read.scores, strict=True) if len(read) else ()
        inside = pixels.shape[1::-1]
        return [Line(np.clip(np.asarray(corners, float), 0, inside), words, min(1.0, float(score))) for corners, words, score in found]


def _thick_enough(pixels: Array) -> Array:
    """The picture, a long and thin one with a margin of its usual colour, below or at the right."""
    least = -(-max(pixels.shape[:2]) // THINNEST)
    height, width = (max(least, side) for side in pixels.shape[:2])
    if (height, width) == pixels.shape[:2]:
        return pixels
    whole = np.empty((height, width, 3), np.uint8)
    whole[:] = np.median(pixels.reshape(-1, 3), axis=0)
    whole[: pixels.shape[0], : pixels.shape[1]] = pixels
    return whole


def _surest(lines: list[Line], others: list[Line]) -> list[Line]:
    """Of two readings of one line the surer, in the place of the first; what only one of them has is kept."""
    kept = list(lines)
    for other in others:
        same = [place for place, line in enumerate(kept) if _overlap(line.box, other.box) > SAME]
        if not same:
            kept.append(other)
        elif other.score > max(kept[place].score for place in same):
            kept[same[0]] = other
    return kept


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, wide) * max(0.0, high)
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return shared / whole if whole > 0 else 0.0
