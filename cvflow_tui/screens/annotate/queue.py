"""Keys become intents that run one after another, each against what the ones before it left: fast typing loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cvflow_tui.model.errors import CvflowError

Intent = Callable[[], Awaitable[None]]
"""Something the annotator asked for. It looks at the picture only when its turn has come."""


class IntentQueue:
    """Runs intents in order.

    `before` runs ahead of every intent that does not ask to be spared. When either raises a CvflowError, `failed` hears of it
    and of how many intents were waiting behind: those are dropped, because they were typed for a picture that never came to be.
    """

    def __init__(self, before: Intent, failed: Callable[[CvflowError, int], None]) -> None:
        self._before = before
        self._failed = failed
        self._waiting: asyncio.Queue[tuple[Intent, bool]] = asyncio.Queue()
        self._left = 0

    def submit(self, intent: Intent, *, bare: bool = False) -> None:
        """Put an intent at the end of the line; a `bare` one runs without `before`."""
        self._left += 1
        self._waiting.put_nowait((intent, bare))

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self._left == 0

    async def settled(self) -> None:
        """Wait until everything that was submitted has run or was dropped."""
        await self._waiting.join()

    async def run(self) -> None:
        """Work for as long as the task lives. An error that is no CvflowError is a defect and ends it."""
        while True:
            intent, bare = await self._waiting.get()
            try:
                if not bare:
                    await self._before()
                await intent()
            except CvflowError as error:
                self._failed(error, self._drop())
            finally:
                self._done()

    def _drop(self) -> int:
        dropped = 0
        while not self._waiting.empty():
            self._waiting.get_nowait()
            self._done()
            dropped += 1
        return dropped

    def _done(self) -> None:
        self._left -= 1
        self._waiting.task_done()
