"""What every source of packages has in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cvflow_tui.backend.jobs import Progress


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source delivered."""

    source: str
    """The source in full, as it is recorded: fetching it again gives the same package."""
    vendor: str = "local"
    """The vendor, where the manifest names none."""
    commit: str | None = None
    """The pinned commit, for git."""
    bundled: bool = False
    """Whether it is one of the packages that cvflow brings itself."""
    editable: Path | None = None
    """The author's folder, where the package is to be linked to it; then only its weights were copied."""
    warnings: tuple[str, ...] = ()
    """What was left out, one sentence each."""


class Source(Protocol):
    """A place one package comes from."""

    @property
    def text(self) -> str:
        """The source as a user would type it."""
        ...

    def fetch(self, into: Path, progress: Progress) -> Fetched:
        """Put the package's files into the folder `into`, which does not exist yet.

        Blocks; raises Cancelled when called off, and a CvflowError that says what is wrong with the source. What it leaves in
        `into` after an exception is the caller's to delete.
        """
        ...
