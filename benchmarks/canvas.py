"""How fast a picture is on the screen, and what moving over it costs: our canvas against chafa, and against Textual as it comes.

Run: python benchmarks/canvas.py. Rounds are interleaved; medians, ratios and the bars are printed. Exits 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import skimage.data
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cvflow_tui.widgets.image_canvas.colors import Depth
from cvflow_tui.widgets.image_canvas.headless import render_to_ansi
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from tests.support.terminal import Terminal

COLUMNS, ROWS = 160, 45
REPOSITORY = Path(__file__).resolve().parent.parent
RIGHT, DOWN, BIG_RIGHT, BIG_DOWN = "\x1b[C", "\x1b[B", "\x1b[1;2C", "\x1b[1;2B"
BIG_UP, BIG_LEFT = "\x1b[1;2A", "\x1b[1;2D"
SYMBOLS = {"quadrant": "space+solid+half+quad", "sextant": "space+solid+sextant+258c+2590"}


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def chafa(path: Path, glyphs: str, *more: str) -> None:
    """One whole run of chafa, its output thrown away."""
    command = ["chafa", "--format", "symbols", "-c", "full", "--animate", "off", "--symbols", SYMBOLS[glyphs], *more]
    subprocess.run([*command, "--size", f"{COLUMNS}x{ROWS}", str(path)], stdout=subprocess.DEVNULL, check=True)


def ours(path: Path, glyphs: str) -> None:
    """Decode, fit and write the escape sequences, in this process."""
    render_to_ansi(CanvasPicture.load(path), (), COLUMNS, ROWS, glyphs, depth=Depth.TRUE, aspect=0.5)


@contextmanager
def app(path: Path, *arguments: str, **environment: str) -> Iterator[Terminal]:
    """The small app of the tests on a terminal of its own."""
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TEXTUAL_ANIMATIONS": "none", **environment}
    known.pop("NO_COLOR", None)
    with Terminal([sys.executable, "-m", "tests.canvas.canvas_app", str(path), *arguments], known, COLUMNS, ROWS) as terminal:
        yield terminal


def quiet(terminal: Terminal) -> int:
    """Wait until nothing comes any more; returns the bytes that came."""
    total = 0
    while count := terminal.pump(0.3):
        total += count
    return total


def opened_in_app(path: Path) -> float:
    """Seconds from the key that opens the picture to the last byte of its first frame."""
    with app(path, "later") as terminal:
        terminal.wait_for("no picture")
        quiet(terminal)
        terminal._stream.feed = lambda data: None  # type: ignore[method-assign]  # reading must not wait for an emulator in Python
        began = time.perf_counter()
        terminal.send("o")
        last, seen = began, len(terminal.output)
        while time.perf_counter() - last < 0.4:
            terminal._read(0.02)
            if len(terminal.output) > seen:
                last, seen = time.perf_counter(), len(terminal.output)
        return last - began


def moves(path: Path, **environment: str) -> dict[str, list[int]]:
    """Bytes of each move, by what moves."""
    with app(path, **environment) as terminal:
        terminal.wait_for("2 spoon .52")
        quiet(terminal)

        def costs(first: str, before: str = "", after: str = "") -> list[int]:
            for keys in (before, first, after):
                terminal.send(keys)
                quiet(terminal)
            found = []
            for key in (RIGHT, DOWN, BIG_RIGHT, BIG_DOWN, RIGHT, DOWN):
                terminal.send(key)
                found.append(quiet(terminal))
            return found

        # A draft of 80 x 24 cells and more: the longer its edges, the more there is to send.
        wide = {"before": BIG_UP * 5 + BIG_LEFT * 9, "after": BIG_RIGHT * 10 + BIG_DOWN * 3}
        return {"marker": costs(RIGHT), "crosshair": costs("m"), "draft": costs("r", **wide)}


def at_rest(path: Path) -> tuple[float, float, int, float]:
    """Resident MB whole and after looking closely, bytes and CPU share of 5 seconds of nothing."""
    with app(path) as terminal:
        terminal.wait_for("2 spoon .52")
        quiet(terminal)
        process = psutil.Process(terminal.pid)
        whole = process.memory_info().rss / 1e6
        before = process.cpu_times()
        written = terminal.pump(5)
        after = process.cpu_times()
        terminal.send("1")
        quiet(terminal)
        return whole, process.memory_info().rss / 1e6, written, (after.user + after.system - before.user - before.system) / 5


class Table:
    """Lines of what was measured against its bar; remembers whether one was missed."""

    def __init__(self) -> None:
        self.missed = False

    def line(self, what: str, value: str, bar: str = "", holds: bool | None = None) -> None:
        """Print a line; `holds` says whether the bar is met, None that there is none."""
        self.missed |= holds is False
        print(f"{what:<52} {value:>22}   {bar:<24} {'' if holds is None else 'ok' if holds else 'MISSED'}")


def cpu_of(work: Callable[[], object]) -> float:
    """User + system seconds of one call, in this process and the ones it waited for."""
    before = os.times()
    work()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])


def time_opening(table: Table, path: Path, rounds: int) -> None:
    """Opened to frame, ours and chafa's, in turns."""
    for glyphs in SYMBOLS:
        mine = partial(ours, path, glyphs)
        mine()
        walls, cpus = [], []
        theirs: list[float] = []
        in_app: list[float] = []
        for _ in range(rounds):
            walls.append(seconds(mine))
            cpus.append(cpu_of(mine))
            if shutil.which("chafa"):
                theirs.append(seconds(partial(chafa, path, glyphs)))
            if glyphs == "quadrant":
                in_app.append(opened_in_app(path))
        wall, cpu = statistics.median(walls), statistics.median(cpus)
        # The absolute bar is held against CPU time: the wall clock of a busy machine says more about the others on it.
        table.line(f"open to frame, {glyphs}: CPU", f"{cpu * 1e3:.0f} ms", "<= 60 ms", cpu <= 0.06)
        other = statistics.median(theirs) if theirs else None
        beside(table, "  wall, decode + fit + write", wall, other)
        if in_app:
            beside(table, "  wall in the app, key to the frame's last byte", statistics.median(in_app), other)


