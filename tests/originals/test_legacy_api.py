"""The original daemon's routes at a port of their own, asked of a real daemon as its clients asked."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.originals.conftest import home, pip_of_the_test, state
from tests.originals.published import cvpm_package
from tests.packages.parts import commit_all
from tests.runtime.helpers import Client, Reply, make_picture, multipart
from tests.support.processes import is_alive

__all__ = ["home", "pip_of_the_test", "state"]
pytestmark = pytest.mark.slow


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path, pip_of_the_test: Path) -> Path:
    return tmp_path / "legacy-home"


@pytest.fixture
def daemon(folder: Path) -> Iterator[tuple[Client, str, subprocess.Popen[bytes]]]:
    """A daemon with the legacy routes: what speaks to them with the token of a URL, and the token."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "cvflow_tui",
        "--home",
        str(folder),
        "daemon",
        "run",
        "--legacy-api",
        "--legacy-port",
        str(port),
        "--json",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "CVFLOW_HOME": str(folder)})
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 60)
    assert ready and json.loads(process.stdout.readline())["pid"] == process.pid
    token = (folder / "token").read_text().strip()
    basic = base64.b64encode(f"cvflow:{token}".encode()).decode()
    try:
        yield Client(port, headers={"Authorization": f"Basic {basic}"}), token, process
    finally:
        stop = [sys.executable, "-m", "cvflow_tui", "--home", str(folder), "daemon", "stop", "--solvers"]
        subprocess.run(stop, capture_output=True, timeout=60)
        process.send_signal(signal.SIGKILL)
        process.wait()


def ask(client: Client, method: str, path: str, told: object = None) -> Reply:
    body = None if told is None else json.dumps(told)
    return client.send(method, path, body, {"Content-Type": "application/json"} if body else {})


def test_a_whole_life_through_the_original_routes(tmp_path: Path, daemon: tuple[Client, str, subprocess.Popen[bytes]]) -> None:
    client, _, process = daemon
    assert ask(client, "GET", "/status").json == {"daemon": "running"}
    assert ask(client, "GET", "/system").json["cpu"] >= 1
    assert ask(client, "GET", "/repos").json == []
    root = cvpm_package(tmp_path / "unarxiv" / "counter")
    commit_all(root)
    assert ask(client, "POST", "/repos", {"type": "svn", "url": f"file://{root}"}).status == 400
    assert ask(client, "POST", "/repos", {"type": "git", "url": f"file://{root}"}).json == {"code": "success"}
    (repo,) = ask(client, "GET", "/repos").json
    assert repo["Name"] == "byte_counter" and repo["Vendor"] == "unarxiv" and repo["Origin"].startswith("git+file://")
    meta = ask(client, "GET", "/repo/meta/unarxiv/byte_counter").json
    assert 'name = "Byte_Counter"' in meta["Config"] and meta["Dependency"] == "cvpm\n" and meta["DiskSize"] > 0

    started = ask(client, "POST", "/repo/running", {"vendor": "unarxiv", "name": "byte_counter", "solver": "CountSolver", "port": ""}).json
    assert started["code"] == "success" and re.fullmatch(r"\d+", started["port"])
    line = {"Vendor": "unarxiv", "Package": "byte_counter", "SolverName": "CountSolver", "Port": started["port"]}
    for path in ("/solvers/running", "/repos/running", "/solvers/running/unarxiv/byte_counter"):
        assert ask(client, "GET", path).json == [line]
    # The port is answered at once: the reply came when the solver was ready, not before its process was.
    pid = Client(int(started["port"])).status()["id"]

    kind, form = multipart(picture := make_picture(), mode="facts")
    engine = "/engine/solvers/unarxiv/byte_counter/CountSolver"
    proxied = client.send("POST", f"{engine}/infer", form, {"Content-Type": kind})
    assert proxied.status == 200 and proxied.json["size"] == len(picture)
    assert client.send("GET", f"{engine}/_status").json["solver"] == "CountSolver"
    assert client.send("POST", f"{engine}/infer?mode=boxes", iter([picture[:100], picture[100:]]), {"Content-Type": "image/jpeg"}).json
    missing = client.send("GET", "/engine/solvers/unarxiv/byte_counter/Nobody/_status")
    assert missing.status == 404 and missing.json["code"] == "not_found"

    assert ask(client, "DELETE", "/solvers/running/unarxiv/byte_counter/CountSolver").json["message"] == "Successfully stopped"
    assert not is_alive(pid) and ask(client, "GET", "/solvers/running").json == []
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", int(started["port"]))) != 0
    assert process.poll() is None


