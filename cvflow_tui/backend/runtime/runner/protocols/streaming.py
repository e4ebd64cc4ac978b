"""A reply in pieces that begins before its request has come to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Stream(Response):
    """Pieces as they come, while the request's body is still being read (Starlette's own would read it too, to see its end)."""

    def __init__(self, pieces: AsyncGenerator[bytes, None], media: str) -> None:
        super().__init__(media_type=media)
        del self.headers["content-length"]
        self.at_end: Callable[[], None] | None = None
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            if self.at_end is not None:
                self.at_end()
            await self._pieces.aclose()
        await send({"type": "http.response.body", "body": b""})
