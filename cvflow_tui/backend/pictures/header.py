"""What can be known of a picture without decoding it: size as displayed, digest, and whether the file is whole."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cvflow_tui.model.pictures import CUT_OFF, FORMATS, NO_PICTURE
from cvflow_tui.model.text import one_line

MOST_PIXELS = 200_000_000
"""Pictures above this are refused: decoding one would take more than 800 MB."""

DECODED_WHOLE = 25_000_000
"""Formats without an end mark are decoded to see whether they are whole, up to so many pixels."""

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's size in pixels as displayed (EXIF orientation applied) and its digest, or why it can't be read."""

    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    error: str | None = None


def stamp_of(path: Path) -> str | None:
    """A mark that changes when the file changes; None where it can't be looked at."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_size}:{status.st_mtime_ns}"


def read_header(path: Path) -> Header:
    """Look at a picture's header and digest. Never raises: an unreadable picture is a header with `error`."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            width, height, problem = _look(file)
    except OSError as error:
        return Header(error=one_line(f"{path.name} can't be read: {error.strerror or error}"))
    except Exception as error:  # picture files are foreign bytes, and decoders raise whatever comes to them
        return Header(error=one_line(f"{path.name} can't be read: {type(error).__name__}: {error}"))
    if problem:
        return Header(sha256=digest, error=one_line(f"{path.name}: {problem}"))
    return Header(width, height, digest)


def _look(file: IO[bytes]) -> tuple[int, int, str | None]:
    from PIL import Image, UnidentifiedImageError

    _allow_large(Image)
    try:
        picture = Image.open(file)
    except UnidentifiedImageError:
        return 0, 0, NO_PICTURE
    except Image.DecompressionBombError:
        return 0, 0, f"more than {MOST_PIXELS // 1_000_000} megapixels: scale it down first"
    if picture.format not in FORMATS:
        return 0, 0, NO_PICTURE
    width, height = picture.size
    if width * height > MOST_PIXELS:
        return 0, 0, f"{width * height // 1_000_000} megapixels: scale it down below {MOST_PIXELS // 1_000_000} first"
    if picture.format != "TIFF" and picture.getexif().get(_ORIENTATION) in _TURNED:  # Pillow turns TIFF files itself
        width, height = height, width
    return width, height, None if _is_whole(picture, file) else CUT_OFF


def _allow_large(image: Any) -> None:
    # Pillow warns at 89 and refuses at 179 megapixels; the limit here is our own. Its warnings would land on the terminal.
    if image.MAX_IMAGE_PIXELS != MOST_PIXELS:
        image.MAX_IMAGE_PIXELS = MOST_PIXELS
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _is_whole(picture: Any, file: IO[bytes]) -> bool:
    if picture.format in ("JPEG", "MPO"):
        return _jpeg_ends(file)
    if picture.format == "PNG":
        return _png_ends(file)
    if picture.size[0] * picture.size[1] > DECODED_WHOLE:
        return True
    try:
        picture.load()
    except (OSError, EOFError, ValueError, IndexError, SyntaxError):
        return False
    return True


def _jpeg_ends(file: IO[bytes]) -> bool:
    """Whether the end mark follows the first scan; the segments before it (a thumbnail has an end mark too) are stepped over."""
    file.seek(2)
    while True:
        mark = file.read(2)
        if len(mark) < 2 or mark[0] != 0xFF:
            return False
        if mark[1] == 0xFF:  # a fill byte: the mark begins one later
            file.seek(-1, os.SEEK_CUR)
        elif mark[1] == 0xDA:
            return b"\xff\xd9" in file.read()
        elif mark[1] != 0x01 and not 0xD0 <= mark[1] <= 0xD8:
            length = int.from_bytes(file.read(2), "big")
            if length < 2:
                return False
            file.seek(length - 2, os.SEEK_CUR)


def _png_ends(file: IO[bytes]) -> bool:
    """Whether the chain of chunks reaches IEND."""
    end = file.seek(0, os.SEEK_END)
    at = 8
    while at + 12 <= end:
        file.seek(at)
        length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        at += 12 + length
        if kind == b"IEND":
            return at <= end
    return False
