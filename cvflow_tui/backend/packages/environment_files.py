"""What the installer noted of an environment's files: each distribution's RECORD, with a hash of every file."""

from __future__ import annotations

import base64
import binascii
import csv
import os
from collections.abc import Iterator
from pathlib import Path

from cvflow_tui.backend.packages.digests import digest_of
from cvflow_tui.backend.packages.sealing import site_folders


def environment_files(folder: Path, distribution: str = "*.dist-info") -> list[tuple[Path, str, str | None]]:
    """(file, kind of hash, digest in hexadecimal) of every file of every distribution. No digest: it only has to be there."""
    return [entry for site in site_folders(folder) for info in sorted(site.glob(distribution)) for entry in files_of(info / "RECORD")]


def unlike_their_lists(folder: Path) -> set[str]:
    """The distributions of an environment of which a file is not what their RECORD says; their names."""
    wrong = set()
    for site in site_folders(folder):
        for info in site.glob("*.dist-info"):
            for path, kind, wanted in files_of(info / "RECORD"):
                if not path.is_file() or (wanted is not None and _digest(path, kind) != wanted):
                    wrong.add(info.name.partition("-")[0])
                    break
    return wrong


def altered_since(folder: Path, moment: float) -> bool:
    """Whether a file of an environment's distributions is gone or another.

    Read are only those that were written after a moment or have another size: gigabytes take no time (`unlike_their_lists` reads all).
    """
    for site in site_folders(folder):
        for info in site.glob("*.dist-info"):
            try:
                if any(_altered(site / name, kind, digest, size, moment) for name, kind, digest, size in rows_of(info / "RECORD")):
                    return True
            except ValueError:
                return True
    return False


def _altered(path: Path, kind: str, digest: str, size: str, moment: float) -> bool:
    if path.suffix == ".pyc":
        return False
    try:
        found = path.stat()
    except OSError:
        return True
    if found.st_mtime <= moment and (not size or size == str(found.st_size)):
        return False
    return bool(digest) and _digest(path, kind or "sha256") != _hexadecimal(digest)


def _digest(path: Path, kind: str) -> str | None:
    try:
        return digest_of(path, kind)
    except (OSError, ValueError):
        return None


def unknown_files(folder: Path, known: set[Path]) -> Iterator[Path]:
    """Files among the distributions that are not `known`, but for what Python compiles."""
    for site in site_folders(folder):
        for parent, folders, names in os.walk(site):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                if (path := Path(parent, name)) not in known:
                    yield path


def files_of(record: Path) -> Iterator[tuple[Path, str, str | None]]:
    """As `environment_files`, of one distribution by its RECORD."""
    site = record.parent.parent
    try:
        rows = list(rows_of(record))
    except ValueError:
        yield record, "sha256", "it cannot be read"
        return
    for name, kind, digest, _ in rows:
        path = Path(os.path.normpath(site / name))
        if path.suffix != ".pyc":  # compiled files come and go
            yield path, kind or "sha256", _hexadecimal(digest)


def rows_of(record: Path) -> Iterator[tuple[str, str, str, str]]:
    """(name relative to the distributions' folder, kind of hash, digest as it is written: base64, bytes) of a RECORD, as they stand there.

    Raises ValueError where it cannot be read.
    """
    try:
        for row in csv.reader(record.read_text("utf-8").splitlines()):
            if row and row[0]:
                kind, _, digest = (row[1] if len(row) > 1 else "").partition("=")
                yield row[0], kind, digest, row[2] if len(row) > 2 else ""
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{record} cannot be read: {error}") from error


def _hexadecimal(digest: str) -> str | None:
    if not digest:
        return None
    try:
        return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    except (binascii.Error, ValueError):
        return digest
