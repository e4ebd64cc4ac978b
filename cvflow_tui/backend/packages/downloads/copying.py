"""A `file:` address: copied as a download is, with the same checks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.disk import require_space, writing
from cvflow_tui.backend.packages.downloads.received import CHUNK, Received
from cvflow_tui.backend.packages.downloads.wanted import Wanted
from cvflow_tui.backend.packages.meter import Meter
from cvflow_tui.model.errors import PackageError


def copy_file(origin: Path, part: Path, wanted: Wanted, progress: Progress) -> Received:
    """Copy a file of this machine to `part`, hashed. Raises PackageError where it cannot be read."""
    try:
        total = origin.stat().st_size
        wanted.check_size(total)
        require_space(part.parent, total, wanted.what)
        progress.step(f"copying {wanted.what}", total=total, unit="bytes")
        digest, done, meter = hashlib.sha256(), 0, Meter(progress)
        with writing(part.parent, total, wanted.what), origin.open("rb") as source, part.open("wb") as file:
            while chunk := source.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                meter.at(done)
            file.flush()
            os.fsync(file.fileno())
        meter.at(done, end=True)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PackageError(f"{wanted.what}: {origin} cannot be read: {error.strerror}") from error
    return Received(part, digest.hexdigest(), done)
