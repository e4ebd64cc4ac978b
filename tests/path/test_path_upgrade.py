"""Upgrades while a solver serves, removals of what is used, and installs at once, through the real command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import psutil
import pytest

from tests.packages.parts import git, write_wheel
from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow

MANIFEST = """\
[package]
name = "demo"
vendor = "lab"
version = "{version}"
[[solvers]]
name = "say"
class = "demo/solver/Say"
task = "image-classification"
"""
SOLVER = """\
import cvflow
class Say(cvflow.Solver):
    def __init__(self):
        super().__init__()
        {constructor}
    def infer(self, image):
        return {{"classes": [{{"label": "{version}", "score": 1.0}}]}}
"""


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one version of a package."""
    root = tmp_path / "origin"
    (root / "demo").mkdir(parents=True)
    git(root, "init", "-q")
    publish(root, "1.0.0")
    return root


def publish(root: Path, version: str, constructor: str = "pass") -> None:
    (root / "cvpm.toml").write_text(MANIFEST.format(version=version))
    (root / "demo/solver.py").write_text(SOLVER.format(version=version, constructor=constructor))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", version)


def says(cvflow: Cvflow, photographs: Path) -> str:
    """What the serving version answers."""
    answer: str = cvflow.json("infer", str(photographs / "coffee.png"), "--solver", "demo")["classes"][0]["label"]
    return answer


def wait_until_ready(cvflow: Cvflow) -> None:
    for _ in range(100):
        (solver,) = cvflow.json("ps")
        if solver["state"] == "ready" and solver["restarts"]:
            return
        time.sleep(0.2)
    raise AssertionError(f"it did not come back: {solver}")


def test_a_running_solver_serves_the_old_version_until_it_is_restarted(cvflow: Cvflow, origin: Path, photographs: Path) -> None:
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    port = cvflow.json("start", "demo")["port"]
    publish(origin, "1.1.0")
    [plan] = cvflow.json("upgrade", "--dry-run")
    assert (plan["replaces"], plan["changes"]["distributions"], plan["findings"]) == ("1.0.0", [], [])
    assert not any("go over" in step for step in plan["steps"])
    [restarting] = cvflow.json("upgrade", "--dry-run", "--restart")
    assert restarting["steps"][-1] == "have lab/demo/say go over to it, at its port"
    assert cvflow.json("list")[0]["version"] == "1.0.0"
    (done,) = cvflow.json("upgrade", "--yes")
    assert done["package"]["summary"]["version"] == "1.1.0" and done["previous"] == "1.0.0" and done["serving_old"] == ["lab/demo/say"]
    assert says(cvflow, photographs) == "1.0.0"
    runner = psutil.Process(cvflow.json("ps")[0]["pid"])
    for worker in runner.children(recursive=True):
        worker.kill()  # one that comes again is of the version that its runner serves
    wait_until_ready(cvflow)
    assert says(cvflow, photographs) == "1.0.0"
    assert cvflow.json("restart", "demo")["port"] == port
    assert says(cvflow, photographs) == "1.1.0"
    back = cvflow.json("rollback", "demo", "--restart")
    assert back["restarted"] == ["lab/demo/say"] and back["previous"] == "1.1.0"
    assert (back["before"], back["direction"]) == ("1.1.0", "back")
    assert cvflow.json("rollback", "demo", "--to", "1.0.0")["direction"] == "none"
    there = cvflow.run("rollback", "demo")
    assert "lab/demo 1.0.0 -> 1.1.0: this returns to the newer version; 1.0.0 is kept (cvflow rollback lab/demo)\n" in there.stderr
    cvflow.ok("rollback", "demo", "--to", "1.0.0")
    assert says(cvflow, photographs) == "1.0.0"
    assert cvflow.json("upgrade", "demo", "--yes", "--restart")[0]["restarted"] == ["lab/demo/say"]
    assert says(cvflow, photographs) == "1.1.0"
    assert cvflow.json("upgrade", "demo", "--yes") == []
    assert "lab/demo 1.1.0 is up to date" in cvflow.run("upgrade", "--yes").stderr


