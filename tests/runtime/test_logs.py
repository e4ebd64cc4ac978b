"""A solver's log: sanitised, in pieces, rotated."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.logs import read_log, safe
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Site

NASTY = st.text(st.sampled_from("ab\x1b\x9b[]0;31m\x07\r\n\x00\u202eé<b>\\"), max_size=80)


def test_escape_sequences_of_a_solver_never_come_through(site: Site, spec_of: Callable[..., RunSpec], picture: bytes) -> None:
    client = site.start(spec_of("Chatty"))
    chunk = site.supervisor.log("tests/demo/chatty")
    assert "red title clear\n" in chunk.text.replace("\ufffd", "")
    assert "owned" not in chunk.text
    assert "\n100%\n" in chunk.text
    assert "<b>markup stays text</b>" in chunk.text
    assert not {"\x1b", "\x9b", "\x07", "\r"} & set(chunk.text)
    file = site.home.logs / "tests+demo+chatty.log"
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"\x1b[31m" in file.read_bytes()

    later = threading.Timer(0.3, lambda: client.infer(picture))
    later.start()
    more = site.supervisor.log("tests/demo/chatty", chunk.end, 65536, 10.0)
    later.join()
    assert (more.start, more.text) == (chunk.end, "asked\n")
    nothing = site.supervisor.log("tests/demo/chatty", more.end, 65536, 0.1)
    assert (nothing.text, nothing.end) == ("", more.end)


def test_a_log_that_is_not_there_is_empty(site: Site) -> None:
    assert site.supervisor.log("no/such/solver").size == 0


@given(st.lists(NASTY, max_size=12), st.integers(20, 400))
def test_pieces_together_are_the_whole_and_safe(lines: list[str], limit: int) -> None:
    import tempfile

    data = "".join(line.replace("\n", "") + "\n" for line in lines).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.log"
        path.write_bytes(data)
        text, offset = "", 0
        while True:
            chunk = read_log(path, offset, limit, 0)
            assert chunk.start == offset
            if chunk.end == offset:
                break
            text, offset = text + chunk.text, chunk.end
        assert offset == len(data)
        assert not {"\x1b", "\x9b", "\x07", "\r", "\x00", "\u202e"} & set(text)
        longest = max((len(line) for line in data.split(b"\n")), default=0)
        if longest < limit:
            assert text == safe(data)


def test_the_last_piece_begins_at_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"first line\nsecond line\nthird")
    chunk = read_log(path, None, 20, 0)
    assert (chunk.text, chunk.start, chunk.end, chunk.size) == ("second line\n", 11, 23, 28)
    assert read_log(path, None, 1000, 0).text == "first line\nsecond line\n"
    assert read_log(path, 999, 1000, 0).start == 0


def test_rotation_keeps_five_and_loses_no_line(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from cvflow_tui.backend.runtime.runner.logfile import LogFile
log = LogFile(Path(sys.argv[1]), rotate_bytes=1000)
for number in range(100):
    log.write(b"line %03d of the solver, padded to a fair length ......\\n" % number)
    if number == 50:
        print("said by the runner itself", flush=True)
"""
    path = tmp_path / "a.log"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=30, cwd=Path(__file__).parents[2], env={**os.environ})
    names = sorted(file.name for file in tmp_path.iterdir())
    kept = ["a.log", "a.log.1", "a.log.2", "a.log.3", "a.log.4", "a.log.5"]
    assert names == sorted([*kept, *(f"{name}.times" for name in kept)])
    newest_last = [path.with_name(name) for name in ("a.log.5", "a.log.4", "a.log.3", "a.log.2", "a.log.1", "a.log")]
    lines = "".join(file.read_text() for file in newest_last).splitlines()
    numbers = [int(line.split()[1]) for line in lines if line.startswith("line")]
    assert numbers == list(range(numbers[0], 100))
    assert all(file.stat().st_size <= 1100 for file in newest_last)


def test_one_line_as_long_as_a_piece_is_read_at_once() -> None:
    """A pattern that looks again from each of its characters takes minutes for it, and holds up the whole daemon meanwhile."""
    reading = "import sys; from cvflow_tui.backend.runtime.logs import safe; sys.stdout.write(str(len(safe(b'y' * (1 << 20) + b'\\n'))))"
    done = subprocess.run([sys.executable, "-c", reading], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "2001", "a long line is cut, and its end stays"


def test_a_log_that_has_no_room_stops_nobody_and_says_what_was_lost(tmp_path: Path) -> None:
    """A full disk as the kernel plays it: a limit on the size of files. The solver that logs must go on serving."""
    program = """
import resource, sys
from pathlib import Path
from cvflow_tui.backend.runtime.runner.logfile import LogFile
log = LogFile(Path(sys.argv[1]))
log.write(b"before\\n")
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
log.write(b"lost, all but a piece\\n")
log.write(b"lost\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.write(b"after\\n")
"""
    path = tmp_path / "a.log"
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=30, cwd=Path(__file__).parents[2], env={**os.environ})
    assert done.returncode == 0
    assert path.read_text().splitlines() == ["before", "los", "cvflow: 24 bytes of the log could not be written: File too large", "after"]
