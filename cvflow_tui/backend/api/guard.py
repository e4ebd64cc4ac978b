"""Who may speak to the daemon: known Host, no foreign Origin, the token, JSON bodies only.

The checks follow what local model servers were attacked through: DNS rebinding (Host), web pages that post to
loopback (Origin, Sec-Fetch-Site, forms that are no JSON), other users of the machine (token).
"""

from __future__ import annotations

import asyncio
import hmac

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cvflow_tui.backend.api.errors import ErrorResponse

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a request's body; nothing the daemon takes comes near it."""

BODY_SECONDS = 30.0
"""How long a body may take to come."""


class Guard:
    """Pure ASGI middleware that answers what may not pass."""

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope["path"], headers):
            status, message = refusal
            door = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await ErrorResponse(message, "refused", status, headers=door)(scope, receive, send)
            return
        await self._app(scope, _in_time(receive), send)

    def _refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        named = headers.getlist("host")
        host = named[0].lower() if len(named) == 1 else ""
        if host_name(host) not in self._hosts:
            return 403, "this Host is not served here"
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            return 403, "requests from this Origin are refused"  # a page of another port is another's page
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "requests from other sites are refused"
        if not self._knows_token(headers):
            return 401, "the daemon's token is missing or wrong"
        return self._body_refusal(path, headers)

    def _knows_token(self, headers: Headers) -> bool:
        return hmac.compare_digest(headers.get("authorization", "").encode("utf-8", "replace"), b"Bearer " + self._token)

    def _body_refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > BODY_LIMIT or "transfer-encoding" in headers:
            return 413, f"a request's body is limited to {BODY_LIMIT} bytes of known length"
        if int(length) and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415, "the body must be application/json"
        return None


def _in_time(receive: Receive) -> Receive:
    """`receive` whose body must have come in `BODY_SECONDS`; after it, whoever waits for the client to leave may wait."""
    deadline, whole = asyncio.get_running_loop().time() + BODY_SECONDS, False

    async def receive_in_time() -> Message:
        nonlocal whole
        try:
            async with asyncio.timeout_at(None if whole else deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come in {BODY_SECONDS:g} s", {"Connection": "close"}) from None
        whole = whole or not message.get("more_body", False)
        return message

    return receive_in_time


def host_name(host: str) -> str:
    """The name in a Host header, without port, lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
