"""Rule 7: formats that run what their author wrote into them are named; an ONNX model reads nothing outside of its package."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import detail_of, summary_of
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.trust import LAMBDA, PICKLE, external_locations, risk_of
from cvflow_tui.backend.packages.weights import WeightFetcher, WeightStore
from cvflow_tui.model.errors import PackageError
from tests.packages.parts import weight, write_package


@pytest.mark.parametrize(
    ("name", "word"),
    [
        *[(f"net{end}", PICKLE) for end in (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib", ".npy", ".npz", ".PTH")],
        *[(f"net{end}", LAMBDA) for end in (".h5", ".hdf5", ".keras")],
        *[(f"net{end}", None) for end in (".onnx", ".safetensors", ".tflite", ".dat", "")],
    ],
)
def test_a_name_that_may_stand_for_code_is_taken_for_it(name: str, word: str | None) -> None:
    assert risk_of(name) == word


def saved(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), data)
    return buffer.getvalue()


HDF = b"\x89HDF\r\n\x1a\n" + b"\0" * 5000

PACKED = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def damaged(array: bytes, how: int) -> bytes:
    """An archive of one array whose packed bytes are not what they were."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        archive.writestr("w.npy", array)
    data = bytearray(out.getvalue())
    data[45:60] = bytes(byte ^ 0xFF for byte in data[45:60])
    return bytes(data)


CASES = {
    "a pickle under an innocent name": ("net.dat", pickle.dumps({"a": 1}), PICKLE),
    "a pickle under the name of an ONNX model": ("net.onnx", pickle.dumps([1]), PICKLE),
    "a torch file": ("net.pt", zipped(archive__data_DOT_pkl=b"x"), PICKLE),
    "a torch file under another name": ("net.weights", zipped(archive__data_DOT_pkl=b"x"), PICKLE),
    "a plain array": ("net.npy", saved([1.0, 2.0]), None),
    "an array of objects": ("net.npy", saved([{"a": 1}, None]), PICKLE),
    "an archive of arrays": ("net.npz", zipped(w_DOT_npy=saved([1.0])), None),
    "an archive with objects": ("net.npz", zipped(w_DOT_npy=saved([{}, None])), PICKLE),
    "layers": ("net.h5", HDF + b'{"class_name": "Dense"}', None),
    "a layer with code": ("net.h5", HDF + b'{"class_name": "Lambda", "config": {}}', LAMBDA),
    "a Keras archive": ("net.keras", zipped(config_DOT_json=b'{"class_name":"Dense"}'), None),
    "a Keras archive with code": ("net.keras", zipped(config_DOT_json=b'{"class_name":"Lambda"}'), LAMBDA),
    "noise": ("net.safetensors", b"12345678{}", None),
    "a damaged zip": ("net.pt", zipped(x=b"x")[:20], PICKLE),
    **{f"an array damaged in {name}": ("net.npz", damaged(saved([1.0] * 99), how), PICKLE) for name, how in PACKED.items()},
    "plain numbers": ("net.bin", b"1234" * 100, None),
    "a pickle among them": ("net.bin", pickle.dumps([1]), PICKLE),
    "a compressed joblib": ("net.joblib", b"\x78\x9c123", PICKLE),
}


@pytest.mark.parametrize("case", CASES)
def test_the_file_itself_says_more_than_its_name(tmp_path: Path, case: str) -> None:
    name, data, word = CASES[case]
    (tmp_path / name).write_bytes(data)
    assert risk_of(name, tmp_path / name) == word


def test_the_plan_and_the_hub_name_it(tmp_path: Path) -> None:
    tables = [weight("far.pth", "https://h.example/far.pth"), weight("near.npy", "nets/near.npy"), weight("n.onnx", "x.onnx")]
    root = write_package(tmp_path / "p", more="".join(tables))
    (root / "nets").mkdir()
    (root / "nets/near.npy").write_bytes(saved([1.0]))
    package = load_package(root)
    detail = detail_of(package, summary_of(package, source="x"))
    assert [each.untrusted for each in detail.weights] == [PICKLE, None, None]
    assert [each for each in detail.warnings if "untrusted" in each] == [
        "far.pth is untrusted (pickle): loading it may run whatever its author put into it"
    ]


