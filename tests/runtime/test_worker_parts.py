"""The worker's pieces that have rules: parameters, results; and the runner's reading of headers."""

from __future__ import annotations

import importlib
import io
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Literal, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.runner.pictures import quick_facts, slow_facts
from cvflow_tui.backend.runtime.worker import SDK


@pytest.fixture(scope="module", autouse=True)
def sdk() -> Iterator[None]:
    sys.path.insert(0, str(SDK))
    yield
    sys.path.remove(str(SDK))


def module(name: str) -> Any:
    return importlib.import_module(f"cvflow_worker.{name}")


def infer(  # type: ignore[no-untyped-def]  # one argument is bare, as packages have it
    image: Any,
    number: float,
    count: int = 1,
    flag: bool = False,
    word: str = "w",
    top: Optional[int] = None,  # noqa: UP045 - as packages for old Pythons write it
    new: float | None = 2.0,
    mode: Literal["fast", "exact"] = "fast",
    boxes: list[int] = [],  # noqa: B006 - as packages have it
    bare=3,
) -> None:
    """A signature with all that occurs."""


def test_parameters_are_described_and_converted() -> None:
    parameters = module("parameters").Parameters(infer, skip=1)
    described = {item["name"]: (item["type"], item["required"]) for item in parameters.describe()}
    assert described["number"] == ("float", True)
    assert described["top"] == ("int", False)
    assert described["new"] == ("float", False)
    assert described["bare"] == ("int", False)
    json.dumps(parameters.describe(), allow_nan=False)
    told = {"number": "1e-2", "count": "-3", "flag": "ON", "word": "7", "top": "", "new": "null"}
    told |= {"mode": "exact", "boxes": "[1,2]", "bare": "4"}
    assert parameters.convert(told) == {
        "number": 0.01,
        "count": -3,
        "flag": True,
        "word": "7",
        "top": None,
        "new": None,
        "mode": "exact",
        "boxes": [1, 2],
        "bare": 4,
    }


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({}, "missing parameter 'number'"),
        ({"number": "inf"}, "'number' must be a number"),
        ({"number": True}, "'number'"),
        ({"number": "1_0"}, "'number'"),
        ({"number": 1, "count": "1_0"}, "'count'"),
        ({"number": 1, "count": "\u0663"}, "'count'"),
        ({"number": 1, "count": 2.5}, "'count'"),
        ({"number": 1, "mode": "slow"}, "'mode' must be one of "),
        ({"number": 1, "flag": "maybe"}, "true or false"),
        ({"number": 1, "other": 1}, "unknown parameter 'other'; known: number (float), count (int)"),
    ],
)
def test_what_does_not_fit_is_named(told: dict[str, Any], word: str) -> None:
    with pytest.raises(module("faults").BadParameter) as refusal:
        module("parameters").Parameters(infer, skip=1).convert(told)
    assert word in str(refusal.value)


@given(
    st.dictionaries(
        st.text(max_size=5), st.floats() | st.integers() | st.text() | st.booleans() | st.none() | st.tuples(st.floats(), st.text())
    )
)
def test_cleaned_results_are_json_and_keep_what_json_can_say(value: dict[str, Any]) -> None:
    cleaned = module("cleaning").clean(value)
    assert json.loads(json.dumps(cleaned, allow_nan=False)) == cleaned
    for key, item in value.items():
        if isinstance(item, float) and not math.isfinite(item):
            assert cleaned[key] is None
        elif isinstance(item, tuple):
            assert len(cleaned[key]) == 2
        else:
            assert cleaned[key] == item


def test_a_number_that_no_float_can_hold_is_null_and_other_large_ones_stay() -> None:
    clean = module("cleaning").clean
    assert clean({"a": 10**400, "b": -(10**400), "c": 10**300, "d": -5}) == {"a": None, "b": None, "c": 10**300, "d": -5}


def test_numpy_is_cleaned_and_what_has_no_json_form_is_named() -> None:
    import numpy as np

    clean = module("cleaning").clean
    told = clean({"a": np.float32(0.5), "b": np.arange(4).reshape(2, 2), "c": (np.int64(3), np.bool_(True)), "d": np.array([np.nan, 1.0])})
    assert told == {"a": 0.5, "b": [[0, 1], [2, 3]], "c": [3, True], "d": [None, 1.0]}
    with pytest.raises(TypeError, match="object"):
        clean({"x": object()})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="deeper"):
        clean(endless)


def test_a_result_of_another_shape_is_left_as_it_is() -> None:
    complete = module("completing").Completer({"task": "other", "package": "a/b", "version": "1", "checkpoint": "/x/round-3.npz"}).complete
    assert complete([1, 2], (3, 4)) == [1, 2]
    assert complete({"faces": 3}, (3, 4)) == {"faces": 3}
    told = complete({"objects": [], "model": None, "image": {"width": 1, "height": 2}}, (3, 4))
    assert told == {
        "task": "other",
        "model": {"package": "a/b", "version": "1", "checkpoint": "round-3.npz"},
        "image": {"width": 1, "height": 2},
        "objects": [],
    }


def read_size(data: bytes) -> tuple[int, int] | None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        facts = quick_facts(file.fileno(), 1 << 23) or slow_facts(file.fileno())
        return facts.size if facts else None


@settings(deadline=None)  # the first one imports Pillow
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF"]),
    st.integers(0, 9),
    st.integers(0, 90_000),
)
def test_header_sizes_are_those_that_pillow_displays(width: int, height: int, kind: str, orientation: int, profile: int) -> None:
    from PIL import Image, ImageOps

    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, kind, exif=exif, icc_profile=bytes(profile) if profile else None)
    assert read_size(file.getvalue()) == ImageOps.exif_transpose(Image.open(file)).size


@given(st.data())
def test_damaged_headers_never_raise(data: st.DataObject) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (9, 5)).save(file, data.draw(st.sampled_from(["JPEG", "PNG"])), exif=exif)
    damaged = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, min(len(damaged) - 1, 200)))] = data.draw(st.integers(0, 255))
    size = read_size(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    assert size is None or min(size) >= 1
