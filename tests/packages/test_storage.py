"""The room a home folder takes, told as `du` tells it; what nobody uses, freed to the byte; every file compared, and brought back."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.environment_files import environment_files
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.errors import NotFoundError, PackageError, RemoteError
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.model.storage import Finding, Verification

from .parts import FileServer, payload, sha256, weight, write_package, write_wheel

DATA, OTHER = payload(3_000_000, 1), payload(1_000_000, 2)


def du(folder: Path) -> int:
    done = subprocess.run(["du", "-s", "--block-size=1", str(folder)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[0])


def du_without_database(home: Home) -> int:
    return du(home.root) - sum(du(path) for path in home.root.glob("state.db*"))


def install(service: PackageService, source: Path) -> None:
    service.install(str(source), Progress())


@pytest.fixture
def filled(service: PackageService, home: Home, tmp_path: Path, trusted: FileServer) -> PackageService:
    """Two packages that share a weight and an environment, a third one's weight, a download that was cut off, a project, a log."""
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n" * 2000})
    shared = weight("shared.bin", trusted.add("shared", DATA), sha256(DATA))
    more = {"requirements": "toy\n", "source": "import toy\nclass Solver: ...\n"}
    install(service, write_package(tmp_path / "one", more=shared, **more))
    install(service, write_package(tmp_path / "two", more=shared + weight("own.bin", trusted.add("own", OTHER), sha256(OTHER)), **more))
    (home.staging / "downloads" / ("a" * 40 + ".part")).write_bytes(b"x" * 50_000)
    (home.staging / "downloads" / ("a" * 40 + ".json")).write_text("{}")
    project = home.projects / "raccoons"
    for part in ("checkpoints", "cache"):
        (project / part).mkdir(parents=True)
        (project / part / "file").write_bytes(b"x" * 10_000)
    (project / "project.db").write_bytes(b"x" * 5000)
    (home.logs / "daemon.log").write_bytes(b"x" * 5000)
    (home.logs / "local+one+detect.log").write_bytes(b"x" * 5000)
    (home.root / "stray").write_bytes(b"x" * 5000)
    (home.root / "link").symlink_to(home.root / "stray")
    return service


# -- disk


@pytest.mark.slow
def test_the_sum_of_all_is_what_du_says(filled: PackageService, home: Home) -> None:
    usage = filled.storage.usage()
    assert usage.total_bytes == sum(entry.bytes for entry in usage.entries) == du(home.root)
    by_name = {(entry.kind, entry.name): entry for entry in usage.entries}
    shared = by_name["weight", "shared.bin"]
    assert shared.used_by == ("local/one 1.0.0", "local/two 1.0.0") and shared.bytes >= len(DATA)
    assert by_name["weight", "own.bin"].used_by == ("local/two 1.0.0",)
    # Its weights are links to the store: counted there, once.
    assert by_name["package", "local/two 1.0.0"].bytes < 200_000
    (environment,) = [entry for entry in usage.entries if entry.kind == "environment"]
    assert environment.used_by == ("local/one 1.0.0", "local/two 1.0.0")
    kinds = {entry.kind for entry in usage.entries}
    assert kinds == {"weight", "environment", "bytecode", "package", "download", "project", "log", "state", "other"}
    assert {name for kind, name in by_name if kind == "project"} == {"raccoons: checkpoints", "raccoons: cache", "raccoons"}


