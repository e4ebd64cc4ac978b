"""What is to be downloaded, and the reasons for which an attempt ends early."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.model.errors import PackageError, RemoteError
from cvflow_tui.model.text import one_line

LIMIT = 256 << 30
"""Bytes a file may have of which nobody has said how large it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be fetched from one of its addresses."""

    url: str
    sha256: str | None
    what: str
    size: int | None = None
    """Bytes it may have at most, as the manifest or the index says."""
    mirrors: tuple[str, ...] = ()
    """Further addresses of the same file, in the order in which they are tried."""
    named: frozenset[str] = frozenset()
    """Hosts that the user wrote down: reached wherever they are."""
    for_pip: bool = False
    """Whether a package index listed it: pip's configuration says how it is reached."""

    @property
    def key(self) -> str:
        """The name of what lies on the disk of it: by the digest where it is known, for then every address means the same file."""
        return hashlib.sha256((self.sha256 or self.url).encode()).hexdigest()[:40]

    def check_size(self, size: int | None) -> None:
        """Raise PackageError for more bytes than the file may have."""
        limit = LIMIT if self.size is None else self.size
        if size is not None and size > limit:
            said = (
                f"the {limit:,} bytes that were declared" if self.size is not None else f"{LIMIT >> 30} GiB, and its size is not declared"
            )
            raise PackageError(f"{self.what}: {shown_url(self.url)} sends more than {said}; nothing was kept")


class CutError(Exception):
    """The connection ended before the file did: another one goes on."""


class ChangedError(Exception):
    """The server does not have the file any more of which pieces are here: from the start."""


def unreachable(url: str, error: Exception) -> RemoteError:
    """The error of an address that brought nothing."""
    return RemoteError(f"{shown_url(url)} cannot be fetched: {one_line(str(error)) or type(error).__name__}")
