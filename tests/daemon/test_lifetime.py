"""The daemon in a thread of this process: it serves, it lets go, it leaves nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from cvflow_tui.backend.client import DaemonClient, find_daemon
from cvflow_tui.backend.daemon import Daemon, EmbeddedDaemon, connect
from cvflow_tui.backend.daemon.lock import HomeLock, is_held
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.cli.daemon import wait_for_end
from cvflow_tui.cli.session import connect_or_start
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, RefusedError, RemoteError, UsageError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_an_embedded_daemon_is_found_and_ends_when_told(home: Home) -> None:
    daemon = EmbeddedDaemon(home)
    daemon.start()

    async def visit() -> None:
        client = await connect(home, start=False)
        status = await client.status()
        assert (status.url, status.embedded, status.home) == (daemon.url, True, str(home.root))
        await client.shutdown()
        await client.close()

    asyncio.run(visit())
    daemon.stop()
    assert find_daemon(home) is None
    assert not home.daemon_file.exists()
    Daemon(home)._lock.release()


@pytest.mark.parametrize("how", ["gone", "half", "another", "bytes", "pipe"])
def test_who_damages_the_file_by_which_it_is_found_locks_nobody_out(home: Home, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr("cvflow_tui.backend.daemon.daemon.LOOK_SECONDS", 0.05)
    daemon = EmbeddedDaemon(home)
    daemon.start()
    try:
        before, file = home.daemon_file.read_text(), home.daemon_file
        if how in ("gone", "pipe"):
            file.unlink()
        if how == "pipe":
            os.mkfifo(file)
        damage = {"half": before[:20].encode(), "another": b'{"url": "http://127.0.0.1:1", "pid": 1}', "bytes": b"\xff\xfe"}
        if how in damage:
            file.write_bytes(damage[how])
        deadline = time.monotonic() + 20
        while not (file.is_file() and file.read_bytes() == before.encode()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (found := find_daemon(home)) is not None and found.url == daemon.url
        assert file.stat().st_mode & 0o777 == 0o600
    finally:
        daemon.stop()
    assert not home.daemon_file.exists()


def test_a_daemon_that_cannot_begin_lets_go_of_the_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = EmbeddedDaemon(home)

    def fail() -> None:
        raise OSError("a bad disk")

    monkeypatch.setattr(daemon._daemon._rooms, "recover", fail)
    with pytest.raises(CvflowError, match="a bad disk"):
        daemon.start()
    daemon.stop()
    again = EmbeddedDaemon(home)
    again.start()
    again.stop()


def test_no_solver_is_started_while_the_daemon_ends(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = EmbeddedDaemon(home)
    rooms = daemon._daemon._rooms
    order: list[str] = []
    monkeypatch.setattr(rooms.supervisor, "stop_all", lambda: order.append("solvers"))
    daemon.start()

    def work(progress: Progress) -> None:
        progress.cancelled.wait(20)
        with pytest.raises(RefusedError, match="the daemon is ending"):
            rooms._endpoint("a/b/c")
        order.append("job")

    rooms.jobs.start("round", "p", work)
    daemon.stop(stop_solvers=True)
    assert order == ["job", "solvers"], "what works with a solver is called off before the solver is"


def test_a_shutdown_answers_those_who_wait(home: Home) -> None:
    daemon = EmbeddedDaemon(home)
    daemon.start()
    job = daemon._daemon._rooms.jobs.start("install", "x", lambda progress: progress.cancelled.wait(60))

    async def wait_and_shut_down() -> None:
        async with DaemonClient(daemon.url, daemon.token) as client:
            waiting = asyncio.create_task(client.job(job.id, newer_than=1000, wait=30.0))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            began = time.monotonic()
            await client.shutdown()
            assert (await waiting).id == job.id
            assert time.monotonic() - began < 15

    asyncio.run(wait_and_shut_down())
    daemon.stop()


def test_nothing_answers_where_no_daemon_is(home: Home) -> None:
    with pytest.raises(RemoteError, match="cvflow daemon run"):
        asyncio.run(connect(home, start=False))


async def test_who_finds_a_daemon_that_is_about_to_begin_waits_for_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commands at once on a home without a daemon: the one whose daemon is refused takes the other's, however long that takes."""
    daemon, begin = EmbeddedDaemon(home), threading.Event()
    assert is_held(home)
    monkeypatch.setattr(daemon._daemon._rooms, "recover", begin.wait)
    waiting = asyncio.create_task(connect(home))
    await asyncio.sleep(2.5)
    assert (home.logs / "daemon.err").exists(), "a daemon of its own was begun"
    assert not waiting.done(), "nobody has said yet that it failed"
    begin.set()
    await asyncio.to_thread(daemon.start)
    async with await waiting as client:
        assert (await client.status()).url == daemon.url
    await asyncio.to_thread(daemon.stop)


