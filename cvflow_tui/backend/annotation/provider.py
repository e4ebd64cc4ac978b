"""Where suggestions come from. IAE knows only this interface; its usual implementation is a solver's URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.model.results import DetectedObject

CANDIDATE = ".candidate"
"""What a candidate's variant is called after its project; no project's name may end so."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Which weights to ask: those a project's rounds made. `checkpoint` is a folder or file the solver wrote.

    `project` is the variant's name: the project's own for what serves it, `PROJECT.candidate` for what may come to serve it.
    """

    project: str
    checkpoint: Path

    def candidate(self) -> Variant:
        """These weights staged beside what serves."""
        return Variant(self.project.removesuffix(CANDIDATE) + CANDIDATE, self.checkpoint)

    def serving(self) -> Variant:
        """These weights as what serves the project."""
        return Variant(self.project.removesuffix(CANDIDATE), self.checkpoint)


class Provider(Protocol):
    """Asks a solver (`vendor/package/solver`) for suggestions, and has it learn. Blocking; called from threads.

    Every method raises a CvflowError with one line for the annotator (not installed, failed to start, unreadable picture).
    """

    def suggest(self, solver: str, picture: Path, *, threshold: float, variant: Variant | None) -> tuple[DetectedObject, ...]:
        """The solver's objects for a picture, boxes in pixels as displayed, scores at least `threshold`."""
        ...

    def trainable(self, solver: str) -> bool:
        """Whether the solver has a `train`."""
        ...

    def train(
        self, solver: str, dataset: Path, checkpoint: Path, *, base: Path | None, parameters: Mapping[str, Any], progress: Progress
    ) -> Mapping[str, Any]:
        """Fine-tune on the dataset folder, writing the new weights at `checkpoint`; returns the solver's own metrics."""
        ...

    def stage(self, solver: str, variant: Variant) -> None:
        """Load a candidate (`variant.candidate()`) beside what serves, so that `suggest` with this variant answers from it."""
        ...

    def promote(self, solver: str, variant: Variant) -> None:
        """Make a staged candidate what serves its project, without dropping a request."""
        ...

    def discard(self, solver: str, variant: Variant) -> None:
        """Unload a candidate that was not good enough."""
        ...

    def abandon(self, solver: str, candidate: Variant) -> None:
        """End what a round of a daemon that died left at the solver: its training, its candidate. Starts nothing."""
        ...
