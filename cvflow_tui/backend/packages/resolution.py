"""What an environment will hold, exactly: every distribution with its version, file, size and hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.packages.interpreters import Interpreter
from cvflow_tui.backend.packages.requirements import merged, relaxed
from cvflow_tui.model.circumstances import NOTHING_TOLD, Circumstances


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution of an environment."""

    name: str
    version: str = ""
    """Empty where only its source tells (a repository)."""
    file: str = ""
    """Name of the wheel or source archive."""
    hashes: tuple[str, ...] = ()
    """`sha256:…`, one at least unless it comes from a repository (whose commit is in `url`)."""
    size: int | None = None
    """Bytes of the file; None where the index does not tell."""
    source: bool = False
    """Whether it is built here, which runs its author's code."""
    url: str | None = None
    """A direct reference; None = from the index by name and version."""
    where: str | None = None
    """Where the index has the file, to ask for its size; not part of what is installed."""

    @property
    def told(self) -> str:
        """`name==version`, or `name @ url`."""
        return f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"

    @property
    def line(self) -> str:
        """The line for the installer."""
        return " ".join([self.told, *(f"--hash={digest}" for digest in self.hashes)])


@dataclass(frozen=True, slots=True)
class Built:
    """A build that the user allowed once: of these very bytes, or of this commit."""

    pin: Pin
    written: str = ""
    """The address as a requirement gave it; empty for what came from an index by its name."""

    def is_of(self, pin: Pin) -> bool:
        """Whether it is this very build."""
        if self.pin.name != pin.name:
            return False
        return bool(set(self.pin.hashes) & set(pin.hashes)) if self.pin.hashes else self.pin.url is not None and self.pin.url == pin.url


@dataclass(frozen=True, slots=True)
class Wish:
    """What an environment is asked to satisfy."""

    requirements: tuple[str, ...] = ()
    """The author's, as `read_requirements` gives them."""
    python: str | None = None
    """The author's range of Python versions."""
    added: tuple[str, ...] = ()
    """The user's (`--with`)."""
    interpreter: str | None = None
    """The user's choice (`--python`): a path or a version."""
    relax: bool = False
    """Names alone, whatever the author pinned."""
    allow_build: tuple[str, ...] = ()
    """Distributions whose code may run to install them, whichever of them come."""
    builds: tuple[Built, ...] = ()
    """Those that were allowed before: exactly these."""
    caller: Circumstances = NOTHING_TOLD
    """Whoever asks: offline or not, with which indexes."""
    locked: Path | None = None
    """A lock that says all of it: nothing is resolved."""

    def allows(self, pin: Pin) -> bool:
        """Whether a build may run: by its name now, or exactly this one before."""
        return pin.name in self.allow_build or any(each.is_of(pin) for each in self.builds)

    @property
    def lines(self) -> tuple[str, ...]:
        """What is resolved."""
        return merged(relaxed(self.requirements) if self.relax else self.requirements, self.added)


@dataclass(frozen=True, slots=True)
class Resolution:
    """Everything that goes into one environment."""

    interpreter: Interpreter
    pins: tuple[Pin, ...] = ()
    alone: str = ""
    """Told by an install whose scripts change the environment afterwards: nobody else shares that one."""

    @property
    def key(self) -> str:
        """The environment's name: what it holds, whoever asked for it and however they asked."""
        interpreter = self.interpreter
        python = [interpreter.implementation, interpreter.version, interpreter.platform, str(interpreter.base.resolve())]
        told = json.dumps([sorted([pin.told, *sorted(pin.hashes)] for pin in self.pins), python, *([self.alone] if self.alone else [])])
        return hashlib.sha256(told.encode()).hexdigest()[:20]

    @property
    def resolved(self) -> tuple[str, ...]:
        """`name==version` of all, sorted."""
        return tuple(sorted(pin.told for pin in self.pins))

    @property
    def builds(self) -> tuple[Pin, ...]:
        """What is built here."""
        return tuple(pin for pin in self.pins if pin.source)


def total_size(pins: Sequence[Pin]) -> int | None:
    """Bytes of the files of all; None where one of them is not known."""
    sizes = [pin.size for pin in pins]
    return None if None in sizes else sum(size for size in sizes if size is not None)