def test_a_version_that_does_not_start_is_told_with_the_way_back(cvflow: Cvflow, origin: Path, photographs: Path) -> None:
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    cvflow.ok("start", "demo")
    (before,) = cvflow.json("ps")
    publish(origin, "2.0.0", constructor='raise RuntimeError("no such luck")')
    done = cvflow.run("upgrade", "demo", "--yes", "--restart")
    assert done.returncode == 6
    last = done.stderr.splitlines()[-1]
    assert "no such luck" in last and last.endswith("lab/demo is at 1.0.0 again")
    assert says(cvflow, photographs) == "1.0.0" and cvflow.json("list")[0]["version"] == "1.0.0"
    (after,) = cvflow.json("ps")
    assert (after["port"], after["pid"], after["version"]) == (before["port"], before["pid"], "1.0.0"), "it has served all the time"
    cvflow.ok("upgrade", "demo", "--yes")
    assert says(cvflow, photographs) == "1.0.0"
    assert "and 1.0.0 is kept: cvflow rollback lab/demo" in cvflow.run("restart", "demo").stderr.splitlines()[-1]
    cvflow.ok("rollback", "demo")
    cvflow.ok("start", "demo")
    assert says(cvflow, photographs) == "1.0.0"
    forward = cvflow.run("rollback", "demo", "--restart")  # to 2.0.0, which is as broken as before
    assert forward.returncode == 6 and forward.stderr.splitlines()[-1].endswith("lab/demo is at 1.0.0 again")
    assert says(cvflow, photographs) == "1.0.0" and cvflow.json("list")[0]["version"] == "1.0.0"


def test_an_author_who_forgets_to_raise_the_version_takes_nobodys_way_back(cvflow: Cvflow, origin: Path, photographs: Path) -> None:
    """Other contents of a version are listed with their commit behind it, and are upgraded to and rolled back from like any other."""
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    cvflow.ok("start", "demo")
    (before,) = cvflow.json("ps")
    publish(origin, "1.0.0", constructor='raise RuntimeError("no such luck")')
    number = f"1.0.0+g{git(origin, 'rev-parse', 'HEAD')[:7]}"
    assert f"lab/demo 1.0.0 -> {number}" in cvflow.run("upgrade", "demo", "--dry-run").stderr
    done = cvflow.run("upgrade", "demo", "--yes", "--restart")
    assert done.returncode == 6 and done.stderr.splitlines()[-1].endswith("lab/demo is at 1.0.0 again")
    cvflow.ok("upgrade", "demo", "--yes")
    assert f"still serves 1.0.0, {number} is installed" in cvflow.run("ps").stderr
    assert cvflow.run("restart", "demo").returncode == 6
    (after,) = cvflow.json("ps")
    assert (after["port"], after["pid"], after["state"], after["version"]) == (before["port"], before["pid"], "ready", "1.0.0")
    cvflow.ok("rollback", "demo", "--restart")
    assert cvflow.json("list")[0]["version"] == "1.0.0" and says(cvflow, photographs) == "1.0.0"
    publish(origin, "1.0.0", constructor="self.mended = True")
    cvflow.ok("upgrade", "demo", "--yes", "--restart")
    assert cvflow.json("ps")[0]["version"] == f"1.0.0+g{git(origin, 'rev-parse', 'HEAD')[:7]}"
    assert "is up to date" in cvflow.run("upgrade", "demo", "--yes").stderr


def test_an_upgrade_that_fails_leaves_the_way_back_that_there_was(cvflow: Cvflow, origin: Path, photographs: Path) -> None:
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    cvflow.ok("start", "demo")
    publish(origin, "1.1.0")
    assert cvflow.json("upgrade", "demo", "--yes", "--restart")[0]["previous"] == "1.0.0"
    publish(origin, "2.0.0", constructor='raise RuntimeError("no such luck")')
    assert cvflow.run("upgrade", "demo", "--yes", "--restart").returncode == 6
    back = cvflow.json("rollback", "demo", "--restart")
    assert (back["before"], back["package"]["summary"]["version"], back["direction"]) == ("1.1.0", "1.0.0", "back")
    assert says(cvflow, photographs) == "1.0.0"
    assert cvflow.json("rollback", "demo", "--restart")["package"]["summary"]["version"] == "1.1.0"
    publish(origin, "2.1.0")
    assert cvflow.json("upgrade", "demo", "--yes", "--restart")[0]["previous"] == "1.1.0"
    there = {entry["name"] for entry in cvflow.json("disk")["entries"] if entry["kind"] == "kept version"}
    assert there == {"lab/demo 1.1.0"}, "one way back, and nothing of what failed"


