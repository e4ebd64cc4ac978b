"""What a runner needs to know to serve a solver; the packages component makes it, the runtime hands it on as a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cvflow_tui.backend.private_file import write_private
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.settings import SolverSettings


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A solver, ready to run: all paths absolute."""

    package: str
    """`vendor/package`."""
    version: str
    solver: str
    root: str
    """The package's folder: the worker's working directory and first import path."""
    class_path: str
    """`folder/file/Class` as the manifest spells it."""
    task: str
    python: str
    """The interpreter of the package's environment."""
    labels: tuple[str, ...] = ()
    weights: dict[str, str] = field(default_factory=dict)
    """Weight name -> file."""
    batch: int = 1
    token: str = field(default="", repr=False)
    """Opens the runner's control routes (`/train`, `/_cvflow/…`); empty = those routes are closed."""
    result: str = ""
    """Name of the adapter that makes the common result of what the solver returns; empty = none is needed."""
    settings: SolverSettings = field(default_factory=SolverSettings)
    """How the user wants it to run."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """Variables for the worker alone. Secrets, perhaps: they are in no other process' environment and in no argument."""

    @property
    def name(self) -> str:
        """`vendor/package/solver`."""
        return f"{self.package}/{self.solver}"

    def save(self, path: Path) -> None:
        """Write the specification, private to the user (it holds the token), whole or not at all."""
        write_private(path, json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> RunSpec:
        """Read a specification. Raises PackageError for a file that is none."""
        try:
            told: dict[str, Any] = json.loads(path.read_text("utf-8"))
            return cls(**{**told, "labels": tuple(told.get("labels", ())), "settings": _settings(told.get("settings", {}))})
        except (OSError, ValueError, TypeError) as error:
            raise PackageError(f"{path} is no runner specification: {error}") from error


def _settings(told: dict[str, Any]) -> SolverSettings:
    return SolverSettings(**{**told, **{name: tuple(told.get(name, ())) for name in ("after", "allow_hosts")}})