def test_variables_are_applied_and_never_told(tmp_path: Path, daemon: tuple[Client, str, subprocess.Popen[bytes]]) -> None:
    client, _, _ = daemon
    source = "import os\nfrom cvpm.solver import Solver\n\nclass CountSolver(Solver):\n    def infer(self, image_file, config):\n"
    source += "        return sorted(name for name in os.environ if name.startswith('MY_'))\n"
    for name in ("one", "two"):
        manifest = f'[package]\nname = "{name}"\n[[solvers]]\nname = "CountSolver"\nclass = "byte_counter/solver/CountSolver"\n'
        root = cvpm_package(tmp_path / "acme" / name, **{"byte_counter/solver.py": source, "cvpm.toml": manifest})
        commit_all(root)
        assert ask(client, "POST", "/repos", {"type": "git", "url": f"file://{root}"}).status == 200
    set_ = ask(client, "POST", "/repo/envs/acme/one", {"Key": "MY_SECRET", "Value": "abracadabra"})
    assert set_.status == 200 and set_.json == {"code": "success"}
    told = ask(client, "GET", "/repo/env/acme/one")
    assert told.json == [{"Key": "MY_SECRET", "Value": "(set)"}] and b"abracadabra" not in told.body
    assert ask(client, "GET", "/repo/env/acme/two").json == [], "no package sees another's"
    for name, wanted in (("one", ["MY_SECRET"]), ("two", [])):
        ask(client, "POST", "/repo/running", {"vendor": "acme", "name": name, "solver": "CountSolver", "port": "0"})
        reply = client.send("POST", f"/engine/solvers/acme/{name}/CountSolver/infer", make_picture(), {"Content-Type": "image/jpeg"})
        assert reply.json == wanted


def test_the_doors_are_those_of_the_api(daemon: tuple[Client, str, subprocess.Popen[bytes]]) -> None:
    client, token, _ = daemon
    nobody = Client(client.port)
    for method, path in (("GET", "/status"), ("GET", "/repos"), ("DELETE", "/solvers/running/a/b/c"), ("GET", "/engine/solvers/a/b/c/")):
        assert nobody.send(method, path).status == 401
        assert client.send(method, path, headers={"Host": "evil.example"}).status == 403
        assert client.send(method, path, headers={"Origin": "http://evil.example"}).status == 403
        reply = client.send(method, path, headers={"Sec-Fetch-Site": "cross-site"})
        assert reply.status == 403 and "access-control-allow-origin" not in reply.headers
    assert Client(client.port, headers={"Authorization": f"Bearer {token}"}).send("GET", "/status").status == 200
    assert Client(client.port, headers={"Authorization": "Basic " + base64.b64encode(b"x:y").decode()}).send("GET", "/status").status == 401
    assert client.send("POST", "/repos", "type=git", {"Content-Type": "application/x-www-form-urlencoded"}).status == 415
    for path in ("/contrib/files/uncompress/1", "/contrib/datasets", "/_inspector", "/socket/logs"):
        assert client.send("GET", path).status == 501
    assert client.send("GET", "/").status == 404
    # The routes of the API are not at this port, and the original's not at the API's.
    assert client.send("GET", "/api/v1/status").status == 404


def test_a_users_error_never_ends_the_daemon(tmp_path: Path, daemon: tuple[Client, str, subprocess.Popen[bytes]]) -> None:
    """The original called log.Fatal for each of these."""
    client, _, process = daemon
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cvpm.toml").write_text("[package\n")
    commit_all(broken)
    assert ask(client, "POST", "/repos", {"type": "git", "url": f"file://{broken}"}).status == 424
    assert ask(client, "POST", "/repos", {"type": "git", "url": f"file://{tmp_path}/nothing"}).status in (404, 409, 424, 502)
    assert ask(client, "POST", "/repo/running", {"vendor": "a", "name": "b", "solver": "c", "port": "8080"}).status == 404
    assert ask(client, "GET", "/repo/meta/a/b").status == 404
    assert ask(client, "POST", "/repo/running", {"vendor": "a"}).status == 422
    assert client.send("POST", "/repos", "{", {"Content-Type": "application/json"}).status == 422
    time.sleep(0.2)
    assert process.poll() is None and ask(client, "GET", "/status").json == {"daemon": "running"}
