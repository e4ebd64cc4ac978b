"""Monitor: every running solver, its numbers, its log, and a picture run through it."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from cvflow_tui.keymap import DIGITS
from cvflow_tui.model.errors import NotFoundError, RefusedError
from cvflow_tui.model.solvers import RunningSolver
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.annotate.words import plural
from cvflow_tui.screens.log_follower import LogFollower
from cvflow_tui.screens.looking_place import LookingPlace
from cvflow_tui.widgets.figures import bytes_of, millis_of, seconds_of
from cvflow_tui.widgets.filter_line import FilterLine
from cvflow_tui.widgets.log_view import LogView
from cvflow_tui.widgets.solver_chart import LANES, SolverChart
from cvflow_tui.widgets.solver_looks import state_cell
from cvflow_tui.widgets.solver_names import short_name
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

EMPTY = "No solver runs.\n\nF2 shows what is installed; s starts a solver there."

CHART_EVERY = 2.0
"""Seconds between two looks at a solver's history."""
TALL = 34
"""Lines of a screen from which the chart has all its lines."""
PROCESS_BELOW = 110
"""Columns under which the process id and the uptime stand on the status line."""

COLUMNS: tuple[Column[RunningSolver], ...] = (
    Column("state", state_cell, 10, sort=lambda solver: solver.state.value),
    Column("port", lambda solver: str(solver.port or "–"), 5, "right", sort=lambda solver: solver.port or 0),
    Column("pid", lambda solver: str(solver.pid or "–"), 7, "right", sort=lambda solver: solver.pid or 0, hide_below=PROCESS_BELOW),
    Column("up", lambda solver: seconds_of(solver.uptime), 9, "right", sort=lambda solver: solver.uptime, hide_below=PROCESS_BELOW),
    Column("cpu", lambda solver: f"{solver.cpu:.0f} %", 5, "right", sort=lambda solver: solver.cpu),
    Column("memory", lambda solver: bytes_of(solver.rss), 7, "right", sort=lambda solver: solver.rss),
    Column("req/s", lambda solver: f"{solver.rate:.1f}", 5, "right", sort=lambda solver: solver.rate),
    Column("p50", lambda solver: millis_of(solver.p50), 6, "right", sort=lambda solver: solver.p50 or 0.0),
    Column("p95", lambda solver: millis_of(solver.p95), 6, "right", sort=lambda solver: solver.p95 or 0.0),
)


