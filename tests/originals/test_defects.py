"""The original daemon's defects, one test each, in the order of the reference's table (section 3)."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from tests.originals.conftest import Install, Serve
from tests.originals.legacy import Legacy, serving
from tests.originals.published import cvpm_package
from tests.packages.parts import FileServer, commit_all, payload, sha256, weight, write_wheel
from tests.runtime.helpers import Client, make_picture
from tests.support.processes import is_alive

pytestmark = pytest.mark.slow

STUBBORN = """
import signal, subprocess, os
from cvpm.solver import Solver

class CountSolver(Solver):
    def __init__(self, toml_file=None):
        super().__init__(toml_file)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.child = subprocess.Popen(["sleep", "1000"])

    def infer(self, image_file, config):
        return [os.getpid(), self.child.pid]
"""


def test_row_01_a_new_daemon_finds_what_runs(tmp_path: Path, pip_of_the_test: Path) -> None:
    """Running solvers stood in two lists in memory: a restart forgot live processes."""
    folder = tmp_path / "home"
    with serving(folder) as first:
        first.install(tmp_path / "acme" / "counter")
        port = first.start("acme", "byte_counter")
        running, pid = first.ask("GET", "/solvers/running").json, Client(port).status()["id"]
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    assert Client(port).status()["id"] == pid, "it serves without any daemon"
    with serving(folder) as second:
        assert second.ask("GET", "/solvers/running").json == running
        assert second.start("acme", "byte_counter") == port and Client(port).status()["id"] == pid


def test_row_02_stop_ends_the_process_and_all_that_it_started(tmp_path: Path, daemon: Legacy) -> None:
    """DELETE asked the solver's front page, kept the entry and said "Successfully stopped"."""
    daemon.install(tmp_path / "acme" / "stubborn", **{"byte_counter/solver.py": STUBBORN})
    port = daemon.start("acme", "byte_counter")
    pids = [Client(port).status()["id"], *Client(port).infer(make_picture()).json]
    assert all(map(is_alive, pids))
    assert daemon.ask("DELETE", "/solvers/running/acme/byte_counter/CountSolver").json["code"] == "success"
    assert not any(map(is_alive, pids)) and daemon.ask("GET", "/solvers/running").json == []
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert daemon.ask("DELETE", "/solvers/running/acme/byte_counter/CountSolver").status == 404


def test_row_03_the_port_that_is_told_answers(tmp_path: Path, daemon: Legacy) -> None:
    """The reply came before the process, with a port that was free a moment ago: starts at once were told one and the same."""
    names = [f"counter-{number}" for number in range(4)]
    for name in names:
        manifest = f'[package]\nname = "{name}"\n[[solvers]]\nname = "CountSolver"\nclass = "byte_counter/solver/CountSolver"\n'
        daemon.install(tmp_path / "acme" / name, **{"cvpm.toml": manifest})

    def start(name: str) -> tuple[int, str]:
        port = daemon.start("acme", name)
        return port, Client(port).send("GET", "/").json["package"]

    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(start, names))
    assert [package for _, package in started] == [f"acme/{name}" for name in names]
    assert len({port for port, _ in started}) == 4
    taken = daemon.ask("POST", "/repo/running", {"vendor": "acme", "name": names[0], "solver": "CountSolver", "port": started[1][0]})
    assert taken.json == {"code": "success", "port": str(started[0][0])}, "it runs already, where it runs"


def test_row_04_variables_are_applied_to_their_package_and_never_told(tmp_path: Path, daemon: Legacy) -> None:
    client = daemon.client
    source = "import os\nfrom cvpm.solver import Solver\n\nclass CountSolver(Solver):\n    def infer(self, image_file, config):\n"
    source += "        return sorted(name for name in os.environ if name.startswith('MY_'))\n"
    for name in ("one", "two"):
        manifest = f'[package]\nname = "{name}"\n[[solvers]]\nname = "CountSolver"\nclass = "byte_counter/solver/CountSolver"\n'
        root = cvpm_package(tmp_path / "acme" / name, **{"byte_counter/solver.py": source, "cvpm.toml": manifest})
        commit_all(root)
        assert daemon.ask("POST", "/repos", {"type": "git", "url": f"file://{root}"}).status == 200
    set_ = daemon.ask("POST", "/repo/envs/acme/one", {"Key": "MY_SECRET", "Value": "abracadabra"})
    assert set_.status == 200 and set_.json == {"code": "success"}
    told = daemon.ask("GET", "/repo/env/acme/one")
    assert told.json == [{"Key": "MY_SECRET", "Value": "(set)"}] and b"abracadabra" not in told.body
    assert daemon.ask("GET", "/repo/env/acme/two").json == [], "no package sees another's"
    for name, wanted in (("one", ["MY_SECRET"]), ("two", [])):
        daemon.ask("POST", "/repo/running", {"vendor": "acme", "name": name, "solver": "CountSolver", "port": "0"})
        reply = client.send("POST", f"/engine/solvers/acme/{name}/CountSolver/infer", make_picture(), {"Content-Type": "image/jpeg"})
        assert reply.json == wanted


