"""Pictures, a provider that says what it is told to, and a service on an empty home."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.annotation.provider import Variant
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.results import DetectedObject

SOLVER = "cvflow/nanodet/detect"


class SaysSo:
    """A provider whose answers are set by the test; it records what it was asked."""

    def __init__(self) -> None:
        self.answers: tuple[DetectedObject, ...] = (
            DetectedObject("Raccoon", 0.9, Box(10, 10, 50, 50)),
            DetectedObject("raccoon", 0.5, Box(60, 10, 90, 40)),
            DetectedObject("dog", 0.3, Box(5, 50, 40, 80)),
            DetectedObject("teapot", 0.8, Box(1, 1, 20, 20)),
        )
        self.error: Exception | None = None
        self.asked: list[tuple[str, Variant | None]] = []

    def suggest(self, solver: str, picture: Path, *, threshold: float, variant: Variant | None) -> tuple[DetectedObject, ...]:
        self.asked.append((picture.name, variant))
        if self.error is not None:
            raise self.error
        return tuple(item for item in self.answers if (item.score or 0) >= threshold)

    def trainable(self, solver: str) -> bool:
        return False

    def train(
        self, solver: str, dataset: Path, checkpoint: Path, *, base: Path | None, parameters: Mapping[str, Any], progress: Progress
    ) -> Mapping[str, Any]:
        raise CvflowError("does not train")

    def stage(self, solver: str, variant: Variant) -> None:
        raise CvflowError("does not train")

    def promote(self, solver: str, variant: Variant) -> None:
        raise CvflowError("does not train")

    def discard(self, solver: str, variant: Variant) -> None:
        raise CvflowError("does not train")

    def abandon(self, solver: str, candidate: Variant) -> None:
        raise CvflowError("does not train")


@pytest.fixture
def provider() -> SaysSo:
    return SaysSo()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.make()
    return found


@pytest.fixture
def start(home: Home, provider: SaysSo) -> Iterator[Callable[[], ProjectService]]:
    """Starts a service on the home, as a daemon would; call it again to restart."""
    closing: list[Callable[[], None]] = []

    def begin() -> ProjectService:
        while closing:
            closing.pop()()
        state = open_state(home)
        service = ProjectService(home, state, provider)
        closing.extend((state.close, service.close))
        service.recover()
        return service

    yield begin
    while closing:
        closing.pop()()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures of 100 x 80 pixels."""
    made = tmp_path / "pictures"
    made.mkdir()
    for number in range(1, 13):
        Image.new("RGB", (100, 80), (number * 20, 90, 120)).save(made / f"p-{number}.jpg")
    return made
