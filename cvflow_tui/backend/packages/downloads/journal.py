"""The journal of a download: which ranges of the part file are there, and of which file on the server they are."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.private_file import write_private
from cvflow_tui.backend.processes import boot_id


@dataclass(slots=True)
class Journal:
    """Lies beside the part file, written whole or not at all. After a `kill -9` of either side it says where to go on."""

    origin: str
    """`origin_of` the address it was written for: another one's validator means nothing."""
    validator: str | None = None
    """A strong ETag or a Last-Modified."""
    size: int | None = None
    pieces: dict[int, int] | None = None
    """In parts: bytes that are there from each offset on. None: the part file grows from its beginning."""

    @property
    def is_parallel(self) -> bool:
        """Whether the part file has holes."""
        return self.pieces is not None

    def save(self, part: Path) -> None:
        """Write it."""
        told = {
            "origin": self.origin,
            "validator": self.validator,
            "size": self.size,
            "boot": boot_id(),
            "pieces": None if self.pieces is None else sorted([start, done] for start, done in self.pieces.items()),
        }
        write_private(path_of(part), json.dumps(told))


def read_journal(part: Path, *, digest_known: bool) -> Journal | None:
    """The journal of a part file; None where there is none that can be relied on.

    What was written before the machine last started may not all have reached the disk: a known digest would show that, so
    without one such a journal counts for nothing.
    """
    try:
        told = json.loads(path_of(part).read_text("utf-8"))
        pieces = told["pieces"]
        journal = Journal(
            origin=str(told["origin"]),
            validator=None if told["validator"] is None else str(told["validator"]),
            size=None if told["size"] is None else int(told["size"]),
            pieces=None if pieces is None else {int(start): int(done) for start, done in pieces},
        )
        return journal if digest_known or told["boot"] == boot_id() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def origin_of(url: str) -> str:
    """An address as a journal knows it: it may hold a password, which is not for the disk."""
    return hashlib.sha256(url.encode()).hexdigest()


def path_of(part: Path) -> Path:
    """Where the journal of a part file lies."""
    return part.with_name(f"{part.name.removesuffix('.part')}.json")


def part_of(path: Path) -> Path:
    """Where a download lies until it is whole."""
    return path.with_name(f"{path.name}.part")


def drop(path: Path) -> None:
    """Delete a download's part file and journal."""
    part = part_of(path)
    for name in (part, path_of(part)):
        with suppress(FileNotFoundError):
            name.unlink()
