"""`kill -9` in the middle of an install, at every step: the next daemon finds nothing of it, or what was there before."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home

from .parts import FileServer, payload, sha256, tree, weight, write_package, write_wheel

KILLED = """
import os, signal, sys
from pathlib import Path
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.records import Records
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages import installer
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home

home, source, where, hub = sys.argv[1:]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

class Deadly(Progress):
    def step(self, name, **rest):
        super().step(name, **rest)
        self.now = name
        if where == name.split()[0]:
            die()
    def advance(self, done, total=None):
        super().advance(done, total)
        if where == "middle" and self.now.startswith("downloading") and done > 500_000:
            die()

if where == "before-the-row":
    Records.put = die
if where == "after-the-row":
    put = Records.put
    Records.put = lambda *given: (put(*given), die())
if where == "before-the-rename":
    installer.sync_tree = die
if where == "between-the-renames":
    rename = Path.rename
    def renamed(self, target):
        found = rename(self, target)
        if Path(target).name.endswith(".old"):
            die()
        return found
    Path.rename = renamed
from cvflow_tui.backend.packages import meter
meter.INTERVAL = 0.0
PackageService(Home(Path(home)), open_state(Home(Path(home))), Path(hub)).install(source, Deadly())
print("was not killed")
"""

DATA = payload(2_000_000)


def killed(home: Home, source: Path, where: str, hub: Path) -> None:
    """Install in a process of its own that is killed at `where`."""
    command = [sys.executable, "-c", KILLED, str(home.root), str(source), where, str(hub)]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


@pytest.fixture
def boxed(tmp_path: Path, trusted: FileServer) -> Path:
    """A package with a requirement and a weight that is downloaded."""
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    more = weight("n.bin", trusted.add("n", DATA), sha256(DATA))
    return write_package(tmp_path / "boxed", requirements="toy\n", source="import toy\nclass Solver: ...\n", more=more)


STEPS = ["copying", "making", "installing", "middle", "checking", "before-the-rename", "before-the-row"]


@pytest.mark.slow
@pytest.mark.parametrize("where", STEPS)
def test_a_killed_install_leaves_nothing(home: Home, boxed: Path, hub_folder: Path, trusted: FileServer, where: str) -> None:
    killed(home, boxed, where, hub_folder)
    state = open_state(home)
    service = PackageService(home, state, hub_folder)
    service.recover()
    assert service.installed() == []
    left = tree(home)
    if where == "middle":
        # What was downloaded waits a day for the next attempt, which goes on with it.
        assert {Path(name).suffix for name in left} == {".part", ".json"} and len(left) == 2
    else:
        assert {name for name in left if not name.startswith("staging/downloads/")} == set()
    if where in ("middle", "before-the-row"):
        trusted.requests.clear()
        _install_anew(service, home, boxed)
    if where == "middle":
        assert int(trusted.gets("n")[0]["range"].removeprefix("bytes=").removesuffix("-")) > 400_000
    state.close()


def _install_anew(service: PackageService, home: Home, boxed: Path) -> None:
    detail = service.install(str(boxed), Progress())
    assert (Path(str(detail.path)) / "pretrained/n.bin").read_bytes() == DATA
    assert list((home.staging / "downloads").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "version"),
    [("between-the-renames", "1.0.0"), ("before-the-row", "1.0.0"), ("after-the-row", "1.0.0"), ("after-the-row", "1.1.0")],
)
def test_a_killed_replacement_leaves_the_old_or_the_new(home: Home, boxed: Path, hub_folder: Path, where: str, version: str) -> None:
    state = open_state(home)
    PackageService(home, state, hub_folder).install(str(boxed), Progress())
    state.close()
    (boxed / "README.md").write_text("# new")
    manifest = boxed / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', f'version = "{version}"'))
    killed(home, boxed, where, hub_folder)
    state = open_state(home)
    service = PackageService(home, state, hub_folder)
    service.recover()
    (summary,) = service.installed()
    new = where == "after-the-row"
    assert summary.version == (version if new else "1.0.0")
    assert (service.detail("boxed").readme == "# new") == new
    assert Path(service.run_spec(service.resolve("boxed")).weights["n.bin"]).read_bytes() == DATA
    assert [path.name for path in (home.packages / "local/boxed").iterdir()] == [summary.version]
    assert len(list(home.environments.iterdir())) == len(list(home.weights.iterdir())) == 1
    assert list(home.staging.glob("work-*")) == []
    state.close()


def test_recover_mends_what_a_hand_has_broken(home: Home, service: PackageService) -> None:
    path = Path(str(service.install("boxes", Progress()).path))
    service.install("words", Progress())
    (home.packages / "stray/package/1.0").mkdir(parents=True)
    (home.packages / "acme/boxes/0.9").mkdir()
    (home.environments / "stray").mkdir()
    (home.weights / ("0" * 64)).write_text("x")
    (home.staging / "work-x/package").mkdir(parents=True)
    (home.staging / "file").write_text("x")
    shutil.rmtree(home.packages / "cvflow")
    service.recover()
    assert [summary.ref for summary in service.installed()] == ["acme/boxes"]
    assert {name for name in tree(home) if not name.startswith("packages/acme/boxes/1.0.0/")} == {
        "packages/acme",
        "packages/acme/boxes",
        "packages/acme/boxes/1.0.0",
    }
    assert path.is_dir()
    service.recover()
    assert service.run_spec(service.resolve("boxes"))


def test_a_home_that_was_moved_finds_its_packages(home: Home, service: PackageService, tmp_path: Path, hub_folder: Path) -> None:
    service.install("boxes", Progress())
    service._stores.records._state.close()
    home.root.rename(tmp_path / "moved")
    moved = Home(tmp_path / "moved")
    state = open_state(moved)
    service = PackageService(moved, state, hub_folder)
    service.recover()
    assert Path(service.run_spec(service.resolve("boxes")).root) == tmp_path / "moved/packages/acme/boxes/1.0.0"
    state.close()
