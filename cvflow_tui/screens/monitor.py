"""Monitor: every running solver, its numbers, its log, and a picture run through it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from cvflow_tui.keymap import DIGITS
from cvflow_tui.model.errors import NotFoundError, RefusedError
from cvflow_tui.model.solvers import RunningSolver, SolverState
from cvflow_tui.model.text import plural
from cvflow_tui.screens.looking_place import BEFORE_ITS_ANSWER, LookingPlace
from cvflow_tui.screens.monitor_log import LogPanel
from cvflow_tui.screens.stopping import may_stop
from cvflow_tui.widgets.cells import cut
from cvflow_tui.widgets.figures import bytes_of, millis_of, seconds_of
from cvflow_tui.widgets.solver_chart import LANES, SolverChart
from cvflow_tui.widgets.solver_looks import state_cell
from cvflow_tui.widgets.solver_names import short_names, without_vendors
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable
from cvflow_tui.widgets.worker_pane import WorkerPane

EMPTY = "No solver runs.\n\nF2 shows what is installed; s starts a solver there."

CHART_EVERY = 2.0
"""Seconds between two looks at a solver's history."""
TALL = 34
"""Lines of a screen from which the chart has all its lines."""
PROCESS_BELOW = 110
"""Columns under which the process id and the uptime stand in the heading of the log."""
P50_FROM = 76
CPU_FROM = 68
"""Columns from which there is room for these figures beside a name that can be told from the others."""


def _measured(figure: Callable[[RunningSolver], str]) -> Callable[[RunningSolver], str]:
    """The figure of a solver's process; where there is none, nothing was measured, and 0 would be made up."""
    return lambda solver: figure(solver) if solver.pid else "–"


def _ended(before: RunningSolver, now: RunningSolver) -> str:
    """What is to be said of a solver that ended by itself since the last look; empty where it did not."""
    if now.state is SolverState.BACKOFF and before.state is not SolverState.BACKOFF:
        return f"{now.name} ended unexpectedly and is started again"
    if now.restarts > before.restarts and before.state is not SolverState.BACKOFF:
        # Perhaps as its settings say: a worker that served its number of requests is replaced.
        return f"{now.name} was started again ({plural(now.restarts, 'restart')}); its log tells why"
    return ""


COLUMNS: tuple[Column[RunningSolver], ...] = (
    Column("state", state_cell, 11, sort=lambda solver: solver.state.value),
    Column("port", lambda solver: str(solver.port or "–"), 5, "right", sort=lambda solver: solver.port or 0),
    Column("pid", lambda solver: str(solver.pid or "–"), 7, "right", sort=lambda solver: solver.pid or 0, hide_below=PROCESS_BELOW),
    Column(
        "up", _measured(lambda solver: seconds_of(solver.uptime)), 9, "right", sort=lambda solver: solver.uptime, hide_below=PROCESS_BELOW
    ),
    Column("cpu", _measured(lambda solver: f"{solver.cpu:.0f} %"), 5, "right", sort=lambda solver: solver.cpu, hide_below=CPU_FROM),
    Column("memory", _measured(lambda solver: bytes_of(solver.rss)), 7, "right", sort=lambda solver: solver.rss),
    Column("req/s", _measured(lambda solver: f"{solver.rate:.1f}"), 5, "right", sort=lambda solver: solver.rate),
    Column("p50", lambda solver: millis_of(solver.p50), 6, "right", sort=lambda solver: solver.p50 or 0.0, hide_below=P50_FROM),
    Column("p95", lambda solver: millis_of(solver.p95), 6, "right", sort=lambda solver: solver.p95 or 0.0),
)


