"""`kill -9` in the middle of an install, at every step: the next daemon finds nothing of it, or what was there before."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.packages import InstallRequest

from .parts import FileServer, commit_all, packed, payload, sha256, tree, weight, write_package, write_wheel

KILLED = """
import os, signal, sys
from pathlib import Path
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.records import Records
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages import installer, versions
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.packages import InstallRequest

home, source, where, hub, *options = sys.argv[1:]

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
    Records.put = lambda *given, **named: (put(*given, **named), die())
if where == "before-the-rename":
    versions.sync_tree = die
if where == "before-the-rows-go":
    Records.delete = die
if where == "after-the-rows-went":
    delete = Records.delete
    Records.delete = lambda *given: (delete(*given), die())
if where == "before-the-sweep":
    installer.Installer.sweep = die
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
service = PackageService(Home(Path(home)), open_state(Home(Path(home))), Path(hub))
if source == "rollback":
    service.roll_back("boxed")
elif source == "remove":
    service.remove("boxed")
else:
    service.install(InstallRequest(source, editable="editable" in options), Deadly())
print("was not killed")
"""

DATA = payload(2_000_000)


def killed(home: Home, source: Path | str, where: str, hub: Path, *options: str) -> None:
    """Install in a process of its own that is killed at `where`."""
    command = [sys.executable, "-c", KILLED, str(home.root), str(source), where, str(hub), *options]
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
    assert tree(home) == set()
    if where == "middle":
        # What was downloaded waits two weeks for the next attempt, which goes on with it.
        assert sorted(path.suffix for path in (home.staging / "downloads").iterdir()) == [".json", ".part"]
    if where in ("middle", "before-the-row"):
        trusted.requests.clear()
        _install_anew(service, home, boxed)
    if where == "middle":
        assert int(trusted.gets("n")[0]["range"].removeprefix("bytes=").removesuffix("-")) > 400_000
    state.close()


def _install_anew(service: PackageService, home: Home, boxed: Path | str) -> None:
    detail = service.install(str(boxed), Progress())
    assert (Path(str(detail.path)) / "pretrained/n.bin").read_bytes() == DATA
    assert list((home.staging / "downloads").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "version"),
    [
        ("between-the-renames", "1.0.0"),
        ("before-the-row", "1.0.0"),
        ("after-the-row", "1.0.0"),
        ("before-the-rename", "1.0.0+"),
        ("before-the-row", "1.0.0+"),
        ("after-the-row", "1.0.0+"),
        ("before-the-rename", "1.1.0"),
        ("before-the-row", "1.1.0"),
        ("after-the-row", "1.1.0"),
        ("before-the-sweep", "1.1.0"),
    ],
)
def test_a_killed_replacement_leaves_the_old_or_the_new(home: Home, boxed: Path, hub_folder: Path, where: str, version: str) -> None:
    """The same contents in their own place, other contents of that version beside it, or another version."""
    state = open_state(home)
    (boxed / "README.md").write_text("# new" if version == "1.0.0" else "# old")
    PackageService(home, state, hub_folder).install(str(boxed), Progress())
    [before] = PackageService(home, state, hub_folder)._stores.records.all()
    state.close()
    (boxed / "README.md").write_text("# new")
    manifest = boxed / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace('version = "1.0.0"', f'version = "{version.rstrip("+")}"'))
    killed(home, boxed, where, hub_folder)
    state = open_state(home)
    service = PackageService(home, state, hub_folder)
    service.recover()
    (summary,) = service.installed()
    new = where in ("after-the-row", "before-the-sweep")
    listed = re.escape(version) + ("c[0-9a-f]{7}" if "+" in version else "")
    assert re.fullmatch(listed if new else r"1\.0\.0", summary.version)
    assert (service.detail("boxed").readme == "# new") == (new or version == "1.0.0")
    assert (service._stores.records.all()[0].installed_at > before.installed_at) == new
    assert Path(service.run_spec(service.resolve("boxed")).weights["n.bin"]).read_bytes() == DATA
    assert {path.name for path in (home.packages / "local/boxed").iterdir()} == {"1.0.0", summary.version}
    assert service.kept("boxed") == ("1.0.0" if summary.version != "1.0.0" else None)
    assert len(list(home.environments.iterdir())) == len(list(home.weights.iterdir())) == 1
    assert list(home.staging.glob("work-*")) == []
    state.close()


@contextmanager
def recovered(home: Home, hub_folder: Path) -> Iterator[PackageService]:
    """The packages of a home after the next daemon has put it in order."""
    state = open_state(home)
    service = PackageService(home, state, hub_folder)
    service.recover()
    yield service
    state.close()


def upgraded(home: Home, boxed: Path, hub_folder: Path, *numbers: str) -> None:
    """Install several versions after one another, each of which has started once."""
    with recovered(home, hub_folder) as service:
        manifest = boxed / "cvpm.toml"
        for number in numbers:
            manifest.write_text(re.sub(r'^version = ".*"$', f'version = "{number}"', manifest.read_text(), flags=re.MULTILINE))
            (boxed / "README.md").write_text(f"# {number}")
            service.install(str(boxed), Progress())
            service.prove("local/boxed", number)


@pytest.mark.slow
@pytest.mark.parametrize(("where", "rolled"), [("before-the-row", False), ("after-the-row", True)])
def test_a_killed_rollback_leaves_the_one_or_the_other(home: Home, boxed: Path, hub_folder: Path, where: str, rolled: bool) -> None:
    upgraded(home, boxed, hub_folder, "1.0.0", "1.1.0")
    killed(home, "rollback", where, hub_folder)
    with recovered(home, hub_folder) as service:
        versions = [service.installed()[0].version, service.kept("boxed")]
        assert versions == (["1.0.0", "1.1.0"] if rolled else ["1.1.0", "1.0.0"])
        assert service.detail("boxed").readme == f"# {versions[0]}"
        assert Path(service.run_spec(service.resolve("boxed")).weights["n.bin"]).read_bytes() == DATA
        assert service.roll_back("boxed")[0].readme == f"# {versions[1]}"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["between-the-renames", "before-the-row", "after-the-row"])
def test_a_killed_install_of_the_version_that_is_kept(home: Home, boxed: Path, hub_folder: Path, where: str) -> None:
    """The folder of the way back is the one that is replaced."""
    upgraded(home, boxed, hub_folder, "1.0.0", "1.1.0")
    manifest = boxed / "cvpm.toml"
    manifest.write_text(manifest.read_text().replace("1.1.0", "1.0.0"))
    (boxed / "README.md").write_text("# 1.0.0")
    with recovered(home, hub_folder) as service:
        before = {record.version: record.installed_at for record in (*service._stores.records.all(), *service.kept_versions())}
    killed(home, boxed, where, hub_folder)
    with recovered(home, hub_folder) as service:
        versions = [service.installed()[0].version, service.kept("boxed")]
        new = where == "after-the-row"
        assert versions == (["1.0.0", "1.1.0"] if new else ["1.1.0", "1.0.0"])
        after = {record.version: record.installed_at for record in (*service._stores.records.all(), *service.kept_versions())}
        assert after["1.1.0"] == before["1.1.0"] and (after["1.0.0"] > before["1.0.0"]) == new
        assert {service.detail("boxed").readme, service.roll_back("boxed")[0].readme} == {"# 1.1.0", "# 1.0.0"}
        assert {path.name for path in (home.packages / "local/boxed").iterdir()} == {"1.0.0", "1.1.0"}


@pytest.mark.slow
@pytest.mark.parametrize("where", ["before-the-rows-go", "after-the-rows-went", "before-the-sweep"])
def test_a_killed_removal_leaves_nothing_or_all_of_it(home: Home, boxed: Path, hub_folder: Path, where: str) -> None:
    upgraded(home, boxed, hub_folder, "1.0.0", "1.1.0")
    killed(home, "remove", where, hub_folder)
    with recovered(home, hub_folder) as service:
        assert service.installed() == [] and {Path(name).parts[0] for name in tree(home)} == {"bytecode"}
        service.storage.prune(Progress())
        assert tree(home) == set()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["copying", "installing", "middle", "before-the-rename", "before-the-row", "after-the-row"])
def test_a_killed_install_of_a_linked_folder_leaves_the_folder_as_it_was(home: Home, boxed: Path, hub_folder: Path, where: str) -> None:
    (boxed / "own.bin").write_bytes(b"own")
    (boxed / "cvpm.toml").write_text((boxed / "cvpm.toml").read_text() + weight("own", "own.bin"))
    before = {path: path.read_bytes() for path in boxed.rglob("*") if path.is_file()}
    killed(home, boxed, where, hub_folder, "editable")
    with recovered(home, hub_folder) as service:
        assert [each.version for each in service.installed()] == (["1.0.0"] if where == "after-the-row" else [])
    assert {path: path.read_bytes() for path in boxed.rglob("*") if path.is_file()} == before


@pytest.mark.slow
@pytest.mark.parametrize("where", ["downloading", "middle", "unpacking", "copying", "before-the-row"])
def test_a_killed_install_of_an_archive_leaves_nothing(home: Home, boxed: Path, hub_folder: Path, trusted: FileServer, where: str) -> None:
    (boxed / "large").write_bytes(payload(1_500_000, seed=7))
    url = trusted.add("boxed.tar.gz", packed(boxed, "p.tar.gz"))
    killed(home, url, where, hub_folder)
    with recovered(home, hub_folder) as service:
        assert service.installed() == []
        left = {Path(name).parts[0] for name in tree(home)}
        assert left <= {"staging"} and not list(home.staging.glob("work-*"))
        _install_anew(service, home, url)


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
    assert [summary.ref for summary in service.installed()] == ["acme/boxes", "cvflow/words"], "who took its folder away may bring it back"
    assert service.installed()[1].tagline.startswith("damaged, install it again")
    service.install("words", Progress())
    assert service.storage.verify("words", Progress()).findings == ()
    shutil.rmtree(home.packages / "cvflow")
    service.recover()
    service.remove("words")
    assert [summary.ref for summary in service.installed()] == ["acme/boxes"]
    assert {name for name in tree(home) if not name.startswith("packages/acme/boxes/1.0.0/")} == {
        "packages/acme",
        "packages/acme/boxes",
        "packages/acme/boxes/1.0.0",
    }
    assert path.is_dir()
    service.recover()
    assert service.run_spec(service.resolve("boxes"))


def listed(service: PackageService) -> list[Record]:
    """All that the rows say, but for the warnings of an install, which stand in the rows alone, and who has started."""
    records = [*service._stores.records.all(), *service.kept_versions()]
    return [replace(record, warnings=(), proven=True, size=0) for record in records]


def test_packages_whose_database_is_lost_are_listed_again(home: Home, boxed: Path, hub_folder: Path, tmp_path: Path) -> None:
    """Their environments and weights stay, the way back too, and what was asked for: an upgrade asks it again."""
    commit_all(boxed)
    linked = write_package(tmp_path / "linked")
    upgraded(home, boxed, hub_folder, "1.0.0", "1.1.0", "1.2.0")
    with recovered(home, hub_folder) as service:
        service.install(InstallRequest(str(linked), editable=True), Progress())
        service.install("boxes", Progress())
        service.install(InstallRequest(f"git+{boxed.as_uri()}", requirements=("toy==1.0",), again=True), Progress())
        before, files = listed(service), tree(home)
        assert {record.version for record in service.kept_versions()} == {"1.1.0"}
    for path in home.root.glob("state.db*"):
        path.unlink()
    with recovered(home, hub_folder) as service:
        assert listed(service) == before
        assert tree(home) == files
        assert service.storage.verify(None, Progress()).findings == ()
        assert Path(service.run_spec(service.resolve("local/boxed")).weights["n.bin"]).read_bytes() == DATA
        [other] = [each.ref for each in service.installed() if each.name == "boxed" and each.vendor != "local"]
        assert service.upgrade_request(other).requirements == ("toy==1.0",)
        assert service.roll_back("local/boxed")[0].summary.version == "1.1.0"


def test_a_half_made_install_is_not_taken_for_a_lost_database(home: Home, boxed: Path, hub_folder: Path) -> None:
    upgraded(home, boxed, hub_folder, "1.0.0")
    with recovered(home, hub_folder) as service:
        service.remove("boxed")
        service.install("boxes", Progress())
    killed(home, boxed, "before-the-row", hub_folder)
    for path in home.root.glob("state.db*"):
        path.unlink()
    with recovered(home, hub_folder) as service:
        assert [summary.ref for summary in service.installed()] == ["acme/boxes"]


def test_packages_that_are_away_for_a_while_are_there_again_afterwards(home: Home, boxed: Path, hub_folder: Path, tmp_path: Path) -> None:
    upgraded(home, boxed, hub_folder, "1.0.0", "1.1.0")
    home.packages.rename(tmp_path / "away")
    with recovered(home, hub_folder) as service:
        [summary] = service.installed()
        assert summary.ref == "local/boxed" and "install it again" in summary.tagline
        found = service.storage.verify(None, Progress()).findings
        assert [(each.package, each.kind) for each in found] == [("local/boxed", "missing"), ("local/boxed 1.0.0", "missing")]
    home.packages.rmdir()
    (tmp_path / "away").rename(home.packages)
    with recovered(home, hub_folder) as service:
        assert service.storage.verify(None, Progress()).findings == ()
        assert service.kept("boxed") == "1.0.0"


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
