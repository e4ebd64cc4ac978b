"""What a solver is told before it is made: its folder, labels, weights, checkpoint, threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """Everything outside the package that a solver may ask for. Paths are absolute."""

    root: Path = field(default_factory=Path.cwd)
    """The package's folder."""
    labels: tuple[str, ...] = ()
    """The labels of the manifest, in their order."""
    weights: Mapping[str, Path] = field(default_factory=dict)
    """Weight name (as in the manifest) -> file."""
    checkpoint: Path | None = None
    """What `train` wrote earlier and this solver shall serve or go on from; None = the package's own weights."""
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    """How many CPU threads the solver may keep busy."""
    task: str = "other"
    package: str = ""
    """`vendor/package`."""
    version: str = ""


_current: Context = Context()


def configure(
    *,
    root: Path,
    labels: Iterable[str] = (),
    weights: Mapping[str, Path] | None = None,
    checkpoint: Path | None = None,
    threads: int | None = None,
    task: str = "other",
    package: str = "",
    version: str = "",
) -> Context:
    """Set what the solvers made from now on are told; the worker calls this before it makes the class. Returns the new context."""
    global _current
    files: dict[str, Path] = {name: Path(path).absolute() for name, path in (weights or {}).items()}
    _current = Context(
        root=Path(root).absolute(),
        labels=tuple(labels),
        weights=files,
        checkpoint=Path(checkpoint).absolute() if checkpoint is not None else None,
        threads=max(1, threads if threads is not None else os.cpu_count() or 1),
        task=task,
        package=package,
        version=version,
    )
    return _current


def current() -> Context:
    """The context that a solver made now would be told."""
    return _current