def test_who_had_failed_is_started_with_the_version_that_one_goes_to(cvflow: Cvflow, origin: Path, photographs: Path) -> None:
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    port = cvflow.json("start", "demo")["port"]
    publish(origin, "2.0.0", constructor='raise RuntimeError("no such luck")')
    cvflow.ok("upgrade", "demo", "--yes")
    assert cvflow.run("restart", "demo").returncode == 6
    assert says(cvflow, photographs) == "1.0.0", "what served serves on"
    cvflow.ok("stop", "demo")
    assert cvflow.run("start", "demo", "--port", str(port)).returncode == 6 and cvflow.json("ps")[0]["state"] == "failed"
    back = cvflow.json("rollback", "demo", "--restart")
    assert (back["restarted"], back["error"]) == (["lab/demo/say"], None)
    assert says(cvflow, photographs) == "1.0.0" and cvflow.json("ps")[0]["port"] == port
    cvflow.ok("rollback", "demo")
    cvflow.ok("stop", "demo")
    assert cvflow.run("start", "demo", "--port", str(port)).returncode == 6
    publish(origin, "2.1.0", constructor='raise RuntimeError("nor this time")')
    again = cvflow.run("upgrade", "demo", "--yes", "--restart")
    assert again.returncode == 6 and "nor this time; lab/demo is at 2.1.0" in again.stderr.splitlines()[-1]
    publish(origin, "2.2.0")
    [plan] = cvflow.json("upgrade", "--dry-run", "--restart")
    assert plan["steps"][-1] == "start lab/demo/say, which had failed"
    assert cvflow.json("upgrade", "demo", "--yes", "--restart")[0]["restarted"] == ["lab/demo/say"]
    assert says(cvflow, photographs) == "2.2.0"


def test_who_was_pinned_is_told_so(cvflow: Cvflow, origin: Path) -> None:
    git(origin, "tag", "v1")
    cvflow.ok("install", f"git+file://{origin}@v1", "--yes")
    publish(origin, "1.1.0")
    done = cvflow.run("upgrade", "demo", "--yes")
    assert f"lab/demo 1.0.0 is up to date with v1, which its source names; another: cvflow install 'git+file://{origin}@REF'" in done.stderr


def test_where_neither_version_starts_both_reasons_are_told_and_who_is_not_served(
    cvflow: Cvflow, origin: Path, tmp_path: Path, photographs: Path
) -> None:
    flag = tmp_path / "gone"
    failing = 'if __import__("os").path.exists({!r}): raise RuntimeError("{} is out of luck")'
    publish(origin, "1.1.0", constructor=failing.format(str(flag), "the old one"))
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    port = cvflow.json("start", "demo")["port"]
    flag.touch()
    for worker in psutil.Process(cvflow.json("ps")[0]["pid"]).children(recursive=True):
        worker.kill()  # it does not come back: what does not serve is not exchanged, but started anew
    publish(origin, "1.2.0", constructor=failing.format(str(flag), "the new one"))
    done = cvflow.run("upgrade", "demo", "--yes", "--restart", "--json")
    assert done.returncode == 6
    told = json.loads(done.stdout)["error"]
    assert "the new one is out of luck; lab/demo is at 1.1.0 again; with that it does not start any more either" in told
    assert "the old one is out of luck" in told and told.endswith("not served any more: lab/demo/say")
    flag.unlink()
    assert cvflow.json("start", "demo", "--port", str(port))["port"] == port
    assert cvflow.json("upgrade", "demo", "--yes", "--restart")[0]["restarted"] == ["lab/demo/say"]
    assert says(cvflow, photographs) == "1.2.0" and cvflow.json("ps")[0]["port"] == port


