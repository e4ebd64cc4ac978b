"""The monitor's log: of one solver, with the search of all of it, its older files included."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from cvflow_tui.model.moments import FORMS, read_moment
from cvflow_tui.model.solvers import LogLine, LogSearch
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.log_follower import LogFollower
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets.figures import bytes_of
from cvflow_tui.widgets.filter_line import FilterLine
from cvflow_tui.widgets.log_hits import LogHits
from cvflow_tui.widgets.log_view import LogView
from cvflow_tui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

LEVELS = {"debug": "all levels", "info": "info", "warning": "warning", "error": "error"}
"""A level and above, and its word."""
TYPING = 0.25
"""Seconds without a key after which the daemon is asked."""
MOST = 2000
"""Hits that are listed: the newest."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for."""

    words: str = ""
    level: str = "debug"
    since: str = ""
    """As it was typed; empty: the whole log."""

    def __bool__(self) -> bool:
        return bool(self.words or self.since or self.level != "debug")


class LogPanel(Vertical):
    """A line that says what is shown, what a search found, the log, and the line in which words are typed.

    The daemon searches; hits are gone to by loading the log around them.
    """

    DEFAULT_CSS = """
    LogPanel { height: 1fr; width: 1fr; }
    LogPanel > #log-head { height: 1; padding: 0 1; color: $muted; background: $surface; }
    LogPanel.-keys > #log-head { color: $foreground; background: $cursor-row; text-style: bold; }
    LogPanel > #hits { display: none; }
    LogPanel.-found > #hits { display: block; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._follower: LogFollower | None = None
        self._process = ""
        self._wanted = Wanted()
        self._found: LogSearch | None = None
        """None while the daemon is asked, and where nothing is looked for."""
        self._awaited = False
        """Whether the words are typed out and the keys shall be the hits', once there are any."""

    def compose(self) -> ComposeResult:
        """The head, the hits, the log, the search."""
        yield Static("", id="log-head", markup=False)
        yield LogHits(id="hits")
        yield LogView("", id="log")
        yield FilterLine("find in the log and its older files")

    @property
    def view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    @property
    def hits(self) -> LogHits:
        """What was found."""
        return self.query_one(LogHits)

    @property
    def _place(self) -> Place:
        return cast(Place, self.screen)

    @property
    def name(self) -> str | None:
        """The solver whose log it is."""
        return self._follower.name if self._follower else None

    # -- which log

    def begin(self, client: DaemonClient) -> None:
        """The daemon is there."""
        self._client, self._follower = client, LogFollower(client, self.view)

    def follow(self, name: str | None) -> None:
        """Show the log of a solver, or none."""
        if self._follower is None:
            return
        other = name != self._follower.name
        if name is None:
            self.pause()
            self._follower.forget()
        elif other or not self._is_following():
            self._place.attempt(partial(self._follower.follow, name), group="log", exclusive=True)
        if other:
            self._forget()
            if name is not None and self._wanted:
                self._search(name)
        self.tell()

    def pause(self) -> None:
        """Ask for nothing while nobody looks."""
        self.screen.workers.cancel_group(self.screen, "log")

    def _is_following(self) -> bool:
        screen = self.screen
        return any(worker.group == "log" and worker.is_running for worker in screen.workers if worker.node is screen)

    @on(LogView.TopReached)
    def _top(self) -> None:
        if self._follower is not None:
            self._place.attempt(self._follower.earlier, group="earlier")

    @on(LogView.BottomReached)
    def _bottom(self) -> None:
        if self._follower is not None:
            self._place.attempt(self._follower.later, group="later")

    @on(LogView.EndWanted)
    def _end(self) -> None:
        if self._follower is not None:
            self._place.attempt(self._follower.to_end, group="hit", exclusive=True)

    # -- what is looked for

    def open_search(self) -> None:
        """Type words."""
        self.query_one(FilterLine).open()

    def next_level(self) -> None:
        """Look for another level and above: all, info, warning, error."""
        levels = list(LEVELS)
        self._want(replace(self._wanted, level=levels[(levels.index(self._wanted.level) + 1) % len(levels)]))

    async def ask_since(self) -> None:
        """Ask since when, and look only there."""
        from cvflow_tui.screens.dialogs import AskLine

        def wrong(text: str) -> str | None:
            try:
                read_moment(text, 0) if text else None
            except ValueError as error:
                return str(error)
            return None

        text = f"{FORMS}. Nothing typed: the whole log."
        since = await self._place.cvflow.run_dialog(AskLine("Find what was written since", text, self._wanted.since, check=wrong))
        if since is not None:
            self._want(replace(self._wanted, since=since))

    def clear(self) -> None:
        """End the search."""
        self.query_one(FilterLine).action_clear()
        self._want(Wanted())

    @on(FilterLine.Changed)
    def _typed(self, event: FilterLine.Changed) -> None:
        event.stop()
        self._want(replace(self._wanted, words=event.words))

    @on(FilterLine.Closed)
    def _typed_out(self, event: FilterLine.Closed) -> None:
        event.stop()
        self._awaited = bool(self._wanted) and self._found is None
        (self.hits if self.has_class("-found") and not self._awaited else self.view).focus()

    def _want(self, wanted: Wanted) -> None:
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self.view.mark(wanted.words)
        if wanted and self.name is not None:
            self._search(self.name)
        else:
            self.screen.workers.cancel_group(self.screen, "search")
            self._forget()
        self.tell()

    def _forget(self) -> None:
        had_focus = self.hits.has_focus
        self._found, self._awaited = None, False
        self.remove_class("-found")
        self.hits.show(())
        if had_focus:
            self.view.focus()

    def _search(self, name: str) -> None:
        self._found = None
        self._place.attempt(partial(self._look, name, TYPING), group="search", exclusive=True)

    async def _look(self, name: str, rest: float) -> None:
        await asyncio.sleep(rest)
        await self._ask(name)
        self.hits.cursor = len(self.hits.items) - 1

    async def _ask(self, name: str) -> None:
        """Ask the daemon, and list what it found. Raises CvflowError."""
        wanted = self._wanted
        since = read_moment(wanted.since, time.time()) if wanted.since else None
        self._found = await self._client.search_log(name, wanted.words, level=wanted.level, since=since, limit=MOST)
        lines = self._found.lines
        hits = self.hits
        hits.words = wanted.words
        self.set_class(bool(lines), "-found")
        hits.styles.height = min(len(lines) + 1, max(5, self.screen.size.height // 4))
        hits.show(lines)
        if not lines and hits.has_focus:
            self.view.focus()
        elif lines and self._awaited and self.view.has_focus:
            hits.focus()
        self._awaited = False
        self.tell()

    # -- from hit to hit

    def next_hit(self, step: int) -> None:
        """Go to the hit after (1) or before (-1) this one, round the ends; behind the last, look for newer ones first."""
        hits = self.hits
        if not self.has_class("-found") or self.name is None:
            return
        if step > 0 and hits.cursor == hits.shown - 1:
            self._place.attempt(partial(self._newer, self.name), group="search", exclusive=True)
        else:
            hits.cursor = (hits.cursor + step) % hits.shown

    async def _newer(self, name: str) -> None:
        last = self.hits.current
        await self._ask(name)
        places = [(line.file, line.start) for line in self.hits.items]
        here = places.index((last.file, last.start)) if last and (last.file, last.start) in places else -1
        self.hits.cursor = (here + 1) % max(1, len(places))

    @on(VirtualTable.Moved)
    def _hit(self, event: VirtualTable.Moved) -> None:
        event.stop()
        if event.item is not None and self._follower is not None:
            self._place.attempt(partial(self._follower.show, cast(LogLine, event.item)), group="hit", exclusive=True)
        self.tell()

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        event.stop()
        self.view.focus()

    # -- what is said of it

    def wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.view.wrap = not self.view.wrap
        self.tell()

    def tell_of(self, process: str) -> None:
        """Say this too, of the solver's process."""
        if process != self._process:
            self._process = process
            self.tell()

    @on(LogView.Changed)
    def tell(self) -> None:
        """Say what is shown."""
        view, name = self.view, self.name
        view.empty = self._follower.empty if self._follower else ""
        parts = []
        if name:
            told = self._search_told()
            parts = told or [f"log of {name}"]
            parts.append("following" if view.following else "paused, End follows")
            parts += ["wrapped"] if view.wrap else []
            parts += [self._process] if self._process and not told else []  # a search has more to say than there is room
        # What has the keys is marked as a table's row is: with a sign too, for colours may not be there.
        mark = "▸ " if self.has_class("-keys") and parts else ""
        self.query_one("#log-head", Static).update(mark + one_line(" · ".join(parts)))

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _mark_keys(self) -> None:
        """Whether the keys are for the log."""
        self.set_class(self.has_focus_within, "-keys")
        self.tell()

    def _search_told(self) -> list[str]:
        wanted, found = self._wanted, self._found
        if not wanted:
            return []
        words = f" “{one_line(wanted.words, 20)}”" if wanted.words else ""
        if found is None:
            told = f"looking for{words or ' lines'} …"
        elif not found.lines:
            where = bytes_of(found.searched)
            told = (
                f"no{words or ' line'} in {where}" if found.complete else f"no{words or ' line'} in the newest {where}, the rest not read"
            )
        else:
            most = "the newest " if len(found.lines) >= MOST else ""
            told = f"{self.hits.cursor + 1} of {most}{len(found.lines)}{words}, n N" + ("" if found.complete else ", oldest part not read")
        return [told, f"l {LEVELS[wanted.level]}", f"t since {wanted.since}" if wanted.since else "t all times"]
