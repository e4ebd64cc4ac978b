"""An app on the fake, at the size a test asks for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from cvflow_tui.app import CvflowApp
from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.screens.annotate import AnnotateScreen
from cvflow_tui.widgets.status_line import StatusLine
from tests.iae_screens.fake_projects import FakeProjects

WAITS = 200


class Stage:
    """An app under a Pilot, with the fake behind it."""

    def __init__(self, app: CvflowApp, pilot: Pilot[None], fake: FakeProjects) -> None:
        self.app, self.pilot, self.fake = app, pilot, fake

    @property
    def annotate(self) -> AnnotateScreen:
        """The annotate place, which must be shown."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, AnnotateScreen)
        return screen

    @property
    def acts(self) -> list[Any]:
        """The acts that were journalled, in order."""
        return [call[2] for call in self.fake.calls if call[0] == "act"]

    @property
    def status(self) -> str:
        """What the status line says, single-spaced."""
        return " ".join(self.app.screen_stack[0].query_one("#status", StatusLine).text.split())

    @property
    def toasts(self) -> list[str]:
        """What was notified."""
        return [each.message for each in self.app._notifications]

    async def keys(self, *keys: str) -> None:
        """Press keys one after another and wait until all they ask for is done."""
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Wait until the annotator's line is empty and the screen has drawn."""
        await self.pilot.pause()
        screen = self.app.screen_stack[0]
        if isinstance(screen, AnnotateScreen) and screen.session is not None:
            await screen.session.settled()
        await self.pilot.pause()

    async def until(self, what: Callable[[], object], why: str) -> None:
        """Wait for something that comes by itself; fails with `why` if it does not."""
        for _ in range(WAITS):
            if what():
                return
            await self.pilot.pause(0.02)
        pytest.fail(f"never came: {why}")


Opened = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]


@contextlib.asynccontextmanager
async def _open(fake: FakeProjects, place: str, project: str | None, size: tuple[int, int]) -> AsyncIterator[Stage]:
    async def factory() -> DaemonClient:
        return cast(DaemonClient, fake)

    app = CvflowApp(cast("Callable[[], Awaitable[DaemonClient]]", factory), start_place=place, project=project)
    async with app.run_test(size=size) as pilot:
        stage = Stage(app, pilot, fake)
        await stage.until(lambda: app.client_ready, "the client")
        await stage.settle()
        if place == "annotate" and project is not None:
            await stage.until(lambda: stage.annotate.session and stage.annotate.session.view, "the first picture")
            await stage.until(lambda: stage.annotate.canvas.picture, "its pixels")
        yield stage


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """`async with opened(fake, place=…, project=…, size=…) as stage`."""
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def make(
        fake: FakeProjects, place: str = "annotate", project: str | None = "raccoons", size: tuple[int, int] = (80, 24)
    ) -> contextlib.AbstractAsyncContextManager[Stage]:
        return _open(fake, place, project, size)

    return make


@pytest.fixture
def fake() -> FakeProjects:
    """Three pictures, each with a raccoon at .91 and a dog at .74 suggested."""
    made = FakeProjects()
    made.add()
    return made
