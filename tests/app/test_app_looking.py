"""A place that looks by itself: never twice at once, again when something changed meanwhile, not at all when nobody sees it."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Static

from cvflow_tui.screens.looking_place import LookingPlace
from tests.app.conftest import OpenApp, wait_until
from tests.app.fake_client import FakeClient


class Slow(LookingPlace):
    """Its daemon answers when the test says so."""

    PLACE = "slow"
    LOOK_EVERY: ClassVar[float | None] = 0.02

    def __init__(self) -> None:
        super().__init__()
        self.begun = self.ended = 0
        self.answer = asyncio.Event()

    def compose_place(self) -> ComposeResult:
        yield Static("")

    async def look(self) -> None:
        self.begun += 1
        await self.answer.wait()
        self.ended += 1


class Once(Slow):
    """It looks when it is told to."""

    LOOK_EVERY = None


async def test_a_slow_daemon_is_asked_again_only_when_it_has_answered(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "hub") as (app, pilot):
        place = Slow()
        await app.push_screen(place)
        await wait_until(pilot, lambda: place.begun == 1)
        await pilot.pause(0.2)
        assert (place.begun, place.ended) == (1, 0)
        place.answer.set()
        await wait_until(pilot, lambda: place.ended > 3)


async def test_what_changed_during_a_look_is_looked_at(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "hub") as (app, pilot):
        place = Once()
        await app.push_screen(place)
        await wait_until(pilot, lambda: place.begun == 1)
        place.look_soon()
        place.look_soon()
        place.answer.set()
        await wait_until(pilot, lambda: place.ended == 2)
        await pilot.pause(0.1)
        assert place.begun == 2


async def test_nothing_is_asked_for_a_place_that_nobody_sees(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "hub") as (app, pilot):
        place = Slow()
        place.answer.set()
        await app.push_screen(place)
        await wait_until(pilot, lambda: place.ended > 1)
        await app.push_screen(Slow())
        await pilot.pause(0.1)
        seen = place.begun
        await pilot.pause(0.2)
        assert place.begun == seen
