"""What a picture holds, and a change to it that can be read in both directions. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cvflow_tui.model.geometry import Size
from cvflow_tui.model.projects import Annotation, PictureState, Suggestion, Verdict


@dataclass(frozen=True, slots=True)
class Content:
    """A picture's annotations and suggestions, each in the order of their ids. `size` is None for a picture that can't be read."""

    name: str
    size: Size | None
    state: PictureState
    annotations: tuple[Annotation, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotationChange:
    """An annotation before and after; None before = it is new, None after = it is gone."""

    before: Annotation | None
    after: Annotation | None

    @property
    def id(self) -> int:
        """The annotation it is about."""
        either = self.before or self.after
        if either is None:
            raise ValueError("an annotation's change needs a side")
        return either.id


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """What was said of a suggestion before and after."""

    suggestion: int
    before: Verdict | None
    after: Verdict | None


@dataclass(frozen=True, slots=True)
class Change:
    """Everything an act does to one picture."""

    annotations: tuple[AnnotationChange, ...] = ()
    verdicts: tuple[VerdictChange, ...] = ()
    state: tuple[PictureState, PictureState] | None = None

    def inverse(self) -> Change:
        """The change that takes this one back."""
        return Change(
            tuple(AnnotationChange(item.after, item.before) for item in self.annotations),
            tuple(VerdictChange(item.suggestion, item.after, item.before) for item in self.verdicts),
            None if self.state is None else (self.state[1], self.state[0]),
        )


def applied(content: Content, change: Change) -> Content:
    """The content after a change."""
    held = {annotation.id: annotation for annotation in content.annotations}
    for item in change.annotations:
        if item.after is None:
            held.pop(item.id, None)
        else:
            held[item.id] = item.after
    verdicts = {item.suggestion: item.after for item in change.verdicts}
    return replace(
        content,
        state=content.state if change.state is None else change.state[1],
        annotations=tuple(held[number] for number in sorted(held)),
        suggestions=tuple(
            replace(suggestion, verdict=verdicts[suggestion.id]) if suggestion.id in verdicts else suggestion
            for suggestion in content.suggestions
        ),
    )