def test_what_a_project_asks_is_not_removed_by_the_way(cvflow: Cvflow, origin: Path, photographs: Path) -> None:
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    cvflow.ok("project", "new", "cups", str(photographs / "coffee.png"), "--labels", "cup", "--solver", "demo")
    cvflow.ok("start", "demo")
    done = cvflow.run("remove", "demo", "--yes")
    assert done.returncode == 4 and done.stderr.splitlines()[-1].startswith("cvflow: lab/demo suggests in cups: ")
    assert "is stopped: lab/demo/say" in done.stderr and "loses its suggestions: cups" in done.stderr
    assert [solver["state"] for solver in cvflow.json("ps")] == ["ready"]
    assert cvflow.json("remove", "demo", "--yes", "--force")["stopped"] == ["lab/demo/say"]
    assert cvflow.json("list") == [] and cvflow.json("ps") == []


def test_of_all_packages_one_that_cannot_be_upgraded_keeps_no_other_from_it(cvflow: Cvflow, origin: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"  # by its name it comes before the other
    (first / "demo").mkdir(parents=True)
    (first / "cvpm.toml").write_text(MANIFEST.format(version="1.0.0").replace('"demo"', '"a-first"', 1).replace('"lab"', '"a"', 1))
    (first / "demo/solver.py").write_text(SOLVER.format(version="1.0.0", constructor="pass"))
    cvflow.ok("install", str(first), "--yes")
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    publish(origin, "1.1.0")
    shutil.rmtree(first)
    ref = "a/a-first"
    done = cvflow.run("upgrade", "--yes", "--json")
    assert done.returncode == 3 and f"1 of 2 could not be upgraded: {ref}" in done.stderr
    upgraded, fault = json.loads(done.stdout)
    assert upgraded["package"]["summary"]["version"] == "1.1.0"
    assert fault["ref"] == ref and fault["code"] == "not_found" and "there is no such folder" in fault["error"]
    assert {f"{each['vendor']}/{each['name']}": each["version"] for each in cvflow.json("list")} == {ref: "1.0.0", "lab/demo": "1.1.0"}


def test_a_lock_brings_the_same_to_another_home(cvflow: Cvflow, origin: Path, tmp_path: Path) -> None:
    cvflow.ok("install", f"git+file://{origin}", "--yes")
    cvflow.ok("lock", "demo", "--out", str(tmp_path / "cvflow.lock"))
    publish(origin, "1.1.0")
    other = Cvflow(tmp_path / "other")
    try:
        other.ok("install", "--locked", str(tmp_path / "cvflow.lock"), "--yes")
        mine, theirs = (tomllib.loads(program.ok("lock", "demo")) for program in (cvflow, other))
        assert theirs["files"] == mine["files"] and theirs["package"]["commit"] == mine["package"]["commit"]
        assert theirs["package"]["version"] == "1.0.0" == other.json("lock", "demo")["package"]["version"]
    finally:
        other.run("daemon", "stop", "--solvers")


def test_installs_at_once_without_a_daemon(cvflow: Cvflow, origin: Path, tmp_path: Path) -> None:
    """Four commands in the same moment on a home that nobody serves: two of one package, one of another, one of a third."""
    for name in ("second", "third"):
        (tmp_path / name / "demo").mkdir(parents=True)
        (tmp_path / name / "cvpm.toml").write_text(MANIFEST.format(version="1.0.0").replace('"demo"', f'"{name}"', 1))
        (tmp_path / name / "demo/solver.py").write_text(SOLVER.format(version="1.0.0", constructor="pass"))
    sources = [f"git+file://{origin}", f"git+file://{origin}", str(tmp_path / "second"), str(tmp_path / "third")]
    command = [sys.executable, "-m", "cvflow_tui", "install", "--yes", "--json"]
    running = [
        subprocess.Popen([*command, source], env=cvflow.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for source in sources
    ]
    ended = [(process.communicate(timeout=120), process.returncode) for process in running]
    assert ended[2][1] == ended[3][1] == 0, ended
    codes = {code for _, code in ended[:2]}
    assert codes in ({0}, {0, 4}), ended
    for (out, _), code in ended:
        assert code == 0 or "is being installed or removed already" in json.loads(out)["error"]
    assert [package["name"] for package in cvflow.json("list")] == ["demo", "second", "third"]
    packages = cvflow.home / "packages"
    assert sorted(str(path.parent.relative_to(packages)) for path in packages.rglob("cvflow.lock")) == [
        f"lab/demo/{_version(cvflow)}",
        "lab/second/1.0.0",
        "lab/third/1.0.0",
    ]
    assert len(list((cvflow.home / "environments").iterdir())) == 1, "all ask for the same"
    assert [path.name for path in (cvflow.home / "staging").iterdir()] == ["downloads"]
    daemons = [process for process in cvflow.processes() if "daemon" in process.cmdline()]
    assert len(daemons) == 1


def _version(cvflow: Cvflow) -> str:
    return str(next(package["version"] for package in cvflow.json("list") if package["name"] == "demo"))


def test_a_linked_folder_is_read_again_at_each_start(cvflow: Cvflow, tmp_path: Path, photographs: Path) -> None:
    root = tmp_path / "mine"
    (root / "demo").mkdir(parents=True)
    (root / "cvpm.toml").write_text(MANIFEST.format(version="1.0.0"))
    (root / "demo/solver.py").write_text(SOLVER.format(version="first", constructor="pass"))
    before = sorted(path.name for path in root.iterdir())
    cvflow.ok("install", str(root), "--editable", "--yes")
    cvflow.ok("start", "demo")
    assert says(cvflow, photographs) == "first"
    (root / "demo/solver.py").write_text(SOLVER.format(version="second", constructor="pass"))
    assert says(cvflow, photographs) == "first"
    cvflow.ok("restart", "demo")
    assert says(cvflow, photographs) == "second"
    cvflow.ok("remove", "demo", "--yes")
    assert sorted(path.name for path in root.iterdir()) == before
    assert sorted(path.name for path in (root / "demo").iterdir()) == ["solver.py"]


WRITES = """\
import cvflow
from pathlib import Path
class Say(cvflow.Solver):
    def infer(self, image):
        path = Path("cache/asked.txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        import toylate
        return {"classes": [{"label": f"{toylate.x} {Path('note.txt').read_text()}", "score": 1.0}]}
"""


def test_a_repair_leaves_a_solver_that_runs_its_folder_and_what_it_wrote(
    cvflow: Cvflow, tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, wheels = tmp_path / "mine", tmp_path / "wheels"
    (root / "demo").mkdir(parents=True)
    wheels.mkdir()
    write_wheel(wheels, "toylate", "1.0", {"toylate.py": b"x = 41\n"})
    (root / "cvpm.toml").write_text(MANIFEST.format(version="1.0.0"))
    (root / "demo/solver.py").write_text(WRITES)
    (root / "note.txt").write_text("as installed")
    (root / "requirements.txt").write_text("toylate\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    cvflow.ok("install", str(root), "--yes")
    cvflow.ok("start", "demo")
    (before,) = cvflow.json("ps")
    package = cvflow.home / "packages/lab/demo/1.0.0"
    (package / "cache").mkdir()
    (package / "cache/own.txt").write_text("y")
    assert "lab/demo wrote a file since: cache (no fault" in cvflow.ok("verify", "demo")
    (package / "note.txt").write_text("damaged")
    (module,) = (cvflow.home / "environments").glob("*/lib/python*/site-packages/toylate.py")
    module.unlink()
    assert cvflow.run("verify", "demo").returncode == 6
    assert "repaired lab/demo" in cvflow.ok("verify", "demo", "--repair")
    assert says(cvflow, photographs) == "41 as installed", "imported after the repair, read from where it has always stood"
    (after,) = cvflow.json("ps")
    assert (after["pid"], after["restarts"]) == (before["pid"], 0)
    assert sorted(path.name for path in (package / "cache").iterdir()) == ["asked.txt", "own.txt"]
    assert cvflow.json("verify", "demo")["findings"] == []
