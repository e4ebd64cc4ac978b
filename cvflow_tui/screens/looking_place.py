"""A place that looks again by itself while somebody sees it."""

from __future__ import annotations

from typing import ClassVar

from textual.timer import Timer

from cvflow_tui.screens.place import Place

BEFORE_ITS_ANSWER = "Waiting for the daemon …"
"""What a list says before the daemon's first answer."""


class LookingPlace(Place):
    """A place whose subclass says in `look` how it fetches what it shows.

    It looks once the daemon answers, whenever the place is come to, every `LOOK_EVERY` seconds while it is shown, and when `look_soon`
    is called. Two looks never run at once: a daemon that is slower than the clock is asked again only when it has answered.

    (Textual calls the `on_…` of every class of a screen, the subclass's first: those here must not be called by `super`.)
    """

    LOOK_EVERY: ClassVar[float | None] = None
    """Seconds between two looks; None where only the user changes what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._clock: Timer | None = None
        self._looks = False
        self._again = False

    async def look(self) -> None:
        """Fetch what the place shows, and show it. Raises CvflowError."""
        raise NotImplementedError  # no ABC: a screen has the toolkit's metaclass

    def look_soon(self) -> None:
        """Look now, or, where a look is under way, once more after it: what it fetched may be of before."""
        if not self.cvflow.client_ready or not self.stands.is_set():
            return
        if self._looks:
            self._again = True
            return
        self._looks = True
        self.attempt(self._look_once, group="look")

    async def _look_once(self) -> None:
        try:
            await self.look()
        finally:
            self._looks = False
            if self._again:
                self._again = False
                self.look_soon()

    def _tick(self) -> None:
        if not self._looks:
            self.look_soon()

    def on_client_ready(self) -> None:
        """Look, and go on looking."""
        if self.LOOK_EVERY is not None:
            self._clock = self.set_interval(self.LOOK_EVERY, self._tick, pause=not self.is_current)
        self.look_soon()

    def on_screen_resume(self) -> None:
        """Something may have changed elsewhere."""
        if self._clock is not None:
            self._clock.resume()
        self.look_soon()

    def on_screen_suspend(self) -> None:
        """Nothing is asked for a place that nobody sees."""
        if self._clock is not None:
            self._clock.pause()
