"""How fast the program is there: CPU of `--help` against bare Python, first paint and idleness of the app against a minimal Textual app.

Run: make bench-start. Rounds are interleaved; medians and ratios are printed, with the bars of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.terminal import Terminal

MINIMAL = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("ready to work")
Minimal().run()
"""


def cpu_of(command: list[str], environment: dict[str, str]) -> float:
    """User + system seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_paint(command: list[str], environment: dict[str, str], word: str) -> float:
    """Seconds from the start to a word on the screen."""
    with Terminal(command, environment, 120, 40) as terminal:
        terminal.wait_for(word, 60)
        return time.monotonic() - terminal.began


def idle(command: list[str], environment: dict[str, str], word: str) -> tuple[int, float, int]:
    """Bytes written, CPU seconds used in 5 seconds of nothing, and resident bytes, once the app has settled."""
    with Terminal(command, environment, 120, 40) as terminal:
        terminal.wait_for(word, 60)
        terminal.pump(6)
        process = psutil.Process(terminal.pid)
        before = process.cpu_times()
        written = terminal.pump(5)
        after = process.cpu_times()
        return written, after.user + after.system - before.user - before.system, process.memory_info().rss


def medians(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """Each measure's median over interleaved rounds."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "CVFLOW_HOME": home}
        python, cvflow = [sys.executable, "-c", "pass"], [sys.executable, "-m", "cvflow_tui"]
        bare, help_ = medians(rounds, lambda: cpu_of(python, environment), lambda: cpu_of([*cvflow, "--help"], environment))
        print(f"cvflow --help     {help_ * 1e3:6.0f} ms CPU   {help_ / bare:4.1f} x python -c pass   (bar: 8)")
        minimal, app = medians(
            rounds,
            lambda: first_paint([sys.executable, "-c", MINIMAL], environment, "ready to work"),
            lambda: first_paint([*cvflow, "app"], environment, "Hub"),
        )
        print(f"first paint       {app * 1e3:6.0f} ms       {app / minimal:4.2f} x a minimal Textual app   (bar: 1.6)")
        written, cpu, rss = idle([*cvflow, "app"], environment, "Hub")
        print(f"idle, 5 s         {written} bytes, {cpu / 5:.2%} CPU, RSS {rss / 1e6:.0f} MB   (bars: 0 bytes, 1 %, 110 MB)")


if __name__ == "__main__":
    main()
