"""`label`: order, resuming, what can't be read, what is written."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvflow_tui.cli.labelling import run as labelling
from cvflow_tui.cli.labelling.records import Record
from cvflow_tui.cli.labelling.window import in_order
from cvflow_tui.model.errors import PackageError, RemoteError, UsageError
from tests.cli.conftest import Cli
from tests.cli.fake_client import REPLY, RUNNING, SUMMARY, FakeClient

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photos(tmp_path: Path, client: FakeClient) -> Path:
    """Twelve pictures (by name; the fake solver reads no pixels) in two folders, and a file that is none."""
    client.installed, client.running = [SUMMARY], [RUNNING]
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number in range(8):
        (folder / f"p{number}.jpg").write_bytes(bytes([number]))
    for number in range(8, 12):
        (folder / "more" / f"p{number}.PNG").write_bytes(bytes([number]))
    (folder / "notes.txt").write_text("no picture")
    return folder


def _coco(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_writes_coco_that_pycocotools_loads(cli: Cli, photos: Path, tmp_path: Path) -> None:
    coco_module = pytest.importorskip("pycocotools.coco")
    out = tmp_path / "labels.json"
    outcome = cli("label", str(photos), "--solver", "nanodet", "--out", str(out), "--json")
    assert outcome.code == 0
    assert outcome.json["labelled"] == 12 and outcome.json["annotations"] == 24
    loaded = coco_module.COCO(str(out))
    assert len(loaded.getImgIds()) == 12
    assert {each["name"]: each["id"] for each in loaded.loadCats(loaded.getCatIds())} == {"person": 1, "cat": 2}
    first = loaded.loadAnns(loaded.getAnnIds(imgIds=[1]))[0]
    assert (first["bbox"], first["area"], first["score"]) == ([1.0, 2.0, 10.0, 20.0], 200.0, 0.91)
    assert {each["file_name"] for each in loaded.loadImgs(loaded.getImgIds())} == {
        path.relative_to(photos).as_posix() for path in photos.rglob("p*")
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.json", "photos"]


def test_many_are_under_way_and_the_file_is_in_order(cli: Cli, client: FakeClient, photos: Path, tmp_path: Path) -> None:
    client.infer_seconds = 0.01
    cli("label", str(photos), "--out", str(tmp_path / "a.json"))
    first = _coco(tmp_path / "a.json")
    assert 8 < client.most_under_way <= labelling.AT_ONCE
    client.infer_seconds = 0.0
    cli("label", str(photos), "--out", str(tmp_path / "b.json"))
    assert _coco(tmp_path / "b.json") == first


def test_threshold_is_passed_on_and_held(cli: Cli, client: FakeClient, photos: Path, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def answer(_: Any, parameters: dict[str, Any]) -> Any:
        seen.append(parameters)
        return REPLY

    client.infer_as = answer
    out = tmp_path / "labels.json"
    assert cli("label", str(photos), "--out", str(out), "--threshold", ".5").code == 0
    assert {str(each) for each in seen} == {"{'threshold': 0.5}"}
    assert {each["score"] for each in _coco(out)["annotations"]} == {0.91}


def test_unreadable_pictures_are_named_and_left_out(cli: Cli, client: FakeClient, photos: Path, tmp_path: Path) -> None:
    client.infer_as = lambda picture, _: UsageError("no picture") if str(picture).endswith("p3.jpg") else REPLY
    out = tmp_path / "labels.json"
    outcome = cli("label", str(photos), "--out", str(out))
    assert outcome.code == 0
    assert "p3.jpg: no picture" in outcome.err
    assert len(_coco(out)["images"]) == 11
    strict = cli("label", str(photos), "--out", str(out), "--strict", "--json")
    assert strict.code == 2
    assert strict.json["unreadable"] == 1 and strict.json["errors"][0]["picture"] == "p3.jpg"
    assert len(_coco(out)["images"]) == 11


def test_where_nothing_can_be_labelled_nothing_is_written(cli: Cli, client: FakeClient, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    out.write_text("what was there")
    client.infer_as = lambda *_: UsageError("no picture")
    outcome = cli("label", str(photos), "--out", str(out))
    assert outcome.code == 2 and "none of 12" in outcome.err
    assert out.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.json", "photos"]


def test_a_solver_that_always_fails_is_given_up(
    cli: Cli, client: FakeClient, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "HOPELESS", 5)
    client.infer_as = lambda *_: PackageError("division by zero")
    outcome = cli("label", str(photos), "--out", str(tmp_path / "labels.json"))
    assert outcome.code == 6
    assert "division by zero" in outcome.err


def test_a_runner_that_goes_away_ends_the_run_which_then_goes_on(
    cli: Cli, client: FakeClient, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "RETRIES", (0.0, 0.0))
    out = tmp_path / "labels.json"

    def gone(picture: Path | bytes, _: object) -> Any:
        if str(picture).endswith("p5.jpg"):
            client.running = []
            return RemoteError("the runner is gone")
        return REPLY

    client.infer_as = gone
    monkeypatch.setattr(labelling, "AT_ONCE", 1)
    outcome = cli("label", str(photos), "--out", str(out))
    assert outcome.code == 5
    assert "goes on from there" in outcome.err
    assert not out.exists()
    client.running, client.infer_as = [RUNNING], lambda *_: REPLY
    client.asked.clear()
    done = cli("label", str(photos), "--out", str(out), "--json")
    assert done.json["resumed"] == 12 - len(client.asked)
    assert 0 < done.json["resumed"] < 12
    assert len(_coco(out)["images"]) == 12


def test_a_picture_that_the_solver_cannot_bear_is_left_out(
    cli: Cli, client: FakeClient, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "RETRIES", (0.0,))
    client.infer_as = lambda picture, _: RemoteError("the worker died") if str(picture).endswith("p5.jpg") else REPLY
    done = cli("label", str(photos), "--out", str(tmp_path / "labels.json"), "--json")
    assert (done.code, done.json["labelled"], done.json["unreadable"]) == (0, 11, 1)


def test_what_was_asked_otherwise_or_has_changed_is_asked_again(
    cli: Cli, client: FakeClient, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "RETRIES", ())
    monkeypatch.setattr(labelling, "AT_ONCE", 1)
    out = tmp_path / "labels.json"

    def stop_at_the_end(picture: Path | bytes, _: object) -> Any:
        if str(picture).endswith("p7.jpg"):
            client.running = []
            return RemoteError("gone")
        return REPLY

    for change in ("nothing", "threshold", "picture"):
        client.running, client.infer_as = [RUNNING], stop_at_the_end
        assert cli("label", str(photos), "--out", str(out)).code == 5
        client.running, client.infer_as = [RUNNING], lambda *_: REPLY
        if change == "picture":
            (photos / "more" / "p8.PNG").write_bytes(b"changed")
        extra = ("--threshold", ".2") if change == "threshold" else ()
        told = cli("label", str(photos), "--out", str(out), "--json", *extra).json
        assert told["labelled"] == 12
        if change == "nothing":
            assert told["resumed"] > 0
        if change == "threshold":
            assert told["resumed"] == 0


def test_bad_orders_fail_before_anything_is_asked(cli: Cli, client: FakeClient, photos: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "labels.json")
    (tmp_path / "empty").mkdir()
    assert cli("label", str(photos), "--out", str(tmp_path / "no" / "where.json")).code == 3
    assert cli("label", str(tmp_path / "none"), "--out", out).code == 2
    assert cli("label", str(tmp_path / "empty"), "--out", out).code == 2
    unknown = cli("label", str(photos), "--out", out, "-p", "speed=3")
    assert unknown.code == 2 and "threshold" in unknown.err
    client.running = []
    assert cli("label", str(photos), "--out", out).code == 3
    assert client.asked == []
    assert not Path(out).exists()


def test_ctrl_c_keeps_what_is_done_and_writes_no_output(tmp_path: Path) -> None:
    """The real signal to a real process; then the same command goes on."""
    folder, out = tmp_path / "photos", tmp_path / "labels.json"
    folder.mkdir()
    for number in range(200):
        (folder / f"p{number}.jpg").write_bytes(b"x")
    script = f"""
