"""What a picture's header says, before anything decodes it: its size as displayed, its frames. JPEG and PNG here, the rest by Pillow."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from cvflow_tui.backend.runtime.runner.animated import ENDLESS, FRAMES, gif, webp
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.model.pictures import FORMATS

if TYPE_CHECKING:
    import PIL.Image

_FIRST = 2048
_HEAD = 64 * 1024
_ORIENTATION = 0x0112
_COMPRESSED = (b"zTXt", b"iTXt", b"iCCP")
_DEFLATE_MOST = 1032
"""No byte of deflate's gives more bytes than this."""
_PNG = b"\x89PNG\r\n\x1a\n"


class Facts(NamedTuple):
    """What is known of a picture before it is decoded."""

    size: tuple[int, int]
    """Width and height as displayed, after EXIF rotation."""
    pixels: int
    """Of all frames together."""
    frames: int = 1


def quick_facts(descriptor: int, inflated: int) -> Facts | None:
    """Of a JPEG or PNG that reads like one, in some microseconds; None for anything else.

    Raises Bomb where a PNG's side pieces (texts, a colour profile) inflate to more than `inflated` bytes.
    """
    head = os.pread(descriptor, _FIRST, 0)
    if head.startswith(b"\xff\xd8"):
        size = _jpeg(descriptor, head)
        return Facts(size, size[0] * size[1]) if size is not None and min(size) > 0 else None
    if head.startswith(_PNG) and len(head) >= 24 and head[12:16] == b"IHDR":
        facts = _png(descriptor, head, inflated)
        return facts if min(facts.size) > 0 else None
    return None


def slow_facts(descriptor: int) -> Facts | None:
    """Of any other picture, read off the loop: it may have many frames. None for what is no picture that we know."""
    animation = gif(descriptor) or webp(descriptor)
    if animation is None:
        return _by_pillow(descriptor)
    width, height, frames, exif = animation
    size = _turned(width, height, _exif_orientation(exif))
    return Facts(size, width * height * frames, frames) if min(size) > 0 else None


def oversize(facts: Facts, limits: Limits) -> str | None:
    """Why a picture is larger than is taken; None where it is not."""
    if facts.pixels <= limits.pixels and max(facts.size) <= limits.side:
        return None
    size = f"{facts.size[0]} x {facts.size[1]} pixels"
    if facts.pixels > limits.pixels:
        many = "many frames" if facts.pixels >= ENDLESS else f"{facts.frames} frames"
        frames = f" in {many}" if facts.frames > 1 else ""
        return f"the picture has {size}{frames}; at most {limits.pixels // 1_000_000} million are taken"
    return f"the picture has {size}; at most {limits.side} on a side are taken"


class Bomb(Exception):
    """A picture that is far larger inside than out; the message says where."""


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


def _png(descriptor: int, head: bytes, inflated: int) -> Facts:
    """Size from IHDR, frames from acTL, orientation from an eXIf chunk wherever it stands."""
    width, height = struct.unpack_from(">II", head, 16)
    end, position, orientation, frames = os.fstat(descriptor).st_size, len(_PNG), 1, 1
    compressed: list[tuple[bytes, int, int]] = []
    for _ in range(10_000):
        chunk = os.pread(descriptor, 12, position)
        kind = chunk[4:8]
        if len(kind) < 4 or position >= end or kind == b"IEND":
            break
        length = int.from_bytes(chunk[:4], "big")
        if kind == b"eXIf":
            orientation = _exif_orientation(os.pread(descriptor, min(length, _HEAD), position + 8))
        elif kind == b"acTL" and len(chunk) == 12:
            frames = max(1, int.from_bytes(chunk[8:], "big"))
        elif kind in _COMPRESSED:
            compressed.append((kind, position + 8, length))
        position += 12 + length
    _check_inflated(descriptor, compressed, inflated)
    return Facts(_turned(width, height, orientation), width * height * frames, frames)


def _check_inflated(descriptor: int, chunks: list[tuple[bytes, int, int]], most: int) -> None:
    """Inflate what could be too much (nearly always nothing could). Raises Bomb."""
    if sum(length for _, _, length in chunks) * _DEFLATE_MOST <= most:
        return
    for kind, position, length in chunks:
        most -= _inflates_to(kind, os.pread(descriptor, length, position), most)
        if most < 0:
            raise Bomb(f"its {kind.decode()} pieces inflate to more than is taken")


def _inflates_to(kind: bytes, chunk: bytes, limit: int) -> int:
    """How many bytes the compressed part of a chunk gives, counted to just above the limit."""
    keyword, _, rest = chunk.partition(b"\0")
    if kind == b"iTXt":
        if rest[:1] != b"\1":
            return len(chunk)
        language_and_more = rest[2:].split(b"\0", 2)
        stream = language_and_more[2] if len(language_and_more) == 3 else b""
    else:
        stream = rest[1:]
    try:
        return len(keyword) + len(zlib.decompressobj().decompress(stream, limit + 1))
    except zlib.error:
        return len(chunk)  # what does not inflate is no bomb; the decoder says what it is


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


def _by_pillow(descriptor: int) -> Facts | None:
    """Any other format, and a JPEG or PNG that does not read like one. Pillow is imported for these only."""
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None  # the caller holds its own limit
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        try:
            with PIL.Image.open(file) as picture:
                if picture.format not in FORMATS:
                    return None
                width, height = picture.size
                if picture.format == "TIFF":
                    return _tiff(picture)  # Pillow turns these by itself
                return Facts(_turned(width, height, picture.getexif().get(_ORIENTATION, 1)), width * height)
        except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError, OverflowError):
            return None  # Pillow's readers raise all of these on damaged files


def _tiff(picture: PIL.Image.Image) -> Facts:
    """Each directory of a TIFF is a picture of a size of its own."""
    size, pixels = picture.size, 0
    for frame in range(FRAMES):
        try:
            picture.seek(frame)
        except EOFError:
            return Facts(size, pixels, frame)
        pixels += picture.size[0] * picture.size[1]
    return Facts(size, ENDLESS, FRAMES)
