"""`new` and `check`, with a daemon that was put there."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cvflow_tui.model.authoring import CheckReport, CheckRequest, Elsewhere, Finding, Level, NewPackageRequest, SolverTrial
from cvflow_tui.model.errors import NotFoundError, RefusedError
from tests.cli.conftest import Cli
from tests.cli.fake_client import FakeClient

PASSED = CheckReport(
    source="/x",
    package="acme/boxes",
    version="1.0.0",
    picture="street.jpg",
    passed=True,
    findings=(Finding(Level.NOTE, "weights", "net.pth is untrusted", "use ONNX", "cvpm.toml:9"),),
    solvers=(SolverTrial("detect", "object-detection", 1.25, 0.5, 0.004, 45_000_000, {"objects": [{}]}),),
    elsewhere=Elsewhere(("3.11", "3.12"), 2, ("numpy",), (), (), 78_000_000, 0),
)
FAULT = Finding(Level.FAULT, "result", "the box leaves\x1b[31m", "clip it", "solver detect")
FAILED = replace(PASSED, passed=False, findings=(FAULT, *PASSED.findings))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_new_makes_a_folder_of_the_name_here(cli: Cli, client: FakeClient, here: Path) -> None:
    outcome = cli("new", "boxes", "--task", "embedding", "--vendor", "acme")
    assert client.made_packages == [NewPackageRequest("boxes", str(here / "boxes"), "acme", "embedding")]
    assert outcome.code == 0 and outcome.out.splitlines() == [f"acme/boxes in {here / 'boxes'}", "  cvpm.toml"]
    assert "cvflow check ./boxes" in outcome.err
    assert cli("new", "boxes", "-q").out == f"{here / 'boxes'}\n"
    assert cli("new", "boxes", "--folder", "there/it", "--json").json["folder"] == str(here / "there/it")


def test_new_knows_the_tasks_and_passes_on_what_is_refused(cli: Cli, client: FakeClient) -> None:
    assert cli("new", "boxes", "--task", "flying").code == 2
    client.failure = RefusedError("/x is not empty; nothing is written over")
    outcome = cli("new", "boxes", "--json")
    assert (outcome.code, outcome.json["code"]) == (4, "refused")


def test_check_prints_each_finding_with_its_mend_and_what_was_measured(cli: Cli, client: FakeClient, here: Path) -> None:
    client.report = PASSED
    outcome = cli("check", "./boxes", "--picture", "street.jpg")
    assert client.checked == [CheckRequest(f"file:{here / 'boxes'}", str(here / "street.jpg"), False)]
    assert outcome.code == 0
    first, row, elsewhere = outcome.out.splitlines()
    assert first.split(maxsplit=2) == ["note", "weights", "cvpm.toml:9: net.pth is untrusted; use ONNX"]
    assert row.split("\t") == ["detect", "object-detection", "1.2 s", "500 ms", "4.0 ms", "45.0 MB", "1 object"]
    assert "Python 3.11, 3.12; 2 distributions, 78.0 MB" in elsewhere and "compiled code in numpy" in elsewhere
    assert "acme/boxes 1.0.0: passed (1 note), on street.jpg" in outcome.err


def test_check_takes_what_install_takes(cli: Cli, client: FakeClient, here: Path) -> None:
    client.report = PASSED
    options = ("--with", "numpy<2", "--relax", "--python", "3.10", "--allow-build", "lap", "--weights", "net.h5=net.h5", "--offline")
    assert cli("check", "./boxes", *options).code == 0
    weights = (f"net.h5={here / 'net.h5'}",)
    wanted = CheckRequest(
        f"file:{here / 'boxes'}", requirements=("numpy<2",), relax=True, python="3.10", allow_build=("lap",), weights=weights, offline=True
    )
    assert client.checked == [wanted]


def test_a_fault_ends_with_6(cli: Cli, client: FakeClient) -> None:
    client.report = FAILED
    outcome = cli("check", "boxes")
    assert outcome.code == 6 and "failed (1 fault, 1 note)" in outcome.err
    assert "fault result       solver detect: the box leaves; clip it" in outcome.out, "and no escape reaches the terminal"
    quiet = cli("check", "boxes", "-q")
    assert (quiet.code, quiet.err) == (6, "") and quiet.out.startswith("fault") and len(quiet.out.splitlines()) == 1


def test_check_json_is_the_report_with_the_same_exit_code(cli: Cli, client: FakeClient) -> None:
    client.report = FAILED
    outcome = cli("check", "cvflow/nanodet", "--strict", "--json", "--allow-build", "dlib", "-p", "top=3")
    assert client.checked == [CheckRequest("cvflow/nanodet", None, True, ("dlib",), {"top": "3"})]
    assert outcome.code == 6 and outcome.err == ""
    assert outcome.json["passed"] is False and outcome.json["solvers"][0]["result"] == {"objects": [{}]}
    client.report = asdict(PASSED)
    assert cli("check", "cvflow/nanodet", "--json").code == 0


def test_a_folder_that_is_there_is_meant_as_one(cli: Cli, client: FakeClient, here: Path) -> None:
    (here / "nanodet").mkdir()
    client.report = PASSED
    cli("check", "nanodet")
    cli("check", "face_utility")
    assert [request.source for request in client.checked] == [str(here / "nanodet"), "face_utility"]


def test_what_cannot_be_had_keeps_its_own_code(cli: Cli, client: FakeClient) -> None:
    client.failure = NotFoundError("/x: there is no such folder")
    outcome = cli("check", "./x")
    assert outcome.code == 3 and "no such folder" in outcome.err