def test_a_weight_is_one_file_however_many_packages_use_it(service: PackageService, home: Home, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(DATA)
    table = weight("w.bin", (tmp_path / "w").as_uri(), sha256(DATA))
    before = du_without_database(home)
    for name in ("one", "two", "three"):
        install(service, write_package(tmp_path / name, more=table))
    files = [home.packages / "local" / name / "1.0.0/pretrained/w.bin" for name in ("one", "two", "three")]
    assert len({path.stat().st_ino for path in (*files, home.weights / sha256(DATA))}) == 1
    assert du_without_database(home) - before < 1.5 * len(DATA)
    first = service.remove("one").freed_bytes
    service.remove("two")
    assert first < 100_000 and files[2].read_bytes() == DATA
    assert service.remove("three").freed_bytes >= len(DATA) and list(home.weights.iterdir()) == []


def test_weights_are_told_by_their_names_and_two_of_one_name_apart(service: PackageService, home: Home, tmp_path: Path) -> None:
    for name, data in (("one", DATA), ("two", OTHER)):
        (tmp_path / name).write_bytes(data)
        install(service, write_package(tmp_path / f"p{name}", more=weight("net.bin", (tmp_path / name).as_uri(), sha256(data))))
    (home.weights / sha256(b"left")).write_bytes(b"left")  # by a package whose row is gone
    entries = [entry for entry in service.storage.usage().entries if entry.kind == "weight"]
    assert [(entry.name, entry.used_by, entry.digest) for entry in entries] == [
        ("net.bin", ("local/pone 1.0.0",), sha256(DATA)),
        ("net.bin", ("local/ptwo 1.0.0",), sha256(OTHER)),
        ("a weight of no package", (), sha256(b"left")),
    ]
    [unused] = service.storage.prunable().entries
    assert unused.key == entries[2].key and unused.name == "a weight of no package"


def test_a_download_and_its_journal_are_one_thing_that_nobody_uses(service: PackageService, home: Home) -> None:
    for ending in ("part", "json"):
        (home.staging / "downloads" / f"{'a' * 40}.{ending}").write_bytes(b"x" * 9000)
    keys = {entry.key for entry in service.storage.usage().entries if entry.kind == "download"}
    assert keys == {entry.key for entry in service.storage.prunable().entries} and len(keys) == 1


def test_a_store_on_another_disk_is_copied_to(home: Home, hub_folder: Path, tmp_path: Path) -> None:
    """Hard links end at the edge of a disk."""
    from cvflow_tui.backend.store import open_state

    home.weights.rmdir()
    home.weights.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(home.weights)], capture_output=True).returncode:
        pytest.skip("this user cannot mount a disk")
    try:
        state = open_state(home)
        service = PackageService(home, state, hub_folder)
        (tmp_path / "w").write_bytes(DATA)
        install(service, write_package(tmp_path / "p", more=weight("w.bin", (tmp_path / "w").as_uri(), sha256(DATA))))
        kept, placed = home.weights / sha256(DATA), home.packages / "local/p/1.0.0/pretrained/w.bin"
        assert kept.read_bytes() == placed.read_bytes() == DATA and kept.stat().st_dev != placed.stat().st_dev
        usage = service.storage.usage()
        assert usage.total_bytes == sum(entry.bytes for entry in usage.entries) == du(home.root)
        assert service.storage.verify(None, Progress()).findings == ()
        state.close()
    finally:
        subprocess.run(["umount", str(home.weights)], check=True)


# -- prune


def test_nothing_is_pruned_that_somebody_uses(filled: PackageService, home: Home) -> None:
    found = filled.storage.prunable()
    assert [(entry.kind, entry.name) for entry in found.entries] == [("download", "a" * 40)]
    before = du_without_database(home)
    assert filled.storage.prune(Progress()).bytes == found.bytes == before - du_without_database(home)
    assert filled.storage.prunable().entries == () and filled.storage.verify(None, Progress()).findings == ()


def test_prune_frees_exactly_what_it_says(filled: PackageService, home: Home, tmp_path: Path) -> None:
    (home.weights / ("0" * 64)).write_bytes(OTHER)
    (home.environments / "nobodys").mkdir()
    (home.environments / "nobodys/file").write_bytes(b"x" * 100_000)
    linked = home.environments / "nobodys/linked"
    linked.hardlink_to(home.weights / sha256(DATA))  # freed only once its last link is gone
    (home.logs / "acme+gone+detect.log.1").write_bytes(b"x" * 70_000)
    found = filled.storage.prunable()
    assert {(entry.kind, entry.name) for entry in found.entries} == {
        ("weight", "a weight of no package"),
        ("environment", "nobodys"),
        ("download", "a" * 40),
        ("log", "acme+gone+detect.log.1"),
    }
    assert (home.weights / ("0" * 64)).exists() and not found.done
    before = du_without_database(home)
    done = filled.storage.prune(Progress())
    assert done.done and done.entries == found.entries
    assert done.bytes == found.bytes == before - du_without_database(home)
    assert len(filled.installed()) == 2 and filled.storage.verify(None, Progress()).findings == ()


