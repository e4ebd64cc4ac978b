"""Weights are code: formats that run what their author put into them are named as such, before anybody loads one."""

from __future__ import annotations

import mmap
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cvflow_tui.backend.packages.damaged import DAMAGED
from cvflow_tui.backend.packages.protobuf import fields
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

PICKLE = "pickle"
"""Loading it runs whatever its author wrote into it."""
LAMBDA = "lambda"
"""Its layers may carry Python code of their own."""
RISK = "loading it may run whatever its author put into it"

_BY_NAME = dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy", ".npz"), PICKLE)
_BY_NAME |= dict.fromkeys((".h5", ".hdf5", ".keras"), LAMBDA)
_SAYS_LITTLE = (".bin",)
"""What is called so is often a torch file, and often plain numbers."""

_PICKLED = re.compile(rb"\x80[\x02-\x05]")
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_OBJECTS = re.compile(rb"'descr'\s*:\s*(?:\[.*)?'\|O")


def risk_of(name: str, path: Path | None = None) -> str | None:
    """One word that says why a weight is not to be trusted, or None.

    Without the file (`path`) only its name tells, and a name that may stand for a pickle stands for one.
    """
    named = _BY_NAME.get(PurePosixPath(name.lower()).suffix)
    if path is None or not path.is_file():
        return named
    return _risk_inside(path, named)


def check_external_data(model: Path, root: Path, shown: str) -> None:
    """Raise PackageError for an ONNX model that wants tensors from a file outside of its package.

    A file that is no ONNX model at all passes: whoever loads it will say so.
    """
    if model.suffix.lower() != ".onnx" or not model.stat().st_size:
        return
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        locations = list(external_locations(memoryview(data)))
    for location in locations:
        _check_location(location, model.parent, root, shown)


def external_locations(model: memoryview) -> Iterator[str]:
    """Every file that an ONNX model wants tensors from."""
    with model:
        yield from _walk(model, "model")


# Which fields of which message hold what may hold a tensor (onnx.proto): message -> field number -> message.
_SHAPES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_DEPTH = 64


def _walk(data: memoryview, message: str, depth: int = 0) -> Iterator[str]:
    if message == "entry":
        told = {number: bytes(value) for number, value in fields(data)}
        if told.get(1) == b"location":
            yield told.get(2, b"").decode("utf-8", "surrogateescape")
        return
    if depth > _DEPTH:
        return
    for number, value in fields(data):
        if (inner := _SHAPES[message].get(number)) is not None:
            with value:
                yield from _walk(value, inner, depth + 1)


def _check_location(location: str, folder: Path, root: Path, shown: str) -> None:
    plain = PurePosixPath(location)
    fine = location and not plain.is_absolute() and "\\" not in location and "\0" not in location and ":" not in location
    if not fine or not (folder / plain).resolve().is_relative_to(root.resolve()):
        raise PackageError(f"{shown}: its tensors are said to lie in {one_line(location, 80)!r}, which leads out of the package; refused")


def _risk_inside(path: Path, named: str | None) -> str | None:
    with path.open("rb") as file:
        head = file.read(4096)
    if _PICKLED.match(head):
        return PICKLE
    if head.startswith(b"PK\x03\x04"):
        return _risk_of_zip(path, named)
    if head.startswith(b"\x93NUMPY"):
        return PICKLE if _OBJECTS.search(head) else None
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return LAMBDA if _contains(path, _LAMBDA) else None
    # Compressed joblib files and pickles of the oldest kinds show nothing at their beginning: the name is believed, unless it says nothing.
    return None if path.suffix.lower() in _SAYS_LITTLE else named


def _risk_of_zip(path: Path, named: str | None) -> str | None:
    """A torch file and a numpy archive are zip files of pickles and arrays; a Keras file one with its layers as JSON."""
    try:
        with zipfile.ZipFile(path) as opened:
            for name in opened.namelist():
                if name.endswith((".pkl", ".pickle")):
                    return PICKLE
                if name.endswith(".npy"):
                    with opened.open(name) as member:
                        if _OBJECTS.search(member.read(4096)):
                            return PICKLE
                if name == "config.json":
                    with opened.open(name) as member:
                        if _LAMBDA.search(member.read(16 << 20)):
                            return LAMBDA
            return None
    except (*DAMAGED, OSError):
        return named


def _contains(path: Path, pattern: re.Pattern[bytes]) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return pattern.search(data) is not None
