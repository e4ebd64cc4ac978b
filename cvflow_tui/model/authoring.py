"""What the author of a package is told: the template that was written, what a check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class NewPackageRequest:
    """A package to begin with."""

    name: str
    folder: str
    """Absolute; it must not exist, or be empty."""
    vendor: str = "local"
    task: str = "object-detection"


@dataclass(frozen=True, slots=True)
class NewPackage:
    """A package that was written."""

    ref: str
    """`vendor/name`."""
    task: str
    folder: str
    files: tuple[str, ...] = ()
    """Relative to the folder."""


class Level(StrEnum):
    """How much a finding weighs."""

    NOTE = "note"
    """Worth knowing; nothing to mend."""
    WARNING = "warning"
    """It runs, but not well, not everywhere, or not safely; a fault where the check is strict."""
    FAULT = "fault"
    """It does not do what a package promises."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """A package to look at: a source as `install` takes it."""

    source: str
    picture: str | None = None
    """The picture to infer on (absolute); None = the package's own, or one that is drawn."""
    strict: bool = False
    """Warnings fail too."""
    allow_build: tuple[str, ...] = ()
    """Distributions whose code may run to install them, as `install` takes it."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Parameters to infer with, as text; each solver gets those that it takes."""
    requirements: tuple[str, ...] = ()
    """What the author forgot, as `install --with` takes it."""
    relax: bool = False
    """Ask for the author's requirements by name alone."""
    python: str | None = None
    """Which Python the environment is made of; None = one that fits."""
    weights: tuple[str, ...] = ()
    """Weights that the user has, as `install --weights` takes them."""
    offline: bool = False
    """Touch no network: what is not at hand is named."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check."""

    level: Level
    topic: str
    """`manifest`, `labels`, `weights`, `requirements`, `import`, `load`, `infer`, `result`, `elsewhere`, `scripts`, `code`."""
    message: str
    mend: str = ""
    """What to do about it; empty where there is nothing to do."""
    where: str = ""
    """File, line and field, as far as they are known: `cvpm.toml:12 solvers[0].task`."""


@dataclass(frozen=True, slots=True)
class SolverTrial:
    """A solver, run through a real worker. Times in seconds, memory in bytes; None where it did not come so far."""

    name: str
    task: str
    load_seconds: float | None = None
    first_seconds: float | None = None
    """The first picture after loading."""
    infer_seconds: float | None = None
    """A later one: the median of a few."""
    peak_rss: int | None = None
    """The worker's largest resident memory."""
    result: Any = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What running it on another machine takes."""

    pythons: tuple[str, ...] = ()
    """Versions of Python (`3.11`) that the manifest and every distribution in the environment accept."""
    distributions: int = 0
    native: tuple[str, ...] = ()
    """Distributions with compiled code: each must exist for the other machine."""
    built: tuple[str, ...] = ()
    """Distributions that were built from source here: their authors' code ran, and elsewhere it must too."""
    gpu: tuple[str, ...] = ()
    """Distributions made for a GPU."""
    environment_bytes: int | None = None
    weights_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Everything a check found."""

    source: str
    package: str = ""
    """`vendor/name`, once the manifest tells."""
    version: str = ""
    picture: str = ""
    """What was inferred on."""
    passed: bool = False
    findings: tuple[Finding, ...] = ()
    solvers: tuple[SolverTrial, ...] = ()
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
