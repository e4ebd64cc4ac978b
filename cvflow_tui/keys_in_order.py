"""Keys are handled one after the other, each wholly, however fast they come.

The toolkit gives a key to the widget that has the focus and asks for bindings once the key has come all the way up from there. What comes
in one piece (a slow line, a hasty hand, a script) overtakes itself then: a letter is in its line before the backspace ahead of it, and what
is typed behind `/` is taken for the table's keys before the line below has the focus.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen

LONGEST = 0.3
"""Seconds that the next key waits for one of which nothing is heard any more: what it was given to has gone meanwhile."""


@dataclass(eq=False, slots=True)
class _Press:
    """A key that is being handled: to whom it was given, and the screen that it found."""

    target: MessagePump
    screen: Screen[Any]


class KeysInOrder(App[None]):
    """An app whose keys wait for one another."""

    class Handled(Message):
        """Follows a key on its way up, then what it has had its widget say: where the second comes, all of it has been."""

        def __init__(self, press: _Press, second: bool) -> None:
            super().__init__()
            self.press, self.second = press, second

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.keys_given_up = 0
        """Of how many keys nothing was heard any more."""
        self._keys: deque[events.Key] = deque()
        self._holds = 0
        self._press: _Press | None = None

    def hold_keys(self) -> None:
        """Have the next keys wait until as many `let_keys_through` have followed: they are meant for what comes then."""
        self._holds += 1

    def let_keys_through(self) -> None:
        """Whatever they were held for is there."""
        self._holds -= 1
        self.call_later(self._next_key)

    async def on_event(self, event: events.Event) -> None:
        """A key waits for those before it."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        event.stop()
        self._keys.append(event)
        self._watch()
        await self._next_key()

    async def _next_key(self) -> None:
        while self._keys and self._press is None and not self._holds:
            key = self._keys.popleft()
            if not self.screen_stack:
                continue  # the app is being taken down: it has nowhere to go
            self._press = press = _Press(self.focused or self.screen, self.screen)
            self._watch()
            await super().on_event(events.Key(key.key, key.character))
            self._follow(press)

    def _follow(self, press: _Press, second: bool = False) -> None:
        if not press.target.post_message(self.Handled(press, second)):
            self.call_later(self._settle, press)

    async def on_keys_in_order_handled(self, message: Handled) -> None:
        """The key has been everywhere, or all that came of it."""
        message.stop()
        if not message.second:
            self._follow(message.press, second=True)
            return
        await asyncio.sleep(0)  # a worker that was begun may open a screen at once
        self.call_later(self._settle, message.press)

    async def _settle(self, press: _Press) -> None:
        """The focus is where the key has put it by now; a screen that it has opened is waited for."""
        if press is not self._press:
            return
        if self.screen_stack and self.screen is not press.screen:
            press.screen = self.screen
            self.screen.call_after_refresh(self.call_later, self._settle, press)
        else:
            self._press = None
            await self._next_key()

    def _watch(self) -> None:
        if self._keys and self._press is not None:
            self.set_timer(LONGEST, partial(self._give_up, self._press))

    async def _give_up(self, press: _Press) -> None:
        if press is self._press:
            self.keys_given_up += 1
            self._press = None
            await self._next_key()
