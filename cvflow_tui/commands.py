"""The command palette: what can be done right now, by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from cvflow_tui.keymap import PLACES
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import one_line
from cvflow_tui.theme import THEMES

if TYPE_CHECKING:
    from cvflow_tui.app import CvflowApp


@dataclass(frozen=True, slots=True)
class Command:
    """A line of the palette."""

    title: str
    help: str
    run: Callable[[], Any]


class PlaceCommands(Provider):
    """Places, themes and, once the daemon answers, its solvers, projects and packages."""

    @property
    def cvflow(self) -> CvflowApp:
        """The app, with its type."""
        return cast("CvflowApp", self.app)

    async def startup(self) -> None:
        """Ask the daemon once, as the palette opens."""
        self._commands = [command async for command in self._all()]

    async def _all(self) -> AsyncIterator[Command]:
        app = self.cvflow
        for key in PLACES:
            yield Command(f"Go to {key.title}", f"{key.function.upper()} or g {key.letter}", partial(app.go, key.place))
        if app.client_ready:
            try:
                for command in await self._of_daemon():
                    yield command
            except CvflowError as error:
                app.notify(one_line(error.message), severity="error", markup=False)
        for theme in THEMES:
            name = theme.name.removeprefix("cvflow-")
            yield Command(f"Theme: {name}", "Colours of the app", partial(setattr, app, "theme", theme.name))
        yield Command("Save a screenshot (SVG)", "A picture of the screen, in the working folder", app.action_picture)
        yield Command("Quit", "Asks once when solvers run", app.action_leave)

    async def _of_daemon(self) -> list[Command]:
        app, client = self.cvflow, self.cvflow.client
        found: list[Command] = []
        running = {solver.name for solver in await client.solvers() if solver.state.is_live}
        for package in await client.packages():
            for solver in package.solvers:
                name = f"{package.ref}/{solver}"
                if name in running:
                    found.append(Command(f"Stop {name}", "Ends its process", partial(self._stop, name)))
                else:
                    found.append(Command(f"Start {name}", "Serves it on a port of this machine", partial(self._start, name)))
        found += [
            Command(f"Open project {project.name}", f"{project.pictures} pictures", partial(app.open_project, project.name))
            for project in await client.projects()
        ]
        found += [
            Command(f"Install {package.ref}", one_line(package.tagline), partial(app.go, "hub", install=package.source))
            for package in await client.hub_packages()
            if package.installed is None
        ]
        return found

    def _start(self, name: str) -> None:
        self.cvflow.attempt(self._started(name))

    async def _started(self, name: str) -> None:
        self.cvflow.notify(f"Starting {name} …", markup=False)
        solver = await self.cvflow.client.start_solver(name)
        self.cvflow.notify(f"{name} serves on port {solver.port}", markup=False)

    def _stop(self, name: str) -> None:
        self.cvflow.attempt(self._stopped(name))

    async def _stopped(self, name: str) -> None:
        await self.cvflow.client.stop_solver(name)
        self.cvflow.notify(f"{name} stopped", markup=False)

    async def discover(self) -> Hits:
        """Everything, before a letter is typed."""
        for command in self._commands:
            yield DiscoveryHit(command.title, command.run, help=command.help)

    async def search(self, query: str) -> Hits:
        """What matches the letters."""
        matcher = self.matcher(query)
        for command in self._commands:
            score = matcher.match(command.title)
            if score > 0:
                yield Hit(score, matcher.highlight(command.title), command.run, help=command.help)
