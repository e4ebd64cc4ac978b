"""The path of the product as a script walks it, with the real program and real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from pycocotools.coco import COCO

from tests.path.conftest import Cvflow
from tests.support.processes import is_alive

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def post_picture(url: str, picture: Path) -> dict[str, object]:
    request = urllib.request.Request(f"{url}/infer", picture.read_bytes(), {"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        answer: dict[str, object] = json.load(reply)
        return answer


def test_from_hub_to_export(cvflow: Cvflow, photographs: Path, tmp_path: Path) -> None:
    assert "nanodet" in {package["name"] for package in cvflow.json("hub", "search", "object")}
    cvflow.ok("install", "nanodet", "--yes")
    assert [package["name"] for package in cvflow.json("list")] == ["nanodet"]
    port = free_port()
    started = cvflow.json("start", "nanodet", "--port", str(port))
    assert {"package", "solver", "state", "port", "pid", "url"} <= started.keys()
    assert (started["package"], started["solver"], started["state"], started["port"]) == ("cvflow/nanodet", "detect", "ready", port)
    found = cvflow.json("infer", str(photographs / "coffee.png"), "--solver", "nanodet")
    assert "cup" in {thing["label"] for thing in found["objects"]}
    time.sleep(0.6)  # what `ps` tells is at most half a second old
    (running,) = cvflow.json("ps")
    assert running["requests"] == 1
    assert running["pid"] == started["pid"]
    cvflow.ok("logs", "nanodet")

    pictures = [str(photographs / name) for name in ("coffee.png", "astronaut.png", "camera.png")]
    cvflow.ok("project", "new", "things", *pictures, "--labels", "person,cup", "--solver", "nanodet")
    assert cvflow.json("project", "status", "things")["project"]["pictures"] == 3
    out = tmp_path / "things.json"
    cvflow.ok("project", "export", "things", "--format", "coco", "--out", str(out))
    assert [category["name"] for category in COCO(str(out)).dataset["categories"]] == ["person", "cup"]
    labels = tmp_path / "labels.json"
    cvflow.ok("label", *pictures, "--solver", "nanodet", "--out", str(labels))
    assert len(COCO(str(labels)).getImgIds()) == 3

    workers = psutil.Process(started["pid"]).children(recursive=True)
    cvflow.ok("stop", "nanodet")
    assert not is_alive(started["pid"])
    assert not [worker for worker in workers if is_alive(worker.pid)]
    with socket.create_server(("127.0.0.1", port)):
        pass
    cvflow.ok("remove", "nanodet", "--yes", "--force")
    assert cvflow.json("list") == []
    cvflow.ok("daemon", "stop")
    assert cvflow.processes() == []


def test_a_solver_outlives_a_killed_daemon_and_is_found_again(cvflow: Cvflow, photographs: Path) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    started = cvflow.json("start", "nanodet")
    daemon = psutil.Process(cvflow.json("daemon", "status")["pid"])
    daemon.kill()
    daemon.wait(10)
    assert post_picture(started["url"], photographs / "coffee.png")["task"] == "object-detection"
    (adopted,) = cvflow.json("ps")
    assert cvflow.json("daemon", "status")["pid"] != daemon.pid
    assert (adopted["pid"], adopted["port"], adopted["state"]) == (started["pid"], started["port"], "ready")
    cvflow.ok("stop", "nanodet")
    assert not is_alive(started["pid"])


def test_a_second_daemon_is_refused_with_who_has_the_home(cvflow: Cvflow) -> None:
    cvflow.ok("hub", "search")
    first = cvflow.json("daemon", "status")
    second = cvflow.run("daemon", "run")
    assert second.returncode == 4
    assert str(first["pid"]) in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_two_homes_never_see_each_other(cvflow: Cvflow, tmp_path: Path) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    other = Cvflow(tmp_path / "other")
    try:
        assert other.json("list") == []
    finally:
        other.run("daemon", "stop")


def test_a_port_in_use_is_refused_with_who_has_it(cvflow: Cvflow) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    code = "import socket,sys; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        port = holder.stdout.readline().strip()
        refused = cvflow.run("start", "nanodet", "--port", port)
        holder.communicate()
    assert refused.returncode == 4
    assert f"pid {holder.pid}" in refused.stderr
    assert cvflow.json("ps") == []


def test_the_runner_file_serves_by_hand_with_any_python(cvflow: Cvflow, photographs: Path) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    (runner,) = (cvflow.home / "packages").rglob("runner_detect.py")
    port, by_hand = free_port(), ["/usr/bin/env", "python3", str(runner)]
    for options, words in ((["--host", "0.0.0.0"], "--i-know"), (["--host", "0.0.0.0", "--i-know"], "--token-file")):
        refused = subprocess.run([*by_hand, "--port", "0", *options], capture_output=True, text=True, timeout=60)
        assert refused.returncode == 4 and words in refused.stderr
    process = subprocess.Popen([*by_hand, "--port", str(port), "--host", "127.0.0.2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                reply = post_picture(f"http://127.0.0.2:{port}", photographs / "coffee.png")
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.2)
        assert reply["objects"]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_bad_input_gets_one_line_and_a_code(cvflow: Cvflow, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cvpm.toml").write_text('[package]\nname = "broken"\nversion = \n')
    for arguments, code, words in [
        (("install", str(empty), "--yes"), 6, "cvpm.toml"),
        (("install", str(broken), "--yes"), 6, "line 3"),
        (("install", "no-such-package", "--yes"), 3, "no-such-package"),
        (("start", "nobody"), 3, "nobody"),
        (("project", "status", "nowhere"), 3, "nowhere"),
        (("project", "export", "nowhere", "--out", str(tmp_path / "x.json")), 3, "nowhere"),
        (("project", "new", "p", str(tmp_path / "missing"), "--labels", "a"), 2, "missing"),
        (("project", "new", "p", str(empty), "--labels", "a"), 2, "empty"),
        (("project", "new", "p", str(empty), "--labels", "a\x1b[31m"), 2, "label"),
    ]:
        done = cvflow.run(*arguments)
        assert done.returncode == code, (arguments, done.returncode, done.stderr)
        last = done.stderr.strip().splitlines()[-1]
        assert words in last, (arguments, last)
        assert "\x1b" not in done.stderr
        assert "Traceback" not in done.stderr + done.stdout
    assert cvflow.json("list") == []
    assert cvflow.json("project", "list") == []
    assert [path.name for path in (cvflow.home / "staging").rglob("*")] == ["downloads"], "the empty place of downloads, and nothing else"
    assert not (tmp_path / "x.json").exists()
