"""A file that arrived, and its digest."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

CHUNK = 256 << 10


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived and was verified."""

    path: Path
    sha256: str
    size: int


class WrongDigestError(PackageError):
    """What came is not what was asked for."""


def wrong_digest(what: str, url: str, wanted: str, got: str) -> PackageError:
    """The error of a file that is not what the manifest (or the index) says."""
    return WrongDigestError(f"{what}: sha256 is {got} and should be {wanted}; nothing was kept (it came from {shown_url(url)})")


def hash_file(path: Path) -> Received:
    """A file with its digest."""
    digest, size = hash_start(path, path.stat().st_size)
    return Received(path, digest.hexdigest(), size)


def hash_start(path: Path, size: int) -> tuple[hashlib._Hash, int]:
    """The digest of a file's first `size` bytes, to be gone on with, and how many there were."""
    digest, left = hashlib.sha256(), size
    if size:
        with path.open("rb") as file:
            while left and (chunk := file.read(min(CHUNK, left))):
                digest.update(chunk)
                left -= len(chunk)
    return digest, size - left


def write_all(descriptor: int, data: memoryview, at: int) -> None:
    """Write all of it to a place in a file."""
    while data:
        written = os.pwrite(descriptor, data, at)
        at, data = at + written, data[written:]


def size_of(path: Path) -> int:
    """Bytes of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def file_path(url: str) -> Path:
    """The path of a `file:` URL. Raises PackageError for one that names another machine."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise PackageError(f"{one_line(url, 100)!r} names no file of this machine: write file:///PATH")
    return Path(unquote(parts.path))
