"""What takes room in a home folder, what of it nobody uses, and whether what is installed is still what was installed."""

from __future__ import annotations

from dataclasses import dataclass

DIGITS = 8
"""Digits of a digest that are shown."""


def told_of_shared(size: str, of: str = "it") -> str:
    """What is said, with a size as it is spelt there, of what deleting does not free."""
    return f"{size} of {of} is shared: uv's cache or another folder has it too, and deleting it here frees nothing"


def told_of_cache(size: str, folder: str) -> str:
    """What is said of uv's cache, with its size as it is spelt there."""
    return f"outside, uv's cache: {size} in {folder} (cvflow prune --cache)"


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """One thing that takes room."""

    kind: str
    """`package`, `kept version`, `environment`, `weight`, `download`, `staging`, `project`, `log`, `run`, `state` or `other`; of what
    can be deleted also `uv's cache`, which lies outside."""
    name: str
    bytes: int
    """As the disk counts them; a file that is linked from several places counts once, with the thing it belongs to first."""
    used_by: tuple[str, ...] = ()
    """Which packages share it."""
    digest: str = ""
    """A weight's sha256: two of one name are two files."""
    shared: int = 0
    """Of these bytes: what something outside the home folder is linked to as well, uv's cache mostly. Deleting it here frees nothing."""

    @property
    def key(self) -> tuple[str, str]:
        """What it is, by which what takes room and what nobody uses are known to be the same."""
        # A download's file and its journal have one name in front, under which they are one thing that nobody uses.
        return self.kind, self.digest or (self.name.partition(".")[0] if self.kind == "download" else self.name)

    @property
    def shown(self) -> str:
        """Its name, with as much of a digest as tells two weights of one name apart."""
        return f"{self.name} (sha256 {self.digest[:DIGITS]})" if self.digest else self.name


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """Every byte of a home folder, by what it is."""

    root: str
    total_bytes: int
    """What `du` says of the folder."""
    free_bytes: int
    entries: tuple[DiskEntry, ...] = ()
    """The largest first; their sum is `total_bytes`."""
    cache: str = ""
    """The folder of uv's cache, outside the home folder; empty where there is none."""
    cache_bytes: int = 0
    """What `du` says of that: what environments share with it is in both."""

    @property
    def shared(self) -> int:
        """Bytes of the home folder that something outside is linked to as well."""
        return sum(entry.shared for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Pruning:
    """What nobody uses or what goes with a package, or what was freed of it."""

    entries: tuple[DiskEntry, ...] = ()
    bytes: int = 0
    """By which the home folder becomes smaller, and uv's cache, where that goes along."""
    done: bool = False
    shared: int = 0
    """Of these: what the disk does not get back, for something outside the home folder (uv's cache mostly) is linked to it as well."""

    @property
    def freed(self) -> int:
        """What the disk gets back."""
        return self.bytes - self.shared


@dataclass(frozen=True, slots=True)
class Finding:
    """A file that is not as it was installed."""

    package: str
    """`vendor/name`; `vendor/name version` where it is not the installed version but the way back."""
    part: str
    """`file`, `weight`, `environment`, or `folder`: the author's own, to which the package is linked."""
    path: str
    """Relative to the package, or to the environment; a folder's in full."""
    kind: str
    """`missing`, `damaged`, `extra` (it does not belong there, and could be taken for a part), or `written`: no part, and no harm."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, and what was found."""

    packages: tuple[str, ...] = ()
    files: int = 0
    """How many files were read."""
    bytes: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    """Files that packages wrote into their folders since: no fault."""
    removed: int = 0
    """How many files were deleted because they are no part of what was installed."""
    repaired: tuple[str, ...] = ()
    """Packages that were brought back; what was found in them stands no more."""