class MonitorScreen(LookingPlace):
    """The running solvers above, the log of the one under the cursor below."""

    PLACE = "monitor"
    TITLE_TEXT = "Monitor"
    ABOUT = (
        "Every running solver: its port and process, how busy it is, how long half (p50) and nearly all (p95) of its answers take. "
        "Under the table, its last ten minutes (c). Below, its log: it follows the end, stands still once you scroll up, and follows "
        "again at End. Tab moves between the two."
    )
    CSS_PATH = "monitor.tcss"
    LOOK_EVERY = 1.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "infer", "infer", tooltip="Run a picture through the solver and look at the result (Enter too)", id="monitor.infer"),
        Binding("s", "stop", "stop", tooltip="Stop the solver", id="monitor.stop"),
        Binding("x", "stop", "stop", show=False, tooltip="Stop the solver", id="monitor.stop_too"),
        Binding("r", "restart", "restart", tooltip="Stop the solver and start it again", id="monitor.restart"),
        Binding("e", "settings", "settings", tooltip="How it runs: workers, limits, start, variables", id="monitor.settings"),
        Binding("slash", "search", "search log", tooltip="Search in the log; n and N move between the matches", id="monitor.search"),
        Binding("n", "next_match(1)", "next", show=False, tooltip="The next match in the log", id="monitor.next"),
        Binding("N", "next_match(-1)", "previous", show=False, tooltip="The match before", id="monitor.previous"),
        Binding("c", "chart", "chart", show=False, tooltip="Show or put away how it did in the last ten minutes", id="monitor.chart"),
        Binding("w", "wrap", "wrap", tooltip="Wrap long lines of the log, or cut them", id="monitor.wrap"),
        Binding("escape", "clear", "clear", show=False, tooltip="End the search", id="monitor.clear"),
        *DIGITS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._follower: LogFollower | None = None
        self._charted: tuple[str, float] = ("", 0.0)
        """Whose history is drawn, and when it was asked for."""

    def compose_place(self) -> ComposeResult:
        """The table, a line that names the log, the log, its search."""
        name: Column[RunningSolver] = Column(
            "solver", lambda solver: Cell(solver.name, "strong"), sort=lambda solver: solver.name, shorten=self._short
        )
        with Vertical():
            yield VirtualTable[RunningSolver](
                (name, *COLUMNS),
                search=lambda solver: solver.name,
                key=lambda solver: solver.name,
                empty="The daemon is starting …",
                id="solvers",
            )
            yield SolverChart(id="chart")
            yield Static("", id="log-head", markup=False)
            yield LogView("", id="log")
            yield FilterLine("find in the log")

    def _short(self, name: str, width: int) -> str:
        return short_name(name, width, (solver.name for solver in self.table.items))

    @property
    def table(self) -> VirtualTable[RunningSolver]:
        """The running solvers."""
        return self.query_one("#solvers", VirtualTable)

    @property
    def chart(self) -> SolverChart:
        """How the solver under the cursor did."""
        return self.query_one(SolverChart)

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one("#log", LogView)

    # -- shown and not shown

    def on_client_ready(self) -> None:
        """Begin with the log."""
        self._follower = LogFollower(self.cvflow.client, self.log_view)

    def on_screen_resume(self) -> None:
        """Go on with the log where it was left."""
        if self._follower is not None:
            self._follow(self.table.current)

    def on_screen_suspend(self) -> None:
        """The log of a place that is not shown is not asked for."""
        self.workers.cancel_group(self, "log")

    def arrive(self, solver: str | None = None, **_: Any) -> None:
        """`solver`: put the cursor on this one."""
        for row, running in enumerate(self.table.items):
            if running.name == solver:
                self.table.cursor = row

    def explain(self) -> str:
        """The solver under the cursor."""
        solver = self.table.current
        if solver is None:
            return ""
        counts = (plural(solver.requests, "request"), plural(solver.errors, "error"), plural(solver.restarts, "restart"))
        return f"{solver.name} is {solver.state.value}, {', '.join(counts)}. {solver.error or ''}".strip()

    # -- the table

    async def look(self) -> None:
        """Fetch the solvers."""
        solvers = await self.cvflow.client.solvers()
        table = self.table
        table.empty = EMPTY
        table.show(solvers)
        # Room for what an empty table says; never more than a third of the screen.
        table.styles.height = min(len(solvers) + 2, max(4, self.size.height // 3)) if solvers else 7
        self._tell()
        await self._draw_chart()

    async def _draw_chart(self) -> None:
        solver = self.table.current
        live = solver is not None and solver.state.is_live
        self.chart.display = live and not self.has_class("-plain")
        self.chart.styles.height = len(LANES) if self.size.height >= TALL else 2
        if solver is None or not self.chart.display:
            return
        name, asked = self._charted
        now = time.monotonic()
        if name != solver.name or now - asked >= CHART_EVERY:
            if name != solver.name:
                self.chart.show(None)
            self._charted = (solver.name, now)
            try:
                self.chart.show(await self.cvflow.client.solver_history(solver.name))
            except NotFoundError:
                self.chart.show(None)  # it was stopped meanwhile

    def action_chart(self) -> None:
        """Show the chart, or leave the room to the log."""
        self.toggle_class("-plain")
        self.look_soon()

    def _tell(self) -> None:
        solvers = self.table.items
        live = sum(solver.state.is_live for solver in solvers)
        failed = [solver for solver in solvers if not solver.state.is_live]
        text = f"{live or 'no'} solver{'s' if live != 1 else ''} running · {sum(solver.rate for solver in solvers):.1f} requests a second"
        current = self.table.current
        if current is not None and current.error:
            text = f"{current.name}: {current.error}"
        else:
            text += f" · {len(failed)} failed" if failed else ""
            if current is not None and self.size.width < PROCESS_BELOW and current.state.is_live:
                text += f" · pid {current.pid or '–'}, up {seconds_of(current.uptime)}"
        self.summary(text)

    @on(VirtualTable.Moved)
    def _moved(self, event: VirtualTable.Moved) -> None:
        self._follow(event.item)
        self._tell()
        self.look_soon()

    @on(VirtualTable.Chosen)
    def _chosen(self) -> None:
        self.action_infer()

    # -- the log

    def _follow(self, solver: RunningSolver | None) -> None:
        if self._follower is None:
            return
        if solver is None:
            self.workers.cancel_group(self, "log")
            self._follower.forget()
            self._head()
        elif solver.name != self._follower.name or not self._is_following():
            self.attempt(partial(self._follower.follow, solver.name), group="log", exclusive=True)
            self._head()

    def _is_following(self) -> bool:
        return any(worker.group == "log" and worker.is_running for worker in self.workers if worker.node is self)

    @on(LogView.Changed)
    def _head(self) -> None:
        view, name = self.log_view, self._follower.name if self._follower else None
        view.empty = "It has said nothing yet." if name else ""
        parts = [f"log of {name}"] if name else []
        if name:
            here, found = view.found
            if words := self.query_one(FilterLine).query_text:
                parts.append(f"{here} of {found} “{one_line(words, 20)}”, n N" if found else f"no “{one_line(words, 20)}”")
            parts.append("following" if view.following else "paused, End follows")
            parts += ["wrapped"] if view.wrap else []
        self.query_one("#log-head", Static).update(one_line(" · ".join(parts)))

    @on(LogView.TopReached)
    def _top(self) -> None:
        if self._follower is not None:
            self.attempt(self._follower.earlier, group="earlier")

    def action_search(self) -> None:
        """Search in the log."""
        self.query_one(FilterLine).open()

    @on(FilterLine.Changed)
    def _searched(self, event: FilterLine.Changed) -> None:
        self.log_view.search(event.words)

    @on(FilterLine.Closed)
    def _search_closed(self) -> None:
        self.log_view.focus()

    def action_next_match(self, step: int) -> None:
        """Go to another match."""
        self.log_view.next_match(step)

    def action_wrap(self) -> None:
        """Wrap, or not."""
        self.log_view.wrap = not self.log_view.wrap
        self._head()

    def action_clear(self) -> None:
        """End the search."""
        self.query_one(FilterLine).action_clear()
        self.table.focus()

    # -- the solver

    def action_stop(self) -> None:
        """Stop the solver under the cursor."""
        if solver := self.table.current:
            self.attempt(self._stop(solver))

    async def _stop(self, solver: RunningSolver) -> None:
        self.note(f"stopping {solver.name} …")
        await self.cvflow.client.stop_solver(solver.name)
        await self.look()
        self.note(f"{solver.name} stopped")

    def action_restart(self) -> None:
        """Stop and start it again, on the same port."""
        if solver := self.table.current:
            self.attempt(self._restart(solver))

    async def _restart(self, solver: RunningSolver) -> None:
        self.note(f"restarting {solver.name} …")
        started = await self.cvflow.client.restart_solver(solver.name)
        await self.look()
        self.note(f"{started.name} serves on port {started.port}")

    def action_settings(self) -> None:
        """Look at its settings and change them."""
        if solver := self.table.current:
            self.attempt(self._settings(solver.name))

    async def _settings(self, name: str) -> None:
        from cvflow_tui.screens.solver_settings import SettingsScreen

        if await self.cvflow.run_dialog(SettingsScreen(self.cvflow.client, name)):
            self.note(f"{name} was restarted")
        await self.look()

    def action_infer(self) -> None:
        """Ask for a picture and run it through the solver."""
        if solver := self.table.current:
            self.attempt(self._infer(replace(solver)))

    async def _infer(self, solver: RunningSolver) -> None:
        from cvflow_tui.screens.infer import infer

        if not solver.state.is_live:
            raise RefusedError(f"{solver.name} is {solver.state.value}: r starts it again")
        if said := await infer(self.cvflow, solver):
            self.note(said)