def beside(table: Table, what: str, mine: float, theirs: float | None) -> None:
    """A wall time next to chafa's in the same rounds."""
    if theirs is None:
        table.line(what, f"{mine * 1e3:.0f} ms", "chafa is not installed")
    else:
        table.line(what, f"{mine * 1e3:.0f} ms", f"<= 0.50 of {theirs * 1e3:.0f} ms: {mine / theirs:.2f}", mine <= theirs / 2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "12mp.jpg"
        photo = Image.fromarray(skimage.data.coffee())  # type: ignore[no-untyped-call]
        photo.resize((4608, 2592), Image.Resampling.BICUBIC, box=(0, 31, 600, 369)).save(path, quality=90)
        print(f"12-megapixel JPEG of {path.stat().st_size / 1e6:.1f} MB in {COLUMNS} x {ROWS} cells")
        print(f"medians of {rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
        time_opening(table, path, rounds)
        fixed, stock = moves(path), moves(path, CVFLOW_COMPOSITOR="stock")
        for what, bar in (("marker", 0.5), ("crosshair", 10), ("draft", 8)):
            most = max(fixed[what]) / 1024
            table.line(
                f"bytes of a move, {what} (worst; median)",
                f"{most:.2f}; {statistics.median(fixed[what]) / 1024:.2f} KiB",
                f"<= {bar} KiB",
                most <= bar,
            )
            table.line("  with Textual as it comes (median)", f"{statistics.median(stock[what]) / 1024:.2f} KiB")
        whole, close, written, share = at_rest(path)
        table.line("resident, picture open; after looking closely", f"{whole:.0f}; {close:.0f} MB", "<= 110 MB", max(whole, close) <= 110)
        table.line("idle: bytes in 5 s; CPU", f"{written}; {share:.1%}", "0; < 1 %", written == 0 and share < 0.01)
    sys.exit(1 if table.missed else 0)


if __name__ == "__main__":
    main()