import sys
from pathlib import Path
from cvflow_tui.cli.main import main
from tests.cli.fake_client import *

client = FakeClient()
client.installed, client.running = [SUMMARY], [RUNNING]
client.infer_seconds = float(sys.argv[1])
arguments = ["label", {str(folder)!r}, "--out", {str(out)!r}, "--json"]
sys.exit(main(arguments, session_of(client, Path({str(tmp_path)!r}))))
"""
    process = subprocess.Popen([sys.executable, "-c", script, "0.4"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "labelling" not in process.stderr.readline():
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors and "goes on from there" in errors
    assert not out.exists() and (tmp_path / "labels.json.partial").exists()
    done = subprocess.run([sys.executable, "-c", script, "0"], cwd=ROOT, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["labelled"] == 200 and 0 < told["resumed"] < 200
    assert len(_coco(out)["images"]) == 200
    assert not (tmp_path / "labels.json.partial").exists()


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 7), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_in_order_keeps_the_order_and_the_bound(delays: list[int], at_once: int, ahead: int) -> None:
    busy = most = 0

    async def work(item: tuple[int, int]) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        for _ in range(item[1]):
            await asyncio.sleep(0)
        busy -= 1
        return item[0]

    async def main() -> list[int]:
        return [answer async for answer in in_order(list(enumerate(delays)), work, at_once, ahead)]

    assert asyncio.run(main()) == list(range(len(delays)))
    assert most <= at_once


def test_in_order_cancels_the_rest_when_one_fails() -> None:
    ended: list[int] = []

    async def work(item: int) -> int:
        if item == 2:
            raise UsageError("two")
        try:
            await asyncio.sleep(0.01 if item < 2 else 60)
        finally:
            ended.append(item)
        return item

    async def main() -> None:
        async for _ in in_order(range(6), work, 4):
            pass

    with pytest.raises(UsageError, match="two"):
        asyncio.run(main())
    assert sorted(ended) == [0, 1, 3, 4] or sorted(ended) == [0, 1, 3, 4, 5]


@given(st.text(), st.text(), st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4), st.none() | st.text())
def test_a_record_survives_its_line(name: str, label: str, box: list[float], error: str | None) -> None:
    record = Record(name, "1:2", 3, 4, ({"label": label, "score": 0.5, "box": box},), error)
    line = record.to_line().encode()
    assert line.count(b"\n") == 1
    assert Record.from_line(line) == record
    assert Record.from_line(line[: len(line) // 2]) is None
