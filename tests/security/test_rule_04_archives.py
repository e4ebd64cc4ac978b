"""Rule 4: archives. Plain files below a fresh folder, or nothing; and never another file than what another program would see."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.archives import extract
from cvflow_tui.backend.packages.sources import unpack as unpacking
from cvflow_tui.backend.packages.sources.unpack import unpack
from cvflow_tui.model.errors import PackageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Member = tuple[str, bytes]


def tar(*members: Member | tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def zipped(*members: Member | tuple[zipfile.ZipInfo, bytes], comment: bytes = b"", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    return info


def tried(tmp_path: Path, data: bytes, filename: str) -> Path:
    """Unpack into a folder that stands in another one, which must stay empty beside it."""
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in/archive").write_bytes(data)
    unpack(tmp_path / "in/archive", filename, tmp_path / "in/out", Progress())
    return tmp_path / "in/out"


HOSTILE_NAMES = ["/etc/x", "../x", "a/../../x", "a/../b", "..", "C:\\x", "a\\..\\x", "a\0b", "a\nb", "x" * 300]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_name_that_leads_out_or_is_none_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    if kind == "zip":
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        data = zipped((info, b"x"))
    else:
        data = tar((name, b"x"))
    if "\0" in name:  # the formats end a name there
        return
    with pytest.raises(PackageError, match=r"^a\.\S+: .* nothing of this archive is used|is damaged"):
        tried(tmp_path, data, f"a.{kind}")
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["archive", "out"]
    assert {path.name for path in tmp_path.iterdir()} <= {"in", "wheels"}


@pytest.mark.parametrize(
    "members",
    [
        [special("x", tarfile.SYMTYPE, "/etc/passwd")],
        [special("x", tarfile.SYMTYPE, "inside")],
        [("a", b"a"), special("x", tarfile.LNKTYPE, "a")],
        [special("x", tarfile.LNKTYPE, "../../outside")],
        [special("dir", tarfile.SYMTYPE, "/tmp"), ("dir/x", b"x")],
        [special("x", tarfile.CHRTYPE)],
        [special("x", tarfile.BLKTYPE)],
        [special("x", tarfile.FIFOTYPE)],
        [("x", b"1"), ("x", b"2")],
        [("x", b"1"), ("X", b"2")],
        [("x", b"1"), ("./x", b"2")],
        [("a/x", b"1"), ("A/x", b"2")],
        [("stra\u00dfe", b"1"), ("strasse", b"2")],
        [("\u00e9", b"1"), ("e\u0301", b"2")],
        [("x", b"1"), ("x/y", b"2")],
        [("x/y", b"1"), ("x", b"2")],
    ],
)
def test_links_devices_and_names_that_clash_are_refused_in_tar(tmp_path: Path, members: list[Member | tarfile.TarInfo]) -> None:
    with pytest.raises(PackageError, match="nothing of this archive is used"):
        tried(tmp_path, tar(*members), "a.tar.gz")


@pytest.mark.parametrize("mode", [0o120777, 0o020666, 0o060666, 0o010666, 0o140666])
def test_links_and_devices_are_refused_in_zip(tmp_path: Path, mode: int) -> None:
    with pytest.raises(PackageError, match="is neither a file nor a folder; nothing of this archive is used"):
        tried(tmp_path, zipped((zip_special("x", mode), b"/etc/passwd")), "a.zip")


@pytest.mark.parametrize("names", [("x", "x"), ("x", "X"), ("a/x", "A/y"), ("x", "x/y")])
def test_names_that_clash_are_refused_in_zip(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.warns(UserWarning, match="Duplicate") if len(set(names)) == 1 else _quiet():
        data = zipped(*[(name, b"x") for name in names])
    with pytest.raises(PackageError, match="is there twice, or only case tells it from another"):
        tried(tmp_path, data, "a.zip")


def _quiet() -> AbstractContextManager[object]:
    return nullcontext()


def test_caps_of_members_bytes_and_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MEMBERS_LIMIT", 20)
    many = [(str(each), b"") for each in range(21)]
    for data, name in ((zipped(*many), "a.zip"), (tar(*many), "a.tar.gz")):
        (tmp_path / name).mkdir()
        with pytest.raises(PackageError, match="is one of more than 20 files"):
            tried(tmp_path / name, data, name)
    monkeypatch.setattr(unpacking, "BYTES_LIMIT", 1000)
    (tmp_path / "large").mkdir()
    with pytest.raises(PackageError, match=r"would make it larger than 1\.0 kB"):
        tried(tmp_path / "large", zipped(("a", os.urandom(600)), ("b", os.urandom(600))), "a.zip")
    monkeypatch.setattr(unpacking, "BYTES_LIMIT", 1 << 30)
    monkeypatch.setattr(unpacking, "RATIO_FROM", 100_000)
    for number, (data, name) in enumerate(((zipped(("bomb", bytes(5_000_000))), "a.zip"), (tar(("bomb", bytes(5_000_000))), "a.tar.gz"))):
        (tmp_path / f"bomb-{number}").mkdir()
        with pytest.raises(PackageError, match="makes it more than 200 times as large as it came"):
            tried(tmp_path / f"bomb-{number}", data, name)
        assert sum(path.stat().st_size for path in (tmp_path / f"bomb-{number}/in/out").iterdir()) < 2_000_000


# -- zip archives that two programs would read differently


def encrypted(data: bytes) -> bytes:
    """The same archive with every member said to be encrypted."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(signature, at + 4)
    return bytes(changed)


