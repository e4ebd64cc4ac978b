"""`start`, `stop`, `ps`, `logs`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.backend.runtime.logs import read_log
from cvflow_tui.cli import logs
from cvflow_tui.model.solvers import LogChunk, RunningSolver, SolverState
from tests.cli.conftest import Cli
from tests.cli.fake_client import DETAIL, RUNNING, FakeClient

PROMISED = ["package", "solver", "state", "port", "pid", "url"]


def test_start_prints_exactly_what_scripts_rely_on(cli: Cli) -> None:
    told = cli("start", "nanodet", "--json").json
    assert list(told) == PROMISED
    assert (told["package"], told["state"], told["port"]) == ("cvflow/nanodet", "ready", 4711)


def test_start_quiet_prints_the_url(cli: Cli) -> None:
    outcome = cli("start", "nanodet", "--quiet")
    assert (outcome.out, outcome.err) == ("http://127.0.0.1:4711\n", "")


def test_start_at_a_port_it_did_not_get_is_refused(cli: Cli) -> None:
    assert cli("start", "nanodet", "--port", "4711", "--json").json["port"] == 4711
    outcome = cli("start", "nanodet", "--port", "4712")
    assert outcome.code == 4 and "4711" in outcome.err


def test_start_of_an_unknown_solver(cli: Cli) -> None:
    assert cli("start", "zebra").code == 3


def test_stop(cli: Cli) -> None:
    assert cli("stop", "nanodet").out == "cvflow/nanodet/detect is stopped\n"
    assert cli("stop", "nanodet", "--json").json["state"] == "stopped"


def test_ps(cli: Cli, client: FakeClient) -> None:
    assert cli("ps", "--json").json == []
    client.running = [RUNNING, RunningSolver("a/b", "c", SolverState.FAILED, error="weights\x1b[2J are gone")]
    told = cli("ps", "--json").json
    assert list(told[0])[:6] == PROMISED
    assert {"uptime", "cpu", "rss", "requests"} <= set(told[0])
    outcome = cli("ps")
    assert outcome.out.splitlines()[0].split("\t")[:5] == ["cvflow/nanodet/detect", "ready", "4711", "1234", "1:05"]
    assert "a/b/c: weights are gone" in outcome.err


def test_ps_tells_of_replicas_and_of_those_that_sleep(cli: Cli, client: FakeClient) -> None:
    client.running = [replace(RUNNING, replicas=3, replicas_ready=2), replace(RUNNING, asleep=True)]
    assert [line.split("\t")[1] for line in cli("ps").out.splitlines()] == ["ready 2/3", "asleep"]


def test_ps_tells_who_serves_another_version_than_is_installed(cli: Cli, client: FakeClient) -> None:
    client.installed = [replace(DETAIL.summary, version="2.0.0", installed="2.0.0")]
    client.running = [replace(RUNNING, version="2.0.0")]
    assert cli("ps").err == ""
    client.running = [replace(RUNNING, version="1.0.0")]
    told = "cvflow/nanodet/detect still serves 1.0.0, 2.0.0 is installed: cvflow restart cvflow/nanodet/detect"
    assert told in cli("ps").err
    assert cli("ps", "--json").err == ""


def test_logs_prints_the_last_lines(cli: Cli, client: FakeClient) -> None:
    client.log = "".join(f"line {number}\n" for number in range(50))
    assert cli("logs", "nanodet", "-n", "2").out == "line 48\nline 49\n"
    assert cli("logs", "nanodet", "-n", "0").out == ""
    assert [json.loads(line) for line in cli("logs", "nanodet", "-n", "1", "--json").out.splitlines()] == [{"line": "line 49"}]


def test_logs_follow_waits_for_whole_lines(cli: Cli, client: FakeClient) -> None:
    client.log = "first\nsec"
    client.growing = ["ond\nthi", "", "rd\n"]
    outcome = cli("logs", "nanodet", "-f")
    assert outcome.out == "first\nsecond\nthird\n"
    assert outcome.code == 130


def test_logs_follow_begins_again_when_the_log_was_turned_over(cli: Cli, client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client.log = "a long line before\n"
    shown: list[str] = []

    async def turn_over(*arguments: Any, **options: Any) -> Any:
        if options.get("wait") and not shown:
            shown.append("turned")
            client.log = "new\n"
            return await original(*arguments, **{**options, "wait": 0.0})
        return await original(*arguments, **options)

    original = client.solver_log
    monkeypatch.setattr(client, "solver_log", turn_over)
    client.growing = [""]
    assert cli("logs", "nanodet", "-f").out.splitlines() == ["a long line before", "new"]


@given(
    st.lists(st.text(st.characters(min_codepoint=97, max_codepoint=99), max_size=12), max_size=40), st.integers(0, 50), st.integers(1, 30)
)
def test_the_last_lines_are_found_however_the_log_is_cut(lines: list[str], wanted: int, piece: int) -> None:
    client = FakeClient()
    client.log = "".join(f"{line}\n" for line in lines)
    kept = logs.PIECE, logs.LONG_PIECE
    logs.PIECE, logs.LONG_PIECE = piece, 2 * piece
    try:
        text, end = asyncio.run(logs._last(cast(DaemonClient, client), "x", wanted))
    finally:
        logs.PIECE, logs.LONG_PIECE = kept
    assert text.split("\n")[:-1] == lines[len(lines) - min(wanted, len(lines)) :]
    assert end == len(client.log)


def test_lines_of_the_real_log_reader_are_whole_however_far_one_goes_back(tmp_path: Path) -> None:
    lines = [f"{number} {'é' * (number % 97)}" for number in range(20_000)]
    path = tmp_path / "x.log"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    class Reader:
        async def solver_log(self, name: str, *, offset: int | None = None, limit: int = 65536, wait: float = 0.0) -> LogChunk:
            return read_log(path, offset, limit, wait)

    for wanted in (1, 1000, 10_000, 20_000, 30_000):
        text, end = asyncio.run(logs._last(cast(DaemonClient, Reader()), "x", wanted))
        assert text.splitlines() == lines[-wanted:]
        assert end == path.stat().st_size
