"""Packages, their solvers, and what an install would do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""What vendors and packages may be called (case-folded)."""


@dataclass(frozen=True, slots=True)
class SolverName:
    """A solver's full name, `vendor/package/solver`."""

    vendor: str
    package: str
    solver: str

    def __str__(self) -> str:
        return f"{self.vendor}/{self.package}/{self.solver}"

    @property
    def package_ref(self) -> str:
        """`vendor/package`."""
        return f"{self.vendor}/{self.package}"

    @classmethod
    def parse(cls, text: str) -> SolverName:
        """Read a full name. Raises ValueError for anything that is not three plain words between slashes."""
        parts = text.split("/")
        if len(parts) != 3 or not all(NAME.fullmatch(part.lower()) for part in parts):
            raise ValueError(f"{text!r} is not VENDOR/PACKAGE/SOLVER")
        return cls(parts[0].lower(), parts[1].lower(), parts[2])


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named argument of a solver's `infer`, as its signature declares it."""

    name: str
    type: str
    """`float`, `int`, `bool`, `str`, or whatever the annotation says."""
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class SolverInfo:
    """A solver as its package declares it."""

    name: str
    class_path: str
    task: str = "other"
    labels: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    trainable: bool = False
    batch: int = 1


@dataclass(frozen=True, slots=True)
class WeightInfo:
    """A weight file: where it comes from and what it must be. `size` in bytes, None where only the source knows."""

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class PackageSummary:
    """A package in a list: on the hub, installed, or both."""

    vendor: str
    name: str
    version: str
    tagline: str = ""
    license: str = ""
    tasks: tuple[str, ...] = ()
    solvers: tuple[str, ...] = ()
    size: int | None = None
    """Bytes on disk once installed, weights included and the environment not; None where unknown."""
    source: str = ""
    """What `install` takes to get it."""
    installed: str | None = None
    """The installed version, or None."""

    @property
    def ref(self) -> str:
        """`vendor/name`."""
        return f"{self.vendor}/{self.name}"


@dataclass(frozen=True, slots=True)
class PackageDetail:
    """Everything a detail pane shows."""

    summary: PackageSummary
    readme: str = ""
    solvers: tuple[SolverInfo, ...] = ()
    weights: tuple[WeightInfo, ...] = ()
    environment: str = "venv"
    """`venv` (one of its own) or `host` (the app's own Python)."""
    requirements: tuple[str, ...] = ()
    python: str | None = None
    path: str | None = None
    """The folder it is installed in, or None."""
    commit: str | None = None
    """The pinned commit, for git sources."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What to install, and how."""

    source: str
    """What a user types: a name of the hub, a folder, an archive, a repository."""

    @classmethod
    def of(cls, source: InstallRequest | str) -> InstallRequest:
        """The request itself, or one for a source without any wish."""
        return cls(source) if isinstance(source, str) else source


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What an install will do, shown before anything is done."""

    package: PackageDetail
    source: str
    download_bytes: int | None
    """Bytes that will come over the network; 0 when all is at hand, None where a source does not tell."""
    disk_bytes: int | None
    free_bytes: int
    environment: str
    """One sentence: which environment, new or shared, and how many requirements."""
    steps: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Why it can't be installed here, one sentence each; empty when it can."""
    replaces: str | None = None
    """The version that is installed now, or None."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal did."""

    package: str
    freed_bytes: int
    stopped: tuple[str, ...] = field(default=())
