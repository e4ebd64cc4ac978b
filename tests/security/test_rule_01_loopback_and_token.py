"""Rule 1: loopback unless somebody says that they know; a token by default, random and private, compared in constant time."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cvflow_tui.backend.api import guard as daemon_guard
from cvflow_tui.backend.daemon.daemon import Daemon
from cvflow_tui.backend.daemon.token import ensure_token
from cvflow_tui.backend.runtime.runner import guard as runner_guard
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError
from tests.runtime.conftest import package, picture, site, spec_of
from tests.runtime.helpers import Client, Site, until

__all__ = ["package", "picture", "site", "spec_of"]

RUNNER = [sys.executable, "-m", "cvflow_tui.backend.runtime.runner"]
ANYWHERE = "0.0.0.0"


def addresses(pid: int) -> set[str]:
    return {entry.laddr[0] for entry in psutil.Process(pid).net_connections("tcp") if entry.status == psutil.CONN_LISTEN}


def test_the_daemon_and_runners_listen_on_loopback(site: Site, spec_of: Callable[..., RunSpec], tmp_path: Path) -> None:
    solver = site.supervisor.start(spec_of("Echo"))
    assert solver.pid is not None
    assert addresses(solver.pid) == {"127.0.0.1"}
    daemon = Daemon(Home(tmp_path / "other"))
    try:
        assert addresses(os.getpid()) == {"127.0.0.1"}
    finally:
        daemon._close()


@pytest.mark.parametrize("host", [ANYWHERE, "::", "192.0.2.1"])
def test_the_daemon_goes_further_only_for_those_who_know(tmp_path: Path, host: str) -> None:
    with pytest.raises(RefusedError, match="--i-know"):
        Daemon(Home(tmp_path / "home"), host=host)
    assert not (tmp_path / "home").exists()


def test_the_command_line_asks_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cvflow_tui", "--home", str(tmp_path / "home"), "daemon", "run", "--host", ANYWHERE]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert (ended.returncode, ended.stderr.count("\n")) == (4, 1)
    assert "--i-know" in ended.stderr


def test_the_token_is_random_private_and_compared_in_constant_time(tmp_path: Path) -> None:
    tokens = set()
    for name in ("a", "b"):
        home = Home(tmp_path / name)
        home.make()
        tokens.add(ensure_token(home))
        assert home.token_file.stat().st_mode & 0o777 == 0o600
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 32
    for guard in (daemon_guard, runner_guard):
        assert "compare_digest" in inspect.getsource(guard)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "--i-know"),
        (["--i-know"], "--token-file"),
        (["--i-know", "--token-file", "/nonexistent"], "can't be read"),
        (["--i-know", "--token-file", "SHORT"], "16 characters"),
    ],
)
def test_a_runner_by_hand_goes_further_only_with_a_token(
    spec_of: Callable[..., RunSpec], tmp_path: Path, more: list[str], words: str
) -> None:
    spec_of("Echo").save(tmp_path / "spec.json")
    (tmp_path / "short").write_text("short")
    told = [str(tmp_path / "short") if word == "SHORT" else word for word in more]
    command = [*RUNNER, "--spec", str(tmp_path / "spec.json"), "--port", "0", "--host", ANYWHERE, *told]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr.count("\n")) == (4, 1)
    assert words in ended.stderr


def test_further_out_every_request_needs_it(spec_of: Callable[..., RunSpec], tmp_path: Path, picture: bytes) -> None:
    spec_of("Echo").save(tmp_path / "spec.json")
    (tmp_path / "token").write_text("a word of forty characters, more or less\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--spec", str(tmp_path / "spec.json"), "--port", str(port), "--host", ANYWHERE, "--i-know"]
    command = [*RUNNER, *options, "--token-file", str(tmp_path / "token")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as runner:
        try:
            assert runner.stdout is not None
            assert until(runner.stdout.readline)
            assert addresses(runner.pid) == {ANYWHERE}
            stranger = Client(port)
            assert stranger.infer(picture).status == 403
            assert {stranger.send("GET", path).status for path in ("/", "/_status", "/metrics", "/openapi.json")} == {403}
            friend = Client(port, headers={"Authorization": "Bearer a word of forty characters, more or less"})
            assert friend.infer(picture).status == 200
        finally:
            runner.terminate()
            runner.wait(30)
