"""The original daemon's routes at a port of their own, asked of a real daemon as its clients asked."""

from __future__ import annotations

import base64
import json
import re
import socket
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.originals.legacy import Legacy
from tests.originals.published import cvpm_package
from tests.packages.parts import commit_all
from tests.runtime.helpers import Client, make_picture, multipart
from tests.support.processes import is_alive

pytestmark = pytest.mark.slow


def test_a_whole_life_through_the_original_routes(tmp_path: Path, daemon: Legacy) -> None:
    client, process = daemon.client, daemon.process
    assert daemon.ask("GET", "/status").json == {"daemon": "running"}
    assert daemon.ask("GET", "/system").json["cpu"] >= 1
    assert daemon.ask("GET", "/repos").json == []
    root = cvpm_package(tmp_path / "unarxiv" / "counter")
    commit_all(root)
    assert daemon.ask("POST", "/repos", {"type": "svn", "url": f"file://{root}"}).status == 400
    assert daemon.ask("POST", "/repos", {"type": "git", "url": f"file://{root}"}).json == {"code": "success"}
    (repo,) = daemon.ask("GET", "/repos").json
    assert repo["Name"] == "byte_counter" and repo["Vendor"] == "unarxiv" and repo["Origin"].startswith("git+file://")
    meta = daemon.ask("GET", "/repo/meta/unarxiv/byte_counter").json
    assert 'name = "Byte_Counter"' in meta["Config"] and meta["Dependency"] == "cvpm\n" and meta["DiskSize"] > 0

    started = daemon.ask("POST", "/repo/running", {"vendor": "unarxiv", "name": "byte_counter", "solver": "CountSolver", "port": ""}).json
    assert started["code"] == "success" and re.fullmatch(r"\d+", started["port"])
    line = {"Vendor": "unarxiv", "Package": "byte_counter", "SolverName": "CountSolver", "Port": started["port"]}
    for path in ("/solvers/running", "/repos/running", "/solvers/running/unarxiv/byte_counter"):
        assert daemon.ask("GET", path).json == [line]
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

    assert daemon.ask("DELETE", "/solvers/running/unarxiv/byte_counter/CountSolver").json["message"] == "Successfully stopped"
    assert not is_alive(pid) and daemon.ask("GET", "/solvers/running").json == []
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", int(started["port"]))) != 0
    assert process.poll() is None


def test_the_doors_are_those_of_the_api(daemon: Legacy) -> None:
    client, token = daemon.client, daemon.token
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


WORDS = [
    "",
    "x",
    "tests",
    "..",
    ".",
    "\0",
    "\x1b[31mx",
    "\ud800",
    "a" * 300,
    "\u00e9" * 200,
    0,
    -1,
    1 << 63,
    10**30,
    1.5,
    float("nan"),
    True,
    None,
    [],
]
WORDS += [{}, ["a"], {"a": 1}, "8080", "99999", "git", "file:///nothing", "ext::x", "https://-x/", "=", "\u00b2", "--upload-pack=x"]
PARTS = ["tests", "..", "%2e%2e", "%2f", "%00", "%ff", "%1b[31m", "a" * 300, "%C3%A9" * 100, "%5c", "nobody", ""]
ROUTES = [
    "GET /repo/meta/{}/{}",
    "GET /repo/env/{}/{}",
    "POST /repo/envs/{}/{}",
    "POST /repo/running",
    "POST /repos",
    "GET /solvers/running/{}/{}",
]
ROUTES += ["DELETE /solvers/running/{}/{}/{}", "GET /engine/solvers/{}/{}/{}/{}", "POST /engine/solvers/{}/{}/{}/infer", "POST /contrib/{}"]
ROUTES += ["PATCH /repos", "TRACE /status", "OPTIONS /repos"]


def test_nothing_that_is_sent_makes_it_fail(daemon: Legacy) -> None:
    """What is made up is refused, and in JSON; the daemon goes on."""
    chance = Random(11)
    for _ in range(12 * len(ROUTES)):
        method, _, path = chance.choice(ROUTES).partition(" ")
        while "{}" in path:
            path = path.replace("{}", chance.choice(PARTS), 1)
        told = {
            name: chance.choice(WORDS)
            for name in ("vendor", "name", "solver", "port", "url", "type", "Key", "Value")
            if chance.random() < 0.8
        }
        body = chance.choice([json.dumps(told)] * 4 + ["[", "null", "[" * 5000]) if method in ("POST", "PATCH") else None
        reply = daemon.client.send(method, path, body, {"Content-Type": "application/json"} if body else {})
        assert reply.status in (200, 400, 404, 405, 409, 422, 501, 502), (method, path, body, reply.body)
        assert isinstance(reply.json, list) if reply.status == 200 else "\x1b" not in reply.json["error"], (method, path, body)
    assert daemon.ask("GET", "/status").json == {"daemon": "running"} and daemon.process.poll() is None
    assert "Traceback" not in (daemon.folder / "logs" / "daemon.log").read_text()
