"""What a picture's header says, before anything decodes it: its size as displayed. JPEG and PNG here, the rest by Pillow."""

from __future__ import annotations

import os
import struct

_FIRST = 2048
_HEAD = 64 * 1024
_ORIENTATION = 0x0112
_PNG = b"\x89PNG\r\n\x1a\n"


def displayed_size(descriptor: int) -> tuple[int, int] | None:
    """Width and height in pixels, after EXIF rotation, of the open file; None for what is no picture that we know."""
    head = os.pread(descriptor, _FIRST, 0)
    size: tuple[int, int] | None = None
    if head.startswith(b"\xff\xd8"):
        size = _jpeg(descriptor, head)
    elif head.startswith(_PNG) and len(head) >= 24 and head[12:16] == b"IHDR":
        size = _png(descriptor, head)
    if size is None or min(size) < 1:
        return _by_pillow(descriptor)
    return size


def _jpeg(descriptor: int, head: bytes) -> tuple[int, int] | None:
    """Walk the segments up to the frame header; the Exif segment, if there is one, comes before it."""
    position, orientation = 2, 1
    while True:
        if position + 9 > len(head):
            # A long segment (a colour profile, a thumbnail) was passed over: read on from where the next one begins.
            more = os.pread(descriptor, max(0, position - len(head)) + _HEAD, len(head)) if len(head) < 16 * 1024 * 1024 else b""
            head += more
            if not more or position + 9 > len(head):
                return None
        if head[position] != 0xFF:
            return None
        marker = head[position + 1]
        if marker == 0xFF:  # fill bytes
            position += 1
            continue
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", head, position + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, position + 5)
            return _turned(width, height, orientation)
        if marker == 0xE1 and head[position + 4 : position + 10] == b"Exif\0\0":
            orientation = _exif_orientation(head[position + 10 : position + 2 + length])
        if marker in (0xD9, 0xDA) or length < 2:
            return None
        position += 2 + length


def _png(descriptor: int, head: bytes) -> tuple[int, int]:
    """Size from IHDR, orientation from an eXIf chunk wherever it stands."""
    width, height = struct.unpack_from(">II", head, 16)
    end, position = os.fstat(descriptor).st_size, len(_PNG)
    for _ in range(10_000):
        chunk = os.pread(descriptor, 8, position)
        if len(chunk) < 8 or position >= end or chunk[4:] == b"IEND":
            break
        length = int.from_bytes(chunk[:4], "big")
        if chunk[4:] == b"eXIf":
            return _turned(width, height, _exif_orientation(os.pread(descriptor, min(length, _HEAD), position + 8)))
        position += 12 + length
    return width, height


def _exif_orientation(tiff: bytes) -> int:
    """The orientation 1..8 that a TIFF block tells; 1 where it tells none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    (offset,) = struct.unpack_from(order + "I", tiff, 4)
    if offset + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(order + "H", tiff, offset)
    for number in range(count):
        entry = offset + 2 + 12 * number
        if entry + 12 > len(tiff):
            return 1
        tag, kind = struct.unpack_from(order + "HH", tiff, entry)
        if tag == _ORIENTATION:
            value = struct.unpack_from(order + ("H" if kind == 3 else "I"), tiff, entry + 8)[0]
            return value if 1 <= value <= 8 else 1
    return 1


def _turned(width: int, height: int, orientation: int) -> tuple[int, int]:
    return (height, width) if orientation in (5, 6, 7, 8) else (width, height)


def _by_pillow(descriptor: int) -> tuple[int, int] | None:
    """Any other format, and a JPEG or PNG that does not read like one. Pillow is imported for these only."""
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None  # the caller holds its own limit
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        try:
            with PIL.Image.open(file) as picture:
                width, height = picture.size
                if picture.format == "TIFF":
                    return width, height  # Pillow turns these by itself
                return _turned(width, height, picture.getexif().get(_ORIENTATION, 1))
        except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError, OverflowError):
            return None  # Pillow's readers raise all of these on damaged files
