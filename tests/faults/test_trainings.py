"""A training that hangs, grows, or never begins: it fails with its reason, and the next one has its turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Habit
from tests.runtime.helpers import Client, Site, alive, until, workers

pytestmark = pytest.mark.slow

NAME = "tests/demo/learns"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    for place in (folder, tmp_path / "cache", tmp_path / "out"):
        place.mkdir()
    (folder / "dataset.json").write_text(json.dumps({"labels": ["cat"], "cache": str(tmp_path / "cache"), "items": []}))
    return folder


@pytest.fixture
def train(site: Site, habit: Habit, dataset: Path, tmp_path: Path) -> Callable[..., tuple[Client, str]]:
    def begin(settings: dict[str, str], base: str | None = None, **parameters: Any) -> tuple[Client, str]:
        site.supervisor.settings.change(NAME, settings)
        client = site.start(habit("Learns"))
        return client, ask(client, dataset, tmp_path / "out" / "a.ckpt", base, **parameters)

    return begin


def ask(client: Client, dataset: Path, out: Path, base: str | None = None, **parameters: Any) -> str:
    body = {"datapath": str(dataset), "hyperparameters": parameters, "config": {"checkpoint": str(out), "base": base}}
    reply = client.control("POST", "/train", body)
    assert reply.status == 200, reply.body
    return str(reply.json["id"])


def ended(client: Client, job: str, seconds: float = 40.0) -> tuple[str, str | None]:
    def look() -> tuple[str, str | None] | None:
        told = client.control("GET", f"/train/{job}").json
        return (told["state"], told["error"]) if told["state"] != "running" else None

    found: tuple[str, str | None] = until(look, seconds)
    return found


def test_one_that_hangs_is_given_up_and_the_next_has_its_turn(
    train: Callable[..., tuple[Client, str]], dataset: Path, tmp_path: Path, picture: bytes
) -> None:
    client, job = train({"train_stall": "1.5s"}, way="hangs")
    waiting = ask(client, dataset, tmp_path / "out" / "b.ckpt")
    assert ended(client, job) == ("failed", "it reported no progress and printed nothing for 1.5 s (setting train_stall)")
    assert ended(client, waiting) == ("done", None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.ckpt"]
    runner = client.status()["id"]
    until(lambda: len(workers(runner)) == 1)
    assert client.infer(picture).status == 200 and client.status()["restarts"] == 0, "what serves never noticed"


def test_one_that_grows_is_ended_with_both_figures(train: Callable[..., tuple[Client, str]], tmp_path: Path) -> None:
    client, job = train({"memory": "200M"}, way="grows")
    state, error = ended(client, job)
    assert (
        state == "failed" and error is not None and error.startswith("it holds ") and error.endswith("its limit is 200 MB (setting memory)")
    )
    assert not alive(int((tmp_path / "cache" / "pid").read_text())) and list((tmp_path / "out").iterdir()) == []


def test_one_that_does_not_get_ready_is_ended(train: Callable[..., tuple[Client, str]], tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_text("600")
    client, job = train({"start_timeout": "2s", "train_stall": "1s"}, base=str(base))
    assert ended(client, job) == ("failed", "its worker was not ready after 2 s (setting start_timeout)")
    runner = client.status()["id"]
    until(lambda: len(workers(runner)) == 1)


@pytest.mark.parametrize("way", ["prints", "reports"])
def test_one_that_shows_that_it_lives_takes_the_time_it_needs(train: Callable[..., tuple[Client, str]], way: str) -> None:
    client, job = train({"train_stall": "2s"}, way=way, seconds=5.0)
    assert ended(client, job) == ("done", None)
