"""Tensors of the Open Inference Protocol: out of JSON, out of binary data, and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvflow_tui.backend.runtime.runner.faults import bad_input

INTEGERS = {
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}
FLOATS = ("FP16", "FP32", "FP64")
_CODES = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
_ELEMENTS = 1_000_000
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input as its JSON tells it; `data` is flat, and None where it comes as binary data of `binary_size` bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any] | None
    binary_size: int | None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)


def read_tensor(told: Any, most: int) -> Tensor:
    """One of `inputs`. Raises Fault 400 naming what is wrong; shared memory is refused: a client names no region of this machine."""
    if not isinstance(told, dict) or not isinstance(name := told.get("name"), str):
        raise bad_input("inputs: each is an object with a name")
    where = f"input {name[:60]!r}"
    datatype, shape, parameters = told.get("datatype"), told.get("shape"), parameters_of(told, where)
    if datatype not in _CODES and datatype != "BYTES":
        raise bad_input(f"{where}: datatype {str(datatype)[:20]!r} is none of {', '.join([*_CODES, 'BYTES'])}")
    if not isinstance(shape, list) or len(shape) > 8 or not all(type(size) is int and 0 <= size <= _ELEMENTS for size in shape):
        raise bad_input(f"{where}: shape must be a list of at most 8 whole numbers")
    size = parameters.get("binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise bad_input(f"{where}: binary_data_size must be a whole number")
    if (size is None) == ("data" not in told):
        raise bad_input(f"{where}: either data or binary_data_size is wanted")
    data = None if size is not None else list(_flat(told["data"], where))
    tensor = Tensor(name, datatype, tuple(shape), data, size, parameters)
    if tensor.count > most:
        raise bad_input(f"{where}: {tensor.count} elements; at most {most} are taken")
    if data is not None:
        _check(tensor, where)
    return tensor


def parameters_of(told: dict[str, Any], where: str) -> dict[str, Any]:
    """The parameters of a request, an input or an output. Raises Fault 400."""
    parameters = told.get("parameters", {})
    if not isinstance(parameters, dict):
        raise bad_input(f"{where}: parameters must be an object")
    for name in ("shared_memory_region", "classification"):
        if name in parameters:
            raise bad_input(f"{where}: {name} is not served here")
    return parameters


def unpack(tensor: Tensor, data: bytes) -> list[Any]:
    """The elements of binary data (not for large BYTES). Raises Fault 400 where it is not as long as the shape says."""
    where = f"input {tensor.name[:60]!r}"
    if tensor.datatype == "BYTES":
        elements, position = [], 0
        while position + 4 <= len(data):
            (length,) = _LENGTH.unpack_from(data, position)
            elements.append(data[position + 4 : position + 4 + length])
            position += 4 + length
        if position != len(data) or len(elements) != tensor.count:
            raise bad_input(f"{where}: the binary data is not {tensor.count} elements, each a length and as many bytes")
        return elements
    form = struct.Struct(f"<{tensor.count}{_CODES[tensor.datatype]}")
    if form.size != len(data):
        raise bad_input(f"{where}: {len(data)} bytes; {tensor.count} of {tensor.datatype} are {form.size}")
    return list(form.unpack(data))


def pack(elements: Sequence[bytes]) -> bytes:
    """BYTES as binary data."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def _flat(data: Any, where: str, depth: int = 0) -> Iterator[Any]:
    if not isinstance(data, list):
        if depth == 0:
            raise bad_input(f"{where}: data must be a list")
        yield data
    elif depth > 8:
        raise bad_input(f"{where}: data is nested too deeply")
    else:
        for element in data:
            yield from _flat(element, where, depth + 1)


def _check(tensor: Tensor, where: str) -> None:
    data, datatype = tensor.data, tensor.datatype
    assert data is not None
    if len(data) != tensor.count:
        raise bad_input(f"{where}: {len(data)} elements; the shape {list(tensor.shape)} has {tensor.count}")
    if datatype == "BYTES":
        fits = all(isinstance(element, str) for element in data)
    elif datatype == "BOOL":
        fits = all(type(element) is bool or element in (0, 1) for element in data)
    elif datatype in FLOATS:
        fits = all(type(element) in (int, float) for element in data)
    else:
        low, high = INTEGERS[datatype]
        fits = all(type(element) is int and low <= element <= high for element in data)
    if not fits:
        raise bad_input(f"{where}: an element is no {datatype}")
