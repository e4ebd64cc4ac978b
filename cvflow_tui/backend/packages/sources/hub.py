"""Packages named as a hub names them, and what every hub must be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.sources.base import Fetched
from cvflow_tui.model.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Release:
    """One version of one package on a hub."""

    vendor: str
    name: str
    version: str

    @property
    def ref(self) -> str:
        """`vendor/name`."""
        return f"{self.vendor}/{self.name}"

    @property
    def source(self) -> str:
        """What brings exactly this version, whatever is published later."""
        return f"hub:{self.ref}=={self.version}"


class Hub(Protocol):
    """Where packages are found by name. A folder is one; a service is another."""

    def list_versions(self, ref: str) -> list[Release]:
        """Every version of `vendor/name`, or of `name` where it is unique, the newest first.

        Raises NotFoundError that says what there is, UsageError where several packages are meant.
        """
        ...

    def fetch(self, release: Release, into: Path, progress: Progress) -> Fetched:
        """Put a version's files into the folder `into`, which does not exist yet; as `Source.fetch`."""
        ...


@dataclass(frozen=True, slots=True)
class HubSource:
    """`NAME` or `VENDOR/NAME` on a hub; `versions` (`==1.0`, `>=1,<2`) says which will do, the newest of them is taken."""

    ref: str
    hub: Hub
    versions: str = ""

    @property
    def text(self) -> str:
        """The reference in full."""
        return f"hub:{self.ref}{self.versions}"

    def fetch(self, into: Path, progress: Progress) -> Fetched:
        """Fetch the newest version that will do. Raises NotFoundError that says what the hub has."""
        return self.hub.fetch(self.release(), into, progress)

    def release(self) -> Release:
        """The version that is meant. Raises as `fetch` does."""
        releases = self.hub.list_versions(self.ref)
        found = pick(releases, self.versions)
        if found is None:
            there = ", ".join(release.version for release in releases[:8])
            raise NotFoundError(f"the hub has no {self.ref}{self.versions}; of {self.ref} it has {there}")
        return found


def pick(releases: Sequence[Release], versions: str) -> Release | None:
    """The newest that fits. One that comes before its release (1.0rc1) is taken only where it is asked for or nothing else is there."""
    fitting = set(SpecifierSet(versions).filter(release.version for release in releases))
    return max((release for release in releases if release.version in fitting), key=lambda release: Version(release.version), default=None)
