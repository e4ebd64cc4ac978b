"""Hub: what can be installed."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from cvflow_tui.keymap import DIGITS
from cvflow_tui.model.packages import InstallRequest, PackageSummary
from cvflow_tui.screens.list_place import ListPlace
from cvflow_tui.widgets.figures import bytes_of, task_of
from cvflow_tui.widgets.package_pane import PackagePane
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

EMPTY = "The hub offers nothing.\n\ns installs from another source: a folder, https: (an archive), git+https:, git+ssh:, git+file:"


def _name(package: PackageSummary) -> Cell:
    return Cell(package.ref, "strong")


def _mark(package: PackageSummary) -> Cell:
    if package.installed is None:
        return Cell("")
    return Cell("✓", "good") if package.installed == package.version else Cell("↑", "warn")


COLUMNS: tuple[Column[PackageSummary], ...] = (
    Column("", _mark, 1),
    Column("package", _name, 20, sort=lambda package: package.ref),
    Column("task", lambda package: task_of(package.tasks), 17, sort=lambda package: package.tasks),
    Column("size", lambda package: bytes_of(package.size), 7, "right", sort=lambda package: package.size or 0),
    Column("licence", lambda package: Cell(package.license or "–", "muted"), 12, sort=lambda package: package.license, hide_below=90),
    Column("", lambda package: Cell(package.tagline, "muted"), 0),
)


class HubScreen(ListPlace[PackageSummary]):
    """The list of the hub, a filter, the package under the cursor beside it, and the way to an install."""

    PLACE = "hub"
    TITLE_TEXT = "Hub"
    ABOUT = (
        "What can be installed here. A package holds one or more solvers (a class with weights that answers with boxes, classes, "
        "landmarks …). ✓ is installed; ↑ is installed in another version than the hub's."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "install", "install", tooltip="Show what installing this package will do (Enter too)", id="hub.install"),
        Binding("v", "versions", "versions", tooltip="All versions that the hub has, and install one of them", id="hub.versions"),
        Binding(
            "s",
            "source",
            "other source",
            tooltip="Install from a folder or git+https:, with any option",
            id="hub.source",
        ),
        Binding("o", "toggle_side", "details", tooltip="Bring the package's details over, or put them away", id="hub.side"),
        Binding("r", "reload", "reload", show=False, tooltip="Ask the hub again", id="hub.reload"),
        *DIGITS,
    ]

    def compose_place(self) -> ComposeResult:
        """The list with its filter, and the pane."""
        table: VirtualTable[PackageSummary] = VirtualTable(
            COLUMNS,
            search=lambda package: " ".join((package.ref, *package.tasks, package.license, package.tagline)),
            key=lambda package: package.ref,
        )
        yield from self.compose_list(table, PackagePane("Choose a package to read about it.", classes="side"))

    def arrive(self, install: str | None = None, **_: Any) -> None:
        """`install`: open the install dialog for this source."""
        if install:
            self.attempt(self._install(install))

    def explain(self) -> str:
        """The package under the cursor."""
        package = self.table.current
        return package.headline if package else ""

    def action_reload(self) -> None:
        """Ask the hub again."""
        self.look_soon()

    async def look(self) -> None:
        """Ask the hub."""
        packages = await self.cvflow.client.hub_packages()
        self.table.empty = EMPTY
        self.table.show(packages)
        self._filtered()

    def _filtered(self) -> None:
        table = self.table
        total, installed = len(table.items), sum(package.installed is not None for package in table.items)
        if not total:
            self.summary("the hub is empty · s installs from another source")
            return
        shown = f"{table.shown} of {total}" if table.filter_words else f"{total}"
        self.summary(f"{shown} package{'s' if total != 1 else ''} · {installed} installed")

    def _moved_to(self, item: PackageSummary | None) -> None:
        self.attempt(partial(self._describe, item), group="describe", exclusive=True)

    async def _describe(self, package: PackageSummary | None) -> None:
        pane = self.query_one(PackagePane)
        if package is None:
            pane.show(None)
            return
        client = self.cvflow.client
        pane.show(await client.hub_package(package.ref), await client.hub_versions(package.ref))

    def _open(self) -> None:
        self.action_install()

    # -- installing

    def action_install(self) -> None:
        """Show what an install of the package under the cursor will do."""
        if package := self.table.current:
            self.attempt(self._install(package.source or package.ref))

    def action_versions(self) -> None:
        """Choose a version of the package under the cursor."""
        if package := self.table.current:
            self.attempt(self._choose_version(package.ref))

    async def _choose_version(self, ref: str) -> None:
        from cvflow_tui.screens.versions import VersionsScreen

        versions = await self.cvflow.client.hub_versions(ref)
        if source := await self.cvflow.run_dialog(VersionsScreen(ref, versions)):
            await self._install(source)

    def action_source(self) -> None:
        """Ask for another source."""
        self.attempt(self._ask_source())

    async def _ask_source(self) -> None:
        from cvflow_tui.screens.install_again import ask_request

        if request := await ask_request(self.cvflow):
            await self._install(request)

    async def _install(self, source: InstallRequest | str) -> None:
        from cvflow_tui.screens.install import InstallScreen

        client = await self.cvflow.when_ready()
        installed = await self.cvflow.run_dialog(InstallScreen(client, source, self.action_reload))
        await self.look()
        if installed:
            self.note(f"{installed} is installed · F2 shows its solvers")
