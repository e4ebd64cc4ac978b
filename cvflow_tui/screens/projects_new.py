"""Making a project: a form whose every field says what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.names import NAME
from cvflow_tui.model.projects import Project, ProjectSettings
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.projects_paths import PathSuggester
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.line_input import LineInput

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

SUGGESTING = frozenset({"object-detection"})
"""Tasks whose solvers can suggest boxes."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A project as it was filled in."""

    name: str
    pictures: tuple[str, ...]
    """Absolute paths."""
    labels: tuple[str, ...]
    settings: ProjectSettings


class FormError(ValueError):
    """A field is wrong; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def read_form(values: dict[str, str], solver: str | None) -> Draft:
    """What the fields say. Raises FormError for the first that makes no sense."""
    name = values["name"].strip()
    if not NAME.fullmatch(name.lower()):
        raise FormError("name", "letters, digits, dots, dashes and underscores; it starts with a letter or a digit")
    pictures = tuple(str(Path(part.strip()).expanduser().absolute()) for part in values["pictures"].split(",") if part.strip())
    if not pictures:
        raise FormError("pictures", "a folder of pictures, or pictures, with commas between them")
    return Draft(name, pictures, _labels(values["labels"]), _settings(values, solver))


def _labels(text: str) -> tuple[str, ...]:
    labels = [one_line(part) for part in text.split(",") if part.strip()]
    if not labels:
        raise FormError("labels", "at least one class, such as: cat, dog")
    twice = next((label for index, label in enumerate(labels) if label in labels[:index]), None)
    if twice is not None:
        raise FormError("labels", f"{one_line(twice, 40)} stands there twice")
    return tuple(labels)


def _settings(values: dict[str, str], solver: str | None) -> ProjectSettings:
    try:
        every = int(values["round_every"])
    except ValueError:
        every = -1
    if every < 0:
        raise FormError("round_every", "a whole number of pictures; 0 trains only when you ask")
    return ProjectSettings(solver, read_threshold(values["threshold"]), every)


def read_threshold(text: str) -> float:
    """A threshold between 0 and 1. Raises FormError."""
    try:
        threshold = float(text.strip().replace(",", "."))
    except ValueError:
        threshold = -1.0
    if not 0.0 <= threshold <= 1.0:
        raise FormError("threshold", "a number from 0 to 1, such as .4")
    return threshold


class NewProject(ModalScreen[Project | None]):
    """Makes the project itself, so that what the daemon refuses is told beside the fields. Dismissed with it, or None."""

    CSS_PATH = "projects_new.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "back", tooltip="Make nothing", id="new.back"),
        Binding(
            "tab", "complete_or_next", "next", show=False, priority=True, tooltip="Take the completion, or the next field", id="new.next"
        ),
        Binding("ctrl+s", "make", "make", show=False, priority=True, tooltip="Make the project", id="new.make"),
    ]

    def __init__(self, client: DaemonClient, solvers: list[str]) -> None:
        super().__init__()
        self._client = client
        self._solvers = solvers
        self._making = False

    def compose(self) -> ComposeResult:
        """The fields, in the order they are thought of."""
        choices = [(one_line(name), name) for name in self._solvers]
        with VerticalScroll(classes="form", can_focus=False):
            yield Static("New project", classes="form-title", markup=False)
            yield from self._field("name", "name", _line("", "raccoons"))
            yield from self._field("pictures", "pictures", _line("", "a folder, or several paths with commas", PathSuggester(",")))
            yield from self._field("labels", "classes", _line("", "raccoon, dog"))
            solver: Select[str] = Select(
                choices, prompt="none: annotate by hand", value=self._solvers[0] if choices else Select.NULL, compact=True
            )
            yield from self._field("solver", "suggestions", solver)
            yield from self._field("round_every", "round every", _line("10", "pictures"))
            yield from self._field("threshold", "threshold", _line(".4", "0 to 1"))
            yield Static("", classes="form-wrong", markup=False)
            yield Button("Make it", id="make", compact=True)
            yield KeyWords("Tab next   Enter make   Esc back", classes="form-keys")

    def _field(self, name: str, title: str, widget: Widget) -> ComposeResult:
        widget.id = name
        with Vertical(classes="field", id=f"field-{name}"):
            with Horizontal(classes="field-line"):
                yield Static(title, classes="field-name", markup=False)
                yield widget
            yield Static("", classes="field-wrong", markup=False)

    def on_mount(self) -> None:
        """Begin with the name."""
        self.query_one("#name", LineInput).focus()

    async def action_complete_or_next(self) -> None:
        """Take a path's completion where there is one; otherwise the next field."""
        line = self.focused
        if not isinstance(line, LineInput) or not await line.complete():
            self.focus_next()

    def on_input_submitted(self) -> None:
        """Enter in a field makes the project; a field that is wrong gets the cursor."""
        self.action_make()

    def on_button_pressed(self) -> None:
        """So does the button."""
        self.action_make()

    def on_input_changed(self, event: Input.Changed) -> None:
        """What was wrong may be right now."""
        self.query_one(f"#field-{event.input.id}").remove_class("-wrong")

    def action_make(self) -> None:
        """Check the fields, then ask the daemon."""
        if self._making:
            return
        for field in self.query(".field"):
            field.remove_class("-wrong")
        self._say("")
        values = {name: self.query_one(f"#{name}", LineInput).value for name in ("name", "pictures", "labels", "round_every", "threshold")}
        chosen = self.query_one("#solver", Select).value
        try:
            draft = read_form(values, chosen if isinstance(chosen, str) else None)
        except FormError as error:
            self._tell(error.field, error.message)
            return
        self._making = True
        self.run_worker(self._make(draft))

    async def _make(self, draft: Draft) -> None:
        self._say("looking through the pictures …", wrong=False)
        try:
            project = await self._client.create_project(draft.name, draft.pictures, draft.labels, settings=draft.settings)
        except CvflowError as error:
            self._say("")
            self._tell(blamed(error.message, draft), error.message)
            return
        finally:
            self._making = False
        self.dismiss(project)

    def _tell(self, field: str | None, message: str) -> None:
        if field is None:
            self._say(one_line(message))
            return
        box = self.query_one(f"#field-{field}")
        box.add_class("-wrong")
        box.query_one(".field-wrong", Static).update(one_line(message))
        self.query_one(f"#{field}").focus()

    def _say(self, message: str, *, wrong: bool = True) -> None:
        line = self.query_one(".form-wrong", Static)
        line.update(message)
        line.styles.color = None if wrong else "gray"


def blamed(message: str, draft: Draft) -> str | None:
    """The field that an error of the daemon is about, or None where it does not say."""
    if any(path in message for path in draft.pictures) or "picture" in message:
        return "pictures"
    if draft.settings.solver is not None and draft.settings.solver in message:
        return "solver"
    if "label" in message or "class" in message:
        return "labels"
    return "name" if draft.name in message else None


def _line(value: str, placeholder: str, suggester: Suggester | None = None) -> LineInput:
    return LineInput(value, placeholder=placeholder, suggester=suggester)


async def suggesting_solvers(client: DaemonClient) -> list[str]:
    """The installed solvers that can suggest boxes, those that learn first."""
    found: list[tuple[bool, str]] = []
    for package in await client.packages():
        if SUGGESTING.isdisjoint(package.tasks):
            continue
        detail = await client.package(package.ref)
        found += [(not solver.trainable, f"{package.ref}/{solver.name}") for solver in detail.solvers if solver.task in SUGGESTING]
    return [name for _, name in sorted(found)]
