"""Why a package cannot run here, or what to know before it does."""

from __future__ import annotations

from dataclasses import dataclass

from cvflow_tui.model.mending import Mend


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that stands in a package's way, or may."""

    topic: str
    """`python`, `requirements`, `build`, `index`, `imports`, `weights`, `disk`, `gpu`, `libraries`."""
    what: str
    """One sentence: what is so."""
    mend: str = ""
    """What a user can do about it; empty where nothing can be done."""
    blocks: bool = True
    """Whether it cannot be installed like this; False = a warning."""
    detail: str = ""
    """What stands behind it (a tool's whole output): shown where a user asks for more."""
    code: str = "package"
    """Which kind of error it is, as in `model/errors.py`."""
    fails: bool = False
    """Whether it will hardly be installed though nothing refuses it: what only the installation can be sure of."""

    mends: tuple[Mend, ...] = ()
    """Options of `install` that may help, each by itself: what `mend` says, as data."""

    @property
    def sentence(self) -> str:
        """What and mend on one line."""
        return f"{self.what}; {self.mend}" if self.mend else self.what
