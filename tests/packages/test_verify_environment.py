"""An environment's own interpreter and what virtualenv wrote beside it: as little to be left out as what is installed there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.packages import InstallRequest

from .parts import write_package, write_wheel


def another_program(folder: Path) -> None:
    (folder / "bin/python").unlink()
    shutil.copy("/bin/true", folder / "bin/python")


def a_link(folder: Path, target: str) -> None:
    (folder / "bin/python").unlink()
    (folder / "bin/python").symlink_to(target)


def another_config(folder: Path) -> None:
    (folder / "pyvenv.cfg").write_text("home = /nowhere\n")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no python": lambda folder: (folder / "bin/python").unlink(),
    "another program as python": another_program,
    "a link to another program": lambda folder: a_link(folder, "/bin/true"),
    "a link to nothing": lambda folder: a_link(folder, "/nowhere/python"),
    "another pyvenv.cfg": another_config,
}


@pytest.fixture
def installed(service: PackageService, tmp_path: Path) -> PackageService:
    """A package with an environment of its own, in which there is something."""
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    service.install(str(write_package(tmp_path / "p", requirements="toy\n", source="import toy\nclass Solver: ...\n")), Progress())
    return service


def environment(home: Home) -> Path:
    (folder,) = home.environments.iterdir()
    return folder


def works(folder: Path) -> bool:
    """Whether its Python runs, in it, and has what was installed."""
    code = "import sys, toy; print(sys.prefix, toy.x)"
    done = subprocess.run([folder / "bin/python", "-c", code], capture_output=True, text=True)
    return done.stdout.split() == [str(folder), "41"]


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_interpreter_is_found_and_brought_back(installed: PackageService, home: Home, how: str) -> None:
    folder = environment(home)
    DAMAGE[how](folder)
    found = installed.storage.verify(None, Progress()).findings
    assert {(each.part, each.kind) for each in found} <= {("environment", "missing"), ("environment", "damaged")} and found
    assert any(each.path.endswith("pyvenv.cfg" if "cfg" in how else "bin/python") for each in found)
    repaired = installed.storage.verify(None, Progress(), repair=True)
    assert repaired.findings == () and repaired.repaired == ("local/p",)
    assert works(environment(home)) and environment(home) == folder


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("how", DAMAGE)
def test_an_installation_makes_it_anew(installed: PackageService, home: Home, tmp_path: Path, how: str, again: bool) -> None:
    DAMAGE[how](environment(home))
    assert not installed.plan(InstallRequest(str(tmp_path / "p"))).unchanged
    installed.install(InstallRequest(str(tmp_path / "p"), again=again), Progress())
    assert works(environment(home)) and installed.storage.verify(None, Progress()).findings == ()


def test_a_hook_that_calls_itself_virtualenvs_is_found(installed: PackageService, home: Home) -> None:
    """Whoever can write there could have code run at each start under that name."""
    site = next(environment(home).glob("lib/python*/site-packages"))
    (site / "_virtualenv.pth").write_text("import evil\n")
    (finding,) = installed.storage.verify(None, Progress()).findings
    assert (finding.path.rpartition("/")[2], finding.kind) == ("_virtualenv.pth", "extra")


def test_one_that_is_whole_is_taken_as_it_is(installed: PackageService, home: Home, tmp_path: Path) -> None:
    before = environment(home).stat().st_ino
    installed.install(InstallRequest(str(tmp_path / "p"), again=True), Progress())
    assert environment(home).stat().st_ino == before


def test_the_runner_files_name_the_environment_where_it_is(installed: PackageService, home: Home) -> None:
    """Both damaged at once: what is made anew is made in the staging folder, which is gone afterwards."""
    folder, root = environment(home), home.packages / "local/p/1.0.0"
    (root / "runner_detect.json").unlink()
    module = next(folder.glob("lib/python*/site-packages/toy.py"))
    module.unlink()
    module.write_text("x = 42\n")
    assert installed.storage.verify(None, Progress(), repair=True).findings == ()
    assert json.loads((root / "runner_detect.json").read_text())["python"] == str(folder / "bin/python")


def test_a_runner_file_of_another_cvflow_is_what_it_was_made_anew(
    installed: PackageService, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer cvflow writes other runner files: brought back by it, they are not damaged ever after."""
    from cvflow_tui.backend.packages import runner_file

    monkeypatch.setattr(runner_file, "_TEMPLATE", runner_file._TEMPLATE.replace("by hand", "by hand, as of now"))
    root = home.packages / "local/p/1.0.0"
    assert installed.storage.verify(None, Progress()).findings == ()
    (root / "runner_detect.py").unlink()
    assert installed.storage.verify(None, Progress(), repair=True).findings == ()
    assert "as of now" in (root / "runner_detect.py").read_text()
    assert installed.storage.verify(None, Progress()).findings == ()
    assert installed.plan(InstallRequest(str(home.root.parent / "p"))).unchanged