def renamed(data: bytes, *, local: bytes) -> bytes:
    """Another name in the member's own header than in the list."""
    at = data.find(b"PK\x03\x04") + 30
    return data[:at] + local + data[at + len(local) :]


def with_field(data: bytes, signature: bytes, offset: int, form: str, value: int) -> bytes:
    at = data.find(signature) + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def hidden_between(data: bytes, more: bytes) -> bytes:
    """A member before the list that the list does not name: a program that reads from the front finds it."""
    start = data.find(b"PK\x01\x02")
    inserted = more[: more.find(b"PK\x01\x02")]
    end = data.rfind(b"PK\x05\x06")
    tail = bytearray(data[end:])
    struct.pack_into("<L", tail, 16, start + len(inserted))
    return data[:start] + inserted + data[start:end] + bytes(tail)


def overlapping() -> bytes:
    """Two entries of the list for the same bytes."""
    data = zipped(("a", b"x" * 1000), method=zipfile.ZIP_STORED)
    start, end = data.find(b"PK\x01\x02"), data.rfind(b"PK\x05\x06")
    entry, tail = data[start:end], bytearray(data[end:])
    struct.pack_into("<HHL", tail, 8, 2, 2, 2 * len(entry))
    return data[:start] + entry + entry + bytes(tail)


GOOD = zipped(("cvpm.toml", b"name"), ("code.py", b"print()"))
DIFFERENT: dict[str, Callable[[], bytes]] = {
    "another name in front": lambda: renamed(GOOD, local=b"evil"),
    "another method in front": lambda: with_field(GOOD, b"PK\x03\x04", 8, "<H", 0),
    "another checksum in front": lambda: with_field(GOOD, b"PK\x03\x04", 14, "<L", 1),
    "another packed size in front": lambda: with_field(GOOD, b"PK\x03\x04", 18, "<L", 3),
    "another size in front": lambda: with_field(GOOD, b"PK\x03\x04", 22, "<L", 900),
    "bytes before the first member": lambda: b"#!/bin/sh\n" + GOOD,
    "bytes after the end": lambda: GOOD + b"more",
    "an archive after the archive": lambda: GOOD + zipped(("other", b"x")),
    "an end in the comment": lambda: zipped(("a", b"x"), comment=b"PK\x05\x06" + bytes(18)),
    "a member that the list does not name": lambda: hidden_between(GOOD, zipped(("evil.py", b"evil"))),
    "members that share bytes": overlapping,
    "an end that counts otherwise": lambda: with_field(GOOD, b"PK\x05\x06", 8, "<H", 1),
    "cut off": lambda: GOOD[:-10],
}


