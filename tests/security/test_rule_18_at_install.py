"""Rule 18 at the installation: what imports, builds and scripts of strangers may do, and that none of them stays."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.own_code import INSTALL_MARK
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.runtime.confine import OPEN_FILES
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.packages import InstallRequest
from tests.packages.parts import SOLVER, write_package
from tests.runtime.helpers import alive, until
from tests.security.test_rule_10_code_at_install import sources, write_sdist

SPIES = """
import json, os, resource, subprocess, sys, time
quiet = {{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}}
sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleeping, start_new_session=True, **quiet)
# One that nothing leads to: a session of its own, no environment, and its parent has ended.
starter = (
    "import subprocess, sys; no = subprocess.DEVNULL;"
    "print(subprocess.Popen(sys.argv[1:], env={{}}, start_new_session=True, stdin=no, stdout=no, stderr=no).pid)"
)
hidden = int(subprocess.run([sys.executable, "-c", starter, *sleeping], stdout=subprocess.PIPE, env={{}}, start_new_session=True).stdout)
mask = os.umask(0o077)
os.umask(mask)
with open("/proc/self/status") as file:
    rights = next(line.split()[1] for line in file if line.startswith("NoNewPrivs"))
limits = [resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE)]
with open({told!r}, "a") as file:
    file.write(json.dumps({{"child": child.pid, "hidden": hidden, "umask": mask, "rights": rights, "limits": limits}}) + "\\n")
"""


def expect_confined(told: Path) -> None:
    """Whatever ran was confined, and what it started has ended."""
    most = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    found = [json.loads(line) for line in told.read_text().splitlines()]
    assert found
    for seen in found:
        assert (seen["rights"], seen["umask"], seen["limits"]) == ("1", 0o077, [[0, 0], [most, most]])
        assert not alive(seen["child"]) and not alive(seen["hidden"])


@pytest.mark.parametrize("setpriv", [True, False])
def test_an_import(service: PackageService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setpriv: bool) -> None:
    if not setpriv:
        monkeypatch.setattr("cvflow_tui.backend.packages.tools._setpriv", lambda: None)
    told = tmp_path / "told"
    service.install(InstallRequest(str(write_package(tmp_path / "p", source=SPIES.format(told=str(told)) + SOLVER))), Progress())
    expect_confined(told)


def test_an_import_that_is_called_off(service: PackageService, tmp_path: Path) -> None:
    told = tmp_path / "told"
    root = write_package(tmp_path / "p", source=SPIES.format(told=str(told)) + "time.sleep(600)\n" + SOLVER)

    class Impatient(Progress):
        """Calls it off once the import runs."""

        def check(self) -> None:
            """Look whether it does."""
            if told.exists() and told.read_text().endswith("\n"):
                self.cancelled.set()
            super().check()

    with pytest.raises(Cancelled):
        service.install(InstallRequest(str(root)), Impatient())
    expect_confined(told)


def test_a_build(service: PackageService, tmp_path: Path, pip_of_the_test: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    files = sources("built", tmp_path / "mark")
    files["backend.py"] += SPIES.format(told=str(told))
    monkeypatch.setattr("tests.security.test_rule_10_code_at_install.sources", lambda *_: files)
    write_sdist(pip_of_the_test, "built", tmp_path / "mark")
    service.install(InstallRequest(str(write_package(tmp_path / "p", requirements="built\n")), allow_build=("built",)), Progress())
    expect_confined(told)


def test_a_script(service: PackageService, tmp_path: Path) -> None:
    told = tmp_path / "told"
    root = write_package(tmp_path / "p")
    (root / "prepip.sh").write_text(f"{sys.executable} - <<'END'\n{SPIES.format(told=str(told))}\nEND\n")
    [script] = service.plan(str(root)).scripts
    service.install(InstallRequest(str(root), scripts=(script.sha256,)), Progress())
    expect_confined(told)


@pytest.mark.parametrize("below", ["", "/resolve"])
def test_what_a_daemon_that_was_killed_left_is_ended_by_the_next(home: Home, hub_folder: Path, below: str) -> None:
    work = home.staging / "work-0123"
    work.mkdir()
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    left = subprocess.Popen(sleeping, env={**os.environ, INSTALL_MARK: f"{work}{below}"}, start_new_session=True)
    other = subprocess.Popen(sleeping, env={**os.environ, INSTALL_MARK: f"{work}4{below}"})
    state = open_state(home)
    try:
        PackageService(home, state, hub_folder).recover()
        until(lambda: left.poll() is not None)
        assert left.returncode == -signal.SIGKILL and other.poll() is None and not work.exists()
    finally:
        state.close()
        other.kill()
        left.kill()
