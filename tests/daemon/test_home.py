"""Home folders that can't be used: one line that says why and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A disk with a home folder on it that nobody may write to, where the machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("this user cannot mount a disk")
    Home(folder / "old").make()
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["old", "new"])
def test_a_home_on_a_read_only_disk_is_refused(read_only: Path, name: str) -> None:
    with pytest.raises(RefusedError, match=r"^the home folder can't be used: .*; choose another with --home"):
        Home(read_only / name).make()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RefusedError, match="File exists"):
        Home(tmp_path / "file").make()
    with pytest.raises(RefusedError, match="Not a directory"):
        Home(tmp_path / "file" / "below").make()


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="File name too long"):
        Home(tmp_path / ("d" * 300)).make()


def test_a_home_is_private_and_may_be_made_twice(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")
    home.make()
    home.make()
    assert home.root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["weights/net.pt", "environments/prod/main.tf", "packages/a/b/1/x.py", "staging/site/index.html", "notes"])
def test_a_folder_with_other_things_in_it_is_no_home_and_stays_as_it_is(tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "theirs" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("precious")
    before = sorted((tmp_path / "theirs").rglob("*"))
    environment = {**os.environ, "CVFLOW_HOME": str(tmp_path / "theirs")}
    for command in (["list"], ["daemon", "run"], ["doctor", "nanodet"]):
        done = subprocess.run([sys.executable, "-m", "cvflow_tui", *command], env=environment, capture_output=True, text=True, timeout=60)
        assert (
            done.returncode == RefusedError.exit_code and f"not empty ({name.partition('/')[0]} is in it)" in done.stderr.splitlines()[-1]
        )
    assert sorted((tmp_path / "theirs").rglob("*")) == before and theirs.read_text() == "precious"


def test_an_empty_folder_becomes_a_home_even_where_a_disk_begins(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    Home(tmp_path).make()
    (tmp_path / "weights" / "one").touch()
    Home(tmp_path).make()


def test_a_home_that_is_named_by_an_empty_variable_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cvflow_tui", "--home", "", "list"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (2, []) and "--home needs a folder" in done.stderr
