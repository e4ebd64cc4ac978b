"""An environment's own interpreter and what virtualenv wrote beside it: as little to be left out as what is installed there."""

from __future__ import annotations

import base64
import hashlib
import json
import os
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


@pytest.fixture
def site(installed: PackageService, home: Home) -> Path:
    """Where its distributions are."""
    return next(environment(home).glob("lib/python*/site-packages"))


def all_gone(site: Path) -> None:
    shutil.rmtree(site)
    site.mkdir()


def one_gone(site: Path) -> None:
    shutil.rmtree(site / "toy-1.0.dist-info")
    (site / "toy.py").unlink()


def shorter(site: Path) -> None:
    record = site / "toy-1.0.dist-info/RECORD"
    swap(record, "".join(record.read_text().splitlines(keepends=True)[1:]))


LISTS: dict[str, Callable[[Path], None]] = {
    "all distributions gone": all_gone,
    "site-packages gone": shutil.rmtree,
    "a distribution gone": one_gone,
    "its list gone": lambda site: (site / "toy-1.0.dist-info/RECORD").unlink(),
    "its folder of facts gone": lambda site: shutil.rmtree(site / "toy-1.0.dist-info"),
    "its list empty": lambda site: swap(site / "toy-1.0.dist-info/RECORD", ""),
    "its list shorter": shorter,
    "its list of elsewhere": lambda site: swap(site / "toy-1.0.dist-info/RECORD", "/etc/passwd,sha256=AA,1\n"),
}


def swap(file: Path, text: str) -> None:
    """Another file in its place: it may be linked to the installer's cache."""
    file.unlink()
    file.write_text(text)


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("how", LISTS)
def test_a_list_of_files_is_held_to_what_it_was(installed: PackageService, home: Home, site: Path, how: str, extra: bool) -> None:
    LISTS[how](site)
    found = installed.storage.verify(None, Progress()).findings
    assert found and {each.kind for each in found} <= {"missing", "damaged"}, (
        "nothing is called extra where nobody knows what belongs there"
    )
    repaired = installed.storage.verify(None, Progress(), repair=True, remove_extra=extra)
    assert (repaired.findings, repaired.repaired, repaired.removed) == ((), ("local/p",), 0)
    assert works(environment(home))


@pytest.mark.parametrize("how", LISTS)
def test_an_installation_does_not_go_by_an_environment_without_its_distributions(
    installed: PackageService, home: Home, site: Path, tmp_path: Path, how: str
) -> None:
    LISTS[how](site)
    installed.install(InstallRequest(str(tmp_path / "p")), Progress())
    assert works(environment(home)) and installed.storage.verify(None, Progress()).findings == ()


def test_a_list_and_a_file_that_were_altered_to_agree_are_found(installed: PackageService, home: Home, site: Path) -> None:
    swap(site / "toy.py", "x = 42\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 42\n").digest()).rstrip(b"=").decode()
    lines = (site / "toy-1.0.dist-info/RECORD").read_text().splitlines()
    swap(site / "toy-1.0.dist-info/RECORD", "\n".join([f"toy.py,sha256={digest},7", *lines[1:]]))
    assert [each.kind for each in installed.storage.verify(None, Progress()).findings] == ["damaged"]
    assert installed.storage.verify(None, Progress(), repair=True).findings == () and works(environment(home))


@pytest.mark.parametrize("how", ["gone", "garbage", "pipe", "without the interpreter", "of another environment"])
def test_the_seal_itself_is_held_to_what_it_must_say(installed: PackageService, home: Home, how: str) -> None:
    note = environment(home) / "cvflow-environment.json"
    told = json.loads(note.read_text())
    note.unlink()
    if how == "pipe":
        os.mkfifo(note)
    elif how != "gone":
        texts = {"without the interpreter": told | {"written": {}}, "of another environment": told | {"resolved": ["other==1.0"]}}
        note.write_text(json.dumps(texts[how]) if how in texts else "{")
    (finding,) = installed.storage.verify(None, Progress()).findings
    assert finding.path == note.name
    assert installed.storage.verify(None, Progress(), repair=True).findings == () and works(environment(home))


def test_what_was_damaged_in_the_installers_cache_too_is_fetched_anew(
    service: PackageService, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environments are linked to it: whoever edits a file in its place edits the cache's, and every later environment's."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_LINK_MODE", "hardlink")
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    service.install(str(write_package(tmp_path / "p", requirements="toy\n", source="import toy\nclass Solver: ...\n")), Progress())
    module = next(environment(home).glob("lib/python*/site-packages/toy.py"))
    assert module.stat().st_nlink > 1
    with module.open("r+") as file:
        file.write("y")
    repaired = service.storage.verify(None, Progress(), repair=True)
    assert (repaired.findings, repaired.repaired) == ((), ("local/p",)) and works(environment(home))
    service.remove("p")
    service.install(str(tmp_path / "p"), Progress())
    assert service.storage.verify(None, Progress()).findings == ()


def test_a_linked_package_that_moves_on_leaves_the_environment_to_the_others(
    installed: PackageService, home: Home, site: Path, tmp_path: Path
) -> None:
    """What it asks for now is another environment: that it was repaired does no harm to the one that it shared."""
    linked = write_package(tmp_path / "l", requirements="toy\n", source="import toy\nclass Solver: ...\n")
    installed.install(InstallRequest(str(linked), editable=True), Progress())
    write_wheel(tmp_path / "wheels", "more", "1.0", {"more.py": b""})
    (linked / "requirements.txt").write_text("toy\nmore\n")
    swap(site / "toy.py", "x = 42\n")
    installed.storage.verify("l", Progress(), repair=True)
    assert len(list(home.environments.iterdir())) == 2
    assert {each.path.rpartition("/")[2] for each in installed.storage.verify("p", Progress()).findings} == {"toy.py"}
