"""The provider over HTTP, against a small runner that keeps to the contract and can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cvflow_tui.backend.annotation import solver_http, solver_provider
from cvflow_tui.backend.annotation.provider import Variant
from cvflow_tui.backend.annotation.solver_provider import Endpoint, SolverProvider
from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError, RemoteError, UsageError
from cvflow_tui.model.geometry import Box

TOKEN = "secret"


class Runner:
    """State of a runner: its variants, its trainings, every request it got."""

    def __init__(self) -> None:
        self.parameters: list[dict[str, Any]] = [{"name": "threshold", "type": "float", "default": 0.3, "required": False}]
        self.variants: dict[str, str] = {}
        self.requests: list[str] = []
        self.busy = 0
        self.state = "running"
        self.trainings: list[dict[str, Any]] = []
        self.left: list[dict[str, str]] = []
        """Trainings that another daemon began."""

    def reply(self, method: str, url: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Status and JSON for a request."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        self.requests.append(f"{method} {path}")
        if self.busy:
            self.busy -= 1
            return 503, {"error": "busy", "code": "remote"}
        if path == "/":
            return 200, {"parameters": self.parameters}
        if path == "/_status":
            return 200, {"trainable": True}
        if path == "/infer":
            return self._infer(headers.get("X-CVFlow-Variant"), query, body)
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 403, {"error": "the token is missing", "code": "refused"}
        return self._control(method, path, json.loads(body) if body else {})

    def _infer(self, variant: str | None, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        if variant is not None and variant not in self.variants:
            return 404, {"error": f"serves no variant {variant!r}", "code": "not_found"}
        if body == b"broken":
            return 400, {"error": "not a picture", "code": "usage"}
        if body == b"odd":
            return 200, {"image": {"width": "wide", "height": 1}}
        label = self.variants[variant] if variant else "base"
        asked = float(query.get("threshold", ["0"])[0])
        objects = [{"label": label, "score": score, "box": [1, 2, 30, 40]} for score in (0.9, 0.2, 0.01) if score >= asked]
        return 200, {"task": "object-detection", "objects": objects}

    def _control(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if path == "/train" and method == "GET":
            return 200, {"trainings": [{"id": item["id"], "state": "running", "checkpoint": item["checkpoint"]} for item in self.left]}
        if path == "/train":
            self.trainings.append(body)
            return 200, {"id": "t1", "result": True, "code": "200"}
        if parts[0] == "train":
            if method == "DELETE":
                self.state = "cancelled"
                self.left = [item for item in self.left if item["id"] != parts[1]]
            told = {"id": "t1", "state": self.state, "done": 3, "total": 10, "metrics": {"loss": 0.5}, "error": "diverged"}
            return 200, told
        name = parts[2]
        if method == "PUT":
            self.variants[name] = Path(body["checkpoint"]).name
        elif parts[-1] == "promote":
            self.variants[name] = self.variants.pop(body["from"])
        elif self.variants.pop(name, None) is None:
            return 404, {"error": "no such variant", "code": "not_found"}
        return 200, {"variants": sorted(self.variants)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, runner: Runner) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runner = runner


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.server, _Server)
        status, told = self.server.runner.reply(self.command, self.path, self.headers, body)
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def runner() -> Iterator[tuple[Runner, Endpoint]]:
    state = Runner()
    server = _Server(state)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state, Endpoint(f"http://127.0.0.1:{server.server_port}", TOKEN)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def asked(runner: tuple[Runner, Endpoint], monkeypatch: pytest.MonkeyPatch) -> Iterator[SolverProvider]:
    monkeypatch.setattr(solver_provider, "POLL", 0.01)
    monkeypatch.setattr(solver_http, "PAUSE", 0.01)
    provider = SolverProvider(lambda _: runner[1], lambda _: runner[1])
    yield provider
    provider.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"picture")
    return path


def test_objects_come_above_the_threshold_from_the_package_or_a_variant(
    runner: tuple[Runner, Endpoint], asked: SolverProvider, picture: Path
) -> None:
    found = asked.suggest("v/p/s", picture, threshold=0.05, variant=None)
    assert [(item.label, item.score, item.box) for item in found] == [("base", 0.9, Box(1, 2, 30, 40)), ("base", 0.2, Box(1, 2, 30, 40))]
    found = asked.suggest("v/p/s", picture, threshold=0.5, variant=Variant("raccoons", Path("/c/r1")))
    assert [(item.label, item.score) for item in found] == [("r1", 0.9)]
    assert asked.trainable("v/p/s")


def test_a_solver_without_a_threshold_is_not_sent_one(runner: tuple[Runner, Endpoint], asked: SolverProvider, picture: Path) -> None:
    runner[0].parameters = []
    assert [item.score for item in asked.suggest("v/p/s", picture, threshold=0.1, variant=None)] == [0.9, 0.2]


def test_a_runner_that_lost_its_variant_is_given_it_again(runner: tuple[Runner, Endpoint], asked: SolverProvider, picture: Path) -> None:
    variant = Variant("raccoons", Path("/c/r1"))
    asked.suggest("v/p/s", picture, threshold=0.5, variant=variant)
    asked.suggest("v/p/s", picture, threshold=0.5, variant=variant)
    assert runner[0].requests.count("PUT /_cvflow/variants/raccoons") == 1
    runner[0].variants.clear()
    assert asked.suggest("v/p/s", picture, threshold=0.5, variant=variant)[0].label == "r1"
    assert asked.suggest("v/p/s", picture, threshold=0.5, variant=Variant("raccoons", Path("/c/r2")))[0].label == "r2"


def test_a_candidate_is_staged_promoted_and_discarded(runner: tuple[Runner, Endpoint], asked: SolverProvider, picture: Path) -> None:
    serving, candidate = Variant("raccoons", Path("/c/r1")), Variant("raccoons", Path("/c/r2")).candidate()
    asked.suggest("v/p/s", picture, threshold=0.5, variant=serving)
    asked.stage("v/p/s", candidate)
    assert runner[0].variants == {"raccoons": "r1", "raccoons.candidate": "r2"}
    asked.promote("v/p/s", candidate)
    assert runner[0].variants == {"raccoons": "r2"}
    assert asked.suggest("v/p/s", picture, threshold=0.5, variant=Variant("raccoons", Path("/c/r2")))[0].label == "r2"
    assert runner[0].requests.count("PUT /_cvflow/variants/raccoons") == 1, "a promoted candidate is not loaded once more"
    asked.stage("v/p/s", candidate)
    asked.discard("v/p/s", candidate)
    asked.discard("v/p/s", candidate)
    assert runner[0].variants == {"raccoons": "r2"}


def test_what_a_dead_daemon_left_is_ended_and_nothing_else(runner: tuple[Runner, Endpoint], asked: SolverProvider) -> None:
    candidate = Variant("raccoons", Path("/p/raccoons/checkpoints/r2")).candidate()
    runner[0].left = [
        {"id": "ours", "checkpoint": "/p/raccoons/checkpoints/.r2.part/r2"},
        {"id": "another", "checkpoint": "/p/cats/checkpoints/.r2.part/r2"},
    ]
    runner[0].variants = {"raccoons": "r1", "raccoons.candidate": "r2", "cats.candidate": "r2"}
    asked.abandon("v/p/s", candidate)
    assert [item["id"] for item in runner[0].left] == ["another"]
    assert runner[0].variants == {"raccoons": "r1", "cats.candidate": "r2"}
    asked.abandon("v/p/s", candidate)


def test_no_solver_is_started_to_end_something_in_it() -> None:
    started: list[str] = []

    def start(solver: str) -> Endpoint:
        started.append(solver)
        return Endpoint("http://127.0.0.1:9")

    provider = SolverProvider(start, lambda _: None)
    candidate = Variant("raccoons", Path("/c/r2")).candidate()
    provider.discard("v/p/s", candidate)
    provider.abandon("v/p/s", candidate)
    provider.close()
    assert started == []


def test_a_runner_that_dies_in_a_training_is_told_in_words(
    runner: tuple[Runner, Endpoint], asked: SolverProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solver_provider, "PATIENCE", 2)
    threading.Timer(0.1, lambda: setattr(runner[0], "busy", 1000)).start()
    with pytest.raises(RemoteError, match="v/p/s ended, or answers no more, while it learned; see: cvflow logs v/p/s"):
        asked.train("v/p/s", tmp_path, tmp_path / "c", base=None, parameters={}, progress=Progress())


def test_training_is_followed_to_its_end(runner: tuple[Runner, Endpoint], asked: SolverProvider, tmp_path: Path) -> None:
    runner[0].state = "done"
    dataset, checkpoint = tmp_path / "d", tmp_path / "c"
    told = asked.train("v/p/s", dataset, checkpoint, base=None, parameters={"steps": 3}, progress=Progress())
    assert told == {"loss": 0.5}
    config = {"checkpoint": str(checkpoint), "base": None}
    assert runner[0].trainings == [{"datapath": str(dataset), "hyperparameters": {"steps": 3}, "config": config}]
    runner[0].state = "failed"
    with pytest.raises(PackageError, match="v/p/s did not learn: diverged"):
        asked.train("v/p/s", dataset, checkpoint, base=None, parameters={}, progress=Progress())


def test_training_that_is_called_off_ends_in_the_runner_too(runner: tuple[Runner, Endpoint], asked: SolverProvider, tmp_path: Path) -> None:
    progress = Progress()
    threading.Timer(0.1, progress.cancelled.set).start()
    with pytest.raises(Cancelled):
        asked.train("v/p/s", tmp_path, tmp_path / "c", base=None, parameters={}, progress=progress)
    assert runner[0].state == "cancelled"


def test_a_runner_that_is_busy_for_a_moment_is_asked_again(runner: tuple[Runner, Endpoint], asked: SolverProvider, picture: Path) -> None:
    runner[0].busy = 3
    assert asked.suggest("v/p/s", picture, threshold=0.5, variant=None)
    runner[0].busy = 100
    with pytest.raises(RemoteError, match="busy"):
        asked.suggest("v/p/s", picture, threshold=0.5, variant=None)


def test_errors_are_lines_of_their_kind(runner: tuple[Runner, Endpoint], asked: SolverProvider, picture: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone\.jpg can't be read"):
        asked.suggest("v/p/s", tmp_path / "gone.jpg", threshold=0.5, variant=None)
    picture.write_bytes(b"broken")
    with pytest.raises(UsageError, match="not a picture"):
        asked.suggest("v/p/s", picture, threshold=0.5, variant=None)
    picture.write_bytes(b"odd")
    with pytest.raises(PackageError, match="no result"):
        asked.suggest("v/p/s", picture, threshold=0.5, variant=None)
    wrong = SolverProvider(lambda _: Endpoint(runner[1].url, "wrong"), lambda _: None)
    with pytest.raises(RefusedError, match="token"):
        wrong.stage("v/p/s", Variant("p", Path("/c")))
    wrong.close()
    nobody = SolverProvider(lambda _: Endpoint("http://127.0.0.1:9"), lambda _: None)
    with pytest.raises(RemoteError, match="can't be reached"):
        nobody.suggest("v/p/s", picture, threshold=0.5, variant=None)
    nobody.close()
