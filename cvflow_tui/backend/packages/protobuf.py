"""Just enough of protobuf's wire format to look into an ONNX model without loading it."""

from __future__ import annotations

from collections.abc import Iterator


def fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The length-delimited fields of a message as (number, bytes). Ends quietly where the bytes are no message any more."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind, number = key & 7, key >> 3
        if kind == 0:
            _, at = _varint(data, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > end:
                return
            yield number, data[at : at + length]
            at += length
        else:
            return


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number and where the next thing begins; past the end for one that is cut off."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
    return 0, len(data)
