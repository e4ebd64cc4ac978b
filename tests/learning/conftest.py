"""A detector that really looks and really learns, small enough to be told by heart.

Pictures hold one bright square each. The untaught detector sees the square in the wrong place (12 pixels to the right); `train`
measures by how much it is off on the pictures it is given, and writes that down as its checkpoint.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.annotation.provider import Variant
from cvflow_tui.backend.jobs import JobBoard, Progress
from cvflow_tui.backend.learning.service import LearningService
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.projects import Draw, PictureState, ProjectSettings, SetState
from cvflow_tui.model.results import DetectedObject

SOLVER = "tests/squares/detect"
OFF = 12.0


def square(path: Path) -> Box:
    """Where the bright square lies."""
    ys, xs = np.nonzero(np.asarray(Image.open(path).convert("L")) > 128)
    return Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


@dataclass
class Squares:
    """The detector as a provider. `spoil` makes it learn badly, `fail` makes it fail, `hold` makes it wait until it is called off."""

    spoil: bool = False
    fail: str | None = None
    hold: threading.Event | None = None
    learns: bool = True
    loaded: dict[str, Path] = field(default_factory=dict)
    datasets: list[dict[str, Any]] = field(default_factory=list)
    bases: list[Path | None] = field(default_factory=list)
    abandoned: list[tuple[str, Variant]] = field(default_factory=list)

    def suggest(self, solver: str, picture: Path, *, threshold: float, variant: Variant | None) -> tuple[DetectedObject, ...]:
        assert solver == SOLVER
        offset = OFF
        if variant is not None:
            self.loaded.setdefault(variant.project, variant.checkpoint)
            assert self.loaded[variant.project] == variant.checkpoint
            offset = json.loads(variant.checkpoint.read_text())["offset"]
        return (DetectedObject("SQUARE", 0.9, square(picture).moved(offset, 0)),)

    def trainable(self, solver: str) -> bool:
        return self.learns

    def train(
        self, solver: str, dataset: Path, checkpoint: Path, *, base: Path | None, parameters: Mapping[str, Any], progress: Progress
    ) -> Mapping[str, Any]:
        told = json.loads((dataset / "dataset.json").read_text())
        self.datasets.append(told)
        self.bases.append(base)
        checkpoint.write_text("{}")
        draft = checkpoint.with_name(f".{checkpoint.name}.4711")
        draft.write_text("{")  # as a solver writes beside its checkpoint, and a process that is killed leaves it
        progress.advance(1, 2)
        if self.hold is not None:
            self.hold.set()
            progress.cancelled.wait(20)
            progress.check()
        if self.fail:
            raise PackageError(self.fail)
        items = [item for item in told["items"] if item["split"] == "train" and item["objects"]]
        offsets = [item["objects"][0]["box"][0] - square(Path(item["path"])).x0 for item in items]
        checkpoint.write_text(json.dumps({"offset": 40.0 if self.spoil else sum(offsets) / len(offsets)}))
        draft.unlink()
        progress.advance(2, 2)
        return {"loss": 0.0}

    def stage(self, solver: str, variant: Variant) -> None:
        self.loaded[variant.project] = variant.checkpoint

    def promote(self, solver: str, variant: Variant) -> None:
        self.loaded[variant.serving().project] = self.loaded.pop(variant.candidate().project)

    def discard(self, solver: str, variant: Variant) -> None:
        self.loaded.pop(variant.project, None)

    def abandon(self, solver: str, candidate: Variant) -> None:
        self.abandoned.append((solver, candidate))


@dataclass
class Bench:
    """The services on one home, and short hands for what an annotator does."""

    home: Home
    provider: Squares
    projects: ProjectService
    learning: LearningService
    jobs: JobBoard

    def annotate(self, position: int, *, empty: bool = False) -> str | None:
        """Open a picture, commit the truth, finish it; the round this began, if it did."""
        view = self.projects.open("p", position)
        number = view.picture.id
        if not empty:
            self.projects.act("p", number, Draw("square", square(Path(view.picture.path))))
        state = PictureState.CONFIRMED_EMPTY if empty else PictureState.ANNOTATED
        return self.learning.after_act("p", self.projects.act("p", number, SetState(state)))

    def finish(self, job: str | None) -> Job:
        """The job once it is over."""
        assert job is not None
        told = self.jobs.get(job)
        while told is not None and not told.state.is_over:
            told = self.jobs.wait(job, told.revision, 20)
        assert told is not None
        return told


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Thirty pictures of 160 x 120 with a square of 30 pixels each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 31):
        picture = Image.new("L", (160, 120))
        x, y = (number * 7) % 80, (number * 11) % 80
        ImageDraw.Draw(picture).rectangle((x, y, x + 29, y + 29), fill=255)
        picture.save(folder / f"{number}.png")
    return folder


@pytest.fixture
def start(tmp_path: Path, pictures: Path) -> Iterator[Callable[[], Bench]]:
    """Starts the services, with a project `p` the first time; call it again to restart."""
    home = Home(tmp_path / "home")
    home.make()
    provider = Squares()
    closing: list[Callable[[], None]] = []

    def begin() -> Bench:
        while closing:
            closing.pop()()
        state = open_state(home)
        projects = ProjectService(home, state, provider)
        jobs = JobBoard()
        learning = LearningService(projects, provider, jobs)
        closing.extend((state.close, projects.close, jobs.close))
        projects.recover()
        learning.recover()
        if not projects.projects():
            projects.create("p", [str(pictures)], ["square", "circle"], ProjectSettings(SOLVER, 0.4, 6))
        return Bench(home, provider, projects, learning, jobs)

    yield begin
    while closing:
        closing.pop()()
