"""What the standard library raises for an archive that is damaged, encrypted, or compressed in a way it does not know."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError

from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, RuntimeError, UnicodeError)
"""Beside OSError, which is the disk's word as well. `zipfile` has no error of its own for a member that is encrypted (RuntimeError) or
whose compression it does not know (NotImplementedError, which is one); UnicodeError: names that are in no encoding."""


@contextmanager
def reading(filename: str) -> Iterator[None]:
    """Raise PackageError where the archive that is read in this block is damaged. What the disk has to say goes through."""
    try:
        yield
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # bz2 says "Invalid data stream" with an OSError of no number
            raise
        raise PackageError(f"{filename} is damaged: {one_line(str(error)) or type(error).__name__}") from error
