"""Packages as https archives, and archives that were made to do harm."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.sources import parse_source
from cvflow_tui.backend.packages.sources import unpack as unpacking
from cvflow_tui.backend.packages.sources.unpack import unpack
from cvflow_tui.home import Home
from cvflow_tui.model.errors import NotFoundError, PackageError, RemoteError

from .parts import MODES, FileServer, Watching, packed, payload, sha256, tree, write_package

HUB = FolderHub(Path("/nonexistent"))


@pytest.mark.parametrize("name", ["p.zip", *MODES])
@pytest.mark.parametrize("top", ["p-1.0/", ""])
def test_every_kind_of_archive(tmp_path: Path, trusted: FileServer, name: str, top: str) -> None:
    root = write_package(tmp_path / "p")
    (root / "run.sh").write_text("x")
    (root / "run.sh").chmod(0o755)
    data = packed(root, name, top)
    fetched = parse_source(trusted.add(name, data), HUB).fetch(tmp_path / "copy", Progress())
    assert fetched.source == f"{trusted.url}/{name}#sha256={sha256(data)}" and fetched.warnings == ()
    found = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert found == {"README.md", "cvpm.toml", "parts/solver.py", "run.sh"}
    assert (tmp_path / "copy/run.sh").stat().st_mode & 0o777 == 0o755 and (tmp_path / "copy/cvpm.toml").stat().st_mode & 0o777 == 0o644
    assert parse_source(fetched.source, HUB).fetch(tmp_path / "again", Progress()).source == fetched.source
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("copy.")) in ([], ["copy.downloads"])


def test_digest_and_folder_in_the_archive(service: PackageService, home: Home, tmp_path: Path, trusted: FileServer) -> None:
    write_package(tmp_path / "mono/models/one", vendor="acme")
    url = trusted.add("mono.zip", data := packed(tmp_path / "mono", "p.zip"))
    detail = service.install(f"{url}#sha256={sha256(data)}&subdirectory=models/one", Progress())
    assert detail.summary.ref == "acme/one" and detail.summary.source == f"{url}#sha256={sha256(data)}&subdirectory=models/one"
    assert [path.name for path in home.staging.iterdir()] == ["downloads"] and not list((home.staging / "downloads").iterdir())
    service.remove("one")
    with pytest.raises(PackageError, match=f"sha256 is {sha256(data)} and should be {'0' * 64}"):
        service.install(f"{url}#sha256={'0' * 64}", Progress())
    with pytest.raises(NotFoundError, match=r"mono\.zip in models/two: there is no such folder"):
        service.install(f"{url}#subdirectory=models/two", Progress())
    with pytest.raises(PackageError, match=r"mono\.zip: there is no cvpm\.toml in this folder"):
        service.install(url, Progress())
    with pytest.raises(RemoteError, match="answered 404"):
        service.install(f"{trusted.url}/none.zip", Progress())
    assert tree(home) == set()


def test_an_archive_that_is_called_off_leaves_nothing(service: PackageService, home: Home, tmp_path: Path, trusted: FileServer) -> None:
    (write_package(tmp_path / "p") / "large").write_bytes(payload(3_000_000))
    url = trusted.add("p.tar.gz", packed(tmp_path / "p", "p.tar.gz"))
    for step in ("downloading", "unpacking", "copying"):
        progress = Watching(step)
        with pytest.raises(Cancelled):
            service.install(url, progress)
        assert progress.steps[-1].startswith(step) and tree(home) == set()


# -- harm


def _tar(*members: tuple[str, dict[str, object]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, told in members:
            info = tarfile.TarInfo(name)
            for key, value in told.items():
                setattr(info, key, value)
            info.size = 3 if info.isreg() else 0
            archive.addfile(info, io.BytesIO(b"abc") if info.isreg() else None)
    return out.getvalue()


def _zip(*names: str, mode: int = 0o100644, method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = mode << 16
            archive.writestr(info, b"abc")
    return out.getvalue()


def _differential() -> bytes:
    """The list says `harmless`, the member itself `../../x`."""
    return _zip("harmless.py").replace(b"harmless.py", b"../../xx.py", 1)


def _encrypted() -> bytes:
    data = bytearray(_zip("a"))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.index(mark) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    return bytes(data)


def _lying_size() -> bytes:
    data = bytearray(_zip("a"))
    for mark, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = data.index(mark) + offset
        data[at : at + 4] = struct.pack("<I", 2)
    return bytes(data)


HARM: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "absolute": ("x.tar", lambda: _tar(("/etc/x", {})), "leads out"),
    "up": ("x.tar", lambda: _tar(("a/../../x", {})), "leads out"),
    "up zip": ("x.zip", lambda: _zip("../x"), "leads out"),
    "absolute zip": ("x.zip", lambda: _zip("/x"), "leads out"),
    "backslash": ("x.zip", lambda: _zip("a\\..\\x"), "leads out"),
    "drive": ("x.tar", lambda: _tar(("C:\\x", {})), "leads out"),
    "symlink": ("x.tar", lambda: _tar(("a", {"type": tarfile.SYMTYPE, "linkname": "/etc"}), ("a/passwd", {})), "is a link"),
    "hard link": ("x.tar", lambda: _tar(("a", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})), "is a link"),
    "symlink zip": ("x.zip", lambda: _zip("a", mode=0o120777), "neither a file nor a folder"),
    "device": ("x.tar", lambda: _tar(("a", {"type": tarfile.CHRTYPE})), "neither a file nor a folder"),
    "pipe": ("x.tar", lambda: _tar(("a", {"type": tarfile.FIFOTYPE})), "neither a file nor a folder"),
    "twice": ("x.tar", lambda: _tar(("a", {}), ("./a", {})), "there twice"),
    "twice zip": ("x.zip", lambda: _zip("a", "a"), "there twice"),
    "case": ("x.tar", lambda: _tar(("a/readme", {}), ("a/README", {})), "only case"),
    "case of folders": ("x.tar", lambda: _tar(("a/x", {}), ("A/y", {})), "only case"),
    "unicode": ("x.tar", lambda: _tar(("\u00e9", {}), ("e\u0301", {})), "only case"),
    "file as folder": ("x.tar", lambda: _tar(("a", {}), ("a/b", {})), "there twice"),
    "folder as file": ("x.tar", lambda: _tar(("a/b", {}), ("a", {})), "there twice"),
    "control": ("x.tar", lambda: _tar(("a\x1b[2Jb", {})), "no plain name"),
    "long": ("x.tar", lambda: _tar(("a" * 300, {})), "no plain name"),
    "differential": ("x.zip", _differential, "is called otherwise in its own header"),
    "encrypted": ("x.zip", _encrypted, "is encrypted"),
    "lies about its size": ("x.zip", _lying_size, "larger than its archive says|damaged"),
    "no archive": ("x.zip", lambda: b"<html>", "damaged"),
    "no tar": ("x.tar.gz", lambda: b"<html>", "damaged"),
    "cut": ("x.tar.gz", lambda: packed(Path(__file__).parent, "p.tar.gz")[:20_000], "damaged"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("harm", HARM)
def test_rule_04_an_archive_that_would_do_harm_is_refused(tmp_path: Path, harm: str) -> None:
    name, make, said = HARM[harm]
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").mkdir()
    archive = tmp_path / "a" / name
    archive.write_bytes(make())
    with pytest.raises(PackageError, match=said) as caught:
        unpack(archive, name, tmp_path / "a/b/into", Progress())
    assert "\n" not in caught.value.message and "\x1b" not in caught.value.message
    outside = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "a/b/into")}
    assert outside == {tmp_path / "a", archive, tmp_path / "a/b", tmp_path / "wheels"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(("limit", "value", "said"), [("MEMBERS_LIMIT", 2, "more than 2 files"), ("BYTES_LIMIT", 5, "larger than 5 B")])
def test_rule_04_too_many_and_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, said: str) -> None:
    monkeypatch.setattr(unpacking, limit, value)
    (tmp_path / "x.tar").write_bytes(_tar(("a", {}), ("b", {}), ("c", {})))
    with pytest.raises(PackageError, match=said):
        unpack(tmp_path / "x.tar", "x.tar", tmp_path / "into", Progress())


@pytest.mark.parametrize("name", ["x.zip", "x.tar.xz"])
def test_rule_04_a_bomb_is_stopped_while_it_unfolds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(unpacking, "RATIO_FROM", 1 << 20)
    (tmp_path / "bomb").mkdir()
    (tmp_path / "bomb/zeros").write_bytes(bytes(20 << 20))
    data = packed(tmp_path / "bomb", "p.zip" if name == "x.zip" else "p.tar.xz")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PackageError, match="more than 200 times as large as it came"):
        unpack(tmp_path / name, name, tmp_path / "into", Progress())
    assert sum(path.stat().st_size for path in (tmp_path / "into").rglob("*")) < 20 << 20


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12), min_size=1, max_size=5))
def test_rule_04_whatever_the_names_are_nothing_lands_outside(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    root = tmp_path_factory.mktemp("names")
    (root / "deep").mkdir()
    (root / "x.tar").write_bytes(_tar(*((name, {}) for name in names)))
    try:
        unpack(root / "x.tar", "x.tar", root / "deep/into", Progress())
    except PackageError:
        pass
    else:
        assert len([path for path in (root / "deep/into").rglob("*") if path.is_file()]) == len(names)
    assert sorted(path.name for path in root.iterdir()) == ["deep", "x.tar"] and [path.name for path in (root / "deep").iterdir()] == [
        "into"
    ]
