"""Packages: what is installed, its solvers, and the key that starts and stops one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from cvflow_tui.keymap import DIGITS
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.packages import PackageSummary, UpgradeRequest
from cvflow_tui.model.solvers import RunningSolver, SolverState
from cvflow_tui.screens.freed import freed_by_removal, still_linked
from cvflow_tui.screens.list_place import ListPlace
from cvflow_tui.screens.stopping import may_stop
from cvflow_tui.widgets.figures import bytes_of, task_of
from cvflow_tui.widgets.package_pane import PackagePane
from cvflow_tui.widgets.solver_looks import state_cell
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

EMPTY = "Nothing is installed yet.\n\nF1 goes to the hub; i installs a package there."


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the list: a package, or one of its solvers with the process that serves it."""

    package: PackageSummary
    solver: str | None = None
    running: RunningSolver | None = None

    @property
    def name(self) -> str:
        """`vendor/package` or `vendor/package/solver`."""
        return self.package.ref if self.solver is None else f"{self.package.ref}/{self.solver}"

    @property
    def is_live(self) -> bool:
        """Whether a process stands behind it."""
        return self.running is not None and self.running.state.is_live


def lines_of(packages: list[PackageSummary], solvers: list[RunningSolver]) -> list[Line]:
    """Each package, followed by its solvers."""
    running = {solver.name: solver for solver in solvers}
    lines: list[Line] = []
    for package in packages:
        lines.append(Line(package))
        lines += [Line(package, solver, running.get(f"{package.ref}/{solver}")) for solver in package.solvers]
    return lines


def _name(line: Line) -> Cell:
    return Cell(line.package.ref, "strong") if line.solver is None else Cell(f"  {line.solver}")


def _state(line: Line) -> Cell:
    return Cell("") if line.solver is None else state_cell(line.running)


def _where(line: Line) -> Cell:
    if line.package.problem:
        return Cell(line.package.problem, "bad")
    if line.solver is None:
        return Cell(line.package.installed or line.package.version, "muted")
    if line.running is not None and line.running.state is SolverState.FAILED:
        return Cell(line.running.error or "", "bad")
    if not line.is_live or line.running is None or not line.running.port:
        return Cell("")
    serves, installed = line.running.version, line.package.installed or line.package.version
    if serves and serves != installed:  # an upgrade or a rollback since: it goes on with what it has loaded
        return Cell(f"port {line.running.port}, still {serves}", "warn")
    return Cell(f"port {line.running.port}")


COLUMNS: tuple[Column[Line], ...] = (
    Column("package, solver", _name, 24, least=12),
    Column("state", _state, 12),
    Column("", _where, 0, least=len("port 65535")),
    Column("task", lambda line: Cell(task_of(line.package.tasks) if line.solver is None else "", "muted"), 17, hide_below=90),
    Column("size", lambda line: bytes_of(line.package.size) if line.solver is None else "", 7, "right"),
)


