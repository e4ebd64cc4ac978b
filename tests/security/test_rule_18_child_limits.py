"""Rule 18: what a worker may not do, seen from outside and tried from inside."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from cvflow_tui.backend.runtime.confine import OPEN_FILES
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.conftest import package, picture, site, spec_of
from tests.runtime.helpers import Client, Site, alive, until, workers

__all__ = ["package", "picture", "site", "spec_of"]

Specs = Callable[..., RunSpec]

TELLS = '''
import ctypes
import os
import resource
import subprocess


class Tells:
    """What a worker may do, as it sees it itself."""

    def infer(self, image):
        told = ctypes.c_int()
        ctypes.CDLL(None).prctl(2, ctypes.byref(told), 0, 0, 0)  # PR_GET_PDEATHSIG
        mask = os.umask(0o077)
        os.umask(mask)
        limits = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in ("CORE", "NOFILE", "AS")}
        child = subprocess.run(["grep", "NoNewPrivs", "/proc/self/status"], capture_output=True, text=True).stdout.split()
        return {"death": told.value, "umask": mask, "limits": limits, "child": child[1], "cwd": os.getcwd()}
'''


def tells(site: Site, spec_of: Specs, tmp_path: Path, **settings: str) -> Client:
    (tmp_path / "limits").mkdir()
    (tmp_path / "limits" / "solver.py").write_text(TELLS)
    spec = spec_of("Tells", root=str(tmp_path), class_path="limits/solver/Tells")
    site.supervisor.settings.change(spec.name, settings)
    return site.start(spec)


def test_a_worker_has_its_own_group_in_a_session_that_is_its_runners(site: Site, spec_of: Specs) -> None:
    runner = site.start(spec_of("Parent")).status()["id"]
    assert os.getsid(runner) == os.getpgid(runner) == runner != os.getsid(0)
    groups = {os.getpgid(pid) for pid in workers(runner)}
    assert len(groups) == 1 and groups != {runner}


def test_limits_and_rights_as_the_worker_sees_them(site: Site, spec_of: Specs, picture: bytes, tmp_path: Path) -> None:
    told = tells(site, spec_of, tmp_path, address_space="3G").infer(picture).json
    most = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert told["limits"] == {"CORE": [0, 0], "NOFILE": [most, most], "AS": [3_000_000_000] * 2}
    assert told["death"] == signal.SIGKILL
    assert told["umask"] == 0o077
    assert told["child"] == "1", "what it starts gets no rights by a set-uid bit either"
    assert told["cwd"] == str(tmp_path)


def test_without_a_setting_its_memory_is_not_limited(site: Site, spec_of: Specs, picture: bytes, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert tells(site, spec_of, tmp_path).infer(picture).json["limits"]["AS"] == list(before)


def test_a_set_uid_program_gives_it_nothing(site: Site, spec_of: Specs) -> None:
    runner = site.start(spec_of("Echo")).status()["id"]
    for pid in (runner, *workers(runner)):
        assert "NoNewPrivs:\t1\n" in Path(f"/proc/{pid}/status").read_text()


def test_it_does_not_live_without_its_runner(site: Site, spec_of: Specs) -> None:
    runner = site.start(spec_of("Slow")).status()["id"]
    everyone = workers(runner)
    os.kill(runner, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in everyone))


def test_it_holds_no_file_of_ours(site: Site, spec_of: Specs) -> None:
    """Neither the port, nor the database, nor another worker's socket."""
    site.supervisor.settings.change("tests/demo/echo", {"replicas": "2"})
    client = site.start(spec_of("Echo"))
    until(lambda: client.status()["replicas_ready"] == 2)
    for worker in workers(client.status()["id"]):
        held = sorted({str(path.readlink()) for path in Path(f"/proc/{worker}/fd").iterdir()})
        kinds = [name.partition(":")[0] for name in held]
        assert kinds.count("socket") == 1, held
        assert kinds.count("pipe") == 1, held  # stdout and stderr are one
        assert [name for name in held if name.startswith("/")] in (["/dev/null"], ["/dev/null", "/dev/urandom"]), held


def test_the_limits_are_there_before_the_package_is_loaded(site: Site, spec_of: Specs, tmp_path: Path) -> None:
    (tmp_path / "limits").mkdir()
    source = "import resource\nprint('limits', resource.getrlimit(resource.RLIMIT_AS)[0], flush=True)\n\nclass Early:\n"
    (tmp_path / "limits" / "solver.py").write_text(source + "    def infer(self, image):\n        return {}\n")
    spec = spec_of("Early", root=str(tmp_path), class_path="limits/solver/Early")
    site.supervisor.settings.change(spec.name, {"address_space": "2G"})
    site.start(spec)
    until(lambda: "limits 2000000000" in site.supervisor.log(spec.name).text)


def test_prctl_is_what_we_think_it_is() -> None:
    assert sys.platform.startswith("linux")
    assert ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) in (0, 1), "PR_GET_NO_NEW_PRIVS"
