"""What every format is read into and written from: classes, pictures, boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Annotation, Picture, Project


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box of a class, in pixels of the picture as displayed. `id` is the format's own, where it has one."""

    label: str
    box: Box
    id: int | None = None


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture that a person finished; no objects means that it is known to hold none."""

    file_name: str
    width: int
    height: int
    objects: tuple[LabelledBox, ...] = ()
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A whole file of annotations, as it was loaded. `dropped` says what could not be kept."""

    labels: tuple[str, ...]
    pictures: tuple[LabelledPicture, ...]
    info: dict[str, object] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What a save wrote, and what the format could not hold."""

    pictures: int
    annotations: int
    dropped: tuple[str, ...] = ()


class Source(Protocol):
    """Where an export finds a project: annotation's service, seen from here."""

    def project(self, name: str) -> Project:
        """A project."""
        ...

    def finished(self, name: str) -> Iterator[tuple[Picture, tuple[Annotation, ...]]]:
        """Every finished picture with what a person stands behind, a few at a time."""
        ...