class PackagesScreen(ListPlace[Line]):
    """What is installed; starts, stops, removes."""

    PLACE = "packages"
    TITLE_TEXT = "Packages"
    ABOUT = (
        "What is installed. A solver serves its answers over HTTP on a port of this machine and goes on when the app is closed, "
        "unless you stop it. ● ready (2/3: two of its three workers), ◉ busy, ◌ starting, or asleep until it is asked, ◐ backoff (waits "
        "before it tries again), ✗ failed, ○ stopped. Size: the length of the package's files and weights, without its environment; d "
        "tells what the disk gives for each."
    )
    LOOK_EVERY = 2.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s",
            "start_or_stop",
            "start/stop",
            tooltip="Start the solver, or stop it where it runs (Enter too); asks while it is being used",
            id="packages.toggle",
        ),
        Binding("u", "upgrade", "upgrade", tooltip="Bring the newest version; the one before is kept", id="packages.upgrade"),
        Binding(
            "b",
            "rollback",
            "back",
            show=False,
            tooltip="Go back to the version that the last upgrade kept; from there, forward again",
            id="packages.rollback",
        ),
        Binding("e", "settings", "settings", tooltip="How the solver runs: workers, limits, start, variables", id="packages.settings"),
        Binding("d", "disk", "disk", show=False, tooltip="What takes room, and what of it nobody uses", id="packages.disk"),
        Binding("x", "remove", "remove", tooltip="Remove the package; asks, and says what is freed", id="packages.remove"),
        Binding("o", "toggle_side", "details", tooltip="Bring the package's details over, or put them away", id="packages.side"),
        *DIGITS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._weighing = False

    def compose_place(self) -> ComposeResult:
        """The list with its filter, and the pane."""
        table: VirtualTable[Line] = VirtualTable(
            COLUMNS,
            search=lambda line: f"{line.name} {' '.join(line.package.tasks)} {line.package.tagline}",
            key=lambda line: line.name,
        )
        yield from self.compose_list(table, PackagePane("Choose a package to read about it.", classes="side"))

    def explain(self) -> str:
        """The package or solver under the cursor."""
        line = self.table.current
        if line is None:
            return ""
        if line.package.problem:
            return line.package.problem
        if line.solver is None:
            return line.package.headline
        if line.running is None:
            return f"{line.name} is stopped. s starts it."
        return line.running.error or f"{line.name} is {line.running.state.value} on port {line.running.port}. s stops it; F3 shows its log."

    async def look(self) -> None:
        """Fetch what is installed and what of it runs."""
        client = self.cvflow.client
        lines = lines_of(await client.packages(), await client.solvers())
        table = self.table
        table.empty = EMPTY
        table.show(lines)
        self._count()

    def _count(self) -> None:
        packages = sum(line.solver is None for line in self.table.items)
        live = sum(line.is_live for line in self.table.items)
        current = self.table.current
        if current is not None and current.package.problem:
            self.summary(current.package.problem)
        elif current is not None and current.running is not None and current.running.error:
            self.summary(f"{current.name}: {current.running.error}")
        elif packages:
            self.summary(f"{packages} package{'s' if packages != 1 else ''} · {live or 'no'} solver{'s' if live != 1 else ''} running")
        else:
            self.summary("nothing installed · F1 goes to the hub")

    def _moved_to(self, item: Line | None) -> None:
        self.attempt(partial(self._describe, item), group="describe", exclusive=True)
        self._count()

    async def _describe(self, line: Line | None) -> None:
        pane = self.query_one(PackagePane)
        if line is not None and line.package.problem:
            pane.say(line.package.problem)
            return
        pane.show(await self.cvflow.client.package(line.package.ref) if line else None)

    def _open(self) -> None:
        self.action_start_or_stop()

    # -- solvers

    def _solver(self) -> Line | None:
        """The solver meant: the one under the cursor, or a package's only one."""
        line = self.table.current
        if line is None or line.solver is not None:
            return line
        of_package = [each for each in self.table.items if each.package.ref == line.package.ref and each.solver is not None]
        if len(of_package) == 1:
            return of_package[0]
        if line.package.problem:
            self.note(line.package.problem)
            return None
        self.note(f"{line.name} has {len(of_package)} solvers: move to one of them")
        return None

    def action_start_or_stop(self) -> None:
        """Start or stop."""
        if line := self._solver():
            running = line.running if line.is_live else None
            self.attempt(self._stop(running) if running else self._start(line.name), group=f"solver-{line.name}")

    async def _start(self, name: str) -> None:
        self.note(f"starting {name} …")
        # So that the list says "starting" while the answer is still awaited.
        self.set_timer(0.3, self.look_soon)
        try:
            solver = await self.cvflow.client.start_solver(name)
        except CvflowError as error:
            await self.look()
            if error.detail is None:
                raise
            raise type(error)(f"{error.message} (the rest: cvflow logs {name})", detail=error.detail) from error
        await self.look()
        self.note(f"{name} serves on port {solver.port} · F3 shows its log")

    async def _stop(self, solver: RunningSolver) -> None:
        if not await may_stop(self.cvflow, solver):
            return
        self.note(f"stopping {solver.name} …")
        await self.cvflow.client.stop_solver(solver.name)
        await self.look()
        self.note(f"{solver.name} stopped")

    def action_settings(self) -> None:
        """Look at the solver's settings and change them."""
        if line := self._solver():
            self.attempt(self._settings(line.name))

    async def _settings(self, name: str) -> None:
        from cvflow_tui.screens.solver_settings import SettingsScreen

        if await self.cvflow.run_dialog(SettingsScreen(self.cvflow.client, name)):
            self.note(f"{name} was restarted")
        await self.look()

    # -- other versions

    def _serving(self, package: PackageSummary) -> list[str]:
        return [line.name for line in self.table.items if line.package.ref == package.ref and line.is_live]

    def action_upgrade(self) -> None:
        """Show what an upgrade of the package under the cursor changes."""
        if line := self.table.current:
            self.attempt(self._upgrade(line.package))

    async def _upgrade(self, package: PackageSummary) -> None:
        from cvflow_tui.screens.install import InstallScreen

        serving = bool(self._serving(package))
        request = UpgradeRequest(package.ref, restart=serving, rollback_on_failure=serving)
        dialog = InstallScreen(self.cvflow.client, request, self.look_soon)
        if upgraded := await self.cvflow.run_dialog(dialog):
            self.note(dialog.failure or f"{upgraded} is upgraded")
        await self.look()

    def action_rollback(self) -> None:
        """Go back to the version before, after asking."""
        if line := self.table.current:
            self.attempt(self._rollback(line.package))

    async def _rollback(self, package: PackageSummary) -> None:
        from cvflow_tui.screens.dialogs import confirm

        detail = await self.cvflow.client.package(package.ref)
        kept, newer = detail.kept, detail.kept_is_newer
        if kept is None:
            self.note(f"no version of {package.ref} before this one is kept")
            return
        serving = self._serving(package)
        now = package.installed or package.version
        title = f"Return from {package.ref} {now} to the newer {kept}?" if newer else f"Go back from {package.ref} {now} to {kept}?"
        text = "It is kept: this takes no time, and no network."
        text += f"\nRestarts with it: {', '.join(serving)}" if serving else ""
        if await self.cvflow.run_dialog(confirm(title, text, "return" if newer else "go back", "stay")):
            done = await self.cvflow.client.rollback(package.ref, restart=bool(serving))
            await self.look()
            if done.failure is not None:
                self.notify(done.failure, title="Not done" if done.rolled_back else "", severity="error", markup=False, timeout=15)
            self.note(f"{package.ref} {now} → {done.package.summary.version}" if not done.rolled_back else f"{package.ref} stays at {now}")

    # -- room

    def action_disk(self) -> None:
        """Show what takes room."""
        self.attempt(self._disk)

    async def _disk(self) -> None:
        from cvflow_tui.screens.disk_use import DiskScreen

        await self.cvflow.run_dialog(DiskScreen(self.cvflow.client))
        await self.look()

    # -- removing

    def action_remove(self) -> None:
        """Ask, then remove."""
        if (line := self.table.current) and not self._weighing:
            self.attempt(self._remove(line.package))

    async def _remove(self, package: PackageSummary) -> None:
        from cvflow_tui.screens.dialogs import confirm

        self.status(f"counting what {package.ref} takes …")
        # A large home folder takes a while: a second press meanwhile asks nothing more.
        self._weighing = True
        try:
            uses = await self.cvflow.client.package_uses(package.ref)
        finally:
            self._weighing = False
        self._count()
        text = freed_by_removal(uses.goes)
        if uses.environment:
            text += f"\nIts environment stays for {', '.join(uses.environment)}"
        if uses.weights:
            text += f"\nSome of its weights stay for {', '.join(uses.weights)}"
        if uses.running:
            text += f"\nStops first: {', '.join(uses.running)}"
        if uses.projects:
            text += f"\nProjects that ask it for suggestions, and would get none: {', '.join(uses.projects)}"
        if await self.cvflow.run_dialog(confirm(f"Remove {package.ref} {package.installed or package.version}?", text, "remove", "keep")):
            self.note(f"removing {package.ref} …")
            removal = await self.cvflow.client.remove(package.ref, force=bool(uses.projects))
            await self.look()
            self.note(f"{removal.package} removed, {bytes_of(removal.freed_bytes)} freed{still_linked(removal.shared_bytes)}")
