"""The help, the list of commands, completion, and what `cvflow` alone does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cvflow_tui import __version__
from cvflow_tui.cli.root import SECTIONS, cvflow
from tests.cli.conftest import Cli

ENTRIES = {name: entry for commands in SECTIONS.values() for name, entry in commands.items()}


def _paths(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} is listed but can't be loaded"
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _paths(command, (*path, name))


COMMANDS = list(_paths(cvflow))


def test_the_promised_commands_are_there() -> None:
    promised = "install list start ps logs infer stop remove label train demo app completion"
    assert {(word,) for word in promised.split()} <= set(COMMANDS)
    assert {("hub", "search"), ("hub", "show"), ("daemon", "run"), ("daemon", "status"), ("daemon", "stop")} <= set(COMMANDS)
    assert {("project", word) for word in ["new", "list", "status", "export", "remove"]} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_help_has_examples_that_name_the_command(cli: Cli, path: tuple[str, ...]) -> None:
    outcome = cli(*path, "--help")
    assert outcome.code == 0
    examples = outcome.out.partition("Examples:")[2].strip().splitlines()
    assert examples and all(f"cvflow {path[0]}" in line or "cvflow --home" in line for line in examples)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in {("app",), ("completion",)}], ids=" ".join)
def test_each_command_speaks_json_and_can_be_quiet(cli: Cli, path: tuple[str, ...]) -> None:
    command: click.Command = cvflow
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    said = {option for each in command.params for option in each.opts}
    assert isinstance(command, click.Group) or {"--json", "--quiet", "-q"} <= said


def test_help_lists_every_command_with_its_line(cli: Cli) -> None:
    out = cli("--help").out
    for name, entry in ENTRIES.items():
        assert f"  {name} " in out
        assert entry.summary.split()[0] in out


def test_version(cli: Cli) -> None:
    outcome = cli("--version")
    assert (outcome.code, outcome.out) == (0, f"cvflow {__version__}\n")


def test_without_arguments_and_terminal_prints_help_and_exits_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cvflow_tui"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, "CVFLOW_HOME": str(tmp_path)}
    )
    assert done.returncode == 2
    assert "Usage: cvflow" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["app"], ["demo"], ["app", "--demo"]])
def test_the_app_needs_a_terminal(cli: Cli, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 4
    assert "terminal" in outcome.err


def test_app_takes_a_project_or_the_demo(cli: Cli) -> None:
    assert cli("app", "--demo", "--project", "x").code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_works_with_the_program(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).out
    assert "_CVFLOW_COMPLETE" in script and "cvflow" in script
    environment = {
        **os.environ,
        "_CVFLOW_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "cvflow proj",
        "COMP_CWORD": "proj" if shell == "fish" else "1",
    }
    told = subprocess.run([sys.executable, "-m", "cvflow_tui"], env=environment, capture_output=True, text=True).stdout
    assert "project" in told and "hub" not in told