@pytest.mark.parametrize("how", DIFFERENT)
def test_an_archive_that_two_programs_read_differently_is_refused(tmp_path: Path, how: str) -> None:
    data = DIFFERENT[how]()
    with pytest.raises(PackageError, match=r"^a\.zip is damaged: |^a\.zip: .* nothing of this archive is used"):
        tried(tmp_path, data, "a.zip")
    with pytest.raises(PackageError, match=r"is damaged|twice|has no file"):
        extract(tmp_path / "in/archive", "a.zip", {"code.py": tmp_path / "one"}, Progress())


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"'cvpm\.toml' is encrypted; nothing of this archive is used"):
        tried(tmp_path, encrypted(GOOD), "a.zip")
    with pytest.raises(PackageError, match=r"'code\.py' is encrypted in its archive"):
        extract(tmp_path / "in/archive", "a.zip", {"code.py": tmp_path / "one"}, Progress())


class _Stream(io.RawIOBase):
    """Somewhere that a zip archive can only be written to from front to back: its sizes follow the members."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        self.data += bytes(data)
        return len(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_as_programs_write_them_are_read(tmp_path: Path, method: int) -> None:
    stream = _Stream()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name in ("a/b.txt", "c.txt", "d\u00e9.txt"):
            archive.writestr(name, name.encode() * 50)
        with archive.open("large", "w", force_zip64=True) as member:
            member.write(b"x" * 1000)
    for number, data in enumerate((stream.data, zipped(("a/b.txt", b"x"), ("e/", b""), comment=b"a commit", method=method))):
        (tmp_path / str(number)).mkdir()
        out = tried(tmp_path / str(number), data, "a.zip")
        assert (out / "a/b.txt").is_file()
    assert (tmp_path / "0/in/out/large").read_bytes() == b"x" * 1000


PARTS = st.sampled_from(["a", "A", "b", "..", ".", "", "c.txt", "\u00e9", "e\u0301", "\\", "con", "x" * 20])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
CHECKED = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def outside(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.relative_to(root).as_posix().startswith("in/out")}


@CHECKED
@given(st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=5), st.booleans())
def test_whatever_the_names_nothing_is_written_beside_the_folder(
    tmp_path_factory: pytest.TempPathFactory, members: list[Member], as_zip: bool
) -> None:
    root = tmp_path_factory.mktemp("names")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = zipped(*[(name or "x", content) for name, content in members]) if as_zip else tar(*members)
    try:
        out = tried(root, data, "a.zip" if as_zip else "a.tar.gz")
    except PackageError:
        pass
    else:
        # Everything that was said to be there is there, under its own name and no other.
        expected = {"/".join(part for part in name.split("/") if part not in ("", ".")): content for name, content in members if name}
        files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        assert all(expected[name] == content for name, content in files.items() if name in expected)
    assert outside(root) == {"in", "in/archive"}
    assert not any(path.is_symlink() for path in root.rglob("*"))


@CHECKED
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, 4))
def test_a_changed_byte_is_noticed_or_harmless(tmp_path_factory: pytest.TempPathFactory, at: int, value: int, cut: int) -> None:
    root = tmp_path_factory.mktemp("bytes")
    data = bytearray(GOOD)
    data[at] = value
    try:
        out = tried(root, bytes(data[: len(data) - cut]), "a.zip")
    except PackageError:
        return
    contents = sorted(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert contents in ([b"name", b"print()"], [b"name"], [b"print()"], [])
    assert outside(root) == {"in", "in/archive"}
