"""Commands at a real terminal: tables that fit, questions that are asked, progress that leaves no trace."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os, sys
from pathlib import Path
from cvflow_tui.cli.main import main
from tests.cli.fake_client import *

client = FakeClient()
client.installed, client.running = ([] if "install" in sys.argv else [SUMMARY]), [RUNNING]
sys.exit(main(sys.argv[1:], session_of(client, Path(os.environ["CVFLOW_HOME"]))))
"""


def _terminal(tmp_path: Path, *arguments: str, columns: int = 80, **more: str) -> Terminal:
    environment = {**os.environ, "CVFLOW_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **more}
    return Terminal([sys.executable, "-c", SCRIPT, *arguments], environment, columns, 24)


@pytest.mark.parametrize("command", [["ps"], ["list"], ["hub", "search"]])
def test_tables_have_heads_and_one_line_a_row_at_80_columns(tmp_path: Path, command: list[str]) -> None:
    with _terminal(tmp_path, *command) as terminal:
        assert terminal.wait_exit() == 0
        lines = [line.rstrip() for line in terminal.text.splitlines() if line.strip()]
    assert len(lines) == 2
    assert "cvflow/nanodet" in lines[1] and max(map(len, lines)) < 80
    assert ("1.0.0" in lines[1]) != (command == ["ps"])
    assert lines[0].split()[0] in ("solver", "package")


@pytest.mark.parametrize(("answer", "code", "shown"), [("y", 0, "installed cvflow/nanodet"), ("n", 4, "nothing was done")])
def test_install_asks_at_a_terminal(tmp_path: Path, answer: str, code: int, shown: str) -> None:
    with _terminal(tmp_path, "install", "nanodet") as terminal:
        terminal.wait_for("Install it?")
        terminal.send(f"{answer}\r")
        assert os.waitstatus_to_exitcode(terminal.wait_exit()) == code
        assert shown in terminal.text


def test_no_colour_where_none_is_wanted(tmp_path: Path) -> None:
    with _terminal(tmp_path, "ps", NO_COLOR="1") as terminal:
        terminal.wait_exit()
        assert b"\x1b[3" not in terminal.output
