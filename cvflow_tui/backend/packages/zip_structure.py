"""Zip archives that two programs would read differently are refused: what was looked at must be what somebody else unpacks."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import IO

_LOCAL = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")
_DESCRIPTORS = (12, 16, 20, 24)
"""Bytes that may follow a member's data with its sizes, where the header before it has none (flag 3)."""
_ENCRYPTED, _SIZES_FOLLOW, _STRONG = 0x1, 0x8, 0x40


def check_structure(opened: zipfile.ZipFile, path: Path) -> None:
    """Raise zipfile.BadZipFile unless the list at an archive's end and the headers before its members tell the same, byte for byte.

    Nothing stands before the first member, between two, or after the end: a program that reads from the front would find other files
    there than one that reads the list. Members that share bytes (how small archives become enormous) do not fit either.
    """
    with path.open("rb") as file:
        at = 0
        for info in sorted(opened.infolist(), key=lambda each: each.header_offset):
            if info.header_offset != at:
                raise zipfile.BadZipFile(f"there are bytes before {info.filename!r} that belong to no member, or to two")
            at = _end_of(file, info, opened.start_dir)
        if at != opened.start_dir:
            raise zipfile.BadZipFile("there are bytes after the last member that belong to none")
        _check_end(file, opened)


def _end_of(file: IO[bytes], info: zipfile.ZipInfo, limit: int) -> int:
    """Where the next thing begins, after a look at a member's own header."""
    header = _read(file, info.header_offset, _LOCAL.size)
    signature, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{info.filename!r} has no header")
    name = _read(file, info.header_offset + _LOCAL.size, name_length)
    if name.decode("utf-8" if flags & 0x800 else "cp437", "replace") != info.orig_filename:
        raise zipfile.BadZipFile(f"{info.filename!r} is called otherwise in its own header")
    follows = bool(flags & _SIZES_FOLLOW)
    same = method == info.compress_type and not (flags ^ info.flag_bits) & (_ENCRYPTED | _SIZES_FOLLOW | _STRONG)
    large = 0xFFFFFFFF in (packed, size)  # then the true ones are in the extra field, and the ends below must agree
    if not follows:
        same = same and crc == info.CRC and (large or (packed, size) == (info.compress_size, info.file_size))
    if not same:
        raise zipfile.BadZipFile(f"{info.filename!r} is told otherwise in its own header")
    end = info.header_offset + _LOCAL.size + name_length + extra_length + info.compress_size
    return _after_descriptor(file, info, end, limit) if follows else end


def _after_descriptor(file: IO[bytes], info: zipfile.ZipInfo, end: int, limit: int) -> int:
    """Where a member ends whose sizes follow it: at the next header, or at the list."""
    for length in _DESCRIPTORS:
        if end + length == limit or (end + length < limit and _read(file, end + length, 4) == b"PK\x03\x04"):
            told = _read(file, end, length)
            if info.CRC.to_bytes(4, "little") in (told[:4], told[4:8]):
                return end + length
    raise zipfile.BadZipFile(f"what follows {info.filename!r} does not tell its sizes")


def _check_end(file: IO[bytes], opened: zipfile.ZipFile) -> None:
    size = file.seek(0, 2)
    at = size - _END.size - len(opened.comment)
    told = _END.unpack(_read(file, max(0, at), _END.size)) if at >= 0 else None
    if told is None or told[0] != b"PK\x05\x06" or told[-1] != len(opened.comment) or b"PK\x05\x06" in opened.comment:
        raise zipfile.BadZipFile("there are bytes after its end, or two ends")
    if told[3] not in (told[4], 0xFFFF) or told[4] not in (len(opened.infolist()), 0xFFFF):
        raise zipfile.BadZipFile("its end tells of another number of members")


def _read(file: IO[bytes], at: int, length: int) -> bytes:
    file.seek(at)
    data = file.read(length)
    if len(data) != length:
        raise zipfile.BadZipFile("it ends too early")
    return data
