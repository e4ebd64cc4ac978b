"""A round as the annotator sees it, in a real terminal with the real detector: set off by annotating, told, and then it suggests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cvflow_tui.backend.client import DaemonClient, find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.projects import PictureView
from tests.path.conftest import Cvflow
from tests.path.test_path_terminal import APP
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def view_of(program: Cvflow, position: int) -> PictureView:
    async def look() -> PictureView:
        address = find_daemon(Home(program.home))
        assert address is not None
        async with DaemonClient.at(address) as client:
            return await client.open_picture("people", position)

    return asyncio.run(look())


@pytest.mark.timeout(300)
def test_two_annotated_pictures_set_off_a_round_whose_checkpoint_suggests_next(cvflow: Cvflow, photographs: Path) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    pictures = [str(photographs / name) for name in ("astronaut.png", "camera.png", "coffee.png")]
    arguments = ["--labels", "person,cup", "--solver", "nanodet", "--round-every", "2"]
    cvflow.ok("project", "new", "people", *pictures, *arguments)
    cvflow.ok("start", "nanodet")
    with Terminal([*APP, "--project", "people"], cvflow.environment, 160, 45) as terminal:
        terminal.wait_for("1/3")
        terminal.wait_for("1 to decide")
        assert "2 until round 1" in terminal.text
        terminal.send("A")
        terminal.wait_for("all decided")
        terminal.send("n")
        terminal.wait_for("2/3")
        terminal.wait_for("1 until round 1")
        terminal.wait_for("1 to decide")
        terminal.send("A")
        terminal.wait_for("all decided")
        terminal.send("n")
        terminal.wait_for("3/3")
        terminal.wait_for(lambda shown: "round 1: " in shown or "r1" in shown, 60)
        terminal.wait_for("● r1", 120)
        terminal.wait_for("round 2")
        # Both were accepted as suggested: every suggestion shown at first opening was right. A message leaves no room for it for a while.
        terminal.wait_for(lambda shown: any("P 1.0  R 1.0  AP50 1.0" in line for line in shown.splitlines() if line.startswith(" 3/3")))
    (round_,) = cvflow.json("project", "status", "people")["rounds"]
    assert (round_["number"], round_["state"], round_["pictures"], round_["checkpoint"]) == (1, "promoted", 2, "r1")
    assert round_["seconds"] > 0
    fresh = view_of(cvflow, 3)
    assert fresh.suggestions
    assert {suggestion.checkpoint for suggestion in fresh.suggestions} == {"r1"}
    (running,) = cvflow.json("ps")
    assert running["state"] == "ready"
