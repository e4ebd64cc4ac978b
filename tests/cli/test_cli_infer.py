"""`infer`: which solver is meant, parameters, what is printed, the drawing."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.solvers import RunningSolver, SolverState
from tests.cli.conftest import Cli
from tests.cli.fake_client import REPLY, RUNNING, SUMMARY, FakeClient


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), (200, 30, 30)).save(path)
    return path


def test_json_is_the_reply_as_it_came(cli: Cli, client: FakeClient, picture: Path) -> None:
    client.running = [RUNNING]
    assert cli("infer", str(picture), "--json").json == REPLY
    assert client.asked == [picture.read_bytes()]


def test_in_a_pipe_objects_are_lines(cli: Cli, client: FakeClient, picture: Path) -> None:
    client.running = [RUNNING]
    outcome = cli("infer", str(picture))
    assert outcome.out.splitlines()[0].split("\t") == ["cat", ".910", "1.0", "2.0", "11.0", "22.0", ""]
    assert "\x1b" not in outcome.out
    assert "2 objects" in outcome.err


def test_draw_puts_the_picture_and_its_tags_on_stdout(cli: Cli, client: FakeClient, picture: Path) -> None:
    client.running = [RUNNING]
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", cli("infer", str(picture), "--draw").out)
    assert "cat" in drawn.split("cat\t")[0]
    assert len(drawn.splitlines()) > 8


def test_a_label_cannot_reach_the_terminal(cli: Cli, client: FakeClient, picture: Path) -> None:
    client.running = [RUNNING]
    client.infer_as = lambda *_: {**REPLY, "objects": [{"label": "a\x1b[2Jb\tc\n[red]d", "score": 0.5, "box": [0, 0, 9, 9]}]}
    outcome = cli("infer", str(picture))
    assert outcome.out.split("\t")[0] == "ab c [red]d"


def test_parameters_reach_the_solver(cli: Cli, client: FakeClient, picture: Path) -> None:
    client.running = [RUNNING]
    told: dict[str, Any] = {}
    client.infer_as = lambda _, parameters: told.update(parameters) or REPLY
    assert cli("infer", str(picture), "-p", "threshold=.3", "-p", "note=a=b").code == 0
    assert told == {"threshold": ".3", "note": "a=b"}


@pytest.mark.parametrize("pair", ["threshold", "=3", ""])
def test_a_parameter_without_name_or_value(cli: Cli, client: FakeClient, picture: Path, pair: str) -> None:
    client.running = [RUNNING]
    outcome = cli("infer", str(picture), "-p", pair)
    assert outcome.code == 2 and "NAME=VALUE" in outcome.err
    assert client.asked == []


def test_which_solver_is_meant(cli: Cli, client: FakeClient, picture: Path) -> None:
    assert (cli("infer", str(picture)).code, "cvflow install" in cli("infer", str(picture)).err) == (3, True)
    client.installed = [SUMMARY]
    assert "cvflow start cvflow/nanodet/detect" in cli("infer", str(picture)).err
    client.running = [RunningSolver("cvflow/nanodet", "detect", SolverState.FAILED)]
    assert cli("infer", str(picture), "--solver", "nanodet").code == 4
    client.running = [RUNNING, RunningSolver("other/thing", "find", SolverState.READY, url="http://127.0.0.1:2")]
    outcome = cli("infer", str(picture))
    assert outcome.code == 2 and "other/thing/find" in outcome.err
    assert cli("infer", str(picture), "--solver", "nanodet").code == 0


def test_a_missing_file_and_one_that_is_no_picture(cli: Cli, client: FakeClient, tmp_path: Path) -> None:
    client.running = [RUNNING]
    outcome = cli("infer", str(tmp_path / "none.jpg"))
    assert outcome.code == 3 and "none.jpg" in outcome.err
    client.infer_as = lambda *_: UsageError("this is no picture")
    (tmp_path / "text.jpg").write_text("hello")
    assert cli("infer", str(tmp_path / "text.jpg"), "--json").json == {
        "error": f"{tmp_path}/text.jpg: this is no picture",
        "code": "usage",
    }
    assert cli("infer", str(tmp_path)).code == 2


def test_stdin(cli: Cli, client: FakeClient, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client.running = [RUNNING]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(picture.read_bytes())))
    assert cli("infer", "-", "--json").code == 0
    assert client.asked == [picture.read_bytes()]


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ({"task": "image-classification", "classes": [{"label": "cat", "score": 0.5}]}, "cat\t.500"),
        ({"task": "image-captioning", "caption": "a cat\x1b[0m"}, "a cat"),
        ({"task": "embedding", "embedding": [0.5, 1.0]}, "0.5 1"),
        ({"own": ["shape"]}, '{"own": ["shape"]}'),
    ],
)
def test_other_tasks(cli: Cli, client: FakeClient, picture: Path, reply: dict[str, Any], line: str) -> None:
    client.running = [RUNNING]
    client.infer_as = lambda *_: reply
    assert cli("infer", str(picture)).out == f"{line}\n"
