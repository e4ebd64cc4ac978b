"""How the three places look, at both sizes, with frozen data."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot

from cvflow_tui.app import CvflowApp
from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import DetectionMetrics, Prequential, Round, RoundState
from cvflow_tui.screens.annotate.canvas import DrawingCanvas
from tests.iae_screens.fake_projects import METRICS, FakeProjects

SMALL, LARGE = (80, 24), (160, 45)
WIDTH, HEIGHT = 320, 240


def picture() -> bytes:
    """Two bright discs on a gradient: something to see boxes on."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, np.full_like(x, 90)], axis=-1)
    pixels[(x - 90) ** 2 + (y - 120) ** 2 < 60**2] = (230, 220, 200)
    pixels[(x - 240) ** 2 + (y - 90) ** 2 < 35**2] = (60, 70, 80)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def frozen() -> FakeProjects:
    fake = FakeProjects()
    boxes = (("raccoon", 0.91, Box(30, 60, 150, 180)), ("dog", 0.74, Box(205, 55, 275, 125)))
    stored = fake.add(pictures=37, suggestions=boxes, content=picture(), size=(WIDTH, HEIGHT))
    stored.prequential = Prequential(METRICS, METRICS, (0.1, 0.4, 0.55, 0.7, 0.72))
    better, worse = DetectionMetrics(5, 0.9, 0.8, 0.74), DetectionMetrics(5, 0.9, 0.7, 0.71)
    stored.rounds = [
        Round(1, RoundState.PROMOTED, 10, 1.0, 6.0, "r1", better, worse),
        Round(2, RoundState.KEPT_OLD, 20, 2.0, 7.0, "r2", worse, better, "AP50 fell on the held-back pictures"),
    ]
    return fake


@pytest.mark.parametrize(
    ("place", "size", "keys"),
    [
        ("annotate", SMALL, "a"),
        ("annotate", LARGE, "a"),
        ("annotate", SMALL, "ao"),
        ("projects", SMALL, ""),
        ("projects", LARGE, ""),
        ("projects", SMALL, "n"),
        ("training", SMALL, ""),
        ("training", LARGE, ""),
    ],
)
def test_how_it_looks(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, place: str, size: tuple[int, int], keys: str) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def factory() -> DaemonClient:
        return cast(DaemonClient, frozen())

    app = CvflowApp(cast("Callable[[], Awaitable[DaemonClient]]", factory), start_place=place, project="raccoons")

    async def ready(pilot: Pilot[None]) -> None:
        for _ in range(100):
            await pilot.pause(0.02)
            if app.client_ready and (place != "annotate" or app.screen_stack[0].query_one(DrawingCanvas).picture):
                break
        await pilot.pause(0.5)
        await pilot.press(*keys)
        # What an act says stands on the status line for three seconds.
        await pilot.pause(3.4 if place == "annotate" else 0.4)

    assert snap_compare(app, terminal_size=size, run_before=ready)
