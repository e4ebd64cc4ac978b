"""The picture a solver is handed: read as it is displayed, whatever its file says."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvflow.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

MAX_PIXELS = 200_000_000
"""Larger pictures are refused before they are decoded: a few kilobytes of PNG can ask for gigabytes of memory."""

FORMATS = frozenset({"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"})
"""What is read, in Pillow's words. Its other readers have few users and many mistakes, and that of EPS hands the file to Ghostscript."""

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
# What Pillow's readers raise on files that are damaged in ways they did not foresee.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError, OverflowError, MemoryError)


class Image:
    """A picture file. Nothing is read before it is asked for; reading raises InputError, in one line, for a picture that can't be read.

    `name` is what errors call it (an upload's path tells its sender nothing); None = "the picture".
    """

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self.path = Path(path)
        self.name = name or "the picture"
        self._size: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"Image({str(self.path)!r})"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as displayed, from the file's header."""
        if self._size is None:
            with self._header() as picture:
                self._size = self._displayed(picture)
        return self._size

    def open(self, at_least: tuple[int, int] | None = None) -> PIL.Image.Image:
        """The picture in mode RGB, turned as its EXIF says; transparency shows white, 16 bits a channel become 8.

        With `at_least` (width, height), a large JPEG may come back at 1/2, 1/4 or 1/8 of its size, no smaller than that: many times
        faster where it will be shrunk anyway.
        """
        with self._header() as picture:
            self._size = self._displayed(picture)
            orientation = _orientation(picture)
            try:
                if at_least is not None:
                    # Pillow stops at the last scale that covers the asked size; asking turned keeps that true after the turn.
                    picture.draft("RGB", at_least[::-1] if orientation in _TURNED else at_least)
                picture.load()
                return _turned(_rgb(picture), orientation)
            except _BROKEN as error:
                raise InputError(f"{self.name} is truncated or broken: {_reason(error)}") from error

    def array(self) -> np.ndarray[Any, Any]:
        """The picture as RGB uint8 [height, width, 3]."""
        import numpy as np

        return np.asarray(self.open())

    def _header(self) -> PIL.Image.Image:
        """The opened, not yet decoded file."""
        import PIL.Image

        with warnings.catch_warnings():
            # The limit below is ours; Pillow's own warning would only fill the solver's log.
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            try:
                picture = PIL.Image.open(self.path)
            except FileNotFoundError as error:
                raise InputError(f"{self.name} is not there: {self.path}") from error
            except PIL.UnidentifiedImageError as error:
                raise InputError(f"{self.name} is no picture, or of a format that can't be read here") from error
            except PIL.Image.DecompressionBombError as error:
                raise InputError(f"{self.name} has too many pixels; at most {MAX_PIXELS // 1_000_000} million are read") from error
            except _BROKEN as error:
                raise InputError(f"{self.name} can't be read: {_reason(error)}") from error
        if picture.format not in FORMATS:  # nothing is decoded yet
            picture.close()
            raise InputError(f"{self.name} is no picture, or of a format that can't be read here")
        width, height = picture.size
        if width * height > MAX_PIXELS:
            picture.close()
            raise InputError(f"{self.name} has too many pixels ({width} x {height}); at most {MAX_PIXELS // 1_000_000} million are read")
        return picture

    @staticmethod
    def _displayed(picture: PIL.Image.Image) -> tuple[int, int]:
        width, height = picture.size
        return (height, width) if _orientation(picture) in _TURNED else (width, height)


def _orientation(picture: PIL.Image.Image) -> int:
    """EXIF orientation 1..8 that is left to apply; 1 where there is none, or none that can be understood."""
    if picture.format == "TIFF":
        return 1  # Pillow turns TIFF files by itself, size and pixels
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        # Viewers show a picture with damaged metadata unturned; so do we.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    from PIL.Image import Transpose

    turns: dict[int, Transpose] = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def _rgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The picture in mode RGB, a copy that lives without its file."""
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture.copy()
    if picture.mode.startswith("I") or picture.mode == "F":
        return _eight_bits(picture).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        import PIL.Image

        seen = picture.convert("RGBA")
        ground = PIL.Image.new("RGBA", seen.size, "white")
        return PIL.Image.alpha_composite(ground, seen).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture of 16 or 32 bits a channel, or of floats, in mode L."""
    values = picture.convert("F")
    _, brightest = values.getextrema()
    assert isinstance(brightest, (int, float))  # a pair for each band where there are several; here is one
    scale = _scale(picture.mode, brightest)
    return values.point(lambda value: value * scale + 0.0).convert("L")


def _scale(mode: str, brightest: float) -> float:
    """What to multiply by so that white becomes 255: by the type's range where the mode tells it, else the smallest that fits."""
    if mode.startswith("I;16"):
        return 255.0 / 65535.0
    ranges = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
    return 255.0 / next((white for white in ranges if brightest <= white), brightest)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:160] or type(error).__name__
