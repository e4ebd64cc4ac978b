"""The pane beside the picture: its objects, the classes with their digits, how accurate the solver is, the last round."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from cvflow_tui.model.projects import Prequential, Round
from cvflow_tui.model.text import one_line, plural
from cvflow_tui.screens.annotate.object_list import ObjectList
from cvflow_tui.screens.annotate.rows import hidden_below
from cvflow_tui.screens.annotate.scene import color_index
from cvflow_tui.screens.annotate.session import Session
from cvflow_tui.screens.annotate.words import accuracy, round_line, sparkline
from cvflow_tui.widgets.cells import cut, width_of
from cvflow_tui.widgets.image_canvas.colors import class_color

HEAD = 11
"""Cells of the words at the left of the facts."""
QUIET = "$muted"
DIGITS = 9
"""Classes that have a digit; the rest is chosen by name (`c`)."""


def color_of(labels: tuple[str, ...], label: str) -> str:
    """A class' colour, `#rrggbb`."""
    return f"#{class_color(color_index(labels, label)):06x}"


class ObjectsPane(Vertical):
    """Shows a session; `show` draws only what changed."""

    DEFAULT_CSS = """
    ObjectsPane > .pane--title { height: 1; color: $muted; }
    ObjectsPane > #facts { height: auto; max-height: 50%; }
    ObjectsPane > #note { height: auto; color: $warning; }
    """

    def __init__(self) -> None:
        super().__init__(id="objects-pane", classes="side")
        self._facts = Content()

    def compose(self) -> ComposeResult:
        """Objects above, facts below."""
        yield Static("objects", classes="pane--title", markup=False)
        yield ObjectList(id="objects")
        yield Static("", id="note", markup=False)
        yield Static("", id="facts", markup=False)

    def show(self, session: Session) -> None:
        """Draw what the session holds now."""
        labels = session.labels
        rows = session.rows
        colors = {row.label: color_of(labels, row.label) for row in rows}
        self.query_one(ObjectList).show(rows, session.selected, colors, _empty(session))
        self.show_facts(session)
        view = session.view
        note = self.query_one("#note", Static)
        text = one_line(view.note) if view is not None and view.note else ""
        if str(note.content) != text:
            note.update(text)
            note.display = bool(text)

    def clear(self) -> None:
        """Show nothing: no project is open."""
        self.query_one(ObjectList).show((), None, {}, "")
        self._facts = Content()
        for name in ("#facts", "#note"):
            self.query_one(name, Static).update("")

    def show_facts(self, session: Session) -> None:
        """Draw the classes, the accuracy and the round."""
        width = max(20, self.content_size.width or 44)
        lines = _classes(session, width)
        if session.status is not None:
            lines += [_accuracy(session.status.prequential, width), *_round(session.status.rounds, width)]
        facts = Content("\n").join(lines)
        # Plain comparison looks at the text alone; the current class differs only in its underline.
        if not facts.is_same(self._facts):
            self._facts = facts
            self.query_one("#facts", Static).update(facts)


def _classes(session: Session, width: int) -> list[Content]:
    lines: list[list[tuple[str, str]]] = [[("classes".ljust(HEAD), QUIET)]]
    at = HEAD
    for index, label in enumerate(session.labels[:DIGITS]):
        name = cut(one_line(label), 20)
        need = 2 + width_of(name)
        if at > HEAD and at + need > width:
            lines.append([(" " * HEAD, "")])
            at = HEAD
        number = (f"{index + 1} ", f"bold {color_of(session.labels, label)}")
        lines[-1] += [number, (name, "underline" if label == session.label else ""), ("   ", "")]
        at += need + 3
    more = len(session.labels) - DIGITS
    if more > 0:
        lines.append([(" " * HEAD + f"c chooses from {more} more", QUIET)])
    return [Content.assemble(*parts) for parts in lines]


def _accuracy(prequential: Prequential, width: int) -> Content:
    told = accuracy(prequential)
    if not told:
        return Content.assemble(("accuracy".ljust(HEAD), QUIET), (cut("after the first finished pictures", width - HEAD), QUIET))
    bars = sparkline(prequential.history, width - HEAD - width_of(told) - 2)
    return Content.assemble(("accuracy".ljust(HEAD), QUIET), told, f"  {bars}" if bars else "")


def _round(rounds: Sequence[Round], width: int) -> list[Content]:
    last = max(rounds, key=lambda each: each.number, default=None)
    if last is None:
        return []
    return [Content.assemble((f"round {last.number}".ljust(HEAD), QUIET), cut(one_line(round_line(last)), width - HEAD))]


def _empty(session: Session) -> str:
    view = session.view
    if view is None:
        return ""
    hidden = hidden_below(view, session.threshold)
    if hidden:
        return f"{plural(hidden, 'suggestion')} below the threshold\n[ lowers it"
    return "nothing here yet\nr draws a box, 0 confirms that it is empty"
