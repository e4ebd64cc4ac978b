"""Packages, their solvers, and what an install would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.storage import Pruning


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named argument of a solver's `infer`, as its signature declares it."""

    name: str
    type: str
    """`float`, `int`, `bool`, `str`, or whatever the annotation says."""
    default: Any = None
    required: bool = False
    schema: dict[str, Any] | None = None
    """Its values as JSON Schema, where a running solver has told."""


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
    result: str = ""
    """The adapter that makes the common result of what the solver returns; empty = none is needed."""
    shape: str = ""
    """How an original solver is called, as its source declares `infer`; empty for one of ours."""


@dataclass(frozen=True, slots=True)
class WeightInfo:
    """A weight file: where it comes from and what it must be. `size` in bytes, None where only the source knows."""

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None
    untrusted: str | None = None
    """One word why loading it may run code of its author (`pickle`, `lambda`), or None."""


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
    problem: str = ""
    """Why what is installed cannot be used, one sentence with the mend; empty where it can."""

    @property
    def headline(self) -> str:
        """Which it is, and what it says of itself."""
        return f"{self.ref} {self.version}" + (f": {self.tagline}" if self.tagline else "")

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
    kept: str | None = None
    """The version that a rollback leads to; None where none is kept, or the package is not installed."""
    kept_is_newer: bool = False
    """Whether that one is the newer: a rollback led away from it, and the next one returns to it."""
    linked: str | None = None
    """The author's folder, where the package is linked to it instead of copied."""


@dataclass(frozen=True, slots=True)
class HubVersion:
    """One version of a package on a hub."""

    version: str
    source: str
    """What `install` takes to get exactly this one."""
    size: int | None = None
    """Bytes on disk once installed, as `PackageSummary.size`."""
    published: float | None = None
    """When it came to the hub (seconds since 1970); None where the hub does not know."""
    installed: bool = False
    newest: bool = False
    """Whether it is the one that is taken where none is named."""


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What to install, and how."""

    source: str
    """What a user types: a name of the hub, a folder, an archive, a repository."""
    editable: bool = False
    """Link the folder instead of copying it: what its author changes holds from the solver's next start on."""
    locked: bool = False
    """Install exactly what the `cvflow.lock` in the folder says, or nothing."""
    scripts: tuple[str, ...] = ()
    """Digests (sha256, or their first digits) of the package's scripts that may run."""
    requirements: tuple[str, ...] = ()
    """What the author forgot: requirements that are added to the package's own, or take the place of one of the same name."""
    relax: bool = False
    """Ask for the author's requirements by name alone: no versions, no hashes."""
    allow_build: tuple[str, ...] = ()
    """Distributions whose code may run to install them (source archives, repositories); wheels run nothing. Later ones are asked for
    again: what is remembered is exactly what was built."""
    python: str | None = None
    """Which Python the environment is made of: a path or a version; None = one that fits."""

    weights: tuple[str, ...] = ()
    """Weights that the user has: `NAME=FILE`, `NAME=https:…`, `NAME=pypi:…`, or a folder in which they lie under their names."""
    accept_weights: tuple[str, ...] = ()
    """Weights without a digest that may be other files than those that came first."""
    strict: bool = False
    """Refuse a package that can only be read with repairs."""
    discard: bool = False
    """Keep nothing of what was downloaded where it is called off or fails; else that waits for another attempt."""
    offline: bool = False
    """Touch no network, not even to look up a name: what is not at hand is named."""
    again: bool = False
    """Plan all of it though exactly this is installed already; else such a plan is to do nothing."""

    @classmethod
    def of(cls, source: InstallRequest | str) -> InstallRequest:
        """The request itself, or one for a source without any wish."""
        return cls(source) if isinstance(source, str) else source


@dataclass(frozen=True, slots=True)
class Script:
    """A script that a package's author wants to run at the installation. It never runs unless its digest is allowed."""

    name: str
    """Its path in the package."""
    sha256: str
    text: str
    """The whole of it, clean."""
    when: str
    """`before` or `after` the requirements."""
    allowed: bool = False


