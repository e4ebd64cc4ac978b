"""What lies in a package's folder and is no plain file with a plain name: told, and gone where that is asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError

from .parts import sha256, weight, write_package
from .test_storage import install, shown


@pytest.fixture
def root(service: PackageService, home: Home, tmp_path: Path) -> Path:
    """An installed package's folder."""
    install(service, write_package(tmp_path / "p"))
    return home.packages / "local/p/1.0.0"


def test_a_name_that_is_no_text_is_told_in_text(service: PackageService, root: Path) -> None:
    odd = root / os.fsdecode(b"b\xffd.py")
    odd.write_text("x = 1\n")
    found = service.storage.verify(None, Progress(), repair=True)
    assert shown(found) == {("file", "b\\xffd.py", "extra")}
    assert service.storage.verify(None, Progress(), remove_extra=True).removed == 1 and not odd.exists()


def test_a_name_that_is_no_text_beside_the_packages_is_told_in_text(service: PackageService, home: Home) -> None:
    for folder in (home.root, home.projects, home.logs, home.staging, home.environments):
        (folder / os.fsdecode(b"str\xffay")).mkdir()
        (folder / os.fsdecode(b"str\xffay") / "file").write_bytes(b"x")
    for entry in (*service.storage.usage().entries, *service.storage.prunable().entries):
        entry.name.encode()


def test_a_folder_in_the_place_of_a_file_is_left_where_it_holds_something(service: PackageService, root: Path) -> None:
    (root / "README.md").unlink()
    (root / "README.md").mkdir()
    (root / "README.md/mine.txt").write_text("do not lose me")
    (root / "parts/solver.py").unlink()
    with pytest.raises(PackageError, match=r"README\.md .*a folder stands in its place, .* --remove-extra"):
        service.storage.verify(None, Progress(), repair=True)
    assert (root / "README.md/mine.txt").read_text() == "do not lose me"
    assert (root / "parts/solver.py").is_file(), "the rest was mended all the same"
    found = service.storage.verify(None, Progress(), repair=True, remove_extra=True)
    assert (found.findings, found.notes) == ((), ()) and (root / "README.md").is_file()


def test_an_empty_folder_in_the_place_of_a_file_gives_way(service: PackageService, root: Path) -> None:
    (root / "README.md").unlink()
    (root / "README.md").mkdir()
    assert service.storage.verify(None, Progress(), repair=True).findings == ()


