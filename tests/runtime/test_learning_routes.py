"""Variants and trainings against a live runner."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site, make_picture, until, workers

Specs = Callable[..., RunSpec]


@pytest.fixture(scope="module")
def learner(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Learner"))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    picture = tmp_path / "a.jpg"
    picture.write_bytes(make_picture())
    item = {"path": str(picture), "sha256": "0" * 64, "width": 64, "height": 48, "split": "train", "objects": []}
    told = {"labels": ["cat"], "cache": str(tmp_path / "cache"), "items": [item, {**item, "split": "held_back"}]}
    (folder / "dataset.json").write_text(json.dumps(told))
    return folder


def checkpoint(tmp_path: Path, word: str) -> str:
    path = tmp_path / f"{word}.ckpt"
    path.write_text(word)
    return str(path)


def train(client: Client, dataset: Path, out: Path, base: str | None = None, **hyperparameters: Any) -> str:
    body = {"datapath": str(dataset), "hyperparameters": hyperparameters, "config": {"checkpoint": str(out), "base": base}}
    reply = client.control("POST", "/train", body)
    assert reply.status == 200, reply.body
    assert (reply.json["result"], reply.json["code"]) == (True, "200")
    return str(reply.json["id"])


def over(client: Client, job: str) -> dict[str, Any]:
    def told() -> dict[str, Any] | None:
        status: dict[str, Any] = client.control("GET", f"/train/{job}").json
        return status if status["state"] != "running" else None

    found: dict[str, Any] = until(told)
    return found


def test_variants_are_put_promoted_and_removed(learner: Client, picture: bytes, tmp_path: Path) -> None:
    assert learner.infer(picture, X_CVFlow_Variant="birds").status == 404
    reply = learner.control("PUT", "/_cvflow/variants/birds", {"checkpoint": checkpoint(tmp_path, "one")})
    assert (reply.status, reply.json) == (200, {"variants": ["birds"]})
    told = learner.infer(picture, X_CVFlow_Variant="birds").json
    assert (told["caption"], told["model"]["checkpoint"]) == ("one", "one.ckpt")
    assert learner.infer(picture).json["caption"] == "plain"
    learner.control("PUT", "/_cvflow/variants/birds.candidate", {"checkpoint": checkpoint(tmp_path, "two")})
    assert learner.status()["variants"] == ["birds", "birds.candidate"]
    assert learner.infer(picture, X_CVFlow_Variant="birds").json["caption"] == "one"
    assert learner.control("POST", "/_cvflow/variants/birds/promote", {"from": "birds.candidate"}).json == {"variants": ["birds"]}
    assert learner.infer(picture, X_CVFlow_Variant="birds").json["caption"] == "two"
    assert learner.control("DELETE", "/_cvflow/variants/birds").json == {"variants": []}
    assert learner.infer(picture, X_CVFlow_Variant="birds").status == 404
    runner = learner.status()["id"]
    until(lambda: len(workers(runner)) == 1)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"checkpoint": "/nowhere/at.all"}, 400, "is not there"),
        ({"checkpoint": "relative"}, 400, "absolute"),
        ({"checkpoint": 7}, 400, "absolute"),
        ([1], 400, "JSON object"),
    ],
)
def test_a_variant_that_cannot_be_is_told(learner: Client, body: Any, status: int, words: str) -> None:
    reply = learner.control("PUT", "/_cvflow/variants/bad", body)
    assert reply.status == status
    assert words in reply.json["error"]
    assert learner.status()["variants"] == []


def test_a_body_that_nests_without_end_is_no_json(learner: Client) -> None:
    headers = {"Authorization": f"Bearer {learner.token}", "Content-Type": "application/json"}
    reply = learner.send("PUT", "/_cvflow/variants/deep", b"[" * 60_000, headers)
    assert (reply.status, reply.json["code"]) == (400, "usage")


def test_a_rotten_checkpoint_disturbs_nothing(learner: Client, picture: bytes, tmp_path: Path) -> None:
    learner.control("PUT", "/_cvflow/variants/p", {"checkpoint": checkpoint(tmp_path, "good")})
    reply = learner.control("PUT", "/_cvflow/variants/p", {"checkpoint": checkpoint(tmp_path, "rotten")})
    assert (reply.status, reply.json["code"]) == (424, "package")
    assert "a rotten checkpoint" in reply.json["error"]
    assert learner.infer(picture, X_CVFlow_Variant="p").json["caption"] == "good"
    assert learner.control("POST", "/_cvflow/variants/p/promote", {"from": "nobody"}).status == 404
    learner.control("DELETE", "/_cvflow/variants/p")
    assert learner.control("DELETE", "/_cvflow/variants/p").status == 404


def test_changing_weights_under_load_drops_no_request(learner: Client, picture: bytes, tmp_path: Path) -> None:
    learner.control("PUT", "/_cvflow/variants/p", {"checkpoint": checkpoint(tmp_path, "w0")})
    replies: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            reply = learner.infer(picture, "?seconds=0.01", X_CVFlow_Variant="p")
            replies.append((reply.status, reply.json.get("caption", reply.body.decode())))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(1, 4):
        assert learner.control("PUT", "/_cvflow/variants/p.candidate", {"checkpoint": checkpoint(tmp_path, f"w{number}")}).status == 200
        assert learner.control("POST", "/_cvflow/variants/p/promote", {"from": "p.candidate"}).status == 200
    assert learner.control("PUT", "/_cvflow/variants/p", {"checkpoint": checkpoint(tmp_path, "w4")}).status == 200
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert [reply for reply in replies if reply[0] != 200] == []
    assert {word for _, word in replies} >= {"w0", "w1", "w2", "w3", "w4"}
    learner.control("DELETE", "/_cvflow/variants/p")
    runner = learner.status()["id"]
    until(lambda: len(workers(runner)) == 1)


def test_a_training_reports_and_writes_its_checkpoint(learner: Client, dataset: Path, tmp_path: Path, picture: bytes) -> None:
    out = tmp_path / "round-1.ckpt"
    job = train(learner, dataset, out, word="taught", steps=5, seconds=0.15)
    seen: list[float] = []

    def finished() -> bool:
        was_there = out.exists()
        told = learner.control("GET", f"/train/{job}").json
        if told["state"] == "running":
            seen.append(told["done"])
            assert not was_there
            assert learner.infer(picture).status == 200
        return bool(told["state"] != "running")

    until(finished)
    assert len(set(seen)) > 2
    told = over(learner, job)
    assert (told["state"], told["error"], told["total"]) == ("done", None, 5.0)
    assert told["metrics"] == {"pictures": 1, "niceness": min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10), "ap": None}
    assert out.read_text() == "taught"
    assert [path.name for path in tmp_path.iterdir() if "round-1" in path.name] == ["round-1.ckpt"]
    learner.control("PUT", "/_cvflow/variants/p", {"checkpoint": str(out)})
    assert learner.infer(picture, X_CVFlow_Variant="p").json["caption"] == "taught"
    learner.control("DELETE", "/_cvflow/variants/p")


def test_a_cancelled_training_leaves_nothing(learner: Client, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ckpt"
    job = train(learner, dataset, out, steps=1000, seconds=0.05)
    waiting = train(learner, dataset, tmp_path / "later.ckpt")
    until(lambda: learner.control("GET", f"/train/{job}").json["done"] > 1)
    known = {told["id"]: told for told in learner.control("GET", "/train").json["trainings"]}
    assert (known[job]["state"], known[job]["checkpoint"]) == ("running", str(out))
    assert (known[waiting]["state"], known[waiting]["checkpoint"]) == ("running", str(tmp_path / "later.ckpt"))
    assert learner.control("DELETE", f"/train/{waiting}").json["state"] == "cancelled"
    assert learner.control("DELETE", f"/train/{job}").json["state"] == "cancelled"
    assert over(learner, job)["state"] == "cancelled"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".ckpt")] == []
    runner = learner.status()["id"]
    assert len(workers(runner)) == 1


@pytest.mark.parametrize(
    ("hyperparameters", "base", "words"),
    [
        ({"fail": True}, None, "RuntimeError: diverged"),
        ({"pace": 3}, None, "unknown parameter 'pace'; known: word (str), steps (int)"),
        ({"steps": "many"}, None, "'steps'"),
        ({}, "rotten", "ValueError: a rotten checkpoint"),
    ],
)
def test_a_failed_training_says_why(
    learner: Client, dataset: Path, tmp_path: Path, hyperparameters: dict[str, Any], base: str | None, words: str
) -> None:
    out = tmp_path / "new" / "out.ckpt"
    out.parent.mkdir()
    job = train(learner, dataset, out, checkpoint(tmp_path, base) if base else None, **hyperparameters)
    told = over(learner, job)
    assert told["state"] == "failed"
    assert words in told["error"]
    assert list(out.parent.iterdir()) == []


def test_what_cannot_be_trained_is_told_at_once(shared_site: Site, learner: Client, spec_of: Specs, dataset: Path, tmp_path: Path) -> None:
    there = checkpoint(tmp_path, "there")
    for body, words in [
        ({"datapath": "/nowhere", "config": {"checkpoint": str(tmp_path / "x")}}, "datapath"),
        ({"datapath": str(dataset), "config": {"checkpoint": there}}, "exists already"),
        ({"datapath": str(dataset), "config": {}}, "config.checkpoint"),
        ({"datapath": str(dataset), "config": []}, "objects"),
    ]:
        reply = learner.control("POST", "/train", body)
        assert reply.status == 400, body
        assert words in reply.json["error"]
    untrainable = shared_site.start(spec_of("Echo"))
    reply = untrainable.control("POST", "/train", {"datapath": str(dataset), "config": {"checkpoint": str(tmp_path / "x")}})
    assert reply.status == 404
    assert learner.control("GET", "/train/nothing").status == 404
