"""`set`, `settings`, `restart`, `env`, and `logs` that searches."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest

from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.settings import SettingsReport, Variable, read_settings
from cvflow_tui.model.solvers import LogLine, LogSearch, RunningSolver
from tests.cli.conftest import Cli
from tests.cli.fake_client import RUNNING, FakeClient

NAME = "cvflow/nanodet/detect"


class Desk:
    """What the daemon keeps of settings, and what was asked of it."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.searched: dict[str, Any] = {}
        self.found = LogSearch((LogLine("it broke", "error", 1.0), LogLine("\x1b[2Jagain", "error", None)), 10, True)

    def report(self) -> SettingsReport:
        pending = tuple(name for name in self.told if name in ("replicas", "memory"))
        return SettingsReport(NAME, read_settings(self.told), tuple(self.told), tuple(self.values), True, pending)

    async def settings(self, name: str) -> SettingsReport:
        return self.report()

    async def change_settings(self, name: str, changes: dict[str, str]) -> SettingsReport:
        read_settings({key: text for key, text in changes.items() if text})
        self.told.update(changes)
        self.told = {key: text for key, text in self.told.items() if text}
        return self.report()

    async def variables(self, ref: str) -> list[Variable]:
        return [Variable("cvflow/nanodet", name) for name in self.values]

    async def set_variable(self, ref: str, name: str, value: str) -> list[Variable]:
        self.values[name] = value
        return await self.variables(ref)

    async def unset_variable(self, ref: str, name: str) -> list[Variable]:
        if self.values.pop(name, None) is None:
            raise NotFoundError(f"{ref} has no variable {name}")
        return await self.variables(ref)

    async def restart_solver(self, name: str) -> RunningSolver:
        return RUNNING

    async def search_log(self, name: str, text: str = "", **options: Any) -> LogSearch:
        self.searched = {"text": text, **options}
        return self.found


@pytest.fixture
def desk(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk()
    for name in ("settings", "change_settings", "variables", "set_variable", "unset_variable", "restart_solver", "search_log"):
        monkeypatch.setattr(client, name, getattr(made, name), raising=False)
    return made


def test_what_is_set_is_shown_and_a_restart_asked_for(cli: Cli, desk: Desk) -> None:
    outcome = cli("set", "nanodet", "replicas=2", "memory=2G", "keep_alive=5m", "autostart=on")
    assert outcome.code == 0
    assert outcome.out.splitlines() == ["replicas\t2", "memory\t2G", "autostart\ton", "keep_alive\t5m"]
    assert outcome.err == f"needs a restart (replicas, memory): cvflow restart {NAME}\n"
    told = cli("settings", "nanodet", "--json").json
    assert (told["settings"]["memory"], told["settings"]["keep_alive"]) == (2_000_000_000, 300.0)
    assert told["restart_for"] == ["replicas", "memory"]
    assert "memory\t-" in cli("set", "nanodet", "memory=").out


@pytest.mark.parametrize("change", ["replicas", "=2", "replicas=none", "replicas=-1", "colour=red", "memory=2X"])
def test_what_can_not_be_set_is_one_line_and_code_2(cli: Cli, desk: Desk, change: str) -> None:
    outcome = cli("set", "nanodet", "threads=2", change)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert desk.told == {}


def test_values_are_never_shown(cli: Cli, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = cli("env", "set", "nanodet", "API_KEY=hunter2hunter2")
    assert outcome.out == "cvflow/nanodet  API_KEY = (set)\n"
    assert cli("env", "list", "nanodet", "--json").json == [{"owner": "cvflow/nanodet", "name": "API_KEY"}]
    assert "API_KEY\t(set)" in cli("settings", "nanodet").out
    assert desk.values == {"API_KEY": "hunter2hunter2"}
    for line in (("env", "list", "nanodet"), ("settings", "nanodet"), ("settings", "nanodet", "--json")):
        assert "hunter2" not in cli(*line).out
    assert cli("env", "unset", "nanodet", "API_KEY").out == ""
    assert cli("env", "unset", "nanodet", "API_KEY").code == 3


def test_a_value_is_read_where_it_is_not_given(cli: Cli, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("line one\nline two\n"))
    assert cli("env", "set", "nanodet", "PEM").code == 0
    assert desk.values == {"PEM": "line one\nline two"}
    outcome = cli("env", "set", "nanodet", "EMPTY=", "-q")
    assert (outcome.code, outcome.out, outcome.err, desk.values["EMPTY"]) == (0, "", "EMPTY is set, and empty\n", "")
    assert cli("env", "unset", "nanodet", "EMPTY", "--quiet").out == ""


def test_restart_prints_what_start_does(cli: Cli, desk: Desk) -> None:
    assert list(cli("restart", "nanodet", "--json").json) == ["package", "solver", "state", "port", "pid", "url"]
    assert cli("restart", "nanodet", "-q").out == "http://127.0.0.1:4711\n"


def test_logs_that_search(cli: Cli, desk: Desk) -> None:
    assert cli("logs", "nanodet", "--level", "error", "--grep", "broke", "--since", "2h", "-n", "5").out == "it broke\nagain\n"
    assert desk.searched["level"] == "error"
    assert desk.searched["text"] == "broke"
    assert desk.searched["limit"] == 5
    assert desk.searched["since"] == pytest.approx(time.time() - 7200, abs=60)
    lines = [json.loads(line) for line in cli("logs", "nanodet", "--grep", "x", "--json").out.splitlines()]
    assert lines[0] == {"line": "it broke", "level": "error", "time": 1.0}
    desk.found = LogSearch((), 10, False)
    assert "oldest part" in cli("logs", "nanodet", "--grep", "x").err
    cli("logs", "nanodet", "--since", "2026-01-31")
    assert time.strftime("%Y-%m-%d", time.localtime(desk.searched["since"])) == "2026-01-31"
    assert cli("logs", "nanodet", "--since", "lately").code == 2
    assert cli("logs", "nanodet", "-f", "--grep", "x").code == 2
