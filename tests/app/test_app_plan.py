"""What an install dialog says of an upgrade, of warnings, and of scripts, which run only when they were read and allowed."""

from __future__ import annotations

import pytest

from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.packages import Changes, Differences, DistributionChange, Script
from cvflow_tui.screens.install import InstallScreen
from cvflow_tui.screens.install_script import ScriptScreen
from tests.app.conftest import SIZES, OpenApp, screen_text, wait_until
from tests.app.fake_client import FakeClient

CHANGES = Changes(
    "1.1.0",
    ("a" * 40, "b" * 40),
    files=Differences(("new.py",), (), ("solver.py", "cvpm.toml")),
    requirements=Differences(("dlib-bin==20.0.1",), ("opencv-python",), ()),
    weights=Differences((), (), ("face.dat",)),
    solvers=Differences(("encode",), (), ()),
    parameters=Differences(tuple(f"encode.p{number}" for number in range(9)), (), ()),
)
SCRIPT = Script("setup.sh", "c1" * 32, "#!/bin/sh\necho [bold]hello[/bold]\n", "after")


def plain(shown: str) -> str:
    """The screen in one line, as wrapped words read."""
    return " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize("size", SIZES)
async def test_an_upgrade_tells_what_it_changes(open_app: OpenApp, client: FakeClient, size: tuple[int, int]) -> None:
    client.changes = CHANGES
    client.findings = (Finding("gpu", "it asks for a GPU and none is here", "it will run on the CPU, slowly", blocks=False),)
    async with open_app(client, "hub", size) as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: "commits" in screen_text(app))
        seen = screen_text(app)
        await pilot.press(*["down"] * 30)
        await pilot.pause()
        seen += screen_text(app)
    for part in (
        "aaaaaaaaaa → bbbbbbbbbb",
        "1 added, 2 changed",
        "+dlib-bin==20.0.1, −opencv-python",
        "~face.dat",
        "+encode.p5, +3 more",
        "none is here",
        "it will run on",
    ):
        assert part in plain(seen)


async def test_other_versions_in_the_environment_alone_are_a_change(open_app: OpenApp, client: FakeClient) -> None:
    client.changes = Changes("1.0.0", distributions=(DistributionChange("pillow", "12.2.0", "13.0.0"),))
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: "pillow 12.2.0 → 13.0.0" in screen_text(app))
        assert "changes nothing" not in plain(screen_text(app))


async def test_a_long_plan_is_read_by_the_page(open_app: OpenApp, client: FakeClient) -> None:
    client.plan_steps = tuple(f"step number {number}" for number in range(1, 60))
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: "environment" in screen_text(app))
        await pilot.press(*["pagedown"] * 8)
        await wait_until(pilot, lambda: "step number 59" in screen_text(app))
        await pilot.press(*["pageup"] * 8)
        await wait_until(pilot, lambda: "environment" in screen_text(app))


async def test_a_script_is_read_then_allowed(open_app: OpenApp, client: FakeClient) -> None:
    client.scripts = (SCRIPT,)
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: "will not run unless you allow it" in plain(screen_text(app)))
        await pilot.press("s")
        await wait_until(pilot, lambda: isinstance(app.screen, ScriptScreen))
        await wait_until(pilot, lambda: "echo [bold]hello[/bold]" in screen_text(app))
        assert SCRIPT.sha256 in screen_text(app)
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, InstallScreen))
        assert "c1c1c1c1c1c1: allowed" not in plain(screen_text(app))
        await pilot.press("s")
        await wait_until(pilot, lambda: isinstance(app.screen, ScriptScreen))
        await pilot.press("a")
        await wait_until(pilot, lambda: "c1c1c1c1c1c1: allowed" in plain(screen_text(app)))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Installed." in screen_text(app))
    assert client.installed_as is not None
    assert client.installed_as.scripts == (SCRIPT.sha256,)


async def test_a_script_that_was_not_allowed_is_not_asked_for(open_app: OpenApp, client: FakeClient) -> None:
    client.scripts = (SCRIPT,)
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: "s script" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Installed." in screen_text(app))
    assert client.installed_as is not None
    assert client.installed_as.scripts == ()


async def test_what_is_likely_to_fail_is_said_first_and_is_installed_all_the_same(open_app: OpenApp, client: FakeClient) -> None:
    client.findings = (Finding("imports", "net.py imports cv2, and no requirement brings it", "add --with toy", blocks=False, fails=True),)
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: "net.py imports cv2" in plain(screen_text(app)))
        shown = plain(screen_text(app))
        assert shown.index("It is likely to fail at the end") < shown.index("net.py imports cv2") < shown.index("source")
        assert "Enter install" in shown and shown.count("net.py") == 1


async def test_what_is_installed_already_is_installed_anew_only_where_that_is_meant(open_app: OpenApp, client: FakeClient) -> None:
    client.unchanged = True
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: "cvflow/nanodet 1.0.0 is installed already, nothing to do." in plain(screen_text(app)))
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(app.screen, InstallScreen))
        assert not client.called("install")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "r install anew" in screen_text(app))
        await pilot.press("r")
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Installed." in screen_text(app))
        assert client.installed_as is not None and client.installed_as.again
