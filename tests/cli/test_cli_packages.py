"""`hub`, `install`, `list`, `remove`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cvflow_tui.model.errors import PackageError
from tests.cli.conftest import Cli
from tests.cli.fake_client import SUMMARY, FakeClient


def test_search_prints_tab_separated_lines_in_a_pipe(cli: Cli) -> None:
    outcome = cli("hub", "search")
    assert outcome.out.split("\t")[:2] == ["cvflow/nanodet", "1.0.0"]
    assert "7.6 MB" in outcome.out


def test_finding_nothing_is_no_error(cli: Cli) -> None:
    assert (cli("hub", "search", "zebra").code, cli("hub", "search", "zebra", "--json").json) == (0, [])


def test_show_keeps_markup_as_text(cli: Cli) -> None:
    outcome = cli("hub", "show", "nanodet")
    assert "Finds [bold]things[/bold]." in outcome.out
    assert "threshold: float = 0.3" in outcome.out
    assert "1.0.0 (2026-01-31, 3.7 MB, installed), 0.9.0 (?)" in outcome.out
    told = cli("hub", "show", "nanodet", "--json").json
    assert (told["summary"]["name"], [version["version"] for version in told["versions"]]) == ("nanodet", ["1.0.0", "0.9.0"])


def test_install_shows_the_plan_and_does_it(cli: Cli, client: FakeClient) -> None:
    outcome = cli("install", "nanodet", "--yes")
    assert outcome.code == 0
    assert outcome.out == ""
    for part in ("cvflow/nanodet 1.0.0", "Apache-2.0", "copy the files", "7.6 MB", "installed cvflow/nanodet"):
        assert part in outcome.err
    assert "install nanodet" in client.calls


def test_install_json_is_the_package(cli: Cli) -> None:
    outcome = cli("install", "nanodet", "--yes", "--quiet", "--json")
    assert outcome.json["summary"]["version"] == "1.0.0"
    assert outcome.err == ""


def test_what_is_installed_already_is_not_installed_again(cli: Cli, client: FakeClient) -> None:
    assert cli("install", "nanodet", "--yes", "--json").json["unchanged"] is False
    client.installed = [SUMMARY]
    client.calls.clear()
    outcome = cli("install", "nanodet", "--json")
    assert outcome.code == 0 and "cvflow/nanodet 1.0.0 is installed already, nothing to do (--reinstall does it anew)" in outcome.err
    assert outcome.json["unchanged"] is True and outcome.json["summary"]["version"] == "1.0.0"
    assert cli("install", "nanodet", "-q").err == "" and "install nanodet" not in client.calls
    assert cli("install", "nanodet", "--reinstall", "--yes", "--json").json["unchanged"] is False
    assert "install nanodet" in client.calls


def test_install_without_terminal_or_yes_is_refused(cli: Cli, client: FakeClient) -> None:
    outcome = cli("install", "nanodet")
    assert outcome.code == 4
    assert "--yes" in outcome.err
    assert not any(call.startswith("install") for call in client.calls)


def test_install_with_problems_does_nothing(cli: Cli, client: FakeClient) -> None:
    client.plan_problems = ("it needs Python 3.99",)
    outcome = cli("install", "nanodet", "--yes")
    assert outcome.code == 6
    assert "Python 3.99" in outcome.err
    assert not any(call.startswith("install") for call in client.calls)


def test_a_failed_install_ends_with_the_jobs_error(cli: Cli, client: FakeClient) -> None:
    def fail(_: object) -> None:
        raise PackageError("weights.onnx: sha256 is wrong")

    client.install_work = fail
    outcome = cli("install", "nanodet", "--yes")
    assert (outcome.code, outcome.err.splitlines()[-1]) == (6, "cvflow: weights.onnx: sha256 is wrong")


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("nanodet", "nanodet"),
        ("hub:cvflow/nanodet", "hub:cvflow/nanodet"),
        ("git+https://example.org/a.git@v1", "git+https://example.org/a.git@v1"),
        ("./mine", "file:{cwd}/mine"),
        ("file:mine", "file:{cwd}/mine"),
        ("git+file:mine", "git+file:{cwd}/mine"),
        ("/srv/mine", "file:/srv/mine"),
        ("file:/srv/mine", "file:/srv/mine"),
    ],
)
def test_folders_are_seen_from_where_the_user_stands(
    cli: Cli, client: FakeClient, given: str, asked: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    cli("install", given, "--yes")
    assert f"plan {asked.format(cwd=os.fspath(tmp_path))}" in client.calls


def test_list(cli: Cli, client: FakeClient) -> None:
    assert cli("list").err == "nothing is installed yet; see: cvflow hub search\n"
    assert cli("list", "-q").err == ""
    client.installed = [SUMMARY]
    assert cli("list").out.startswith("cvflow/nanodet\t1.0.0\tdetect\t")
    assert [each["name"] for each in cli("list", "--json").json] == ["nanodet"]
    client.installed = [
        SUMMARY,
        replace(SUMMARY, name="mine", solvers=(), problem="cvflow/mine is linked to /x, which is gone: put it back"),
    ]
    told = cli("list")
    assert "cvflow/mine\t1.0.0\tunusable\t" in told.out and told.err == "cvflow/mine is linked to /x, which is gone: put it back\n"


def test_remove(cli: Cli, client: FakeClient) -> None:
    assert cli("remove", "nanodet", "--yes").code == 3
    client.installed = [SUMMARY]
    assert cli("remove", "nanodet").code == 4
    assert not any(call.startswith("remove") for call in client.calls)
    assert cli("remove", "nanodet", "--yes").out == "removed cvflow/nanodet: 7.6 MB freed\n"
    assert cli("remove", "nanodet", "--yes", "--json").json == {
        "package": "cvflow/nanodet",
        "freed_bytes": 7_600_000,
        "stopped": [],
        "shared_bytes": 0,
    }
