"""A picture in memory that costs little: a small pyramid to look at, and the full pixels of a part only when one zooms into it.

A 12-megapixel JPEG is decoded at a quarter of its size (libjpeg does that in the transform, in a third of the time and a sixteenth of
the memory). What lies deeper is decoded again from the file when a zoom asks for it, and only the part in view is kept.
"""

from __future__ import annotations

import io
import math
import struct
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.pictures import CUT_OFF, FORMATS, NO_PICTURE
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.image_canvas.orientation import displayed_size, orientation_of, stored_box, upright

KEPT_PIXELS = 2_000_000
"""Pixels of the largest level that stays in memory, and of a detail."""
LIMIT_PIXELS = 200_000_000
"""Pictures beyond are refused."""
LIMIT_WHOLE = 50_000_000
"""Pictures beyond are refused where the format can only be decoded whole (all but JPEG)."""
DETAIL_DECODE = 25_000_000
"""Pixels that looking closely may decode at once; a larger JPEG is looked at in half or a quarter of its resolution."""
_SMALLEST_LEVEL = 128

# Pillow warns at 89 megapixels and raises at 179; the limits above are checked instead, before a pixel is decoded.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
if Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, LIMIT_PIXELS)


class PictureError(UsageError):
    """A picture that can't be shown: unreadable, truncated, empty or too large. The message is one line that names it."""


@dataclass(frozen=True, eq=False)
class _Level:
    """Pixels of the part of the picture that starts at (x, y), each standing for `factor` x `factor` pixels of it."""

    image: Image.Image
    factor: float
    x: float = 0.0
    y: float = 0.0

    def covers(self, box: Box) -> bool:
        return (
            box.x0 >= self.x - 1e-6
            and box.y0 >= self.y - 1e-6
            and box.x1 <= self.x + self.image.width * self.factor + 1e-6
            and box.y1 <= self.y + self.image.height * self.factor + 1e-6
        )


