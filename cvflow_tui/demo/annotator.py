"""An annotator who knows the truth: decides on each suggestion as a person would, using nothing but the client's acts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvflow_tui.demo.pictures import Thing
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.projects import Accept, Act, ActResult, Decline, Draw, Fix, PictureState, PictureView, SetState, Suggestion

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

RIGHT = 0.75
"""IoU from which a person takes a box as it is."""
NEAR = 0.5
"""IoU from which a person mends a box, or its class, rather than draw another."""


@dataclass
class Tally:
    """What the annotator did."""

    pictures: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    rounds: list[str] = field(default_factory=list)
    """Jobs of the rounds that an act set off."""


def decide(suggestions: Sequence[Suggestion], things: Sequence[Thing]) -> list[Act]:
    """The acts that turn suggestions into the truth: each thing gets its best one, what is left is declined, what is missing drawn."""
    pairs = sorted(
        (
            (suggestion.box.iou(thing.box), suggestion.label == thing.label, s, t)
            for s, suggestion in enumerate(suggestions)
            for t, thing in enumerate(things)
        ),
        key=lambda pair: (-(pair[0] + pair[1]), pair[2], pair[3]),
    )
    taken: dict[int, int] = {}
    for overlap, _, s, t in pairs:
        if overlap >= NEAR and s not in taken and t not in taken.values():
            taken[s] = t
    acts: list[Act] = []
    for s, suggestion in enumerate(suggestions):
        if s not in taken:
            acts.append(Decline(suggestion.id))
            continue
        thing = things[taken[s]]
        is_right = suggestion.label == thing.label and suggestion.box.iou(thing.box) >= RIGHT
        acts.append(Accept(suggestion.id) if is_right else Fix(suggestion.id, thing.label, thing.box))
    acts.extend(Draw(thing.label, thing.box) for t, thing in enumerate(things) if t not in taken.values())
    return acts


async def annotate(
    client: DaemonClient, project: str, view: PictureView, things: Sequence[Thing], threshold: float, tally: Tally
) -> ActResult:
    """Bring one opened picture to the truth and finish it. Raises CvflowError if the project then holds anything else.

    Like a person, it sees no suggestion that scores below `threshold`.
    """
    undecided = [suggestion for suggestion in view.suggestions if suggestion.verdict is None and suggestion.score >= threshold]
    for act in decide(undecided, things):
        result = await client.act(project, view.picture.id, act)
        _count(tally, act, result)
    state = PictureState.ANNOTATED if things else PictureState.CONFIRMED_EMPTY
    finish = SetState(state)
    result = await client.act(project, view.picture.id, finish)
    _count(tally, finish, result)
    tally.pictures += 1
    if result.view.picture.state is not state:
        raise CvflowError(f"{view.picture.name} is {result.view.picture.state} after it was finished as {state}")
    _compare(result.view, things)
    return result


def _count(tally: Tally, act: Act, result: ActResult) -> None:
    tally.acts[act.kind] += 1
    if result.round_started:
        tally.rounds.append(result.round_started)


def _compare(view: PictureView, things: Sequence[Thing]) -> None:
    held = list(view.annotations)
    for thing in things:
        match = next((each for each in held if each.label == thing.label and each.box.iou(thing.box) >= RIGHT), None)
        if match is None:
            raise CvflowError(f"{view.picture.name}: the {thing.label} that was annotated is not in the project")
        held.remove(match)
    if held:
        raise CvflowError(f"{view.picture.name}: the project holds {len(held)} annotations more than were made")
