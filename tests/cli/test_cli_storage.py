"""`cvflow disk`, `prune` and `verify` as a script and as a person see them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cvflow_tui.model.errors import RemoteError
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.storage import DiskEntry, DiskUsage, Finding, Pruning, Verification

from .conftest import Cli
from .fake_client import FakeClient

ENTRIES = (DiskEntry("weight", "a.onnx", 3_000_000, ("acme/one 1.0",), shared=2_000_000), DiskEntry("log", "old.log", 1000))
BROKEN = Finding("acme/one", "file", "x\x1b[31m.py", "damaged")


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the daemon says, and what it was asked."""
    told: dict[str, Any] = {"asked": [], "findings": (), "prunable": Pruning(ENTRIES, 3_001_000)}

    def job(kind: str, result: object) -> Job:
        told["result"] = Job(id="7", kind=kind, subject="", state=JobState.DONE, result=result)
        running: Job = replace(told["result"], state=JobState.RUNNING, result=None)
        return running

    async def disk(_: FakeClient) -> DiskUsage:
        return DiskUsage("/home", 3_001_000, 5_000_000, ENTRIES, "/cache", 9_000_000)

    async def prunable(_: FakeClient, *, keep_versions: bool = False, cache: bool = False) -> Pruning:
        found: Pruning = told["prunable"]
        return found

    async def prune(_: FakeClient, *, keep_versions: bool = False, cache: bool = False) -> Job:
        told["asked"].append("prune" + ", keep versions" * keep_versions + ", cache" * cache)
        return job("prune", replace(told["prunable"], done=True))

    async def verify(
        _: FakeClient, ref: str | None = None, *, repair: bool = False, remove_extra: bool = False, offline: bool = False
    ) -> Job:
        told["asked"].append((ref, repair, offline) if offline else (ref, repair))
        return job("verify", Verification(("acme/one",), 3, 1000, told["findings"], told.get("notes", ())))

    async def follow(_: FakeClient, job_id: str) -> Any:
        yield told["result"]

    for name, method in (("disk", disk), ("prunable", prunable), ("prune", prune), ("verify", verify), ("follow", follow)):
        monkeypatch.setattr(FakeClient, name, method, raising=False)
    return told


@pytest.mark.usefixtures("storage")
def test_a_daemon_that_goes_away_in_the_middle_is_said_with_what_to_do(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    async def follow(_: FakeClient, job_id: str) -> Any:
        yield Job(id="7", kind="verify", subject="", state=JobState.RUNNING)
        raise RemoteError("the daemon at http://127.0.0.1:1 cannot be reached: it hung up")

    monkeypatch.setattr(FakeClient, "follow", follow)
    done = cli("verify")
    assert done.code == 5
    assert "it hung up; where the daemon has ended, so has the verify: give the command again" in done.err


@pytest.mark.usefixtures("storage")
def test_disk_lists_what_takes_room(cli: Cli) -> None:
    done = cli("disk")
    assert done.code == 0 and done.out.splitlines()[0].split("\t") == ["3.0 MB", "weight", "a.onnx", "acme/one 1.0", "2.0 MB"]
    assert "2.0 MB of it is shared" in done.err and "uv's cache: 9.0 MB in /cache" in done.err
    assert "3.0 MB in /home; 5.0 MB free" in done.err
    assert json.loads(cli("disk", "--json").out)["entries"][1]["name"] == "old.log"


def test_prune_asks_first_and_prints_json_alone(cli: Cli, storage: dict[str, Any]) -> None:
    assert cli("prune").code == 4 and storage["asked"] == []
    dry = cli("prune", "--dry-run", "--json")
    assert json.loads(dry.out)["done"] is False and storage["asked"] == []
    done = cli("prune", "--yes", "--json")
    assert json.loads(done.out)["done"] is True and storage["asked"] == ["prune"]
    assert "old.log" in done.err
    assert cli("prune", "--yes", "--quiet").out == ""
    assert cli("prune", "--yes", "--keep-versions").code == 0 and storage["asked"][-1] == "prune, keep versions"
    storage["prunable"] = Pruning(ENTRIES, 3_001_000, shared=2_000_000)
    assert "1.0 MB freed; 2.0 MB more went" in cli("prune", "--yes", "--cache").out and storage["asked"][-1] == "prune, cache"
    storage["prunable"] = Pruning()
    assert "there is nothing that nobody uses" in cli("prune").out


def test_verify_exits_with_6_where_something_is_not_as_installed(cli: Cli, storage: dict[str, Any]) -> None:
    done = cli("verify")
    assert done.code == 0 and "3 files (1.0 kB) of 1 package: all as installed" in done.out
    storage["notes"] = tuple(Finding("acme/one", "file", f"ca\x1b[31mche/{number}", "written") for number in range(3))
    done = cli("verify", "--remove-extra")
    assert done.code == 0 and "acme/one wrote 3 files since: ca" in done.out and "\x1b" not in done.out
    storage["findings"] = (BROKEN,)
    done = cli("verify", "one", "--repair")
    assert done.code == 6 and storage["asked"][-1] == ("one", True)
    assert "\x1b" not in done.out and "damaged" in done.out and "1 not as installed" in done.out
    done = cli("verify", "--json")
    assert done.code == 6 and json.loads(done.out)["findings"][0]["kind"] == "damaged"
