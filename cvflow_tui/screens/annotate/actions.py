"""The annotate place's keys and mouse, turned into intents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import BindingType
from textual.suggester import SuggestFromList

from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.annotate import keys
from cvflow_tui.screens.annotate.acts import Acts
from cvflow_tui.screens.annotate.canvas import DrawingCanvas
from cvflow_tui.screens.annotate.find import FindPicture
from cvflow_tui.screens.annotate.keys import KeyMode
from cvflow_tui.screens.annotate.moving import Moving
from cvflow_tui.screens.annotate.object_list import ObjectList
from cvflow_tui.screens.annotate.queue import Intent
from cvflow_tui.screens.annotate.scene import color_index, key_of
from cvflow_tui.screens.annotate.session import Session
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.screens.place import Place
from cvflow_tui.screens.projects_export import export_project
from cvflow_tui.widgets.image_canvas.canvas import ImageCanvas

STEP = 0.05
"""What one press of `[` or `]` changes the threshold by."""
PIXEL_SECONDS = 3.0
"""How long a key that needs the picture waits for it."""
PAN, PAN_FAR = 4, 16
"""Cells that hjkl move the picture by, alone and with Shift."""


@dataclass(frozen=True, slots=True)
class Desk:
    """An open project with what can be done to it."""

    session: Session
    acts: Acts
    moving: Moving


class AnnotateActions(Place):
    """What each key does. Acts wait their turn in the session's line; only zoom, pan and the drawing cursor answer at once."""

    BINDINGS: ClassVar[list[BindingType]] = keys.BINDINGS

    def __init__(self) -> None:
        super().__init__()
        self._desk: Desk | None = None
        self.shapes_hidden = False
        self.pixels_settled = asyncio.Event()
        """Set while no picture is on its way to the canvas."""
        self.pixels_settled.set()

    @property
    def session(self) -> Session | None:
        """The open project."""
        return self._desk.session if self._desk is not None else None

    @property
    def canvas(self) -> DrawingCanvas:
        """The picture."""
        return self.query_one(DrawingCanvas)

    @property
    def key_mode(self) -> KeyMode:
        """What the keys are for just now."""
        if self.session is not None and self.session.resizing is not None:
            return KeyMode.RESIZE
        return KeyMode.DRAW if self.stands.is_set() and self.canvas.mode == "draw" else KeyMode.BROWSE

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only the keys of the mode work, and acts only on an open project."""
        if keys.needs_project(action) and self.session is None:
            return False
        return keys.allowed(action, self.key_mode)

    def mode_changed(self) -> None:
        """The keys are for something else now: other keys at the bottom, another status line."""
        if self.session is not None:
            self.session.listener.changed()
        self.refresh_bindings()

    def _submit(self, choose: Callable[[Desk], Intent], *, bare: bool = False) -> None:
        if self._desk is not None:
            self._desk.session.submit(choose(self._desk), bare=bare)

    # -- verdicts, pictures, undo

    def action_accept(self) -> None:
        """Accept the selected suggestion, or the first undecided one."""
        self._submit(lambda desk: desk.acts.accept)

    def action_accept_rest(self) -> None:
        """Accept what is left above the threshold."""
        self._submit(lambda desk: desk.acts.accept_rest)

    def action_decline(self) -> None:
        """Decline a suggestion, delete an annotation."""
        self._submit(lambda desk: desk.acts.decline)

    def action_next(self) -> None:
        """Finish the picture and go on."""
        self._submit(lambda desk: desk.session.go_next)

    def action_previous(self) -> None:
        """Go back one picture."""
        self._submit(lambda desk: desk.session.go_back)

    def action_skip(self) -> None:
        """Set the picture aside."""
        self._submit(lambda desk: desk.session.skip)

    def action_undo(self) -> None:
        """Take the last act back."""
        self._submit(lambda desk: desk.acts.undo)

    def action_redo(self) -> None:
        """Do it again."""
        self._submit(lambda desk: desk.acts.redo)

    def action_confirm_empty(self) -> None:
        """Confirm that the picture is empty, or take that back."""
        self._submit(lambda desk: desk.acts.confirm_empty)

    def action_select(self, step: int) -> None:
        """Select the next or the previous object."""
        self._submit(lambda desk: lambda: desk.acts.select(step))

    def action_deselect(self) -> None:
        """Select nothing."""
        self._submit(lambda desk: desk.acts.deselect)

    def action_threshold(self, step: int) -> None:
        """Lower or raise the threshold."""
        self._submit(lambda desk: lambda: desk.acts.change_threshold(step * STEP))

    def action_digit(self, digit: int) -> None:
        """A class by its digit."""
        drawing = self.key_mode is KeyMode.DRAW
        self._submit(lambda desk: lambda: desk.acts.choose_digit(digit, drawing=drawing))

    # -- moving, resizing, drawing

    def action_arrow(self, dx: int, dy: int, big: bool) -> None:
        """Move what is held: the drawing cursor, the corner, the selected box, or else the picture."""
        if self.canvas.mode == "draw":
            self.canvas.move_cursor(dx, dy, big)
            return
        far = keys.LEAP if big else keys.NUDGE

        async def move(desk: Desk) -> None:
            if desk.session.resizing is not None:
                await desk.moving.stretch(dx * far, dy * far)
            elif desk.session.row is not None:
                await desk.moving.nudge(dx * far, dy * far)
            else:
                self._pan(dx, dy, big)

        # Bare: the nudges before this one must stay one act with it. What is held is asked when its turn comes.
        self._submit(lambda desk: lambda: move(desk), bare=True)

    def action_steer(self, dx: int, dy: int, big: bool) -> None:
        """Move the drawing cursor, or else the picture."""
        if self.canvas.mode == "draw":
            self.canvas.move_cursor(dx, dy, big)
        else:
            self._pan(dx, dy, big)

    def _pan(self, dx: int, dy: int, big: bool) -> None:
        cells = PAN_FAR if big else PAN
        self.canvas.pan(dx * cells, dy * cells)

    async def action_resize(self) -> None:
        """Hold a corner of the selected box."""
        if self._desk is not None:
            await self._at_once(self._desk.moving.begin_resize)
            self.mode_changed()

    def action_keep(self) -> None:
        """Keep the new size."""
        self._submit(lambda desk: desk.moving.finish_resize)

    def action_switch_corner(self) -> None:
        """Hold the next corner."""
        self._submit(lambda desk: desk.moving.switch_corner)

    async def action_draw(self) -> None:
        """Begin to draw a box."""

        async def begin() -> None:
            session = self.session
            if session is None or session.label is None:
                raise RefusedError("this project has no classes to draw with")
            # Suggestions come before the pixels do: what is drawn is meant for the picture that they belong to.
            with suppress(TimeoutError):
                await asyncio.wait_for(self.pixels_settled.wait(), PIXEL_SECONDS)
            if not self.pixels_settled.is_set():
                raise RefusedError("the picture is not here yet")
            if self.canvas.picture is None:
                raise RefusedError("there is no picture to draw on")
            self.canvas.begin_drawing(color_index(session.labels, session.label))
            self.mode_changed()

        await self._at_once(begin)

    async def _at_once(self, intent: Intent) -> None:
        # With nothing in line this costs no waiting, and keys typed behind it find the new mode.
        if self.session is not None:
            idle = self.session.idle
            self.session.submit(intent)
            if idle:
                await self.session.settled()

    def action_corner(self) -> None:
        """Set a corner; the second one makes the box."""
        if self.canvas.draft is None:
            self.canvas.start_draft()
        else:
            self.canvas.finish_draft()

    def action_cancel(self) -> None:
        """Put the draft away: first the corner that is set, then drawing itself; or the new size."""
        if self.key_mode is KeyMode.RESIZE:
            self._submit(lambda desk: desk.moving.cancel_resize)
            return
        if self.canvas.draft is not None:
            self.canvas.cancel_draft()
        else:
            self.canvas.end_drawing()
        self.mode_changed()

    def on_image_canvas_box_drawn(self, event: ImageCanvas.BoxDrawn) -> None:
        """A box was drawn by keys or mouse."""
        event.stop()
        self.canvas.end_drawing()
        session = self.session
        if session is not None and session.view is not None and session.opening is None:
            picture, box = session.view.picture.id, event.box
            self._submit(lambda desk: lambda: desk.acts.draw(box, picture))
        self.mode_changed()

    def on_image_canvas_shape_picked(self, event: ImageCanvas.ShapePicked) -> None:
        """A shape was clicked; a click beside every shape selects nothing."""
        event.stop()
        shape = event.id
        if shape is None:
            self.action_deselect()
        else:
            self._submit(lambda desk: lambda: desk.acts.pick(key_of(shape)))

    def on_object_list_picked(self, event: ObjectList.Picked) -> None:
        """A row of the list was clicked."""
        event.stop()
        self._submit(lambda desk: lambda: desk.acts.pick(event.key))

    # -- looking

    def action_zoom(self, how: str) -> None:
        """Zoom in, out, to the whole picture, to its own pixels."""
        self.canvas.zoom_by_name(how)

    def action_toggle_shapes(self) -> None:
        """Hide the boxes, or show them again."""
        self.shapes_hidden = not self.shapes_hidden
        if self.session is not None:
            self.session.listener.told("boxes hidden: v shows them" if self.shapes_hidden else "boxes shown")
        self.mode_changed()

    # -- what asks first

    def action_find(self) -> None:
        """Go to a picture by number or name."""
        if self._desk is not None:
            self.attempt(self._find(self._desk))

    async def _find(self, desk: Desk) -> None:
        view = desk.session.view
        position = await self.cvflow.run_dialog(FindPicture(desk.session.client, desk.session.name, view.picture.position if view else 1))
        if position is not None:
            desk.session.submit(lambda: desk.session.open(position))

    def action_choose_class(self) -> None:
        """Choose a class by its name."""
        if self._desk is not None:
            self.attempt(self._choose_class(self._desk))

    async def _choose_class(self, desk: Desk) -> None:
        labels, drawing = desk.session.labels, self.key_mode is KeyMode.DRAW
        shown = "   ".join(f"{number} {one_line(label, 24)}" for number, label in enumerate(labels[:60], 1))
        label = await self.cvflow.run_dialog(
            AskLine(
                "Class",
                shown,
                placeholder="a name, or the beginning of one and Tab",
                suggester=SuggestFromList(labels, case_sensitive=False),
                check=lambda name: None if name in labels else f"{one_line(name, 40)} is no class of this project",
            )
        )
        if label is not None:
            desk.session.submit(lambda: desk.acts.choose_class(label, drawing=drawing))

    def action_train(self) -> None:
        """Begin a round now."""
        self._submit(lambda desk: desk.session.train)

    def action_export(self) -> None:
        """Write the annotations to a file."""
        if self._desk is not None:
            self.attempt(self._export(self._desk))

    async def _export(self, desk: Desk) -> None:
        await desk.session.settled()
        await export_project(self, desk.session.name)

    def action_leave(self) -> None:
        """Quit, once everything typed so far is done."""

        async def leave() -> None:
            self.cvflow.action_leave()

        if self.session is not None:
            self.session.submit(leave)
        else:
            self.cvflow.action_leave()
