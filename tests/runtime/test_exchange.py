"""A solver goes over to another version while it serves: beside, then in the place of the old one."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.solvers import SolverState
from tests.runtime.helpers import Client, Reply, Site, alive, until, workers

SOLVER = """
import os, time
class Says:
    def __init__(self):
        {constructor}
    def infer(self, image, seconds: float = 0.0):
        time.sleep(seconds)
        print("secret", os.environ.get("WORD"), flush=True)
        return {{"caption": "{version} " + os.environ.get("WORD", "")[:1]}}
"""
NAME = "tests/demo/says"


@pytest.fixture
def version(tmp_path: Path, spec_of: Callable[..., RunSpec]) -> Callable[..., RunSpec]:
    def make(number: str, constructor: str = "pass") -> RunSpec:
        root = tmp_path / number
        (root / "demo").mkdir(parents=True)
        (root / "demo" / "says.py").write_text(SOLVER.format(version=number, constructor=constructor))
        return spec_of("Says", version=number, root=str(root), class_path="demo/says/Says")

    return make


def test_no_request_is_dropped_and_the_port_and_the_runner_stay(site: Site, version: Callable[..., RunSpec], picture: bytes) -> None:
    first = site.supervisor.start(version("1.0"))
    client, over = site.client(NAME), threading.Event()
    replies: list[Reply] = []

    def ask() -> None:
        while not over.is_set():
            replies.append(client.infer(picture, "?seconds=0.01"))

    (old,) = workers(first.pid or 0)
    threads = [threading.Thread(target=ask) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: replies.append(client.infer(picture, "?seconds=3"))))
    for thread in threads:
        thread.start()
    until(lambda: len(replies) > 3)
    second = site.supervisor.exchange(version("2.0"))
    count = len(replies)
    until(lambda: len(replies) > count + 3)
    over.set()
    for thread in threads:
        thread.join()
    assert (second.port, second.pid, second.version) == (first.port, first.pid, "2.0")
    assert Counter(reply.status for reply in replies).keys() == {200}
    captions = [reply.json["caption"] for reply in replies]
    assert set(captions) == {"1.0 ", "2.0 "} and replies[-1].json["model"]["version"] in ("1.0", "2.0")
    until(lambda: not alive(old))
    assert client.infer(picture).json["caption"] == "2.0 "
    assert RunSpec.load(site.home.specification(NAME)).version == "2.0" and len(list(site.home.runs.glob("*.json"))) == 1


def test_one_that_does_not_start_leaves_the_old_one_serving(site: Site, version: Callable[..., RunSpec], picture: bytes) -> None:
    first = site.supervisor.start(version("1.0"))
    site.supervisor.settings.change(NAME, {"start_timeout": "2s"})
    for number, constructor, why in (("2.0", 'raise ValueError("no luck")', "no luck"), ("3.0", "time.sleep(600)", "not ready after 2 s")):
        with pytest.raises(PackageError, match=f"{NAME} failed to start: .*{why}"):
            site.supervisor.exchange(version(number, constructor))
        (now,) = site.supervisor.solvers()
        assert (now.port, now.pid, now.version, now.state) == (first.port, first.pid, "1.0", SolverState.READY)
        assert len(workers(first.pid or 0)) == 1
    assert site.client(NAME).infer(picture).json["caption"] == "1.0 "
    assert [path.name for path in site.home.runs.glob("*.json")] == [site.home.specification(NAME).name]


def test_settings_and_variables_are_those_of_now_and_neither_secret_is_logged(
    site: Site, version: Callable[..., RunSpec], picture: bytes
) -> None:
    settings = site.supervisor.settings
    settings.set_variable(NAME, "WORD", "apple-secret")
    client = site.start(version("1.0"))
    assert client.infer(picture).json["caption"] == "1.0 a"
    settings.set_variable(NAME, "WORD", "berry-secret")
    settings.change(NAME, {"replicas": "2"})
    site.supervisor.exchange(version("2.0"))
    assert client.infer(picture).json["caption"] == "2.0 b"
    until(lambda: client.status()["replicas_ready"] == 2)
    assert site.supervisor.report(NAME, "tests/demo").restart_for == ()
    log = until(lambda: (text := site.supervisor.log(NAME).text).count("(redacted)") >= 2 and text)
    assert "apple" not in log and "berry" not in log


def test_one_that_does_not_serve_is_started_anew_at_its_port(site: Site, version: Callable[..., RunSpec], picture: bytes) -> None:
    flag = Path(site.home.root) / "flag"
    first = site.supervisor.start(version("1.0", f"assert not os.path.exists({str(flag)!r})"))
    flag.touch()
    for worker in workers(first.pid or 0):
        os.kill(worker, signal.SIGKILL)
    until(lambda: site.client(NAME).status()["state"] == "backoff")
    second = site.supervisor.exchange(version("2.0"))
    assert (second.port, second.version) == (first.port, "2.0") and second.pid != first.pid
    site.supervisor.stop(NAME)
    third = site.supervisor.exchange(version("3.0"), first.port)
    assert (third.port, third.version) == (first.port, "3.0")


def test_only_this_solvers_specifications_are_taken(site: Site, version: Callable[..., RunSpec], tmp_path: Path) -> None:
    client: Client = site.start(version("1.0"))
    file = tmp_path / "other.json"
    for spec in (replace(version("2.0"), token=client.token, solver="other"), replace(version("3.0"), token="x")):
        spec.save(file)
        reply = client.control("PUT", "/_cvflow/specification", {"specification": str(file)})
        assert (reply.status, "is not one of tests/demo/says" in reply.json["error"]) == (400, True)
    file.write_text("{}")
    assert client.control("PUT", "/_cvflow/specification", {"specification": str(file)}).status == 400
    assert client.send("PUT", "/_cvflow/specification", "{}", {"Content-Type": "application/json"}).status == 403
    assert client.status()["version"] == "1.0"
