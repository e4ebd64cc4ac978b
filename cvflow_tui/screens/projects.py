"""The projects place: what there is to annotate, how far it is, and how well its solver does."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from cvflow_tui.keymap import DIGITS
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.projects import Project, ProjectStatus
from cvflow_tui.model.text import one_line, plural
from cvflow_tui.screens.annotate import AnnotateScreen
from cvflow_tui.screens.annotate.words import accuracy
from cvflow_tui.screens.dialogs import confirm
from cvflow_tui.screens.list_place import ListPlace
from cvflow_tui.screens.projects_export import export_project
from cvflow_tui.screens.projects_new import NewProject, suggesting_solvers
from cvflow_tui.screens.projects_pane import ProjectPane
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

EMPTY = "No project yet.\n\nn  makes one of your own pictures\ncvflow app --demo  opens one of real photographs that come with the program"


class ProjectsScreen(ListPlace[Project]):
    """Lists the projects; opens, makes, exports, trains and deletes them."""

    PLACE = "projects"
    TITLE_TEXT = "Projects"
    ABOUT = (
        "A project is a set of pictures with classes and annotations. The pictures stay where they are. Accuracy compares what the "
        "solver suggested when a picture was first opened with what you then stood behind, over the last 20 finished pictures."
    )
    CSS_PATH = ["list_place.tcss", "projects.tcss"]  # noqa: RUF012
    LOOK_EVERY = 4.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "a", "annotate", "annotate", tooltip="Open the project at its first unfinished picture (Enter too)", id="projects.annotate"
        ),
        Binding("n", "new", "new", tooltip="Make a project of pictures", id="projects.new"),
        Binding("e", "export", "export", tooltip="Write the annotations as COCO JSON", id="projects.export"),
        Binding("t", "train", "train", tooltip="Begin a fine-tuning round now", id="projects.train"),
        Binding(
            "x,delete", "remove", "delete", tooltip="Delete the project; asks first, and leaves the pictures alone", id="projects.remove"
        ),
        *DIGITS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._statuses: dict[str, tuple[Project, ProjectStatus]] = {}
        self._wanted: dict[str, Project] = {}

    def compose_place(self) -> ComposeResult:
        """The list with its filter, and the pane."""
        columns: tuple[Column[Project], ...] = (
            Column("project", _name, 0, sort=lambda project: project.name),
            Column("pictures", lambda project: f"{project.pictures:,}", 9, "right", sort=lambda project: project.pictures),
            Column("finished", _finished, 9, "right", sort=_share),
            Column("solver", _solver, 24, hide_below=90),
            Column("rounds", lambda project: str(project.rounds or ""), 6, "right", sort=lambda project: project.rounds),
            Column("accuracy", self._accuracy, 26),
        )
        table: VirtualTable[Project] = VirtualTable(
            columns,
            search=lambda project: f"{project.name} {project.settings.solver or ''} {' '.join(project.labels)}",
            key=lambda project: project.name,
        )
        yield from self.compose_list(table, ProjectPane())

    # -- what is there

    async def look(self) -> None:
        """Fetch the list."""
        projects = await self.cvflow.client.projects()
        self.table.empty = EMPTY
        if list(self.table.items) != projects:
            self.table.show(projects)
        elif not projects:
            self.table.refresh()
        self._tell()

    def _tell(self) -> None:
        projects = list(self.table.items)
        pictures, finished = sum(each.pictures for each in projects), sum(each.finished for each in projects)
        self.status(
            f"{plural(len(projects), 'project')}  ·  {finished:,} of {pictures:,} pictures finished" if projects else "no project yet"
        )

    def _accuracy(self, project: Project) -> Cell:
        known = self._statuses.get(project.name)
        if known is None or known[0] != project:
            self._want(project)
        return Cell(accuracy(known[1].prequential)) if known is not None else Cell("")

    def _want(self, project: Project) -> None:
        # Only rows that are drawn ask: a thousand projects cost what a screenful does.
        first = not self._wanted
        self._wanted[project.name] = project
        if first:
            self.run_worker(self._fetch(), group="accuracy")

    async def _fetch(self) -> None:
        while self._wanted:
            name, project = next(iter(self._wanted.items()))
            try:
                self._statuses[name] = (project, await self.cvflow.client.project(name))
            except CvflowError as error:
                self._statuses[name] = (project, ProjectStatus(project))
                self.status(one_line(error.message))
            self._wanted.pop(name, None)
            self.table.refresh()
        self._show_pane()

    def _show_pane(self) -> None:
        project = self.table.current
        known = self._statuses.get(project.name) if project is not None else None
        self.query_one(ProjectPane).show(project, known[1] if known is not None else None)

    def _moved_to(self, item: Project | None) -> None:
        self._show_pane()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a project works where there is one."""
        if action in ("annotate", "export", "train", "remove") and self.stands.is_set():
            return self.table.current is not None
        return True

    def explain(self) -> str:
        """The project under the cursor."""
        project = self.table.current if self.stands.is_set() else None
        return one_line(f"{project.name}: {project.finished} of {project.pictures} pictures finished.") if project else EMPTY

    # -- keys

    def _open(self) -> None:
        self.action_annotate()

    def action_annotate(self) -> None:
        """Open the project under the cursor."""
        if self.table.current is not None:
            self.cvflow.open_project(self.table.current.name)

    def action_new(self) -> None:
        """Make a project."""
        self.attempt(self._new())

    async def _new(self) -> None:
        client = self.cvflow.client
        project = await self.cvflow.run_dialog(NewProject(client, await suggesting_solvers(client)))
        if project is not None:
            await self.look()
            self.table.cursor = next((at for at, each in enumerate(self.table.items) if each.name == project.name), 0)
            self.status(one_line(f"{project.name}: {plural(project.pictures, 'picture')}; Enter annotates them"))

    def action_export(self) -> None:
        """Write the annotations to a file."""
        if self.table.current is not None:
            self.attempt(export_project(self, self.table.current.name))

    def action_train(self) -> None:
        """Begin a round and show it."""
        if self.table.current is not None:
            self.attempt(self._train(self.table.current.name))

    async def _train(self, name: str) -> None:
        await self.cvflow.client.train(name)
        self.cvflow.current_project = name
        self.cvflow.go("training", project=name)

    def action_remove(self) -> None:
        """Delete a project, after asking."""
        if self.table.current is not None:
            self.attempt(self._remove(self.table.current))

    async def _remove(self, project: Project) -> None:
        held = f"{plural(project.annotations, 'annotation')} and {plural(project.rounds, 'checkpoint')} go with it; the pictures stay."
        sure = await self.cvflow.run_dialog(confirm(f"Delete {project.name}?", held, "delete", "keep"))
        if not sure:
            return
        await self.cvflow.client.remove_project(project.name)
        self._statuses.pop(project.name, None)
        # A project of the same name may come again: nothing of this one may be on the desk then.
        for screen in self.app._screen_stacks.get("annotate", ()):
            if isinstance(screen, AnnotateScreen):
                screen.forget(project.name)
        if self.cvflow.current_project == project.name:
            self.cvflow.current_project = None
            self.cvflow.set_right_status("")
        await self.look()
        self.status(one_line(f"{project.name} is deleted; its pictures are where they were"))


def _name(project: Project) -> Cell:
    return Cell(project.name, "bad" if project.error else "strong")


def _finished(project: Project) -> Cell:
    if project.error:
        return Cell("error", "bad")
    return Cell(f"{project.finished:,}", "good" if project.pictures and project.finished == project.pictures else "")


def _share(project: Project) -> float:
    return project.finished / project.pictures if project.pictures else 0.0


def _solver(project: Project) -> Cell:
    return Cell(project.settings.solver.rpartition("/")[0], "") if project.settings.solver else Cell("by hand", "muted")
