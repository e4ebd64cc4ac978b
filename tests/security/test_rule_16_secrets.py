"""Rule 16: what a worker is given as a secret goes to that worker and comes out nowhere."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import psutil
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.redaction import MASK, Redactor
from cvflow_tui.backend.runtime.runner.logfile import LogFile, Pump
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.errors import PackageError
from tests.faults.conftest import Habit, bytes_of, habit
from tests.runtime.conftest import package, picture, site, spec_of
from tests.runtime.helpers import Site, until, workers

__all__ = ["habit", "package", "picture", "site", "spec_of"]

SECRET = 's3cr3t/with "quotes" & é'


def forms(secret: str) -> list[bytes]:
    return [text.encode() for text in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])]


def processes() -> list[psutil.Process]:
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


def test_the_worker_has_it_and_no_other_process_shows_it(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.set_variable("tests/demo", "API_KEY", SECRET)
    client = site.start(habit("Telling"))
    assert client.infer(picture).json["caption"] == str(len(SECRET))
    runner = client.status()["id"]
    (worker,) = workers(runner)
    holders = [process.pid for process in processes() if SECRET in process.environ().values()]
    assert holders == [worker]
    assert not [process.pid for process in processes() if any(SECRET in word for word in process.cmdline())]


def test_logs_and_errors_are_without_it(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.set_variable("tests/demo/telling", "API_KEY", SECRET)
    client = site.start(habit("Telling"))
    reply = client.infer(picture, "?raises=true")
    assert (reply.status, reply.json["error"]) == (500, f"RuntimeError: no access with {MASK}")
    until(lambda: "the key is" in site.supervisor.log("tests/demo/telling").text)
    written = bytes_of(site.home.logs)
    assert f"the key is {MASK}".encode() in written
    assert b"RuntimeError: no access with" in written, "the traceback is there"
    for form in forms(SECRET):
        assert form not in written
    told = b"".join(client.send("GET", path).body for path in ("/", "/_status", "/metrics", "/openapi.json"))
    assert all(form not in told for form in forms(SECRET))


def test_a_start_that_fails_does_not_tell_it(site: Site, habit: Habit) -> None:
    site.supervisor.settings.set_variable("tests/demo/refused", "API_KEY", SECRET)
    with pytest.raises(PackageError) as failure:
        site.supervisor.start(habit("Refused"))
    assert failure.value.message == f"tests/demo/refused failed to start: ValueError: bad key {MASK}"
    for form in forms(SECRET):
        assert form.decode() not in (failure.value.detail or "")


def test_it_lies_in_private_files_only_and_is_wiped_when_unset(site: Site, habit: Habit) -> None:
    site.supervisor.settings.set_variable("tests/demo", "API_KEY", "a-rather-unique-word")
    site.supervisor.start(habit("Telling"))
    for path in site.home.root.rglob("*"):
        if path.is_file() and b"a-rather-unique-word" in path.read_bytes():
            assert path.stat().st_mode & 0o077 == 0, path
    site.supervisor.stop("tests/demo/telling")
    site.supervisor.settings.unset_variable("tests/demo", "API_KEY")
    site.supervisor.settings._state.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"a-rather-unique-word" not in bytes_of(site.home.root)


def test_no_object_prints_it(spec_of: object) -> None:
    spec = RunSpec("a/b", "1", "c", "/", "x/y/Z", "other", "python", token="a token", environment={"KEY": SECRET})
    assert SECRET not in repr(spec) and "a token" not in repr(spec)
    from cvflow_tui.backend.api.settings import VariableBody

    assert SECRET not in repr(VariableBody("a/b", "KEY", SECRET))


def test_no_core_holds_it(site: Site, habit: Habit) -> None:
    import resource

    client = site.start(habit("Telling"))
    runner = client.status()["id"]
    for pid in (runner, *workers(runner)):
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


@given(st.text(min_size=4, max_size=30), st.text(max_size=60), st.text(max_size=60))
def test_wherever_it_stands_it_is_replaced(secret: str, before: str, after: str) -> None:
    assume(len(secret.strip()) >= 4 and not any(0xD800 <= ord(letter) < 0xE000 for letter in secret))
    redactor = Redactor([secret])
    for line in secret.splitlines():
        if len(line.strip()) >= 4 and line.strip() not in MASK:
            assert line.strip() not in redactor.text(f"{before}{secret}{after}").replace(MASK, "") or line.strip() in before + after
    assert redactor.data(secret.encode()).count(MASK.encode()) >= 1


def test_a_value_of_several_lines_and_one_that_holds_another() -> None:
    key = "-----BEGIN KEY-----\nAAAABBBB\nCCCC\n-----END KEY-----"
    redactor = Redactor([key, "AAAA", "abc"])
    assert redactor.text("x AAAABBBB y") == f"x {MASK} y"
    assert redactor.text(key) == MASK
    assert redactor.text("abc stays: it is in half of all words") == "abc stays: it is in half of all words"


@given(st.integers(0, 200_000), st.integers(0, 23))
def test_a_line_without_end_does_not_cut_it_in_two(place: int, cut: int) -> None:
    import tempfile

    secret = b"hunter2-hunter2-hunter2"
    data = b"y" * place + secret + b"z" * 200_000
    with tempfile.TemporaryDirectory() as folder:
        out, err = os.dup(1), os.dup(2)
        try:
            log = LogFile(Path(folder) / "x.log", redactor=Redactor([secret.decode()]))
        finally:
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.close(out)
            os.close(err)
        pump, at = Pump(log), 0
        for size in [place + cut, *[65_000] * 8]:
            pump.data_received(data[at : at + size])
            at += size
        pump.connection_lost(None)
        os.close(log._descriptor)
        os.close(log._times)
        written = (Path(folder) / "x.log").read_bytes().replace(b"\n", b"")
    assert secret not in written
    assert MASK.encode() in written
    assert written.replace(MASK.encode(), b"").strip(b"y").strip(b"z") == b""


def test_the_api_takes_it_and_never_gives_it_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import asyncio

    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.backend.daemon.daemon import Daemon
    from cvflow_tui.home import Home
    from cvflow_tui.model.errors import CvflowError

    home = Home(tmp_path / "home")
    daemon = Daemon(home)

    async def main() -> str:
        told: list[object] = []
        async with DaemonClient(daemon.url, daemon.token) as client:
            job = await client.install("nanodet")
            assert [each.error async for each in client.follow(job.id)][-1] is None
            told.append(await client.set_variable("nanodet", "API_KEY", SECRET))
            told.append(await client.variables("nanodet"))
            (name, *_) = (await client.package("nanodet")).solvers
            told += [await client.settings(name.name), await client.package("nanodet"), await client.solvers()]
            for bad in ("A=B", "CVFLOW_X"):
                try:
                    await client.set_variable("nanodet", bad, SECRET)
                except CvflowError as error:
                    told.append((error.message, error.detail))
        daemon.stop()
        return repr(told)

    async def whole() -> str:
        serving = asyncio.create_task(daemon.serve())
        try:
            return await main()
        finally:
            daemon.stop()
            await serving

    told = asyncio.run(whole())
    assert "API_KEY" in told
    assert "s3cr3t" not in told
    assert b"s3cr3t" not in bytes_of(home.logs)
    assert "s3cr3t" not in "".join(capfd.readouterr())
    assert threading.active_count() < 100