# -- ONNX


def varint(value: int) -> bytes:
    out = b""
    while True:
        out, value = out + bytes([(value & 0x7F) | (0x80 if value > 0x7F else 0)]), value >> 7
        if not value:
            return out


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(location: str) -> bytes:
    entries = field(13, field(1, b"location") + field(2, location.encode())) + field(13, field(1, b"offset") + field(2, b"0"))
    return varint(1 << 3) + varint(3) + field(8, b"weights") + entries + varint(14 << 3) + varint(1)


def model(location: str, where: str = "initializer") -> bytes:
    """An ONNX model with one tensor whose bytes lie elsewhere."""
    graph = field(5, tensor(location))
    if where == "attribute":
        graph = field(1, field(5, field(1, b"value") + field(5, tensor(location))))
    elif where == "subgraph":
        graph = field(1, field(5, field(6, field(5, tensor(location)))))
    elif where == "sparse":
        graph = field(15, field(1, tensor(location)))
    return varint(1 << 3) + varint(8) + field(2, b"test") + field(7, graph)


@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph", "sparse"])
def test_every_place_of_a_tensor_is_looked_at(where: str) -> None:
    assert list(external_locations(memoryview(model("../../secret", where)))) == ["../../secret"]


def place(tmp_path: Path, data: bytes) -> Path:
    root = write_package(tmp_path / "p", more=weight("net.onnx", "nets/net.onnx"))
    (root / "nets").mkdir()
    (root / "nets/net.onnx").write_bytes(data)
    (tmp_path / "store").mkdir()
    WeightFetcher(WeightStore(tmp_path / "store"), Downloads(tmp_path / "d")).place(load_package(root), tmp_path / "work", Progress())
    return root


@pytest.mark.parametrize("location", ["/etc/passwd", "../../../secret", "a/../../../x", "C:\\x", "..\\x", "", "file:///etc/passwd"])
def test_tensors_outside_of_the_package_are_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(PackageError, match=r"^net\.onnx: its tensors are said to lie in .*, which leads out of the package; refused"):
        place(tmp_path, model(location))
    assert list((tmp_path / "store").iterdir()) == []


def test_tensors_behind_a_link_out_of_the_package_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    root = write_package(tmp_path / "p", more=weight("net.onnx", "nets/net.onnx"))
    (root / "nets").mkdir()
    (root / "pretrained").mkdir()
    (root / "nets/net.onnx").write_bytes(model("net.data"))
    (root / "pretrained/net.data").symlink_to(tmp_path / "outside")
    with pytest.raises(PackageError, match="leads out of the package"):
        WeightFetcher(WeightStore(tmp_path), Downloads(tmp_path / "d")).place(load_package(root), tmp_path / "work", Progress())


def test_tensors_beside_the_model_are_fine(tmp_path: Path) -> None:
    assert (place(tmp_path, model("net.data")) / "pretrained/net.onnx").is_file()


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    list(external_locations(memoryview(data)))


@given(st.text(max_size=60), st.integers(0, 200))
def test_a_model_that_is_cut_off_names_nothing_else(location: str, cut: int) -> None:
    whole = model(location)
    assert list(external_locations(memoryview(whole))) == [location]
    assert set(external_locations(memoryview(whole[: len(whole) - cut]))) <= {location, ""}


def test_the_readers_own_models_are_what_onnx_writes() -> None:
    """The layout above is that of onnx.proto: the bundled detector's graph is found with the same numbers."""
    from cvflow_tui.backend.packages.protobuf import fields

    data = (Path(__file__).resolve().parents[2] / "cvflow_tui/solvers/nanodet/pretrained/nanodet-m-416.onnx").read_bytes()
    graph = next(value for number, value in fields(memoryview(data)) if number == 7)
    kinds = {number for number, _ in fields(graph)}
    assert {1, 5, 11, 12} <= kinds  # nodes, initializers, inputs, outputs
    assert list(external_locations(memoryview(data))) == []
