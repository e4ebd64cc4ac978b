"""The original daemon's routes at a port of their own, asked of a real daemon as its clients asked."""

from __future__ import annotations

import base64
import re
import socket
from contextlib import closing
from pathlib import Path

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
