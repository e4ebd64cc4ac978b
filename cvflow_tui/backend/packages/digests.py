"""A file's digest."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_of(path: Path, kind: str = "sha256") -> str:
    """In hexadecimal. Raises OSError for a file that cannot be read, ValueError for a kind that there is none of."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
