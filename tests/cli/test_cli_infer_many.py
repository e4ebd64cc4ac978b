"""`infer` with many pictures: lines in order, bad pictures as lines, a file whole or not at all; against the fake and a live runner."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cvflow_tui.backend.client.runner import RunnerClient
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.cli import inferring
from cvflow_tui.model.errors import RemoteError, UsageError
from cvflow_tui.model.solvers import RunningSolver, SolverState
from tests.cli.conftest import Cli
from tests.cli.fake_client import REPLY, RUNNING, FakeClient
from tests.runtime.conftest import package, site, spec_of  # noqa: F401 - fixtures
from tests.runtime.helpers import Site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    (root / "more").mkdir(parents=True)
    for number in (1, 2, 10):
        Image.new("RGB", (40, 30)).save(root / f"{number}.png")
    Image.new("RGB", (40, 30)).save(root / "more" / "a.jpg")
    (root / "notes.txt").write_text("no picture")
    return root


def names(out: str) -> list[str]:
    return [Path(json.loads(line)["picture"]).name for line in out.splitlines()]


def test_a_folder_gives_a_line_of_json_a_picture_in_natural_order(cli: Cli, client: FakeClient, folder: Path) -> None:
    client.running = [RUNNING]
    outcome = cli("infer", str(folder), "--json", "-p", "threshold=.3")
    assert (outcome.code, names(outcome.out)) == (0, ["1.png", "2.png", "10.png", "a.jpg"])
    assert json.loads(outcome.out.splitlines()[0])["result"] == REPLY
    assert "4 pictures" in outcome.err


def test_lines_of_a_pipe_name_their_picture(cli: Cli, client: FakeClient, folder: Path) -> None:
    client.running = [RUNNING]
    rows = [line.split("\t") for line in cli("infer", str(folder / "1.png"), str(folder / "2.png"), "-q").out.splitlines()]
    assert [(Path(row[0]).name, row[1]) for row in rows] == [("1.png", "cat"), ("1.png", "person"), ("2.png", "cat"), ("2.png", "person")]


def test_a_bad_picture_is_a_line_and_the_exit_code(cli: Cli, client: FakeClient, folder: Path) -> None:
    client.running = [RUNNING]
    client.infer_as = lambda path, _: UsageError("it can't be decoded") if Path(str(path)).name == "2.png" else REPLY
    outcome = cli("infer", str(folder), "--json")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert (outcome.code, len(lines)) == (2, 4)
    assert {**lines[1], "picture": ""} == {"picture": "", "error": "it can't be decoded", "code": "usage"}
    assert "1 of which can't be used" in outcome.err


def test_a_file_is_there_whole_or_not_at_all(
    cli: Cli, client: FakeClient, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.running = [RUNNING]
    out = tmp_path / "answers.jsonl"
    assert cli("infer", str(folder), "--out", str(out)).code == 0
    assert names(out.read_text()) == ["1.png", "2.png", "10.png", "a.jpg"]
    before = out.read_bytes()
    monkeypatch.setattr(inferring, "RETRIES", (0.01,))
    client.infer_as = lambda path, _: RemoteError("the runner is gone") if Path(str(path)).name == "a.jpg" else {**REPLY, "caption": "new"}
    outcome = cli("infer", str(folder), "--out", str(out))
    assert (outcome.code, "the runner is gone" in outcome.err) == (5, True)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["answers.jsonl"]


def test_a_runner_that_comes_back_is_asked_again(cli: Cli, client: FakeClient, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client.running = [RUNNING]
    monkeypatch.setattr(inferring, "RETRIES", (0.01, 0.01))
    refused: list[Any] = []

    def twice(path: object, _: object) -> Any:
        if len(refused) == 2:
            return REPLY
        refused.append(path)
        return RemoteError("restarting")

    client.infer_as = twice
    outcome = cli("infer", str(folder), "--json")
    assert (outcome.code, len(names(outcome.out)), len(refused)) == (0, 4, 2)


@pytest.mark.parametrize(
    ("arguments", "words"), [(["-", "a.png"], "stdin"), (["{folder}", "--draw"], "--draw"), (["{empty}"], "no pictures"), ([], "PICTURES")]
)
def test_what_makes_no_sense(cli: Cli, client: FakeClient, folder: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    client.running = [RUNNING]
    (tmp_path / "empty").mkdir()
    outcome = cli("infer", *(text.format(folder=folder, empty=tmp_path / "empty") for text in arguments))
    assert (outcome.code, words in outcome.err) == (2, True), outcome.err


def test_a_path_cannot_reach_the_terminal(cli: Cli, client: FakeClient, tmp_path: Path) -> None:
    client.running = [RUNNING]
    for name in ("a\x1b[2J.png", "b\tc\n.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    out = cli("infer", str(tmp_path)).out
    assert "\x1b" not in out
    assert all(line.count("\t") == 7 for line in out.splitlines())


async def test_a_deadline_and_a_variant_reach_a_live_runner(site: Site, spec_of: Callable[..., RunSpec], folder: Path) -> None:  # noqa: F811
    site.start(spec_of("Slow"))
    endpoint = site.supervisor.endpoint("tests/demo/slow")
    assert endpoint is not None
    solver = RunningSolver("tests/demo", "slow", SolverState.READY, url=endpoint[0])
    client = RunnerClient()
    try:
        with pytest.raises(RemoteError, match=r"within 0\.1 s"):
            await client.infer(solver, folder / "1.png", {"seconds": 2}, timeout=0.1)
        with pytest.raises(Exception, match="no variant 'nobody'"):
            await client.infer(solver, folder / "1.png", {}, variant="nobody")
    finally:
        await client.close()
