"""What README and docs print can be typed: every command and every option in them exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cvflow_tui.cli.root import cvflow

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _printed() -> Iterator[tuple[str, str]]:
    """(document, command line) of every `cvflow …` in a console block or between backticks."""
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        inline = re.findall(r"`(cvflow [^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        for line in [line for block in blocks for line in block.splitlines()] + inline:
            for part in re.split(r"&&|\||[<>]", line.partition(" #")[0]):
                if part.strip().startswith("cvflow "):
                    yield document.name, part.strip()


PRINTED = sorted(set(_printed()))


def test_there_is_something_to_check() -> None:
    assert {document.name for document in DOCUMENTS} >= {"README.md", "packages.md", "serving.md"}
    assert len(PRINTED) > 40


@pytest.mark.parametrize(("document", "line"), PRINTED, ids=[f"{document}: {line}" for document, line in PRINTED])
def test_what_is_printed_can_be_typed(document: str, line: str) -> None:
    words = shlex.split(re.sub(r"\$\(.*?\)", "X", line))[1:]
    command: click.Command = cvflow
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        if name.isupper():  # `cvflow COMMAND --help`
            return
        assert found is not None, f"{document}: there is no {name!r} in {line!r}"
        command = found
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
    options = [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]
    assert not set(options) - known, f"{document}: {line!r}: {sorted(set(options) - known)}"
