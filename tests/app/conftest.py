"""The app on a headless terminal, with a fake daemon behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from cvflow_tui.app import CvflowApp
from tests.app.fake_client import FakeClient

Opened = tuple[CvflowApp, Pilot[None]]
OpenApp = Callable[..., AbstractAsyncContextManager[Opened]]
SERVED = "cvflow/nanodet/detect"
"""A solver that the fixture `serving` has running."""
SIZES = [(80, 24), (160, 45)]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the terminal that runs the tests reaches the app."""
    for name in ("NO_COLOR", "COLORFGBG", "CVFLOW_THEME", "CVFLOW_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.fixture
def client() -> FakeClient:
    """The default fake daemon."""
    return FakeClient()


def app_with(client: FakeClient, place: str = "hub", **options: Any) -> CvflowApp:
    """An app whose daemon is the fake."""

    async def factory() -> FakeClient:
        return client

    return CvflowApp(factory, place, **options)


async def settle(pilot: Pilot[Any], rounds: int = 6) -> None:
    """Let messages and workers run until there is nothing left for now."""
    for _ in range(rounds):
        await pilot.pause()


async def wait_until(pilot: Pilot[Any], condition: Callable[[], bool], rounds: int = 300) -> None:
    """Let the app run until the condition holds."""
    for _ in range(rounds):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"it never came to be; the screen:\n{screen_text(pilot.app)}")


def screen_text(app: Any) -> str:
    """What stands on the screen, one line a row."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


def shows(app: Any, text: str) -> Callable[[], bool]:
    """A condition: the text stands on the screen."""
    return lambda: text in screen_text(app)


def is_open(app: Any, kind: type[Any]) -> Callable[[], bool]:
    """A condition: a screen of that kind is on top."""
    return lambda: isinstance(app.screen, kind)


@pytest.fixture
def open_app() -> OpenApp:
    """`async with open_app(client, place, size)` gives the app and its pilot, the daemon up and the first list there."""

    @asynccontextmanager
    async def opened(client: FakeClient, place: str = "hub", size: tuple[int, int] = (80, 24)) -> AsyncIterator[Opened]:
        app = app_with(client, place)
        async with app.run_test(size=size, notifications=True) as pilot:
            await app.when_ready()
            await settle(pilot)
            yield app, pilot

    return opened


@pytest.fixture
async def serving(client: FakeClient) -> FakeClient:
    """A daemon with two solvers."""
    await client.start_solver(SERVED)
    await client.start_solver("cvflow/mobilenet/classify")
    return client