def test_row_05_each_package_has_an_environment_of_its_own(tmp_path: Path, install: Install, serve: Serve, home: Home) -> None:
    """The type was there and never used: requirements went into the user's own packages."""
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"WORD = 'of its own'"})
    source = "import sys, toy\nfrom cvpm.solver import Solver\n\nclass CountSolver(Solver):\n    def infer(self, image_file, config):\n"
    source += "        return [toy.WORD, toy.__file__, sys.prefix]\n"
    root = cvpm_package(tmp_path / "counter", **{"byte_counter/solver.py": source})
    (root / "requirements.txt").write_text("toy\ncvpm\n")
    word, file, prefix = serve(install(root), "CountSolver").infer(make_picture()).json
    assert word == "of its own" and Path(prefix).is_relative_to(home.environments) and Path(file).is_relative_to(prefix)


def test_row_06_the_runner_file_is_made_without_the_network(
    tmp_path: Path, service: PackageService, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its template came from a server, at each installation."""

    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("an installation asked the network")

    root = cvpm_package(tmp_path / "counter")
    commit_all(root)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    service.install(f"git+file://{root}", Progress())
    (runner,) = home.packages.rglob("runner_CountSolver.py")
    compile(runner.read_text(), runner.name, "exec")


def test_row_07_a_users_error_never_ends_the_daemon(tmp_path: Path, daemon: Legacy) -> None:
    """The original called log.Fatal for each of these."""
    client, process = daemon.client, daemon.process
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cvpm.toml").write_text("[package\n")
    commit_all(broken)
    assert daemon.ask("POST", "/repos", {"type": "git", "url": f"file://{broken}"}).status == 424
    assert daemon.ask("POST", "/repos", {"type": "git", "url": f"file://{tmp_path}/nothing"}).status in (404, 409, 424, 502)
    assert daemon.ask("POST", "/repo/running", {"vendor": "a", "name": "b", "solver": "c", "port": "8080"}).status == 404
    assert daemon.ask("GET", "/repo/meta/a/b").status == 404
    assert daemon.ask("POST", "/repo/running", {"vendor": "a"}).status == 422
    assert client.send("POST", "/repos", "{", {"Content-Type": "application/json"}).status == 422
    time.sleep(0.2)
    assert process.poll() is None and daemon.ask("GET", "/status").json == {"daemon": "running"}


def test_row_08_one_request_has_one_reply(tmp_path: Path, daemon: Legacy) -> None:
    """The handler wrote its 404 and then went on to the proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.client.port, timeout=30)
    for path, status in (("/engine/solvers/acme/none/none/infer", 404), ("/engine/solvers/x", 404), ("/status", 200)):
        connection.request("GET", path, headers=daemon.client.headers)
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("content-type")) == (status, "application/json")
        json.loads(reply.read())  # and the next reply begins where this one ends
    connection.close()


def test_row_09_it_listens_on_loopback_and_mirrors_no_origin(daemon: Legacy) -> None:
    """It listened everywhere, asked for nothing, and let any page in with credentials; uploads were unpacked where they said."""
    listening = {each.laddr.ip for each in psutil.Process(daemon.process.pid).net_connections() if each.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    page = daemon.client.send("GET", "/status", headers={"Origin": "http://a.example"})
    assert page.status == 403 and not any(name.startswith("access-control") for name in page.headers)
    preflight = {"Origin": "http://a.example", "Access-Control-Request-Method": "DELETE"}
    assert daemon.client.send("OPTIONS", "/repos", headers=preflight).status == 403
    assert daemon.ask("GET", "/contrib/files/uncompress/1").status == 501


def test_row_10_a_download_that_is_cut_is_whole_in_the_end(tmp_path: Path, install: Install, home: Home) -> None:
    """It appended the whole file to its beginning where a server ignored Range, and took a file of unknown length for done."""
    data, other = payload(300_000), payload(200_000, seed=2)
    server = FileServer(tmp_path / "served", None)
    server.ignore_ranges = True
    server.cut_after = [100_000]
    with server.running():
        told = weight("one", server.add("a/net.h5", data)) + weight("two", server.add("b/net.h5", other))
        root = cvpm_package(tmp_path / "counter", **{"pretrained/pretrained.toml": told})
        (root / "byte_counter/solver.py").write_text("from cvpm.solver import Solver\n\nclass CountSolver(Solver):\n    pass\n")
        install(root)
    # Two addresses that end alike are two files, whatever the original took them for.
    assert {sha256(path.read_bytes()) for path in home.weights.iterdir()} == {sha256(data), sha256(other)}
    names = {path.name: sha256(path.read_bytes()) for path in next(home.packages.rglob("pretrained")).iterdir() if path.suffix != ".toml"}
    assert names["one"] == sha256(data) and names["two"] == sha256(other)


def test_row_11_a_gpu_is_no_reason_for_more_rights(tmp_path: Path, install: Install, serve: Serve) -> None:
    """Containers were started privileged where a package asked for a GPU."""
    manifest = '[package]\nname = "counter"\ngpu = true\n[[solvers]]\nname = "CountSolver"\nclass = "byte_counter/solver/CountSolver"\n'
    source = "from cvpm.solver import Solver\n\nclass CountSolver(Solver):\n    def infer(self, image_file, config):\n"
    source += "        return dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)\n"
    root = cvpm_package(tmp_path / "counter", **{"cvpm.toml": manifest, "byte_counter/solver.py": source})
    told = serve(install(root), "CountSolver").infer(make_picture()).json
    assert told["NoNewPrivs"].strip() == "1" and told["Uid"].split()[0] == str(os.getuid())
