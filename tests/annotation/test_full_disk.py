"""A disk without room: one clear line, and nothing half-done."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cvflow_tui.backend.annotation.registry import Registry
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.projects import ProjectSettings
from cvflow_tui.model.space import is_full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB, where the machine lets us mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk (tmpfs) needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_project_on_a_full_disk_is_refused_and_leaves_nothing(tmp_path: Path, small_disk: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(picture)
    home = Home(small_disk)
    home.make()
    state = open_state(Home(tmp_path))
    registry = Registry(home, state)
    with (small_disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(b"x" * 4096)
    with pytest.raises(RefusedError, match=r"^no disk space: .* is full"):
        registry.create("pets", [str(picture)], ["cat"], ProjectSettings(), None)
    assert list(home.projects.iterdir()) == []
    (small_disk / "filler").unlink()
    registry.create("pets", [str(picture)], ["cat"], ProjectSettings(), None).close()
    assert [path.name for path in home.projects.iterdir()] == ["pets"]
    state.close()


def test_what_counts_as_full() -> None:
    assert is_full(OSError(errno.ENOSPC, "x"))
    assert is_full(OSError(errno.EDQUOT, "x"))
    assert not is_full(OSError(errno.EACCES, "x"))
    assert not is_full(ValueError("x"))
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA max_page_count = 2")
    database.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as caught:
        database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert is_full(caught.value)
    database.close()
