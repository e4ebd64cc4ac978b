"""Every way a command can end: exit codes, one line on stderr, JSON for scripts, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvflow_tui.model.errors import BY_CODE, CvflowError
from tests.cli.conftest import Cli
from tests.cli.fake_client import FakeClient

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", BY_CODE.values(), ids=BY_CODE.keys())
def test_each_error_has_its_exit_code_and_one_line(cli: Cli, client: FakeClient, kind: type[CvflowError]) -> None:
    client.failure = kind("it went wrong\nand here is more", detail="Traceback: secret")
    outcome = cli("ps")
    assert outcome.code == kind.exit_code
    assert outcome.out == ""
    assert outcome.err == "cvflow: it went wrong and here is more (the rest: cvflow --debug …)\n"


@pytest.mark.parametrize("kind", BY_CODE.values(), ids=BY_CODE.keys())
def test_with_json_the_error_is_json_on_stdout(cli: Cli, client: FakeClient, kind: type[CvflowError]) -> None:
    client.failure = kind("no")
    outcome = cli("ps", "--json")
    assert outcome.code == kind.exit_code
    assert outcome.json == {"error": "no", "code": kind.code}


def test_exit_codes_are_the_promised_ones() -> None:
    assert {code: kind.exit_code for code, kind in BY_CODE.items()} == {
        "internal": 1,
        "usage": 2,
        "not_found": 3,
        "refused": 4,
        "remote": 5,
        "package": 6,
    }


def test_a_bug_is_one_line_that_says_how_to_see_more(cli: Cli, client: FakeClient) -> None:
    client.failure = KeyError("oops")
    outcome = cli("ps")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "KeyError" in outcome.err and "--debug" in outcome.err


def test_debug_shows_what_stands_behind_an_error(cli: Cli, client: FakeClient) -> None:
    client.failure = CvflowError("failed", detail="line 3 of the solver")
    assert "line 3" not in cli("ps").err
    assert "line 3" in cli("--debug", "ps").err
    client.failure = KeyError("oops")
    with pytest.raises(KeyError):
        cli("--debug", "ps")


def test_escapes_in_an_error_do_not_reach_the_terminal(cli: Cli, client: FakeClient) -> None:
    client.failure = CvflowError("a \x1b[31mred\x1b[0m \x07label")
    outcome = cli("ps")
    assert "\x1b" not in outcome.err and "\x07" not in outcome.err


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["ps", "--nonsense"], ["start"], ["start", "x", "--port", "70000"], ["infer"], ["label", ".", "--out"]]
)
def test_usage_errors_exit_2_and_name_the_help(cli: Cli, arguments: list[str]) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("cvflow: ") and "--help" in outcome.err
    assert outcome.err.count("\n") == 1


def test_usage_errors_are_json_too(cli: Cli) -> None:
    outcome = cli("ps", "--json", "--nonsense")
    assert outcome.code == 2
    assert outcome.json["code"] == "usage"


def test_interrupt_exits_130(cli: Cli, client: FakeClient) -> None:
    client.failure = KeyboardInterrupt()
    outcome = cli("ps")
    assert outcome.code == 130
    assert "Traceback" not in outcome.err


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    """A reader that goes away, as `head` does, leaves nothing on stderr."""
    script = (
        "import sys; from pathlib import Path; from cvflow_tui.cli.main import main;"
        "from tests.cli.fake_client import *; c = FakeClient(); c.log = 'word ' * 20 + '\\n'; c.log *= 20000;"
        f"sys.exit(main(['logs', 'nanodet', '-n', '20000'], session_of(c, Path({str(tmp_path)!r}))))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(30) == 141
    assert errors == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["ps", "--json"], ["ps"], ["nonsense", "--json"], ["--version"]])
def test_output_that_has_nowhere_to_go_is_one_line_and_an_exit_code(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from cvflow_tui.cli.main import main; from cvflow_tui.leaving import leave;"
        "from tests.cli.fake_client import *; c = FakeClient(); c.running = [RUNNING];"
        f"leave(main({arguments!r}, session_of(c, Path({str(tmp_path)!r}))))"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert lines[-1] == "cvflow: the output could not be written: No space left on device"
    assert len(lines) == (2 if "nonsense" in arguments else 1)


def test_ctrl_c_during_an_install_cancels_the_job_and_keeps_nothing(tmp_path: Path) -> None:
    """The real signal to a real process, whose install reports back when its job was called off."""
    marker = tmp_path / "job"
    script = f"""
import sys
from pathlib import Path
from cvflow_tui.backend.jobs import Cancelled
from cvflow_tui.cli.main import main
from tests.cli.fake_client import FakeClient, session_of

def work(progress):
    progress.step("fetching", total=100, unit="bytes")
    Path({str(marker)!r}).write_text("begun")
    if progress.cancelled.wait(30):
        Path({str(marker)!r}).write_text("cancelled")
        raise Cancelled

client = FakeClient()
client.install_work = work
sys.exit(main(["install", "nanodet", "--yes"], session_of(client, Path({str(tmp_path)!r}))))
"""
    _interrupt_when_begun(script, marker)
    assert marker.read_text() == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_before_the_daemon_has_said_that_a_job_began_calls_it_off_too(tmp_path: Path, number: signal.Signals) -> None:
    """A round's first answer may take as long as its solver takes to start."""
    marker = tmp_path / "job"
    script = f"""
import asyncio, sys
from pathlib import Path
from cvflow_tui.backend.jobs import Cancelled
from cvflow_tui.cli.main import main
from tests.cli.fake_client import FakeClient, session_of

def work(progress):
    if progress.cancelled.wait(30):
        Path({str(marker)!r}).write_text("cancelled")
        raise Cancelled

class SlowClient(FakeClient):
    async def train(self, name):
        Path({str(marker)!r}).write_text("begun")
        await asyncio.sleep(1.0)
        return self.board.start("round", name, work)

sys.exit(main(["train", "raccoons"], session_of(SlowClient(), Path({str(tmp_path)!r}))))
"""
    _interrupt_when_begun(script, marker, number)
    assert marker.read_text() == "cancelled"


def _interrupt_when_begun(script: str, marker: Path, number: signal.Signals = signal.SIGINT) -> None:
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not marker.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert ("nothing was kept" in err or "nothing was installed" in err) and "Traceback" not in err
    assert out == ""
