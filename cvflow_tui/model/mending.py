"""What may mend an install that does not work: options, as data that a screen can try and a person can read."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mend:
    """Options of `install`, beside those that were given."""

    requirements: tuple[str, ...] = ()
    """`--with`."""
    weights: tuple[str, ...] = ()
    """`--weights`: names of weights whose files only the user can name."""
    allow_build: tuple[str, ...] = ()
    python: str | None = None
    """`--python`; empty where only the user knows which."""
    relax: bool = False
    accept_weights: tuple[str, ...] = ()
    """`--accept-weight`."""

    @property
    def words(self) -> str:
        """The options as they are typed; where the user has something to add, nothing stands after the last of them."""
        words = [f"--with {shlex.quote(each)}" for each in self.requirements]
        words += [f"--allow-build {shlex.quote(each)}" for each in self.allow_build]
        words += [f"--accept-weight {shlex.quote(each)}" for each in self.accept_weights]
        words += ["--relax"] if self.relax else []
        words += [f"--python {shlex.quote(self.python) if self.python else ''}"] if self.python is not None else []
        words += [f"--weights {shlex.quote(each)}=" for each in self.weights]
        return " ".join(words)

    def __add__(self, other: Mend) -> Mend:
        return Mend(
            _once(self.requirements + other.requirements),
            _once(self.weights + other.weights),
            _once(self.allow_build + other.allow_build),
            self.python if self.python is not None else other.python,
            self.relax or other.relax,
            _once(self.accept_weights + other.accept_weights),
        )


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
