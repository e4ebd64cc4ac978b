"""What packages and solvers are called."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