def test_a_pipe_is_deleted_as_it_is_said(service: PackageService, root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    os.mkfifo(root / "answers")
    found = service.storage.verify(None, Progress())
    assert shown(found) == {("file", "pipe.py", "extra")} and [each.path for each in found.notes] == ["answers"]
    assert service.storage.verify(None, Progress(), remove_extra=True).removed == 2
    assert not (root / "pipe.py").exists() and not (root / "answers").exists()


def test_a_pipe_in_the_place_of_a_file_gives_way(service: PackageService, root: Path) -> None:
    (root / "README.md").unlink()
    os.mkfifo(root / "README.md")
    assert service.storage.verify(None, Progress(), repair=True).findings == ()
    assert (root / "README.md").is_file()


def test_a_link_in_the_place_of_a_folder_goes_and_the_folder_comes_back(service: PackageService, root: Path, tmp_path: Path) -> None:
    (root / "parts").rename(tmp_path / "elsewhere")
    (root / "parts").symlink_to(tmp_path / "elsewhere")
    found = service.storage.verify(None, Progress(), repair=True, remove_extra=True)
    assert found.findings == () and found.removed == 1
    assert not (root / "parts").is_symlink() and (root / "parts/solver.py").is_file() and (tmp_path / "elsewhere/solver.py").is_file()


def test_a_file_in_the_place_of_a_folder_is_told_and_goes_where_that_is_asked(service: PackageService, root: Path) -> None:
    shutil.rmtree(root / "parts")
    (root / "parts").write_text("in the way")
    with pytest.raises(PackageError, match=r"parts/solver\.py cannot be mended: a file stands in the place of a folder, .* --remove-extra"):
        service.storage.verify(None, Progress(), repair=True)
    assert service.storage.verify(None, Progress(), repair=True, remove_extra=True).findings == ()


@pytest.mark.parametrize("pipe", [False, True])
def test_what_is_no_weight_in_the_store_stands_in_nobodys_way(service: PackageService, home: Home, tmp_path: Path, pipe: bool) -> None:
    (tmp_path / "w").write_bytes(b"x" * 5000)
    install(service, write_package(tmp_path / "p", more=weight("w.bin", (tmp_path / "w").as_uri(), sha256(b"x" * 5000))))
    kept = home.weights / sha256(b"x" * 5000)
    kept.unlink()
    if pipe:
        os.mkfifo(kept)
    else:
        kept.mkdir()
        (kept / "file").touch()
    (home.weights / "dir").mkdir()
    assert service.storage.verify(None, Progress(), repair=True).findings == ()
    assert kept.samefile(home.packages / "local/p/1.0.0/pretrained/w.bin")
    install(service, write_package(tmp_path / "q"))
    service.remove("p")
    assert list(home.weights.iterdir()) == []


def test_weights_that_come_with_packages_are_kept_once_too(service: PackageService, home: Home, tmp_path: Path) -> None:
    for name, version in (("a", "1.0.0"), ("b", "1.0.0"), ("c/a", "2.0.0")):
        root = write_package(tmp_path / name, version=version, more=weight("w.bin", "w.bin"))
        (root / "w.bin").write_bytes(b"x" * 100_000)
        install(service, root)
    placed = [home.packages / f"local/{place}/pretrained/w.bin" for place in ("a/1.0.0", "a/2.0.0", "b/1.0.0")]
    assert len({path.stat().st_ino for path in (*placed, home.weights / sha256(b"x" * 100_000))}) == 1
    assert service.storage.verify(None, Progress()).findings == ()


def test_a_package_that_cannot_be_repaired_keeps_no_other_from_it(service: PackageService, home: Home, tmp_path: Path) -> None:
    for name in ("a", "z"):
        install(service, write_package(tmp_path / name))
        (home.packages / f"local/{name}/1.0.0/README.md").write_text("other")
    (home.packages / "local/a/1.0.0/cvflow.lock").unlink()
    with pytest.raises(PackageError, match=r"^local/a: its cvflow\.lock is gone"):
        service.storage.verify(None, Progress(), repair=True)
    assert (home.packages / "local/z/1.0.0/README.md").read_text() == "# z\n"


@pytest.mark.parametrize("where", ["parts", "parts/solver.py"])
def test_a_link_to_the_same_contents_is_not_what_was_installed(service: PackageService, root: Path, tmp_path: Path, where: str) -> None:
    """Whoever may write behind it changes the package."""
    (root / where).rename(tmp_path / "elsewhere")
    (root / where).symlink_to(tmp_path / "elsewhere")
    damaged = {name for _, name, kind in shown(service.storage.verify(None, Progress())) if kind == "damaged"}
    assert "parts/solver.py" in damaged
    found = service.storage.verify(None, Progress(), repair=True, remove_extra=where == "parts")
    assert found.findings == () and found.repaired == ("local/p",)
    assert not (root / where).is_symlink() and (root / "parts/solver.py").is_file() and (tmp_path / "elsewhere").exists()


def test_a_home_behind_a_link_is_as_good_as_any(home: Home, state: Database, hub_folder: Path, tmp_path: Path) -> None:
    home.root.rename(tmp_path / "real")
    home.root.symlink_to(tmp_path / "real")
    service = PackageService(home, state, hub_folder)
    install(service, write_package(tmp_path / "p"))
    assert service.storage.verify(None, Progress()).findings == ()


def test_what_is_told_of_a_repair_is_how_it_is_afterwards(service: PackageService, root: Path) -> None:
    whole = service.storage.verify(None, Progress())
    shutil.rmtree(root / "parts")
    found = service.storage.verify(None, Progress(), repair=True)
    assert (found.files, found.bytes) == (whole.files, whole.bytes) and found.repaired == ("local/p",)
