"""`jobs`: what the daemon is at, and calling it off."""

from __future__ import annotations

from cvflow_tui.backend.jobs import Progress
from tests.cli.conftest import Cli
from tests.cli.fake_client import FakeClient


def endless(progress: Progress) -> None:
    progress.step("environment\x1b[2J", total=10, unit="files")
    progress.cancelled.wait(30)
    progress.check()


def test_a_job_whose_command_has_gone_is_listed_and_called_off(cli: Cli, client: FakeClient) -> None:
    assert cli("jobs").out == ""
    job = client.board.start("install", "nanodet", endless)
    client.board.wait(job.id, 0, 5.0)
    (told,) = cli("jobs", "--json").json
    assert (told["id"], told["state"]) == (job.id, "running")
    line = cli("jobs").out
    assert job.id in line
    assert "\x1b" not in line
    assert cli("jobs", "--cancel", job.id).out == "the install of nanodet is cancelled\n"
    assert cli("jobs").out == ""
    assert [told["state"] for told in cli("jobs", "--all", "--json").json] == ["cancelled"]


def test_an_unknown_job(cli: Cli) -> None:
    assert cli("jobs", "--cancel", "nobody").code == 3