def test_a_version_that_an_upgrade_kept_is_pruned_with_what_only_it_used(service: PackageService, home: Home, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(DATA)
    install(service, write_package(tmp_path / "a/p", more=weight("w.bin", (tmp_path / "old").as_uri(), sha256(DATA))))
    install(service, write_package(tmp_path / "b/p", version="2.0.0"))
    found = service.storage.prunable()
    assert [(entry.kind, entry.name) for entry in found.entries] == [("kept version", "local/p 1.0.0"), ("weight", "w.bin")]
    assert {entry.key for entry in found.entries} <= {entry.key for entry in service.storage.usage().entries}
    assert found.bytes >= len(DATA)
    assert service.storage.prunable(keep_versions=True).entries == service.storage.prune(Progress(), keep_versions=True).entries == ()
    assert service.kept("p") == "1.0.0"
    before = du_without_database(home)
    service._installer.in_use = lambda ref: ["1.0.0"]  # a solver still serves it
    assert service.storage.prune(Progress()).entries == ()
    service._installer.in_use = lambda ref: []
    assert service.storage.prune(Progress()).bytes == found.bytes == before - du_without_database(home)
    assert [each.version for each in service.installed()] == ["2.0.0"]
    service.recover()
    assert [each.version for each in service.installed()] == ["2.0.0"]


def test_a_download_in_progress_and_what_an_install_is_about_to_use_stay(filled: PackageService, home: Home) -> None:
    (home.environments / "soon").mkdir()
    stores, installer = filled._stores, filled._installer
    with installer._holding(["soon"]), stores.downloads._taking("a" * 40, Progress()):
        assert filled.storage.prune(Progress()).entries == ()
    assert {entry.kind for entry in filled.storage.prune(Progress()).entries} == {"environment", "download"}


# -- uv's cache


def real(*folders: Path) -> int:
    """What folders take on the disk together, a file that lies in several once."""
    return int(subprocess.run(["du", "-s", "-c", "-B1", *folders], capture_output=True, text=True, check=True).stdout.split()[-2])


@pytest.fixture
def linking(service: PackageService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageService:
    """A package whose environment is linked to a cache of its own."""
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_LINK_MODE", "hardlink")
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n" * 50_000})
    install(service, write_package(tmp_path / "p", requirements="toy\n", source="import toy\nclass Solver: ...\n"))
    return service


def test_what_is_shared_with_uvs_cache_is_told_and_freed_with_it_only(linking: PackageService, home: Home, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    usage = linking.storage.usage()
    (environment,) = [entry for entry in usage.entries if entry.kind == "environment"]
    assert 350_000 <= environment.shared <= environment.bytes and usage.shared == environment.shared
    assert (usage.cache, usage.cache_bytes) == (str(cache), du(cache))

    before, alone = real(home.root, cache), du(home.root)
    removal = linking.remove("p")
    lost = alone - du(home.root)
    assert removal.shared_bytes >= 350_000 and before - real(home.root, cache) <= lost - 350_000, "the cache has it still"

    assert [entry.kind for entry in linking.storage.prunable().entries] == ["bytecode"]
    linking.storage.prune(Progress())
    assert linking.storage.prunable().entries == ()
    found = linking.storage.prunable(cache=True)
    assert [(entry.kind, entry.name) for entry in found.entries] == [("uv's cache", str(cache))] and found.freed >= 350_000
    before = real(home.root, cache)
    assert linking.storage.prune(Progress(), cache=True).freed == found.freed
    cache.mkdir(exist_ok=True)  # uv takes the folder itself too
    assert found.freed - 100_000 < before - real(home.root, cache) <= found.freed


def test_a_removal_says_beforehand_what_the_disk_gets_back(linking: PackageService, home: Home, tmp_path: Path) -> None:
    """Two packages have one environment and one weight: each alone takes its own files along, the last one all."""
    (tmp_path / "w").write_bytes(DATA)
    table = weight("w.bin", (tmp_path / "w").as_uri(), sha256(DATA))
    for name in ("one", "two"):
        install(linking, write_package(tmp_path / name, requirements="toy\n", source="import toy\nclass Solver: ...\n", more=table))
    linking.remove("p")
    cache = tmp_path / "cache"
    first = linking.uses("one").goes
    assert [(entry.kind, entry.name) for entry in first.entries] == [("package", "local/one 1.0.0")]
    assert first.freed < 100_000 and first.shared == 0
    assert linking.remove("one").freed_bytes == first.freed
    last, before, alone = linking.uses("two").goes, real(home.root, cache), du_without_database(home)
    assert [entry.kind for entry in last.entries] == ["environment", "weight", "package"]
    assert last.entries[1].bytes >= len(DATA) and last.entries[2].bytes < 100_000, "a package has only links to its weights"
    assert last.shared >= 350_000 and last.freed == last.bytes - last.shared >= len(DATA)
    removal = linking.remove("two")
    assert (removal.freed_bytes, removal.shared_bytes) == (last.freed, last.shared)
    folders = 3 * 4096  # of the vendor, and what the staging folder kept
    assert last.bytes <= alone - du_without_database(home) <= last.bytes + folders
    assert last.freed - 100_000 <= before - real(home.root, cache) <= last.freed + 100_000  # the database is in it


def test_a_removal_takes_the_versions_that_were_kept_along(service: PackageService, home: Home, tmp_path: Path) -> None:
    root = write_package(tmp_path / "p", name="p")
    install(service, root)
    service.prove("local/p", "1.0.0")
    install(service, write_package(tmp_path / "q", name="p", version="2.0.0"))
    assert [(entry.kind, entry.name) for entry in service.uses("p").goes.entries if entry.kind != "environment"] == [
        ("package", "local/p 2.0.0"),
        ("kept version", "local/p 1.0.0"),
    ]
    service.remove("p")
    assert list(home.environments.iterdir()) == []


def test_pruning_says_what_the_disk_gets_back(linking: PackageService, home: Home, tmp_path: Path) -> None:
    (environment,) = home.environments.iterdir()
    environment.rename(home.environments / "nobodys")
    alone, both = linking.storage.prunable(), linking.storage.prunable(cache=True)
    assert alone.shared >= 350_000 and alone.freed == alone.bytes - alone.shared
    assert both.shared == 0 and both.freed >= alone.freed + alone.shared
    before = real(home.root, tmp_path / "cache")
    assert linking.storage.prune(Progress()).freed == before - real(home.root, tmp_path / "cache")


# -- verify


def shown(found: Verification) -> set[tuple[str, str, str]]:
    return {(each.part, each.path, each.kind) for each in found.findings}


@pytest.mark.slow
def test_what_is_untouched_is_found_whole(filled: PackageService) -> None:
    found = filled.storage.verify(None, Progress())
    assert found.findings == () and found.packages == ("local/one", "local/two")
    assert found.files > 10 and found.bytes > len(DATA) + len(OTHER)
    with pytest.raises(NotFoundError):
        filled.storage.verify("nowhere", Progress())


def spoil(home: Home) -> set[tuple[str, str, str]]:
    """Damage a package everywhere; what has to be found."""
    root = home.packages / "local/two/1.0.0"
    (root / "README.md").write_text("other")
    (root / "parts/solver.py").unlink()
    (root / "parts/added.py").write_text("import os")
    with (root / "runner_detect.py").open("a") as file:
        file.write("print(1)\n")
    (root / "runner_other.py").write_text("print(1)\n")
    kept = home.weights / sha256(OTHER)
    kept.chmod(0o644)
    with kept.open("r+b") as file:
        file.seek(500_000)
        file.write(b"!")
    (root / "pretrained/shared.bin").unlink()
    environment = next(home.environments.iterdir())
    site = next(environment.glob("lib/python*/site-packages"))
    module = site / "toy.py"
    text = module.read_text()
    module.unlink()  # it may be linked to the installer's cache, which is not ours to damage
    module.write_text(text + "#")
    (site / "sitecustomize.py").write_text("evil = True")
    inside = site.relative_to(environment).as_posix()
    return {
        ("file", "README.md", "damaged"),
        ("file", "parts/solver.py", "missing"),
        ("file", "parts/added.py", "extra"),
        ("file", "runner_detect.py", "damaged"),
        ("file", "runner_other.py", "extra"),
        ("weight", "pretrained/own.bin", "damaged"),
        ("weight", f"weights/{sha256(OTHER)}", "damaged"),
        ("weight", "pretrained/shared.bin", "missing"),
        ("environment", f"{inside}/toy.py", "damaged"),
        ("environment", f"{inside}/sitecustomize.py", "extra"),
    }


@pytest.mark.slow
def test_everything_that_is_not_as_installed_is_found_and_brought_back(filled: PackageService, home: Home, trusted: FileServer) -> None:
    expected = spoil(home)
    found = filled.storage.verify("two", Progress())
    assert shown(found) == expected and found.repaired == ()
    assert shown(filled.storage.verify("one", Progress())) == {each for each in expected if each[0] == "environment"}
    trusted.requests.clear()
    extra = {each for each in expected if each[2] == "extra"}
    repaired = filled.storage.verify("two", Progress(), repair=True)
    assert shown(repaired) == extra and repaired.repaired == ("local/two",), "nothing is deleted unasked"
    removed = filled.storage.verify("two", Progress(), repair=True, remove_extra=True)
    assert (removed.findings, removed.removed, removed.repaired) == ((), 3, ())
    assert len(trusted.gets("own")) == 1 and trusted.gets("shared") == []
    assert filled.storage.verify(None, Progress()).findings == ()
    assert [each.version for each in filled.installed()] == ["1.0.0", "1.0.0"] and filled.storage.prunable().entries[1:] == ()


@pytest.mark.slow
def test_a_weight_alone_is_fetched_again_without_its_package(
    filled: PackageService, home: Home, trusted: FileServer, tmp_path: Path
) -> None:
    kept = home.weights / sha256(OTHER)
    kept.unlink()
    (home.packages / "local/two/1.0.0/pretrained/own.bin").unlink()
    (tmp_path / "two").rename(tmp_path / "gone")  # where the package came from
    found = filled.storage.verify("two", Progress(), repair=True)
    assert found.findings == () and found.repaired == ("local/two",)
    assert kept.samefile(home.packages / "local/two/1.0.0/pretrained/own.bin") and kept.read_bytes() == OTHER


@pytest.mark.slow
def test_a_repair_that_cannot_be_leaves_what_there_was(filled: PackageService, home: Home, trusted: FileServer, tmp_path: Path) -> None:
    expected = spoil(home)
    (tmp_path / "two").rename(tmp_path / "gone")
    with pytest.raises((RemoteError, NotFoundError, PackageError)):
        filled.storage.verify("two", Progress(), repair=True)
    still = {each for each in shown(filled.storage.verify("two", Progress())) if each[0] != "weight"}
    assert still == {each for each in expected if each[0] != "weight"}
    assert not [path for path in home.staging.iterdir() if path.name != "downloads"]


def test_what_a_package_writes_is_a_note_and_stays(service: PackageService, home: Home, tmp_path: Path) -> None:
    install(service, write_package(tmp_path / "p"))
    root = home.packages / "local/p/1.0.0"
    for name in ("cache/hub/model.py", "temp/x.jpg", "static/out.csv", "answers.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("written")
    written = {("file", name, "written") for name in ("cache/hub/model.py", "temp/x.jpg", "static/out.csv", "answers.json")}
    found = service.storage.verify(None, Progress())
    assert found.findings == () and {(each.part, each.path, each.kind) for each in found.notes} == written
    (root / "json.py").write_text("evil = True")  # what Python would import in place of its own
    (root / "README.md").unlink()
    (root / "parts/solver.py").write_text("damaged")
    found = service.storage.verify(None, Progress(), repair=True)
    assert shown(found) == {("file", "json.py", "extra")} and len(found.notes) == 4 and found.repaired == ("local/p",)
    found = service.storage.verify(None, Progress(), remove_extra=True)
    assert (found.findings, found.notes, found.removed, found.repaired) == ((), (), 5, ())
    assert not (root / "cache").exists() and (root / "parts").is_dir()


@pytest.mark.parametrize("linked", [False, True])
def test_runner_files_are_what_was_written_at_the_installation(service: PackageService, home: Home, tmp_path: Path, linked: bool) -> None:
    """They are programs: whoever starts one by hand must get what was installed. One that an author ships is written over."""
    package = write_package(tmp_path / "p")
    (package / "runner_detect.py").write_text("print('the author has one too')\n")
    service.install(InstallRequest(str(package), editable=linked), Progress())
    assert service.storage.verify(None, Progress()).findings == ()
    file = home.packages / "local/p/1.0.0/runner_detect.json"
    file.write_text(file.read_text().replace("local/p", "evil/p"))
    assert shown(service.storage.verify(None, Progress())) == {("file", "runner_detect.json", "damaged")}
    assert service.storage.verify(None, Progress(), repair=True).findings == ()
    assert "evil" not in file.read_text()


def test_a_repair_writes_into_no_other_folder(service: PackageService, home: Home, tmp_path: Path) -> None:
    install(service, write_package(tmp_path / "p"))
    root = home.packages / "local/p/1.0.0"
    (tmp_path / "elsewhere").mkdir()
    shutil.rmtree(root / "parts")
    (root / "parts").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PackageError, match=r"parts/.* cannot be mended: it leads out"):
        service.storage.verify(None, Progress(), repair=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_lock_that_is_gone_is_said(service: PackageService, home: Home, tmp_path: Path) -> None:
    install(service, write_package(tmp_path / "p"))
    (home.packages / "local/p/1.0.0/cvflow.lock").unlink()
    assert service.storage.verify(None, Progress()).findings == (Finding("local/p", "file", "cvflow.lock", "missing"),)
    with pytest.raises(PackageError, match=r"its cvflow\.lock is gone or damaged, .*; install it again: /"):
        service.storage.verify(None, Progress(), repair=True)


def test_records_of_an_environment_are_read_as_installers_write_them(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    info = site / "toy-1.dist-info"
    info.mkdir(parents=True)
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x").digest()).rstrip(b"=").decode()
    lines = [f"toy.py,sha256={digest},1", '"odd, name.py",,', "../../../bin/toy,sha256=AA,1", "__pycache__/toy.cpython-311.pyc,,", ""]
    (info / "RECORD").write_text("\n".join([*lines, "toy-1.dist-info/RECORD,,"]))
    assert environment_files(tmp_path) == [
        (site / "toy.py", "sha256", sha256(b"x")),
        (site / "odd, name.py", "sha256", None),
        (tmp_path / "bin/toy", "sha256", "00"),
        (info / "RECORD", "sha256", None),
    ]
    (info / "RECORD").write_bytes(b"\xff")
    assert environment_files(tmp_path) == [(info / "RECORD", "sha256", "it cannot be read")]


def test_the_types_go_through_json(service: PackageService) -> None:
    from dataclasses import asdict

    assert json.loads(json.dumps(asdict(service.storage.usage())))["total_bytes"] > 0