class MonitorScreen(LookingPlace):
    """The running solvers above, the log of the one under the cursor below."""

    PLACE = "monitor"
    TITLE_TEXT = "Monitor"
    ABOUT = (
        "Every running solver: its port and process, how busy it is (req/s over the last ten seconds), how long half (p50) and nearly all "
        "(p95) of its answers take. Under the table, its last ten minutes (c): a column is the largest figure of its time, a full block "
        "the most of all. Below, its log: it follows the end, stands still once you scroll up, and follows again at End. Tab moves "
        "between the two. ● ready 2/3: two of its three workers serve; ◌ asleep: unloaded until it is asked; "
        "◐ backoff: it ended unexpectedly, and is started again after a while; o tells of each worker."
    )
    CSS_PATH = "monitor.tcss"
    LOOK_EVERY = 1.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "infer", "infer", tooltip="Run a picture through the solver and look at the result (Enter too)", id="monitor.infer"),
        Binding("s", "stop", "stop", tooltip="Stop the solver; asks while it is being used", id="monitor.stop"),
        Binding("x", "stop", "stop", show=False, tooltip="Stop the solver", id="monitor.stop_too"),
        Binding("r", "restart", "restart", tooltip="Stop the solver and start it again", id="monitor.restart"),
        Binding("e", "settings", "settings", tooltip="How it runs: workers, limits, start, variables", id="monitor.settings"),
        Binding("slash", "search", "search log", tooltip="Search the whole log; n and N go from hit to hit", id="monitor.search"),
        Binding("n", "next_hit(1)", "next", show=False, tooltip="The next hit in the log", id="monitor.next"),
        Binding("N", "next_hit(-1)", "previous", show=False, tooltip="The hit before", id="monitor.previous"),
        Binding("l", "level", "level", show=False, tooltip="Find lines of a level: info, warning, error and above", id="monitor.level"),
        Binding("t", "since", "since", show=False, tooltip="Find what was written since a time", id="monitor.since"),
        Binding("c", "chart", "chart", show=False, tooltip="Show or put away how it did in the last ten minutes", id="monitor.chart"),
        Binding("w", "wrap", "wrap", tooltip="Wrap long lines of the log, or cut them", id="monitor.wrap"),
        Binding("escape", "clear", "clear", show=False, tooltip="End the search", id="monitor.clear"),
        *DIGITS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._at: str | None = None
        """The solver under the cursor."""
        self._charted: tuple[str, float] = ("", 0.0)
        """Whose history is drawn, and when it was asked for."""
        self._names: tuple[str, ...] = ()
        """The solvers in the table, in the daemon's order."""
        self._seen: tuple[str, ...] = ()
        """What they were called when the table was last put in order."""

    def compose_place(self) -> ComposeResult:
        """The table, the chart, the log with its search."""
        name: Column[RunningSolver] = Column(
            "solver", lambda solver: Cell(solver.name, "strong"), sort=lambda solver: self._called(solver.name), shorten=self._short
        )
        with Vertical():
            yield VirtualTable[RunningSolver](
                (name, *COLUMNS),
                search=lambda solver: solver.name,
                key=lambda solver: solver.name,
                empty=BEFORE_ITS_ANSWER,
                id="solvers",
            )
            yield SolverChart(id="chart")
            with Horizontal():
                yield LogPanel(id="log-panel")
                yield WorkerPane(id="workers", classes="side")

    def _short(self, name: str, width: int) -> str:
        return short_names(self._names, width).get(name) or cut(name, width)

    def _called(self, name: str) -> str:
        """What the table calls a solver, before it is cut: what it is sorted by, so that the order is that of what is seen."""
        return without_vendors(self._names, self.table.width_of(0)).get(name, name)

    @property
    def table(self) -> VirtualTable[RunningSolver]:
        """The running solvers."""
        return self.query_one("#solvers", VirtualTable)

    @property
    def chart(self) -> SolverChart:
        """How the solver under the cursor did."""
        return self.query_one(SolverChart)

    @property
    def log_panel(self) -> LogPanel:
        """The log of the solver under the cursor."""
        return self.query_one(LogPanel)

    # -- shown and not shown

    def on_client_ready(self) -> None:
        """Begin with the log."""
        self.log_panel.begin(self.cvflow.client)

    def on_screen_resume(self) -> None:
        """Go on with the log where it was left."""
        self._follow(self.table.current)

    def on_screen_suspend(self) -> None:
        """The log of a place that is not shown is not asked for."""
        self.log_panel.pause()

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
        state = "asleep: unloaded, for nothing was asked" if solver.asleep else solver.state.value
        counts = (plural(solver.requests, "request"), plural(solver.errors, "error"), plural(solver.restarts, "restart"))
        return f"{solver.name} is {state}, {', '.join(counts)}. {solver.error or ''}".strip()

    # -- the table

    async def look(self) -> None:
        """Fetch the solvers."""
        solvers = await self.cvflow.client.solvers()
        table = self.table
        table.empty = EMPTY
        before = {solver.name: solver for solver in table.items}
        for solver in solvers:
            if solver.name in before and (said := _ended(before[solver.name], solver)):
                self.note(said)
        self._names = tuple(solver.name for solver in solvers)
        table.show(solvers)
        called = tuple(self._called(name) for name in self._names)
        if called != self._seen:
            self._seen = called
            table.sort_again()
        # Room for what an empty table says; never more than a third of the screen.
        table.styles.height = min(len(solvers) + 2, max(4, self.size.height // 3)) if solvers else 7
        self._tell()
        await self._draw_chart()

    async def _draw_chart(self) -> None:
        solver = self.table.current
        live = solver is not None and solver.state.is_live
        # What was found in the log takes the chart's room where there is little.
        crowded = self.log_panel.has_class("-found") and self.size.height < TALL
        self.chart.display = live and not self.has_class("-plain") and not crowded
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
        # Beside the log where there is room and more to tell of than the table does.
        self.set_class(self.table.current is not None and len(self.table.current.workers) > 1, "-crew")
        self.query_one(WorkerPane).show(self.table.current)
        states = [solver.state for solver in solvers]
        live = states.count(SolverState.READY) + states.count(SolverState.BUSY)
        others = ((states.count(SolverState.STARTING), "starting"), (states.count(SolverState.BACKOFF), "in backoff"))
        failed = sum(not state.is_live for state in states)
        text = f"{live or 'no'} solver{'s' if live != 1 else ''} running · {sum(solver.rate for solver in solvers):.1f} requests a second"
        current = self.table.current
        if current is not None and current.error:
            text = f"{current.name}: {current.error}"
        else:
            text += "".join(f" · {count} {word}" for count, word in (*others, (failed, "failed")) if count)
        self.summary(text)
        # What is of one solver stands with its log, not among what is of all.
        alone = current is not None and current.pid and self.size.width < PROCESS_BELOW
        self.log_panel.tell_of(f"pid {current.pid}, up {seconds_of(current.uptime)}" if current and alone else "")

    @on(VirtualTable.Moved)
    def _moved(self, event: VirtualTable.Moved) -> None:
        self._follow(event.item)
        self._tell()
        # Told of every change of the row too, and of rows that came anew: a look for each of those would bring the next.
        if (name := event.item.name if event.item else None) != self._at:
            self._at = name
            self.look_soon()

    @on(VirtualTable.Chosen)
    def _chosen(self) -> None:
        self.action_infer()

    # -- the log

    def _follow(self, solver: RunningSolver | None) -> None:
        self.log_panel.follow(solver.name if solver else None)

    def action_search(self) -> None:
        """Search in the log."""
        self.log_panel.open_search()

    def action_next_hit(self, step: int) -> None:
        """Go to another hit."""
        self.log_panel.next_hit(step)

    def action_level(self) -> None:
        """Look for lines of another level."""
        self.log_panel.next_level()

    def action_since(self) -> None:
        """Look only since a time."""
        self.attempt(self.log_panel.ask_since)

    def action_wrap(self) -> None:
        """Wrap, or not."""
        self.log_panel.wrap()

    def action_clear(self) -> None:
        """End the search; or put the pane away where it lies over the log."""
        if self.has_class("-side") and self.has_class("-narrow"):
            self.action_toggle_side()
            return
        self.log_panel.clear()
        self.table.focus()

    # -- the solver

    def action_stop(self) -> None:
        """Stop the solver under the cursor."""
        if solver := self.table.current:
            self.attempt(self._stop(solver))

    async def _stop(self, solver: RunningSolver) -> None:
        if not await may_stop(self.cvflow, solver):
            return
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
