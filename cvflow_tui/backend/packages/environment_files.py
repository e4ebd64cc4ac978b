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


def records_of(folder: Path, distribution: str = "*.dist-info") -> list[Path]:
    """The list of its files (RECORD) of every distribution of an environment, or of those whose folders are called so."""
    return [info / "RECORD" for site in site_folders(folder) for info in sorted(site.glob(distribution))]


def environment_files(folder: Path, distribution: str = "*.dist-info") -> list[tuple[Path, str, str | None]]:
    """(file, kind of hash, digest in hexadecimal) of every file of every distribution. No digest: it only has to be there."""
    return [entry for record in records_of(folder, distribution) for entry in files_of(record)]


def unlike_their_lists(folder: Path) -> set[str]:
    """The distributions of an environment of which a file is not what their RECORD says; their names."""
    wrong = set()
    for record in records_of(folder):
        if any(_is_unlike(path, kind, wanted) for path, kind, wanted in files_of(record)):
            wrong.add(record.parent.name.partition("-")[0])
    return wrong


def altered_since(folder: Path, moment: float) -> bool:
    """Whether a file of an environment's distributions is gone, or was written after a moment and is another.

    Reads only what was written since: gigabytes take no time, and a list that was wrong from the beginning is nobody's doing
    (`unlike_their_lists` reads all).
    """
    return any(_is_unlike(*entry) for entry in environment_files(folder) if not _is_old(entry[0], moment))


def _is_old(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime <= moment
    except OSError:
        return False


def _is_unlike(path: Path, kind: str, wanted: str | None) -> bool:
    return not path.is_file() or (wanted is not None and _digest(path, kind) != wanted)


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
    for name, kind, digest in rows:
        path = Path(os.path.normpath(site / name))
        if path.suffix != ".pyc":  # compiled files come and go
            yield path, kind or "sha256", _hexadecimal(digest)


def rows_of(record: Path) -> Iterator[tuple[str, str, str]]:
    """(name relative to the distributions' folder, kind of hash, digest as it is written: base64) of a RECORD, as they stand there.

    Raises ValueError where it cannot be read.
    """
    try:
        for row in csv.reader(record.read_text("utf-8").splitlines()):
            if row and row[0]:
                kind, _, digest = (row[1] if len(row) > 1 else "").partition("=")
                yield row[0], kind, digest
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{record} cannot be read: {error}") from error


def _hexadecimal(digest: str) -> str | None:
    if not digest:
        return None
    try:
        return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    except (binascii.Error, ValueError):
        return digest
