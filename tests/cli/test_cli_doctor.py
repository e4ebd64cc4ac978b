"""`doctor`, and the options that say what an environment should have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.packages import InstallPlan, InstallRequest
from tests.cli.conftest import Cli
from tests.cli.fake_client import FakeClient

STOPS = Finding("requirements", "toy cannot be had", "try --relax", detail="the whole\nstory")
WARNS = Finding("gpu", "no GPU is here", "find one", blocks=False)


@pytest.fixture
def asked(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> list[InstallRequest]:
    """The requests that were planned; `client.findings` is what each plan finds."""
    requests: list[InstallRequest] = []
    plain = client.plan_install

    async def plan(request: InstallRequest | str) -> InstallPlan:
        requests.append(InstallRequest.of(request))
        found = client.findings
        problems = tuple(finding.sentence for finding in found if finding.blocks)
        return replace(await plain(request), findings=found, problems=problems)

    monkeypatch.setattr(client, "plan_install", plan)
    return requests


def test_a_package_that_can_run(cli: Cli, asked: list[InstallRequest]) -> None:
    outcome = cli("doctor", "nanodet")
    assert outcome.code == 0 and "cvflow/nanodet 1.0.0 can be installed here" in outcome.out


def test_what_stops_comes_first_and_gives_the_code(cli: Cli, client: FakeClient, asked: list[InstallRequest]) -> None:
    client.findings = (WARNS, STOPS)
    outcome = cli("doctor", "nanodet", "-q")
    assert outcome.code == 6 and outcome.err == ""
    assert outcome.out.index("toy cannot be had") < outcome.out.index("try --relax") < outcome.out.index("no GPU is here")
    assert "story" not in outcome.out and "| story" in cli("doctor", "nanodet", "--details").out
    client.findings = (replace(STOPS, code="remote"),)
    assert cli("doctor", "nanodet").code == 5
    client.findings = (WARNS,)
    assert cli("doctor", "nanodet").code == 0
    assert not any(call.startswith("install") for call in client.calls)


def test_what_would_fail_at_the_installation_is_in_the_way_and_yet_not_refused(
    cli: Cli, client: FakeClient, asked: list[InstallRequest]
) -> None:
    fails = Finding("imports", "net.py imports cv2, and no requirement brings it", "add --with toy", blocks=False, fails=True)
    client.findings = (WARNS, fails)
    outcome = cli("doctor", "nanodet")
    assert outcome.code == 6 and "cvflow/nanodet 1.0.0 is likely to fail here" in outcome.out
    assert outcome.out.index("fails  imports: net.py imports cv2") < outcome.out.index("add --with toy") < outcome.out.index("warn   gpu")
    assert cli("doctor", "nanodet", "--json").json["can_run"] is False
    assert cli("install", "nanodet", "--yes").code == 0, "only the installation itself is sure"


def test_as_json(cli: Cli, client: FakeClient, asked: list[InstallRequest]) -> None:
    client.findings = (STOPS,)
    outcome = cli("doctor", "nanodet", "--json")
    assert outcome.code == 6 and outcome.err == ""
    assert outcome.json["can_run"] is False and outcome.json["findings"][0]["mend"] == "try --relax"


@pytest.mark.parametrize("command", ["install", "doctor"])
def test_wishes_reach_the_daemon(
    cli: Cli, asked: list[InstallRequest], command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wishes = ["--with", "pillow", "--with", "numpy<2", "--relax", "--allow-build", "dlib", "--python", "./bin/python"]
    cli(command, "nanodet", *wishes, *(["--yes"] if command == "install" else []))
    [request] = asked
    assert request == InstallRequest(
        "nanodet",
        requirements=("pillow", "numpy<2"),
        relax=True,
        allow_build=("dlib",),
        python=f"{tmp_path}/bin/python",
        again=command == "doctor",  # what is installed already is looked at too
    )


def test_install_ends_with_the_code_of_what_stops(cli: Cli, client: FakeClient, asked: list[InstallRequest]) -> None:
    client.findings = (replace(STOPS, code="refused"),)
    outcome = cli("--debug", "install", "nanodet", "--yes")
    assert outcome.code == 4 and "toy cannot be had; try --relax" in outcome.err and "story" in outcome.err
