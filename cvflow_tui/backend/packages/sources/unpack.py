"""Whole archives, unpacked as if every one were hostile: plain files and folders below a fresh folder, or nothing."""

from __future__ import annotations

import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.damaged import reading
from cvflow_tui.backend.packages.disk import require_space, writing
from cvflow_tui.backend.packages.meter import Meter
from cvflow_tui.backend.packages.zip_structure import check_structure
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import in_bytes, one_line

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
"""What can be unpacked, by the end of its name."""

MEMBERS_LIMIT = 50_000
BYTES_LIMIT = 4 << 30
RATIO_LIMIT = 200
"""How many bytes may come out of one, once there are `RATIO_FROM` of them."""
RATIO_FROM = 64 << 20
NAME_LIMIT = 255
_CHUNK = 256 << 10


def unpack(archive: Path, filename: str, into: Path, progress: Progress) -> None:
    """Unpack an archive (named `filename`) into the folder `into`, which does not exist yet.

    Raises PackageError for what is no plain file or folder, leads out of the folder, is there twice (also where only case tells two
    names apart), is larger than it says or larger than any package, is encrypted or damaged. What was unpacked until then is the
    caller's to delete.
    """
    into.mkdir()
    sink = _Sink(filename, into, archive.stat().st_size, progress)
    progress.step(f"unpacking {filename}", unit="bytes")
    with reading(filename), writing(into, what=f"unpacking {filename}"):
        if filename.endswith(".zip"):
            _unpack_zip(archive, sink)
        else:
            _unpack_tar(archive, sink)
    sink.meter.at(sink.total, end=True)


def _unpack_zip(archive: Path, sink: _Sink) -> None:
    with zipfile.ZipFile(archive) as opened:
        check_structure(opened, archive)
        require_space(sink.into, sum(info.file_size for info in opened.infolist()), f"unpacking {sink.filename}")
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & 0x1:
                raise sink.refused(info.filename, "is encrypted")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise sink.refused(info.filename, "is neither a file nor a folder")
            if info.is_dir() or kind == stat.S_IFDIR:
                sink.folder(info.filename)
                continue

            # zipfile itself refuses a member whose own header names another file than the list of the archive does.
            def read(info: zipfile.ZipInfo = info) -> IO[bytes]:
                return opened.open(info)

            sink.file(info.filename, info.file_size, bool(info.external_attr >> 16 & stat.S_IXUSR), read)


def _unpack_tar(archive: Path, sink: _Sink) -> None:
    # As a stream: a compressed archive that is read at random is unpacked again for every member.
    with tarfile.open(archive, "r|*") as opened:
        for info in opened:
            if info.isdir():
                sink.folder(info.name)
            elif info.isreg() and not info.issparse():

                def read(info: tarfile.TarInfo = info) -> IO[bytes]:
                    member = opened.extractfile(info)
                    if member is None:
                        raise tarfile.ReadError("a file without content")
                    return member

                sink.file(info.name, info.size, bool(info.mode & stat.S_IXUSR), read)
            else:
                raise sink.refused(info.name, "is neither a file nor a folder" if not info.islnk() and not info.issym() else "is a link")


@dataclass
class _Sink:
    """The folder that is filled, and what was seen so far."""

    filename: str
    into: Path
    packed: int
    progress: Progress
    total: int = 0
    members: int = 0
    _files: set[str] = field(default_factory=set)
    _folders: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.meter = Meter(self.progress)

    def refused(self, name: str, why: str) -> PackageError:
        return PackageError(f"{self.filename}: {one_line(name, 120)!r} {why}; nothing of this archive is used")

    def folder(self, name: str) -> None:
        """Make a folder."""
        self._count(name)
        if parts := self._parts(name):
            self._enter(name, parts)

    def file(self, name: str, size: int, executable: bool, read: Callable[[], IO[bytes]]) -> None:
        """Write a file."""
        self._count(name)
        parts = self._parts(name)
        if not parts:
            raise self.refused(name, "has no name")
        target = self._enter(name, parts[:-1]) / parts[-1]
        key = _folded("/".join(parts))
        if key in self._files or key in self._folders:
            raise self.refused(name, "is there twice, or only case tells it from another")
        self._files.add(key)
        if self.total + size > BYTES_LIMIT:
            raise self.refused(name, f"would make it larger than {in_bytes(BYTES_LIMIT)}, which no package is")
        with read() as member, target.open("xb") as file:
            self._pour(name, member, size, file)
        target.chmod(0o755 if executable else 0o644)

    def _pour(self, name: str, member: IO[bytes], size: int, file: IO[bytes]) -> None:
        done = 0
        while chunk := member.read(min(_CHUNK, size - done + 1)):
            done += len(chunk)
            self.total += len(chunk)
            if done > size:
                raise self.refused(name, "is larger than its archive says")
            if self.total > RATIO_FROM and self.total > RATIO_LIMIT * max(1, self.packed):
                raise self.refused(name, f"makes it more than {RATIO_LIMIT} times as large as it came")
            file.write(chunk)
            self.meter.at(self.total)
        if done < size:
            raise self.refused(name, "is smaller than its archive says")

    def _count(self, name: str) -> None:
        self.progress.check()
        self.members += 1
        if self.members > MEMBERS_LIMIT:
            raise self.refused(name, f"is one of more than {MEMBERS_LIMIT:,} files")

    def _parts(self, name: str) -> list[str]:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\\" in name or any(len(part.encode()) > NAME_LIMIT for part in parts):
            raise self.refused(name, "leads out of its folder, or is no plain name")
        if len(name) > 4000 or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            raise self.refused(name, "is no plain name")
        return parts

    def _enter(self, name: str, parts: list[str]) -> Path:
        """The folder, made with those above it."""
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if _folded(path) in self._files or self._folders.setdefault(_folded(path), path) != path:
                raise self.refused(name, "is there twice, or only case tells it from another")
        folder = self.into.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _folded(path: str) -> str:
    """Two names with one of these are one file on some machine."""
    return unicodedata.normalize("NFC", path).casefold()
