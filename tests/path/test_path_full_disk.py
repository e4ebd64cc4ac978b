"""A home on a disk that is full: every command says so in one line with code 4, and leaves the folder as it was."""

from __future__ import annotations

import asyncio
import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.backend.client import DaemonClient, find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Draw
from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Cvflow]:
    """A home on a disk of 24 MB, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user cannot mount a small disk")
    program = Cvflow(folder / "home")
    yield program
    empty(program)
    program.run("daemon", "stop", "--solvers")
    for process in program.processes():
        process.kill()
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(program: Cvflow) -> None:
    with (program.home.parent / "filler").open("ab", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC


def empty(program: Cvflow) -> None:
    (program.home.parent / "filler").unlink(missing_ok=True)


def held(program: Cvflow) -> set[str]:
    """Every file of the home but the database's own and the logs."""
    files = {str(path.relative_to(program.home)) for path in program.home.rglob("*") if path.is_file()}
    return {name for name in files if not name.startswith("logs/") and not name.endswith(("-wal", "-shm"))}


def refused(program: Cvflow, *arguments: str) -> None:
    """The command ends with 4 and one line, and the home holds what it held."""
    before = held(program)
    done = program.run(*arguments)
    assert done.returncode == 4, (arguments, done.stderr)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("cvflow: no disk space: "), (arguments, last)
    assert done.stderr.count("cvflow: ") == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stdout == ""
    assert held(program) == before, arguments


def test_every_command_that_writes(small: Cvflow, photographs: Path) -> None:
    picture = str(photographs / "coffee.png")
    small.ok("install", "nanodet", "--yes")
    small.ok("project", "new", "cups", picture, "--labels", "cup")
    out = small.home.parent
    fill(small)
    refused(small, "start", "nanodet")
    assert small.json("ps") == []
    refused(small, "install", "face_utility", "--yes")
    refused(small, "project", "new", "more", picture, "--labels", "cup")
    refused(small, "project", "export", "cups", "--out", str(out / "cups.json"))
    empty(small)
    small.ok("start", "nanodet")
    fill(small)
    assert small.json("infer", picture, "--solver", "nanodet")["objects"], "what runs goes on serving"
    refused(small, "label", picture, "--solver", "nanodet", "--out", str(out / "labels.json"))
    assert f"no disk space: {out} is full" in small.run("label", picture, "--solver", "nanodet", "--out", str(out / "labels.json")).stderr
    assert sorted(path.name for path in out.iterdir()) == ["filler", "home"]
    empty(small)
    assert [solver["state"] for solver in small.json("ps")] == ["ready"]
    small.ok("label", picture, "--solver", "nanodet", "--out", str(out / "labels.json"))
    small.ok("stop", "nanodet")


def test_a_daemon_does_not_begin_and_leaves_nothing(small: Cvflow) -> None:
    small.ok("list")
    small.ok("daemon", "stop")
    fill(small)
    refused(small, "daemon", "run")
    refused(small, "list")
    empty(small)
    assert small.json("list") == []


def test_what_serves_is_not_ended_for_a_restart_that_cannot_be(small: Cvflow, photographs: Path) -> None:
    picture = str(photographs / "coffee.png")
    small.ok("install", "nanodet", "--yes")
    small.ok("start", "nanodet")
    fill(small)
    refused(small, "restart", "nanodet")
    assert small.json("infer", picture, "--solver", "nanodet")["objects"]
    empty(small)
    (before,) = small.json("ps")
    after = small.json("restart", "nanodet")
    assert after["port"] == before["port"] and after["pid"] != before["pid"]


def test_what_serves_is_seen_and_ended_without_a_daemon(small: Cvflow) -> None:
    small.ok("install", "nanodet", "--yes")
    started = small.json("start", "nanodet")
    small.ok("daemon", "stop")
    fill(small)
    (found,) = small.json("ps")
    assert (found["state"], found["pid"]) == ("ready", started["pid"])
    fill(small)
    small.ok("stop", "nanodet")
    assert small.json("ps") == [] and not any(process.pid == started["pid"] for process in small.processes())


def test_an_act_that_cannot_be_journalled_is_refused_and_not_there(small: Cvflow, photographs: Path) -> None:
    small.ok("project", "new", "cups", str(photographs / "coffee.png"), "--labels", "cup")
    fill(small)

    async def draw_until_refused() -> int:
        address = find_daemon(Home(small.home))
        assert address is not None
        async with DaemonClient.at(address) as client:
            (page,) = (await client.pictures("cups")).pictures
            for number in range(2000):  # the journal may have some room of its own left
                try:
                    await client.act("cups", page.id, Draw("cup", Box(0, 0, 10 + number % 100, 20)))
                except RefusedError as error:
                    assert error.message.startswith("no disk space: ")
                    return number
        raise AssertionError("a full disk took two thousand acts")

    done = asyncio.run(draw_until_refused())
    assert small.json("project", "status", "cups")["project"]["annotations"] == done
    empty(small)
    assert small.json("project", "status", "cups")["project"]["annotations"] == done


def test_a_package_is_removed_and_what_nobody_uses_is_pruned(small: Cvflow) -> None:
    """What makes room needs a little of it: the ballast is given up for that, and comes back."""
    small.ok("install", "nanodet", "--yes")
    ballast = small.home / "ballast"
    assert ballast.stat().st_blocks * 512 >= 1 << 20
    fill(small)
    refused(small, "start", "nanodet")
    assert ballast.exists(), "nothing but what makes room takes it"
    assert "freed" in small.ok("remove", "nanodet", "--yes")
    assert small.json("list") == []
    fill(small)
    (small.home / "weights" / ("a" * 64)).write_bytes(b"")
    assert small.json("prune", "--yes")["done"]
    empty(small)
    small.ok("install", "nanodet", "--yes")
    small.ok("remove", "nanodet", "--yes")
    assert ballast.stat().st_size == 1 << 20
