"""What can be done right now, by name: the lines of the command palette."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from cvflow_tui.keymap import PLACES, spell
from cvflow_tui.model.text import one_line
from cvflow_tui.theme import THEMES

if TYPE_CHECKING:
    from textual.binding import Binding

    from cvflow_tui.app import CvflowApp

_OTHERWISE = ("app.go", "app.palette", "app.leave", "app.help", "digit(")
"""Actions that stand in groups of their own, whatever keys of a place call them, or that mean nothing without their key: nine classes, of
which `c` chooses one by its name."""
_COMMON = ("filter", "toggle_side", "clear")
"""Actions that every place has."""


@dataclass(frozen=True, slots=True)
class Command:
    """A line of the palette."""

    group: str
    """What it is about; lines of one group stand together."""
    title: str
    run: Callable[[], Any]
    key: str = ""
    """The key that does the same, as a person reads it."""
    words: str = ""
    """What it is found by beside its title."""


def at_once(app: CvflowApp, screen: Screen[Any]) -> list[Command]:
    """What needs no daemon: the keys of a place, the other places, the app."""
    return [*_here(app, screen), *_places(app), *_of_app(app)]


def _here(app: CvflowApp, screen: Screen[Any]) -> Iterator[Command]:
    """What the keys of the place do now, those that the line at the bottom has no room for included."""
    found: dict[str, list[tuple[Binding, Any]]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if active.node is screen and active.enabled and binding.tooltip and not binding.action.startswith(_OTHERWISE):
            found.setdefault(binding.action, []).append((binding, active.node))
    # What every place has stands behind what this one has.
    for action, bindings in sorted(found.items(), key=lambda item: item[0] in _COMMON):
        binding, node = bindings[0]
        keys = " ".join(dict.fromkeys(spell(each) for each, _ in bindings))
        yield Command("here", binding.tooltip, partial(app.call_later, app.run_action, action, node), keys, binding.description)


def _places(app: CvflowApp) -> Iterator[Command]:
    for key in PLACES:
        yield Command("go to", key.title, partial(app.go, key.place), f"{key.function.upper()} g{key.letter}", "place")


def _of_app(app: CvflowApp) -> Iterator[Command]:
    yield Command("app", "Help: every key of this place", partial(app.call_later, app.run_action, "app.help"), "?", "keys explain")
    for theme in THEMES:
        name = theme.name.removeprefix("cvflow-")
        now = " (as it is now)" if app.theme == theme.name else ""
        yield Command("app", f"Theme: {name}{now}", partial(setattr, app, "theme", theme.name), words="colours")
    yield Command("app", "Save the screen as a picture (SVG) in the working folder", app.action_picture, words="screenshot")
    yield Command("app", "Quit; asks once where solvers run and no daemon stays", app.action_leave, "q", "close leave exit")


async def of_daemon(app: CvflowApp) -> list[Command]:
    """What it has: solvers, projects, packages of the hub. Raises a CvflowError where it does not answer."""
    client = app.client
    running = {solver.name for solver in await client.solvers() if solver.state.is_live}
    names = [f"{package.ref}/{solver}" for package in await client.packages() for solver in package.solvers]
    found = [_solver(app, name, name in running) for name in names]
    found += [
        Command("projects", f"Annotate {project.name}", partial(app.open_project, project.name), words="open project")
        for project in await client.projects()
    ]
    for package in await client.hub_packages():
        if package.installed is None:
            install = partial(app.go, "hub", install=package.source)
            found.append(Command("hub", f"Install {package.ref}", install, words=one_line(package.tagline)))
    return found


def _solver(app: CvflowApp, name: str, runs: bool) -> Command:
    work = partial(_stop if runs else _start, app, name)
    return Command("solvers", f"{'Stop' if runs else 'Start'} {name}", lambda: app.attempt(work()))


async def _start(app: CvflowApp, name: str) -> None:
    app.notify(f"Starting {name} …", markup=False)
    solver = await app.client.start_solver(name)
    app.notify(f"{name} serves on port {solver.port}", markup=False)


async def _stop(app: CvflowApp, name: str) -> None:
    await app.client.stop_solver(name)
    app.notify(f"{name} stopped", markup=False)


def matching(commands: Iterable[Command], query: str) -> list[Command]:
    """Those in which every word occurs, first the ones whose title begins with it; else those that have the letters in this order."""
    words = query.casefold().split()
    told = [(command, f"{command.title} {command.group} {command.words}".casefold()) for command in commands]
    found = [command for command, text in told if all(word in text for word in words)]
    if found or not words:
        return sorted(found, key=lambda command: bool(words) and not command.title.casefold().startswith(words[0]))
    return [command for command, _ in told if _in_order("".join(words), command.title.casefold())]


def _in_order(letters: str, text: str) -> bool:
    """Whether the letters occur in the text one after another: `stde` finds "Start …/detect"."""
    rest = iter(text)
    return all(letter in rest for letter in letters)