async def test_who_comes_while_a_daemon_ends_is_served_by_the_next(home: Home) -> None:
    """It has withdrawn, and holds the home until what it was at is called off."""
    ending, go_on = EmbeddedDaemon(home), threading.Event()
    await asyncio.to_thread(ending.start)
    ending._daemon._rooms.jobs.start("install", "x", lambda _: go_on.wait(60))
    ending._daemon.stop()
    assert find_daemon(home) is None
    waiting = asyncio.create_task(connect(home))
    await asyncio.sleep(2.0)
    assert is_held(home) and not waiting.done(), "it has the home until it has ended"
    go_on.set()
    await asyncio.to_thread(ending.stop)
    async with await waiting as client:
        found = await client.status()
        assert found.url != ending.url and not found.embedded
        await client.shutdown()
    await wait_for_end(found.pid)


async def test_a_command_whose_daemon_ends_before_it_has_asked_asks_the_next(home: Home) -> None:
    first = EmbeddedDaemon(home)
    await asyncio.to_thread(first.start)
    async with await connect_or_start(home) as client:
        await asyncio.to_thread(first.stop)
        assert await client.packages() == []
        second = await client.status()
        assert second.url != first.url
        async with await connect_or_start(home) as other:
            await other.shutdown()
        await wait_for_end(second.pid)
        with pytest.raises(RemoteError, match="cannot be reached"):  # what was begun with that one is gone with it
            await client.packages()
    assert find_daemon(home) is None, "and nobody starts another for it"


async def test_a_daemon_that_hangs_is_named_with_what_ends_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvflow_tui.backend.daemon.reach.START_SECONDS", 2.0)
    monkeypatch.setattr(sys.modules["cvflow_tui.backend.client.answering"], "PATIENCE", 0.5)  # the package has a function of that name
    client = await connect(home)
    found = await client.status()
    os.kill(found.pid, signal.SIGSTOP)
    try:
        with pytest.raises(RemoteError, match=rf"pid {found.pid}\) at .* lives and does not answer; end it: kill -9 {found.pid} "):
            await connect(home)
    finally:
        os.kill(found.pid, signal.SIGCONT)
    await client.shutdown()
    await wait_for_end(found.pid)
    await client.close()


@pytest.mark.parametrize("embedded", [False, True])
def test_a_home_that_nobody_lets_go_of_is_refused_after_a_while(home: Home, monkeypatch: pytest.MonkeyPatch, embedded: bool) -> None:
    monkeypatch.setattr("cvflow_tui.backend.daemon.daemon.WAIT_SECONDS", 1.0)
    home.make()
    lock, began = HomeLock(home), time.monotonic()
    with pytest.raises(RefusedError, match=r"another process\) already serves"):
        Daemon(home, embedded=embedded)
    assert embedded or time.monotonic() - began >= 1.0
    lock.release()
    HomeLock(home).release()


def test_a_taken_port_and_a_foreign_address_are_refused_and_the_home_stays_free(home: Home, tmp_path: Path) -> None:
    first = EmbeddedDaemon(home)
    first.start()
    port = int(first.url.rpartition(":")[2])
    other = Home(tmp_path / "other")
    try:
        with pytest.raises(RefusedError, match=f"port {port} is in use by"):
            Daemon(other, port=port)
        with pytest.raises(UsageError, match=r"192\.0\.2\.1"):
            Daemon(other, host="192.0.2.1", i_know=True)
        with pytest.raises(RefusedError, match="already serves"):
            Daemon(home)
    finally:
        first.stop()
    Daemon(other)._lock.release()


async def test_a_daemon_that_cannot_start_says_why_in_one_line(home: Home) -> None:
    home.make()
    home.state_db.write_bytes(b"no database at all" * 100)
    with pytest.raises(CvflowError) as raised:
        await connect(home)
    assert raised.value.message.startswith(f"the daemon could not start: {home.state_db}: file is not a database; move it away")
