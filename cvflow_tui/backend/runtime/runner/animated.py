"""Formats whose files hold many frames: how many, and how large, without decoding one. GIF and WebP here, TIFF by its directories."""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

FRAMES = 2000
"""Frames are counted up to here; a file of more counts as endless."""
ENDLESS = 1 << 40

_CHUNKS = 100_000
_GIF_PIECE = 1 << 20


class Animation(NamedTuple):
    """What a file's frames come to."""

    width: int
    height: int
    frames: int
    exif: bytes = b""
    """The TIFF block that tells an orientation."""


def gif(descriptor: int) -> Animation | None:
    """Walk a GIF's blocks; None where it is none."""
    reader = _Reader(descriptor)
    head = reader.take(13)
    if len(head) < 13 or head[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    width, height = struct.unpack_from("<HH", head, 6)
    reader.skip(_palette(head[10]))
    frames = 0
    while (kind := reader.take(1)) and kind != b";":
        if kind == b"!":
            reader.skip(1)
        elif kind == b",":
            frames += 1
            if frames > FRAMES:
                return Animation(width, height, ENDLESS)
            box = reader.take(9)
            if len(box) < 9:
                break
            left, top, wide, high = struct.unpack_from("<HHHH", box)
            # Readers widen the canvas to what a frame says.
            width, height = max(width, left + wide), max(height, top + high)
            reader.skip(_palette(box[8]) + 1)
        else:
            break
        while (length := reader.take(1)) and length[0]:
            reader.skip(length[0])
    return Animation(width, height, max(1, frames))


def webp(descriptor: int) -> Animation | None:
    """Walk a WebP's chunks; None where it is none."""
    head = os.pread(descriptor, 12, 0)
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    width = height = frames = 0
    exif, position = b"", 12
    for _ in range(_CHUNKS):
        chunk = os.pread(descriptor, 18, position)
        if len(chunk) < 8:
            break
        kind, length = chunk[:4], int.from_bytes(chunk[4:8], "little")
        size = _webp_size(kind, chunk[8:])
        width, height = max(width, size[0]), max(height, size[1])
        frames += kind == b"ANMF"
        if frames > FRAMES:
            return Animation(width, height, ENDLESS)
        if kind == b"EXIF":
            exif = os.pread(descriptor, min(length, 64 * 1024), position + 8).removeprefix(b"Exif\0\0")
        position += 8 + length + (length & 1)
    return Animation(width, height, max(1, frames), exif) if width and height else None


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind == b"VP8X" and len(body) >= 10:
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0


def _palette(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


class _Reader:
    """Reads a file once, from its beginning, a large piece at a time."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._piece = b""
        self._start = 0
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes; fewer at the end."""
        begin = self._at - self._start
        if begin + count > len(self._piece):
            self._piece, self._start, begin = os.pread(self._descriptor, _GIF_PIECE, self._at), self._at, 0
        self._at += count
        return self._piece[begin : begin + count]

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        self._at += count
