"""A daemon with the original routes, as a process of its own."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.originals.published import cvpm_package
from tests.packages.parts import commit_all
from tests.runtime.helpers import Client, Reply

PROGRAM = (sys.executable, "-m", "cvflow_tui", "--home")


@dataclass(frozen=True)
class Legacy:
    """What speaks to it, with the token as a URL would hold it."""

    client: Client
    token: str
    folder: Path
    process: subprocess.Popen[bytes]

    def ask(self, method: str, path: str, told: object = None) -> Reply:
        body = None if told is None else json.dumps(told)
        return self.client.send(method, path, body, {"Content-Type": "application/json"} if body else {})

    def install(self, root: Path, **changes: str) -> None:
        commit_all(cvpm_package(root, **changes))
        reply = self.ask("POST", "/repos", {"type": "git", "url": f"file://{root}"})
        assert reply.json == {"code": "success"}, reply.body

    def start(self, vendor: str, name: str, port: str | int = "") -> int:
        told = {"vendor": vendor, "name": name, "solver": "CountSolver", "port": port}
        reply = self.ask("POST", "/repo/running", told)
        assert reply.json["code"] == "success", reply.body
        return int(reply.json["port"])


@contextmanager
def serving(folder: Path) -> Iterator[Legacy]:
    """Serve a home folder; nothing of it runs on, its solvers included."""
    command = [*PROGRAM, str(folder), "daemon", "run", "--legacy-api", "--legacy-port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "CVFLOW_HOME": str(folder)})
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 60)
        told = json.loads(process.stdout.readline()) if ready else {}
        assert told["pid"] == process.pid and told["legacy_url"] != told["url"]
        port = int(told["legacy_url"].rpartition(":")[2])
        token = (folder / "token").read_text().strip()
        basic = base64.b64encode(f"cvflow:{token}".encode()).decode()
        yield Legacy(Client(port, headers={"Authorization": f"Basic {basic}"}), token, folder, process)
    finally:
        if process.poll() is None:
            subprocess.run([*PROGRAM, str(folder), "daemon", "stop", "--solvers"], capture_output=True, timeout=60)
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