@dataclass(frozen=True, slots=True)
class Differences:
    """What is another between two versions of one thing: names, sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class DistributionChange:
    """Another version of a distribution in an environment."""

    name: str
    before: str | None
    """The version, or the address; None: it is new."""
    after: str | None
    """None: it goes."""

    @property
    def words(self) -> str:
        """In one line, `numpy 1.26 → 2.1`."""
        if self.before is None:
            return f"+{self.name} {self.after}"
        return f"−{self.name} {self.before}" if self.after is None else f"{self.name} {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What an install changes of the version that is there."""

    version: str
    """The version that is there."""
    commits: tuple[str, str] | None = None
    """From which commit to which, for git."""
    files: Differences = Differences()
    requirements: Differences = Differences()
    """As `name==version` or as they are written."""
    weights: Differences = Differences()
    solvers: Differences = Differences()
    parameters: Differences = Differences()
    """As `solver.parameter`."""
    distributions: tuple[DistributionChange, ...] = ()
    """What of the environment comes, goes, or has another version, by name; a newer index alone is no change of the package."""

    def __bool__(self) -> bool:
        return bool(self.files or self.requirements or self.weights or self.solvers or self.parameters)


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
    changes: Changes | None = None
    """What is another than in that version."""
    scripts: tuple[Script, ...] = ()
    """What the package wants to run at the installation."""
    findings: tuple[Finding, ...] = ()
    """What a look around found: why it cannot run here, and what to know before it does."""
    environment_packages: int | None = None
    """Distributions that the environment will hold; None where they cannot be resolved, or the environment is the app's own."""
    environment_bytes: int | None = None
    """Bytes of those that come over the network, a part of `download_bytes`; None where the index does not tell."""
    unchanged: bool = False
    """Whether exactly this is installed already, and whole: there is nothing to do."""
    held: str = ""
    """Of an upgrade: what it keeps to because it was asked for (a git ref, a range of versions), and how to get another; words that
    follow "is up to date"."""


@dataclass(frozen=True, slots=True)
class PackageUses:
    """Who uses an installed package, and what of it stays when it goes."""

    package: str
    running: tuple[str, ...] = ()
    """Its solvers that run."""
    projects: tuple[str, ...] = ()
    """Projects that ask one of its solvers."""
    environment: tuple[str, ...] = ()
    """Packages that share its environment."""
    weights: tuple[str, ...] = ()
    """Packages that share some of its weights."""
    goes: Pruning = field(default_factory=Pruning)
    """What a removal deletes, and what the disk gets back."""


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """Which package to upgrade, and what about the solvers that serve it."""

    ref: str
    """`vendor/name` or `name`, with `==VERSION` or a range where another than the newest is meant."""
    restart: bool = False
    """Restart its solvers with the new version; else they go on serving the old one."""
    rollback_on_failure: bool = False
    """Go back at once where a solver does not start with it. Restarts them."""
    scripts: tuple[str, ...] = ()
    """Digests of scripts that may run, beside those that were allowed before."""
    allow_build: tuple[str, ...] = ()
    """Distributions whose code may run to install them, beside exactly those that were allowed before."""
    accept_weights: tuple[str, ...] = ()
    """Weights without a digest that may be other files than those that came first."""
    offline: bool = False
    """Touch no network: what is not at hand is named."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade or a rollback did."""

    package: PackageDetail
    previous: str | None
    """The version before it, which is kept; None where none was."""
    restarted: tuple[str, ...] = ()
    """Solvers that serve it now."""
    serving_old: tuple[str, ...] = ()
    """Solvers that go on serving the version before until they are restarted."""
    rolled_back: bool = False
    error: str | None = None
    """Why a solver did not start with it: one line."""
    not_back: str | None = None
    """Why one did not start with the version before either, after a rollback: one line."""
    down: tuple[str, ...] = ()
    """Solvers that served before and do not any more."""
    before: str | None = None
    """The version that a rollback left; None for an upgrade."""
    direction: str = ""
    """Which way a rollback went: `back` to the older version, `forward` to the newer one, `none` where the version that was wanted was
    there already; empty for an upgrade."""

    @property
    def failure(self) -> str | None:
        """All that went wrong, and how things stand: one line. None where nothing did."""
        if self.error is None:
            return None
        at = f"{self.package.summary.ref} is at {self.package.summary.version}"
        parts = [self.error, f"{at} again" if self.rolled_back else at]
        if self.not_back is not None:
            parts.append(f"with that it does not start any more either: {self.not_back}")
        if self.serving_old:
            parts.append(f"{', '.join(self.serving_old)} {'goes' if len(self.serving_old) == 1 else 'go'} on with the version before")
        if self.down:
            parts.append(f"not served any more: {', '.join(self.down)}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal did."""

    package: str
    freed_bytes: int
    stopped: tuple[str, ...] = field(default=())
    shared_bytes: int = 0
    """What went from the home folder and was not freed: something outside, uv's cache mostly, is linked to it as well."""
