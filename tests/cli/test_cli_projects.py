"""`project`, `train`, `daemon`, and what is printed for people."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.cli.output import number, size, span
from cvflow_tui.cli.progress import progress_line
from cvflow_tui.cli.project import split_labels
from cvflow_tui.model.errors import PackageError, UsageError
from tests.cli.conftest import Cli
from tests.cli.fake_client import FakeClient


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def test_new_hands_on_absolute_paths_and_settings(cli: Cli, client: FakeClient, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos.parent)
    arguments = ["photos", "--labels", "cat, dog", "--solver", "nanodet", "--round-every", "5", "--threshold", ".25"]
    made = cli("project", "new", "pets", *arguments, "--json").json
    assert (made["labels"], made["pictures"]) == (["cat", "dog"], 1)
    assert made["settings"] == {"solver": "cvflow/nanodet/detect", "threshold": 0.25, "round_every": 5}


def test_new_keeps_the_defaults_that_were_not_named(cli: Cli, photos: Path) -> None:
    made = cli("project", "new", "pets", str(photos), "--labels", "cat", "--json").json
    assert made["settings"] == {"solver": None, "threshold": 0.4, "round_every": 10}


@pytest.mark.parametrize("labels", ["", "cat,,dog", ",", "cat,cat"])
def test_bad_labels(cli: Cli, client: FakeClient, photos: Path, labels: str) -> None:
    assert cli("project", "new", "pets", str(photos), "--labels", labels).code == 2
    assert client.made == []


def test_pictures_that_are_not_there(cli: Cli, client: FakeClient, tmp_path: Path) -> None:
    assert cli("project", "new", "pets", str(tmp_path / "none"), "--labels", "cat").code == 2
    assert client.made == []


def test_status_and_list(cli: Cli, client: FakeClient, photos: Path) -> None:
    assert cli("project", "status", "pets").code == 3
    cli("project", "new", "pets", str(photos), "--labels", "cat[red],dog")
    assert "labels\tcat[red], dog" in cli("project", "status", "pets").out
    assert cli("project", "status", "pets", "--json").json["project"]["name"] == "pets"
    assert cli("project", "list").out.startswith("pets\t1\t0\t0")
    assert [each["name"] for each in cli("project", "list", "--json").json] == ["pets"]


def test_export_takes_the_path_as_seen_from_here(cli: Cli, client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("project", "export", "pets", "--out", "pets.json")
    assert f"export pets coco {os.fspath(tmp_path)}/pets.json" in client.calls
    assert "5 annotations of 3 pictures" in outcome.out
    assert "2 captions" in outcome.err
    assert cli("project", "export", "pets", "--format", "nonsense", "--out", "x").code == 2


def test_remove_asks_first(cli: Cli, client: FakeClient, photos: Path) -> None:
    cli("project", "new", "pets", str(photos), "--labels", "cat")
    assert cli("project", "remove", "pets").code == 4
    assert client.removed == []
    assert cli("project", "remove", "pets", "--yes", "--json").json["removed"] == "pets"
    assert client.removed == ["pets"]


def test_train_follows_the_round_and_prints_its_metrics(cli: Cli, client: FakeClient, photos: Path) -> None:
    cli("project", "new", "pets", str(photos), "--labels", "cat")
    told = cli("train", "pets", "--solver", "nanodet", "--json").json
    assert (told["state"], told["held_back"]["ap50"]) == ("promoted", 0.75)
    assert "change pets cvflow/nanodet/detect" in client.calls
    assert "AP50 .75" in cli("train", "pets").out


def test_keeping_the_old_checkpoint_is_no_error(cli: Cli, client: FakeClient, photos: Path) -> None:
    client.kept_old = True
    cli("project", "new", "pets", str(photos), "--labels", "cat")
    outcome = cli("train", "pets")
    assert outcome.code == 0
    assert "no better" in outcome.out


def test_a_round_that_fails_is_an_error(cli: Cli, client: FakeClient, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def train(name: str) -> object:
        def work(_: object) -> None:
            raise PackageError("the solver can't learn")

        return client.board.start("round", name, work)

    monkeypatch.setattr(client, "train", train)
    cli("project", "new", "pets", str(photos), "--labels", "cat")
    outcome = cli("train", "pets", "--json")
    assert (outcome.code, outcome.json) == (6, {"error": "the solver can't learn", "code": "package"})


def test_daemon_status(cli: Cli, client: FakeClient) -> None:
    told = cli("daemon", "status", "--json").json
    assert list(told)[:3] == ["url", "pid", "version"]
    assert cli("daemon", "status", is_up=False).code == 3
    assert cli("daemon", "status", "--json", is_up=False).json["code"] == "not_found"


def test_daemon_stop_without_a_daemon(cli: Cli, client: FakeClient) -> None:
    assert cli("daemon", "stop", is_up=False).code == 3
    assert client.calls == []


def test_the_daemon_of_an_open_app_is_not_ended(cli: Cli, client: FakeClient) -> None:
    from dataclasses import replace

    client.status_of = replace(client.status_of, embedded=True)
    outcome = cli("daemon", "stop")
    assert outcome.code == 4
    assert not any(call.startswith("shutdown") for call in client.calls)


def test_sizes_and_times_for_people() -> None:
    assert [size(value) for value in (None, 0, 999, 1000, 7_600_000, 99_960_000, 1.5e12)] == [
        "?",
        "0 B",
        "999 B",
        "1.0 kB",
        "7.6 MB",
        "100 MB",
        "1.5 TB",
    ]
    assert [span(value) for value in (None, 0, 8.4, 750, 11_100, 187_200)] == ["?", "0:00", "0:08", "12:30", "3 h 05", "2 d 4 h"]
    assert [number(value) for value in (None, 0.0, 0.914, 1.0, 0.999)] == ["-", ".00", ".91", "1.00", "1.00"]


@given(st.floats(0, 1e15))
def test_a_size_is_true_to_its_digits(count: float) -> None:
    value, unit = size(count).split()
    shown = float(value) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert abs(shown - count) <= max(0.5, 0.051 * max(shown, count))


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (("weights", 3_100_000, 7_600_000, "bytes", 2_400_000, 2.0), "weights · 3.1 MB of 7.6 MB · 2.4 MB/s · 0:02 left"),
        (("learning", 30, 100, "steps", 12.345, 5.7), "learning · 30 of 100 steps · 12.3 steps/s · 0:06 left"),
        (("", 0, None, "", None, None), "working"),
        (("fetching", 500, None, "bytes", None, None), "fetching · 500 B"),
    ],
)
def test_progress_line(told: tuple[str, float, float | None, str, float | None, float | None], line: str) -> None:
    assert progress_line(*told) == line


@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip() == text and "," not in text), min_size=1, unique=True))
def test_labels_come_back(labels: list[str]) -> None:
    assert split_labels(" , ".join(labels)) == labels
    with pytest.raises(UsageError, match="twice"):
        split_labels(",".join([*labels, labels[0]]))
