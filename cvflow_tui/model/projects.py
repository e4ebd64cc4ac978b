"""Projects: pictures, annotations, suggestions, verdicts, acts, rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from cvflow_tui.model.geometry import Box


class PictureState(StrEnum):
    """Where a picture stands. Review states belong to the review workflow and appear with it."""

    UNSEEN = "unseen"
    IN_PROGRESS = "in progress"
    ANNOTATED = "annotated"
    CONFIRMED_EMPTY = "confirmed empty"
    SKIPPED = "skipped"

    @property
    def is_finished(self) -> bool:
        """Whether a person stands behind what it holds, so that it may teach a model."""
        return self in (PictureState.ANNOTATED, PictureState.CONFIRMED_EMPTY)


class Verdict(StrEnum):
    """What a person said of a suggestion."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    FIXED = "fixed"


Origin = Literal["drawn", "accepted", "fixed", "imported"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A box a person stands behind. `suggestion` is the suggestion it came from, if any."""

    id: int
    label: str
    box: Box
    origin: Origin = "drawn"
    suggestion: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a solver proposes. Never mixed into the annotations."""

    id: int
    label: str
    score: float
    box: Box
    solver: str = ""
    checkpoint: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a project. `position` counts from 1; size is that of the picture as displayed."""

    id: int
    position: int
    name: str
    path: str
    state: PictureState
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    annotations: int = 0
    error: str | None = None
    """Why it can't be read: one line."""


@dataclass(frozen=True, slots=True)
class PicturePage:
    """A window of a project's pictures; `total` counts all that match."""

    pictures: tuple[Picture, ...]
    total: int
    offset: int


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture as the annotator sees it."""

    picture: Picture
    annotations: tuple[Annotation, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    total: int = 0
    """Pictures in the project."""
    can_undo: bool = False
    can_redo: bool = False
    note: str | None = None
    """Why there are no suggestions, when there should be: one line."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Take a suggestion as it is."""

    suggestion: int
    kind: Literal["accept"] = "accept"


@dataclass(frozen=True, slots=True)
class Decline:
    """Say that a suggestion is wrong."""

    suggestion: int
    kind: Literal["decline"] = "decline"


@dataclass(frozen=True, slots=True)
class AcceptRest:
    """Take every suggestion without a verdict whose score is at least `threshold`."""

    threshold: float
    kind: Literal["accept_rest"] = "accept_rest"


@dataclass(frozen=True, slots=True)
class Fix:
    """Take a suggestion with another box, another class, or both."""

    suggestion: int
    label: str
    box: Box
    kind: Literal["fix"] = "fix"


@dataclass(frozen=True, slots=True)
class Draw:
    """A box drawn by hand."""

    label: str
    box: Box
    kind: Literal["draw"] = "draw"


@dataclass(frozen=True, slots=True)
class Edit:
    """Give an annotation another box, another class, or both."""

    annotation: int
    label: str
    box: Box
    kind: Literal["edit"] = "edit"


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an annotation away; a suggestion it came from is undecided again."""

    annotation: int
    kind: Literal["remove"] = "remove"


@dataclass(frozen=True, slots=True)
class SetState:
    """Finish a picture (annotated, confirmed empty), skip it, or open it again (in progress)."""

    state: PictureState
    kind: Literal["set_state"] = "set_state"


Act = Accept | Decline | AcceptRest | Fix | Draw | Edit | Remove | SetState
"""What an annotator can do to a picture. Each is journalled before it is shown, and each can be undone."""


@dataclass(frozen=True, slots=True)
class ActResult:
    """What an act (or its undoing) did: the picture as it is now, and one line that says so."""

    view: PictureView
    message: str
    affected: int | None = None
    """The annotation or suggestion it was about."""
    round_started: str | None = None
    """The job of the fine-tuning round that this act set off, if it did."""


@dataclass(frozen=True, slots=True)
class DetectionMetrics:
    """Agreement of boxes at IoU .50, and COCO's average precision. None where there was nothing to measure."""

    pictures: int = 0
    precision: float | None = None
    recall: float | None = None
    ap50: float | None = None
    ap: float | None = None


@dataclass(frozen=True, slots=True)
class Prequential:
    """Accuracy while annotating: suggestions as they stood when a picture was first opened, against what was committed."""

    overall: DetectionMetrics = field(default_factory=DetectionMetrics)
    recent: DetectionMetrics = field(default_factory=DetectionMetrics)
    """The last 20 finished pictures."""
    history: tuple[float, ...] = ()
    """F1 of consecutive groups of finished pictures, oldest first: the sparkline."""


class RoundState(StrEnum):
    """Where a round stands."""

    RUNNING = "running"
    PROMOTED = "promoted"
    KEPT_OLD = "kept old"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Round:
    """One fine-tuning. `held_back` measures the new checkpoint, `before` the one that served until then, on the same pictures."""

    number: int
    state: RoundState
    pictures: int
    started: float
    seconds: float | None = None
    checkpoint: str | None = None
    held_back: DetectionMetrics | None = None
    before: DetectionMetrics | None = None
    reason: str = ""
    job: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """What a project's owner may set."""

    solver: str | None = None
    """`vendor/package/solver` that suggests, or None."""
    threshold: float = 0.4
    round_every: int = 10
    """Annotated pictures between two rounds; 0 = never by itself."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project in a list and in the status line."""

    name: str
    path: str
    labels: tuple[str, ...]
    settings: ProjectSettings
    pictures: int = 0
    finished: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """Pictures by state."""
    annotations: int = 0
    rounds: int = 0
    """Rounds whose checkpoint serves or has served."""
    checkpoint: str | None = None
    """The checkpoint that suggests now, e.g. `r4`; None = the package's own weights."""
    until_round: int | None = None
    """Pictures to annotate before the next round; None where rounds are off."""
    credit: str | None = None
    """Where the pictures come from, when the project says so."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """A project with how its learning goes."""

    project: Project
    prequential: Prequential = field(default_factory=Prequential)
    rounds: tuple[Round, ...] = ()
    running_round: str | None = None
    """The job of the round in progress."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote, and what the format could not hold."""

    format: str
    pictures: int
    annotations: int
    dropped: tuple[str, ...] = ()
    path: str | None = None
