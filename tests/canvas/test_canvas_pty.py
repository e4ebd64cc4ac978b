"""What reaches a real terminal: bytes of each move, and silence when nothing happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.alone

REPOSITORY = Path(__file__).resolve().parents[2]
RIGHT, DOWN, LEFT, BIG_RIGHT, BIG_DOWN = "\x1b[C", "\x1b[B", "\x1b[D", "\x1b[1;2C", "\x1b[1;2B"
BIG_UP, BIG_LEFT = "\x1b[1;2A", "\x1b[1;2D"
KIB = 1024


@pytest.fixture
def terminal(big_path: Path) -> Iterator[Terminal]:
    """A 12-megapixel picture at 160 x 45, drawn."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TEXTUAL_ANIMATIONS": "none"}
    environment.pop("NO_COLOR", None)
    with Terminal([sys.executable, "-m", "tests.canvas.canvas_app", str(big_path)], environment, 160, 45) as opened:
        opened.wait_for("2 spoon .52")
        _quiet(opened)
        yield opened


def _quiet(terminal: Terminal) -> int:
    """Wait until nothing has come for a while; returns the bytes that came."""
    total = 0
    while count := terminal.pump(0.25):
        total += count
    return total


def _cost(terminal: Terminal, key: str) -> int:
    terminal.send(key)
    count = _quiet(terminal)
    assert count, "a move shows"
    return count


@pytest.mark.slow
def test_every_move_costs_few_bytes_and_rest_costs_none(terminal: Terminal) -> None:
    assert terminal.pump(2.0) == 0, "idle: not one byte"
    terminal.send(RIGHT)  # the marker appears
    _quiet(terminal)
    marker = [_cost(terminal, key) for key in (RIGHT, RIGHT, DOWN, LEFT, BIG_RIGHT)]
    assert max(marker) <= 0.5 * KIB, marker
    terminal.send("m")
    _quiet(terminal)
    crosshair = [_cost(terminal, key) for key in (RIGHT, DOWN, RIGHT, DOWN, BIG_DOWN, BIG_RIGHT)]
    assert max(crosshair) <= 10 * KIB, crosshair
    # A draft of 80 x 24 cells: the longer its edges, the more there is to send.
    for keys in (BIG_UP * 5 + BIG_LEFT * 9, "r", BIG_RIGHT * 10 + BIG_DOWN * 3):
        terminal.send(keys)
        _quiet(terminal)
    draft = [_cost(terminal, key) for key in (RIGHT, DOWN, BIG_RIGHT, BIG_DOWN, RIGHT, DOWN)]
    assert max(draft) <= 8 * KIB, draft
    assert terminal.pump(1.0) == 0
