"""The end of a connection whose client is still sending: the reply first, then its rest read and dropped, then the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cvflow_tui.backend.runtime.outlet import Outlet

LINGER_SECONDS = 5.0
LINGER_BYTES = 256 << 20
"""How long, and for how much, a client may go on sending a body that nobody wants any more."""
LINGER_HEADER_BYTES = 1 << 20
"""For how much where not even the headers could be read."""


class LingeringOutlet(Outlet):
    """A transport that does not close in the face of a client that has more to send.

    The kernel answers bytes that nobody reads with a reset, and a reset takes away the reply that was sent before it: whoever sent too
    much, or too early, would never learn why. `unread` tells whether more of a request is to come (RFC 9112, section 9.6).
    """

    __slots__ = ("_left", "_lingering", "_timer", "_unread")

    def __init__(self, transport: asyncio.Transport, unread: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._unread = unread
        self._lingering = False
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    def is_closing(self) -> bool:
        """Whether it takes no more."""
        return self._lingering or super().is_closing()

    def close(self) -> None:
        """Close once all is sent, and all that the client sends has been read."""
        if self._unread():
            self.linger()
        elif not self._lingering:
            super().close()

    def linger(self, most: int = LINGER_BYTES) -> None:
        """Send what is to be sent, say that it was all, and read on for a while: `most` bytes."""
        if self.is_closing():
            return
        self._flush()
        self._lingering, self._left = True, most
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.close)

    def drop(self, size: int) -> bool:
        """Whether what was just read, `size` bytes, is nobody's any more."""
        if self._lingering:
            self._left -= size
            if self._left < 0:
                self._transport.close()
        return self._lingering

    def gone(self) -> None:
        """The client has gone."""
        if self._timer is not None:
            self._timer.cancel()
