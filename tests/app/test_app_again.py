"""What an install's error asks for is done in the app: its options are shown, and tried with a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.screens.install import InstallScreen
from cvflow_tui.screens.install_again import mends_of
from cvflow_tui.widgets.line_input import LineInput
from tests.app.conftest import SIZES, OpenApp, screen_text, settle, wait_until
from tests.app.fake_client import FakeClient


@pytest.mark.parametrize("size", SIZES)
async def test_an_install_that_failed_is_tried_again_with_what_may_mend_it(
    open_app: OpenApp, client: FakeClient, size: tuple[int, int]
) -> None:
    def fails(request: InstallRequest) -> dict[str, object] | None:
        return None if "colorama" in request.requirements else {"error": "cannot be imported", "mends": (Mend(("colorama",)),)}

    client.install_fails = fails
    async with open_app(client, "hub", size) as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "m try again with …" in screen_text(app))
        await pilot.press("m")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        assert app.screen.query_one(LineInput).value == "hub:cvflow/nanodet --with colorama"
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, InstallScreen) and "Enter install" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Installed." in screen_text(app))
        assert client.installed_as == InstallRequest("hub:cvflow/nanodet", requirements=("colorama",))


async def test_what_forbids_a_plan_is_mended_before_anything_is_installed(open_app: OpenApp, client: FakeClient) -> None:
    client.findings = (
        Finding("build", "dlib has no wheel", "try …", mends=(Mend(("dlib-bin",)), Mend(allow_build=("dlib",)))),
        Finding("weights", "the weight w.bin cannot be had", "…", mends=(Mend(weights=("w.bin",)),)),
    )
    client.problems = tuple(finding.sentence for finding in client.findings)
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: "m try with …" in screen_text(app))
        await pilot.press("m")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        line = app.screen.query_one(LineInput)
        assert line.value == "hub:cvflow/nanodet --with dlib-bin --weights w.bin="
        assert "--allow-build dlib" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert "w.bin= names no file" in screen_text(app)
        await pilot.press(*"/tmp/w.bin", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, InstallScreen) and "m try with …" not in screen_text(app))
        assert not client.called("install")


async def test_esc_leaves_the_failure_where_it_was(open_app: OpenApp, client: FakeClient) -> None:
    client.install_fails = lambda request: {"error": "it broke", "mends": (Mend(relax=True),)}
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "m try again with …" in screen_text(app))
        await pilot.press("m")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, InstallScreen) and "it broke" in screen_text(app))


async def test_another_source_takes_the_options_of_the_command(open_app: OpenApp, client: FakeClient, tmp_path: Path) -> None:
    async with open_app(client, "hub") as (app, pilot):
        await pilot.press("s")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press(*"hub:cvflow/nanodet --wit x", "enter")
        await settle(pilot)
        assert "No such option '--wit'" in screen_text(app)
        await pilot.press("ctrl+u", *"hub:cvflow/nanodet --with 'numpy<2' --relax --python 3.10", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, InstallScreen) and "Enter install" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Installed." in screen_text(app))
        assert client.installed_as == InstallRequest("hub:cvflow/nanodet", requirements=("numpy<2",), relax=True, python="3.10")


def test_what_mends_all_of_a_plan_comes_first() -> None:
    ways = (Mend(("a",)), Mend(relax=True))
    only_told = Finding("imports", "x", blocks=False, mends=(Mend(("guess",)),))
    assert mends_of([only_told]) == (Mend(("guess",)),)
    fails = Finding("imports", "y", blocks=False, fails=True, mends=(Mend(("b",)),))
    assert mends_of([Finding("build", "z", mends=ways), fails, only_told]) == (Mend(("a", "b")), *ways, Mend(("b",)))
    assert mends_of([Finding("disk", "full")]) == ()
