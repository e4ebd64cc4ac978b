"""What the app's user sees of bad input, in a real terminal over a real daemon: one clear line, and the place goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from tests.path.conftest import Cvflow
from tests.path.test_path_bad_input import held, make_package
from tests.path.test_path_terminal import APP
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def plain(shown: str) -> str:
    """The screen in one line, as wrapped words read."""
    return " ".join(shown.split())


def says(line: str, bad: bool | None, shown: str) -> bool:
    """Whether the line is there, and with it (or without it, as `bad` says) that the picture cannot be shown."""
    return line in plain(shown) and bad in (None, "cannot be shown" in shown)


def install_from(terminal: Terminal, source: Path) -> None:
    """Hub: `s`, the source, Enter."""
    terminal.send("s")
    terminal.wait_for("Enter go")
    terminal.send(f"{source}\r")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 45)])
def test_packages_that_cannot_be(cvflow: Cvflow, tmp_path: Path, columns: int, rows: int) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cvpm.toml").write_text('[package]\nname = "x"\nversion = \n')
    hopeful = make_package(tmp_path, "hopeful", source="import nothing_of_the_kind\n")
    wrong = make_package(tmp_path, "wrong", more=f'\n[[models]]\nname = "w.bin"\nurl = "w.bin"\nsha256 = "{"0" * 64}"\n')
    (wrong / "w.bin").write_bytes(b"another file")
    cvflow.ok("list")
    before = held(cvflow)
    with Terminal(APP, cvflow.environment, columns, rows) as terminal:
        terminal.wait_for("nanodet")
        for source, line in ((empty, "there is no cvpm.toml in this folder"), (broken, "cvpm.toml, line 3: is not TOML")):
            install_from(terminal, source)
            terminal.wait_for(partial(says, line, None))
            terminal.wait_for("Enter close")
            terminal.send("\r")
            terminal.wait_for(lambda shown: "Enter close" not in shown)
        install_from(terminal, wrong)
        terminal.wait_for("Enter install")
        terminal.send("\r")
        terminal.wait_for(lambda shown: "nothing was kept" in plain(shown))
        terminal.send("\r")
        terminal.wait_for(lambda shown: "Enter close" not in shown)
        install_from(terminal, hopeful)
        terminal.wait_for("Enter install")
        terminal.send("\r")
        terminal.wait_for(lambda shown: "ModuleNotFoundError: No module named 'nothing_of_the_kind'" in plain(shown))
        assert "Traceback" not in terminal.text
        terminal.wait_for("t the rest")
        terminal.send("t")
        terminal.wait_for("Traceback (most recent call last):")
        terminal.send("\r")
        terminal.wait_for(lambda shown: "Enter close" not in shown)
        terminal.send("q")
        terminal.wait_exit()
    assert held(cvflow) - {"daemon.json"} == before - {"daemon.json"}


def test_pictures_that_are_odd(cvflow: Cvflow, photographs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.open(photographs / "coffee.png").convert("RGB").save(folder / "1-whole.jpg")
    (folder / "2-cut.jpg").write_bytes((folder / "1-whole.jpg").read_bytes()[:20_000])
    (folder / "3-text.jpg").write_text("these are no pixels")
    Image.new("RGB", (1, 1), "red").save(folder / "4-one.png")
    Image.new("RGB", (12_000, 8_400), "teal").save(folder / "5-wide.jpg")
    Image.new("1", (12_000, 8_400)).save(folder / "6-wide.png")
    cvflow.ok("project", "new", "odd", str(folder), "--labels", "[bold]cup[/bold]")
    with Terminal([*APP, "--project", "odd"], cvflow.environment, 120, 40) as terminal:
        terminal.wait_for("600x400")
        for place, line in (
            ("2/6", "2-cut.jpg: the file is cut off: copy it again"),
            ("3/6", "3-text.jpg: this is no picture that can be read"),
            ("4/6", "4-one.png"),
            ("5/6", "12000x8400"),
            ("6/6", "megapixels are too many for PNG"),
        ):
            terminal.send("n")
            terminal.wait_for(place)
            bad = place in ("2/6", "3/6", "6/6")
            terminal.wait_for(partial(says, line, bad))
        terminal.send("p")
        terminal.wait_for("5/6")
        terminal.wait_for(lambda shown: "12000x8400" in shown and "cannot be shown" not in shown)
        terminal.send("r")
        for key in (" ", "L", "L", "J", "J", " "):
            terminal.send(key)
            terminal.pump(0.1)
        terminal.wait_for(lambda shown: "[bold]cup[/bold]" in shown and "drawn" in shown)
        terminal.send("q")
        terminal.wait_exit()
    assert cvflow.json("project", "status", "odd")["project"]["annotations"] == 1


def test_an_unknown_project(cvflow: Cvflow) -> None:
    with Terminal([*APP, "--project", "nowhere"], cvflow.environment) as terminal:
        terminal.wait_for("there is no project 'nowhere'")
        terminal.send("\x1bOQ")  # F2
        terminal.wait_for("Nothing is installed")


def test_a_second_app_and_a_second_daemon_find_the_first(cvflow: Cvflow) -> None:
    """An app that holds the daemon: `daemon run` is refused with its pid, and another app works through it."""
    with Terminal(APP, cvflow.environment) as first:
        first.wait_for("nanodet")
        refused = cvflow.run("daemon", "run")
        assert refused.returncode == 4
        assert len(refused.stderr.splitlines()) == 1
        assert f"pid {first.pid}" in refused.stderr
        status = cvflow.json("daemon", "status")
        assert (status["pid"], status["embedded"]) == (first.pid, True)
        with Terminal(APP, cvflow.environment) as second:
            second.wait_for("nanodet")
            assert cvflow.json("daemon", "status")["pid"] == first.pid
            second.send("q")
            assert second.wait_exit() == 0
        assert cvflow.json("daemon", "status")["pid"] == first.pid


class _Slow(BaseHTTPRequestHandler):
    """A weight of 4 MB that comes at some 200 kB a second."""

    size = 4_000_000
    ended = threading.Event()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(self.size))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        try:
            for _ in range(self.size // 20_000):
                if self.ended.wait(0.1):
                    return
                self.wfile.write(bytes(20_000))
        except OSError:
            return  # whoever asked has gone, as it should

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def slow_server() -> Iterator[str]:
    """Where the weight is."""
    _Slow.ended.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/w.bin"
        _Slow.ended.set()
        server.shutdown()
        thread.join()


def test_an_install_shows_rate_and_time_left_and_is_cancelled_with_nothing_installed(
    cvflow: Cvflow, tmp_path: Path, slow_server: str
) -> None:
    """Only what arrived of the weight waits for another try, until it is pruned."""
    package = make_package(tmp_path, "heavy", more=f'\n[[models]]\nname = "w.bin"\nurl = "{slow_server}"\nsha256 = "{"0" * 64}"\n')
    cvflow.ok("list")
    before = held(cvflow)
    with Terminal(APP, {**cvflow.environment, "CVFLOW_ALLOW_HOSTS": "127.0.0.1"}) as terminal:
        terminal.wait_for("nanodet")
        install_from(terminal, package)
        terminal.wait_for("Enter install")
        assert "4.0 MB" in terminal.text
        terminal.send("\r")
        terminal.wait_for(lambda shown: " of 4.0 MB · " in shown and "kB/s" in shown and "left" in shown)
        terminal.send("\x1b")
        terminal.wait_for("Cancelled, nothing was installed.")
        terminal.send("\r")
        terminal.wait_for(lambda shown: "Enter close" not in shown)
        there = {name for name in held(cvflow) if not name.startswith("staging/downloads/")}
        assert there - {"daemon.json"} == before - {"daemon.json"}
        assert cvflow.json("list") == []
        cvflow.ok("prune", "--yes")
        assert held(cvflow) - {"daemon.json"} == before - {"daemon.json"}
