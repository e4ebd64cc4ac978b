"""Single files out of archives. Nothing is unpacked by name: a wanted member's bytes go into a file that we name."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.damaged import reading
from cvflow_tui.backend.packages.disk import require_space, writing
from cvflow_tui.backend.packages.downloads import CHUNK, Received
from cvflow_tui.backend.packages.meter import Meter
from cvflow_tui.backend.packages.zip_structure import check_structure
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line


def extract(archive: Path, filename: str, wanted: Mapping[str, Path], progress: Progress) -> dict[str, Received]:
    """Write members of a wheel, zip or tar archive (named `filename`) to files, in one pass.

    `wanted` maps a member's path (with or without the archive's only top folder) to the file to write. Raises PackageError for a
    member that is missing, a link, or in the archive twice, and for an archive that is damaged.
    """
    read = _from_zip if filename.endswith((".whl", ".zip")) else _from_tar
    with reading(filename):
        found = read(archive, wanted, progress)
    if missing := [path for path in wanted if path not in found]:
        raise PackageError(f"{filename} has no file {one_line(missing[0], 120)!r}")
    return found


def _from_zip(archive: Path, wanted: Mapping[str, Path], progress: Progress) -> dict[str, Received]:
    found: dict[str, Received] = {}
    with zipfile.ZipFile(archive) as opened:
        check_structure(opened, archive)
        for info in opened.infolist():
            if (path := _match(info.filename, wanted)) is None or info.is_dir():
                continue
            if info.flag_bits & 0x1:
                raise PackageError(f"{one_line(path, 120)!r} is encrypted in its archive")
            if info.external_attr >> 28 == 0xA:
                raise PackageError(f"{one_line(path, 120)!r} is a link in its archive")
            with opened.open(info) as member:
                _take(found, path, member, info.file_size, wanted[path], progress)
    return found


def _from_tar(archive: Path, wanted: Mapping[str, Path], progress: Progress) -> dict[str, Received]:
    found: dict[str, Received] = {}
    # As a stream: a compressed archive that is read at random is unpacked again for every member.
    with tarfile.open(archive, "r|*") as opened:
        for info in opened:
            progress.check()
            if (path := _match(info.name, wanted)) is None:
                continue
            if not info.isreg():
                raise PackageError(f"{one_line(path, 120)!r} is no plain file in its archive")
            member = opened.extractfile(info)
            if member is not None:
                with member:
                    _take(found, path, member, info.size, wanted[path], progress)
    return found


def _match(name: str, wanted: Mapping[str, Path]) -> str | None:
    name = name.removeprefix("./")
    if name in wanted:
        return name
    rest = name.partition("/")[2]
    return rest if rest in wanted else None


def _take(found: dict[str, Received], path: str, member: IO[bytes], size: int, target: Path, progress: Progress) -> None:
    if path in found:
        raise PackageError(f"{one_line(path, 120)!r} is in its archive twice")
    require_space(target.parent, size, f"unpacking {target.name}")
    progress.step(f"unpacking {one_line(path.rpartition('/')[2], 80)}", total=size, unit="bytes")
    digest, done, meter = hashlib.sha256(), 0, Meter(progress)
    with writing(target.parent, size), target.open("wb") as file:
        while chunk := member.read(min(CHUNK, size - done + 1)):
            done += len(chunk)
            if done > size:
                raise PackageError(f"{one_line(path, 120)!r} is larger than its archive says")
            file.write(chunk)
            digest.update(chunk)
            meter.at(done)
    meter.at(done, end=True)
    found[path] = Received(target, digest.hexdigest(), done)
