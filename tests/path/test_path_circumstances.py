"""What a command's environment says of fetching: it counts for that command, whichever daemon serves, and for no other."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from cvflow_tui.backend.client import find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.circumstances import is_of_a_command
from tests.packages.parts import sha256, write_package, write_wheel
from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow

DATA = b"weights " * 1000
SECRET = "hush-hush"


@dataclass
class Server:
    """Files of a folder over http on loopback, and what was asked for."""

    url: str
    folder: Path
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, directory=str(folder), **more)

        def log_message(self, *_: object) -> None: ...

        def log_request(self, *_: object) -> None:
            found.asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        found = Server(f"http://127.0.0.1:{serving.server_address[1]}", folder)
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        serving.shutdown()
        thread.join()


def told(cvflow: Cvflow, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command with variables of its own."""
    own = {name: value for name, value in cvflow.environment.items() if not is_of_a_command(name)}
    command = [sys.executable, "-m", "cvflow_tui", *arguments]
    environment = {**own, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "CVFLOW_ALLOW_HOSTS": "127.0.0.1", **variables}
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def put_package(server: Server, tmp_path: Path, version: str) -> None:
    """An archive of a package with a weight on the same server, as the newest of its kind."""
    (server.folder / "w.bin").write_bytes(DATA)
    more = f'[[models]]\nname = "w.bin"\nurl = "{server.url}/w.bin"\nsha256 = "{sha256(DATA)}"\n'
    root = write_package(tmp_path / f"arch-{version}", name="arch", version=version, more=more)
    with zipfile.ZipFile(server.folder / "arch.zip", "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))


def test_offline_is_the_commands_own_whatever_daemon_serves(cvflow: Cvflow, server: Server, tmp_path: Path) -> None:
    put_package(server, tmp_path, "1.0")
    source = f"{server.url}/arch.zip"
    # The command that starts the daemon is told to stay off the network; the daemon is not.
    assert told(cvflow, "list", CVFLOW_OFFLINE="1", PIP_INDEX_URL=f"http://me:{SECRET}@127.0.0.1:9/simple").returncode == 0
    address = find_daemon(Home(cvflow.home))
    assert address is not None
    assert not [name for name in psutil.Process(address.pid).environ() if is_of_a_command(name)]
    done = told(cvflow, "install", source, "--yes")
    assert done.returncode == 0, done.stderr
    put_package(server, tmp_path, "1.1")
    for path in (*cvflow.home.rglob("w.bin"), *(cvflow.home / "weights").iterdir()):
        path.unlink(missing_ok=True)
    for command in (
        ("install", source, "--yes"),
        ("doctor", source),
        ("check", source),
        ("upgrade", "arch", "--yes"),
        ("verify", "arch", "--repair"),
    ):
        server.asked.clear()
        done = told(cvflow, *command, CVFLOW_OFFLINE="1")
        assert done.returncode == 5 and "is not at hand, and cvflow is told to work offline" in done.stderr, (command, done.stderr)
        assert server.asked == [], command
    assert told(cvflow, "verify", "arch", "--repair").returncode == 0
    assert "/w.bin" in server.asked


def test_pips_variables_are_the_commands_own_and_nothing_keeps_them(cvflow: Cvflow, server: Server, tmp_path: Path) -> None:
    cvflow.ok("list")
    wheels = tmp_path / "here" / "wheels"
    wheels.mkdir(parents=True)
    write_wheel(wheels, "toy", "1.0", {"toy.py": b"x = 41\n"})
    index = server.folder / "simple/toy"
    index.mkdir(parents=True)
    write_wheel(index, "toy", "2.0", {"toy.py": b"x = 42\n"})
    (index / "index.html").write_text('<a href="toy-2.0-py3-none-any.whl">toy-2.0-py3-none-any.whl</a>')
    source = write_package(tmp_path / "p", requirements="toy\n", source="import toy\nclass Solver: ...\n")
    with_secret = server.url.replace("//", f"//me:{SECRET}@") + "/simple"
    plain: dict[str, Any] = {"UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_TRUSTED_HOST": "127.0.0.1"}
    done = told(cvflow, "doctor", str(source), PIP_NO_INDEX="0", PIP_INDEX_URL=with_secret, **plain)
    assert done.returncode == 0 and "/simple/toy/" in server.asked, done.stderr
    # A folder is meant as it is seen from where the command stands.
    done = told(cvflow, "install", str(source), "--yes", cwd=tmp_path / "here", PIP_FIND_LINKS="wheels")
    assert done.returncode == 0, done.stderr
    done = told(cvflow, "install", str(source), "--yes", PIP_NO_INDEX="0", PIP_INDEX_URL=with_secret, **plain)
    assert done.returncode == 0, done.stderr
    kept = [path for path in cvflow.home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert kept == [] and SECRET not in done.stdout + done.stderr
    assert SECRET not in json.dumps(cvflow.json("jobs", "--all"))
    assert told(cvflow, "doctor", str(write_package(tmp_path / "q", name="q", requirements="toy>2\n"))).returncode == 6


def test_a_host_that_the_command_allows_is_reached(cvflow: Cvflow, server: Server, tmp_path: Path) -> None:
    cvflow.ok("list")
    more = f'[[models]]\nname = "w.bin"\nurl = "https://127.0.0.1:{server.url.rpartition(":")[2]}/w.bin"\nsha256 = "{sha256(DATA)}"\n'
    source = str(write_package(tmp_path / "p", more=more.replace("127.0.0.1", "10.255.255.1")))
    refused = told(cvflow, "doctor", source)
    assert "list it in CVFLOW_ALLOW_HOSTS" in refused.stdout
    # Through a proxy nothing of that network is really asked.
    allowed = told(cvflow, "doctor", source, CVFLOW_ALLOW_HOSTS="10.0.0.0/8", HTTPS_PROXY=server.url)
    assert "CVFLOW_ALLOW_HOSTS" not in allowed.stdout and "10.255.255.1:" in "".join(server.asked), allowed.stdout
