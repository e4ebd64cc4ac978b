"""What an annotator's keys mean for the open picture. Each method is an intent: the daemon is asked before anything shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Accept, AcceptRest, Act, ActResult, Decline, Draw, Edit, Fix, PictureState, Remove, SetState
from cvflow_tui.screens.annotate.boxes import fits
from cvflow_tui.screens.annotate.rows import Key, Row, hidden_below
from cvflow_tui.screens.annotate.session import Session
from cvflow_tui.screens.annotate.words import fraction


class Acts:
    """Verdicts, drawing, classes, states, undo. Every method raises a CvflowError with one line where it cannot be done."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def accept(self) -> None:
        """Take the selected suggestion, or else the first that is undecided; select the next undecided one."""
        session = self._session
        row = session.row
        if row is None or row.suggestion is None or row.annotation is not None:
            row = next((each for each in session.rows if each.is_undecided), None)
        if row is None or row.suggestion is None:
            raise RefusedError("nothing to accept: no suggestion above the threshold is undecided")
        session.selected = row.key
        await session.act(Accept(row.suggestion.id))
        self._advance()

    async def accept_rest(self) -> None:
        """Take every undecided suggestion above the threshold."""
        session = self._session
        if not session.undecided:
            raise RefusedError("nothing to accept: no suggestion above the threshold is undecided")
        await session.act(AcceptRest(session.threshold))

    async def decline(self) -> None:
        """Decline the selected suggestion, or delete the selected annotation."""
        session = self._session
        row = self._selected()
        if row.annotation is not None:
            await session.act(Remove(row.annotation.id))
        elif row.is_declined:
            session.listener.told(f"{row.number} is declined already; a accepts it after all")
        elif row.suggestion is not None:
            await session.act(Decline(row.suggestion.id))
            self._advance()

    async def choose_class(self, label: str, *, drawing: bool = False) -> None:
        """Give the selected object this class, or else (and always while `drawing`) draw with it from now on."""
        session = self._session
        row = None if drawing else session.row
        if row is None:
            session.label = label
            session.listener.told(f"drawing {label} from now on")
            session.listener.changed()
        elif row.label == label:
            session.listener.told(f"{row.number} is {label} already")
        else:
            await session.act(change_of(row, label, row.box))

    async def choose_digit(self, digit: int, *, drawing: bool = False) -> None:
        """As `choose_class`, by the class' digit."""
        labels = self._session.labels
        if not 1 <= digit <= len(labels):
            raise RefusedError(f"there is no class {digit}: this project has {len(labels)}")
        await self.choose_class(labels[digit - 1], drawing=drawing)

    async def draw(self, box: Box, picture: int | None = None) -> None:
        """A box drawn by hand (on `picture`, where that is given) becomes an annotation of the current class, and is selected."""
        session = self._session
        if picture is not None and session.opened().picture.id != picture:
            raise RefusedError("another picture came before the box was finished: nothing was drawn")
        inside = fits(box, session.size)
        if inside is None:
            raise RefusedError("that box holds no pixel: nothing was drawn")
        if session.label is None:
            raise RefusedError("this project has no classes: give it labels first")
        result = await session.act(Draw(session.label, inside))
        known = next((row for row in session.rows if row.annotation and row.annotation.id == result.affected), None)
        if known is not None:
            session.selected = known.key
            session.listener.changed()

    async def confirm_empty(self) -> None:
        """Say that the picture holds none of the classes, or take that back."""
        session = self._session
        view = session.opened()
        if view.annotations:
            held = len(view.annotations)
            raise RefusedError(
                f"this picture holds {held} annotation{'s' if held > 1 else ''}: delete {'them' if held > 1 else 'it'} first (x)"
            )
        empty = view.picture.state is PictureState.CONFIRMED_EMPTY
        await session.act(SetState(PictureState.IN_PROGRESS if empty else PictureState.CONFIRMED_EMPTY))
        session.refresh_soon()

    async def change_threshold(self, step: float) -> None:
        """Hide suggestions below another score from now on, in this project; selects something that still shows."""
        session = self._session
        project = session.project
        if project is None:
            raise RefusedError("no project is open")
        threshold = round(min(max(session.threshold + step, 0.0), 1.0), 2)
        if threshold == session.threshold:
            return
        await session.client.change_project(session.name, replace(project.settings, threshold=threshold))
        session.take_threshold(threshold)
        session.listener.told(
            f"threshold {fraction(threshold)}: {session.undecided} to decide, {hidden_below(session.opened(), threshold)} hidden"
        )

    async def undo(self) -> None:
        """Take the project's last act back, on whichever picture it was."""
        view = self._session.view
        await self._turn(self._session.client.undo, view is not None and view.can_undo)

    async def redo(self) -> None:
        """Do again what was undone last."""
        view = self._session.view
        await self._turn(self._session.client.redo, view is not None and view.can_redo)

    async def _turn(self, ask: Callable[[str], Awaitable[ActResult]], expected: bool) -> None:
        # Asked also where nothing is expected: another app may have acted on this project.
        try:
            result = await ask(self._session.name)
        except RefusedError as error:
            if expected:
                raise
            self._session.listener.told(error.message)
            return
        self._session.take(result)
        self._session.refresh_soon()

    async def pick(self, key: Key) -> None:
        """Select an object that was clicked."""
        self._session.selected = key
        self._session.listener.changed()

    async def select(self, step: int) -> None:
        """Select the next (1) or previous (-1) object, going round."""
        session = self._session
        rows = session.rows
        if not rows:
            session.listener.told("this picture has no objects yet: r draws a box")
            return
        at = next((index for index, row in enumerate(rows) if row.key == session.selected), None)
        session.selected = rows[(at + step) % len(rows) if at is not None else (0 if step > 0 else -1)].key
        session.listener.changed()

    async def deselect(self) -> None:
        """Select nothing, so that digits choose the class to draw with."""
        self._session.selected = None
        self._session.listener.changed()

    def _selected(self) -> Row:
        row = self._session.row
        if row is None:
            raise RefusedError("no object is selected: Tab selects one")
        return row

    def _advance(self) -> None:
        self._session.select_undecided()
        self._session.listener.changed()


def change_of(row: Row, label: str, box: Box) -> Act:
    """The act that gives an object another class or box: an Edit of an annotation, a Fix of a suggestion."""
    if row.annotation is not None:
        return Edit(row.annotation.id, label, box)
    if row.suggestion is not None:
        return Fix(row.suggestion.id, label, box)
    raise RefusedError(f"object {row.number} cannot be changed")