class CanvasPicture:
    """A decoded picture. `size` is that of the picture as displayed; every coordinate here is a pixel of it."""

    def __init__(self, source: bytes | Path, name: str, size: Size, stored: Size, orientation: int, levels: list[_Level]) -> None:
        self.name = name
        self.size = size
        self._source = source
        self._stored = stored
        self._orientation = orientation
        self._levels = levels
        self._detail: _Level | None = None
        self._lock = threading.Lock()

    @classmethod
    def load(cls, data: bytes | Path, name: str = "") -> CanvasPicture:
        """Decode a picture; blocking, for a worker thread. `name` is what errors call it (default: the file's name).

        Raises PictureError, one line, for what is no picture, is truncated, or is too large.
        """
        name = one_line(name or (data.name if isinstance(data, Path) else "the picture"))
        try:
            with Image.open(data if isinstance(data, Path) else io.BytesIO(data)) as image:
                stored = Size(*image.size)
                _check_size(image, name)
                orientation = orientation_of(image)
                pixels, factor = _decode(image, _reduction(stored, KEPT_PIXELS))
        except (OSError, SyntaxError, ValueError, EOFError, struct.error, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise _unreadable(name, error) from error
        levels = [_Level(upright(pixels, orientation), factor)]
        while max(levels[-1].image.size) > _SMALLEST_LEVEL:
            last = levels[-1]
            levels.append(_Level(last.image.reduce(2), last.factor * 2))
        return cls(data, name, displayed_size(stored, orientation), stored, orientation, levels)

    @classmethod
    def from_array(cls, pixels: NDArray[np.uint8], name: str = "") -> CanvasPicture:
        """A picture from RGB uint8 [height, width, 3]; at most 2 megapixels of it are kept.

        Raises PictureError for an array without pixels.
        """
        if pixels.size == 0:
            raise PictureError(f"{name or 'the picture'}: has no pixels")
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        return cls.load(buffer.getvalue(), name)

    @property
    def kept_bytes(self) -> int:
        """Memory that the decoded levels take (Pillow keeps four bytes a pixel)."""
        with self._lock:
            kept = [*self._levels, *([self._detail] if self._detail else [])]
        return sum(level.image.width * level.image.height * 4 for level in kept)

    def sample(self, box: Box, width: int, height: int) -> NDArray[np.uint8]:
        """The pixels of `box` (inside the picture) as RGB uint8 [height, width, 3], from the best level there is; never decodes."""
        level = self._level_for(box, width, height)
        image, factor = level.image, level.factor
        left, top = (box.x0 - level.x) / factor, (box.y0 - level.y) / factor
        right, bottom = (box.x1 - level.x) / factor, (box.y1 - level.y) / factor
        window = _window((left, top, right, bottom), image.size)
        magnified = width / (window[2] - window[0])
        # Reducing averages; magnifying smooths a little, and shows pixels as pixels where they are larger than a few sub-cells.
        filter_ = Image.Resampling.BOX if magnified <= 1 or magnified > 4 else Image.Resampling.BILINEAR
        return np.asarray(image.resize((width, height), filter_, box=window))

    def wants_detail(self, box: Box, width: int) -> bool:
        """Whether `box` drawn `width` pixels wide would show more if `load_detail` were called first."""
        needed = box.width / width
        best = self._level_for(box, width, 1)
        return best.factor > needed * 1.2 and best.factor > self._finest_factor() * 1.01

    def load_detail(self, box: Box, width: int) -> None:
        """Decode what `box` needs to be drawn `width` pixels wide and keep it instead of an earlier detail. Blocking: for a worker.

        Raises PictureError where the file can no longer be read.
        """
        factor = max(self._finest_factor(), 2.0 ** math.floor(math.log2(max(1.0, box.width / width))))
        window = _with_margin(box, self.size, factor)
        try:
            with Image.open(self._source if isinstance(self._source, Path) else io.BytesIO(self._source)) as image:
                pixels, factor = _decode(image, int(factor), stored_box(window, self._stored, self._orientation))
        except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
            raise _unreadable(self.name, error) from error
        detail = _Level(upright(pixels, self._orientation), factor, window.x0, window.y0)
        with self._lock:
            self._detail = detail

    def _finest_factor(self) -> float:
        return float(_reduction(self._stored, DETAIL_DECODE))

    def _level_for(self, box: Box, width: int, height: int) -> _Level:
        """The coarsest level with at least twice the resolution asked for, or else the finest."""
        with self._lock:
            detail = self._detail
        levels = [*reversed(self._levels)]
        if detail is not None and detail.covers(box):
            levels.append(detail)
        needed = min(box.width / width, box.height / height)
        levels.sort(key=lambda level: level.factor, reverse=True)
        return next((level for level in levels if level.factor * 2 <= needed), levels[-1])


def _check_size(image: Image.Image, name: str) -> None:
    if image.format not in FORMATS:
        raise UnidentifiedImageError(NO_PICTURE)
    pixels = image.width * image.height
    limit = LIMIT_PIXELS if image.format in ("JPEG", "MPO") else LIMIT_WHOLE
    if pixels == 0:
        raise PictureError(f"{name}: has no pixels")
    if pixels > limit:
        mend = "" if limit == LIMIT_PIXELS else "; save it as JPEG, which can be opened in part"
        raise PictureError(f"{name}: {pixels / 1e6:.0f} megapixels are too many for {image.format} (at most {limit // 10**6}){mend}")


def _reduction(size: Size, pixels: int) -> int:
    """The least power of two by which to reduce both sides so that no more than `pixels` are left."""
    factor = 1
    while size.width * size.height / factor**2 > pixels * 1.2:
        factor *= 2
    return factor


def _decode(image: Image.Image, factor: int, box: Box | None = None) -> tuple[Image.Image, float]:
    """The stored pixels (of `box`) as RGB, reduced by `factor`; returns the reduction reached."""
    drafted = 1
    if factor > 1 and image.format in ("JPEG", "MPO"):
        width, height = image.size
        image.draft("RGB", (max(1, width // factor), max(1, height // factor)))
        drafted = max(1, round(width / image.width), round(height / image.height))
    image.load()
    pixels: Image.Image = image
    if box is not None:
        left, top, right, bottom = (value / drafted for value in box.corners)
        pixels = image.crop((math.floor(left), math.floor(top), min(image.width, math.ceil(right)), min(image.height, math.ceil(bottom))))
    pixels = _as_rgb(pixels)
    rest = factor // drafted
    return (pixels.reduce(rest) if rest > 1 else pixels), float(drafted * max(1, rest))


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        values = np.asarray(image, dtype=np.float64)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        scaled = (values - low) * (255 / (high - low) if high > low else 0)
        image = Image.fromarray(np.nan_to_num(scaled).astype(np.uint8))
    return image.convert("RGB")


def _with_margin(box: Box, size: Size, factor: float) -> Box:
    """Whole pixels around `box`, up to half its size on each side as far as `KEPT_PIXELS` allow, so that a small pan needs no decoding."""
    room = math.sqrt(KEPT_PIXELS * factor**2 / max(1.0, box.area))
    share = min(0.5, max(0.0, (room - 1) / 2))
    wide = Box(box.x0 - box.width * share, box.y0 - box.height * share, box.x1 + box.width * share, box.y1 + box.height * share).clipped(
        size
    )
    # On multiples of the reduction, so that a drafted pixel belongs to it whole.
    step = int(factor)
    return Box(
        math.floor(wide.x0 / step) * step,
        math.floor(wide.y0 / step) * step,
        min(size.width, math.ceil(wide.x1 / step) * step),
        min(size.height, math.ceil(wide.y1 / step) * step),
    )


def _window(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box inside an image, with some extent even where it lies on its edge."""
    left, top, right, bottom = box
    left, top = min(max(left, 0.0), size[0] - 1e-3), min(max(top, 0.0), size[1] - 1e-3)
    return left, top, min(max(right, left + 1e-3), size[0]), min(max(bottom, top + 1e-3), size[1])


def _unreadable(name: str, error: Exception) -> PictureError:
    if isinstance(error, PictureError):
        return error
    if isinstance(error, FileNotFoundError):
        return PictureError(f"{name}: the file is not there any more")
    if isinstance(error, PermissionError):
        return PictureError(f"{name}: may not be read")
    if isinstance(error, UnidentifiedImageError):
        return PictureError(f"{name}: {NO_PICTURE}")
    said = one_line(str(error)) or type(error).__name__
    if "truncated" in said.lower() or isinstance(error, EOFError):
        return PictureError(f"{name}: {CUT_OFF}")
    return PictureError(f"{name}: can't be decoded ({said})")
