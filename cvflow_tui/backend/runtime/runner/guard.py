"""Who may ask: the doors that every request passes before a route sees it."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cvflow_tui.backend.runtime.runner.faults import Fault, forbidden
from cvflow_tui.backend.runtime.runner.limits import Limits

log = logging.getLogger(__name__)


class Guard:
    """Refuses foreign `Host` names (DNS rebinding) and foreign pages (`Origin`, `Sec-Fetch-Site`), for every method.

    Where other machines can reach us, every request needs the token.
    """

    def __init__(self, app: ASGIApp, host: str, limits: Limits, token: str = "") -> None:
        self._token = None if _is_loopback(host) else token
        self._app = app
        self._hosts = Hosts(host)
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403 or 414."""
        if scope["type"] == "http":
            try:
                self.check(scope)
            except Fault as fault:
                await fault_reply(fault)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def check(self, scope: Scope) -> None:
        """Raises Fault 400, 403 or 414 for what may not pass."""
        if len(scope["query_string"]) > self._limits.field:
            raise Fault(414, f"the query is longer than {self._limits.field} bytes", "usage")
        headers = dict(scope["headers"])
        if len(headers) < len(scope["headers"]) and sum(name == b"host" for name, _ in scope["headers"]) > 1:
            raise Fault(400, "the request names two hosts", "usage")
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._hosts.allows(host):
            raise forbidden("this host name is not served here; use 127.0.0.1")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in (f"http://{host}", f"https://{host}"):
            raise forbidden("requests from other pages are refused")
        if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise forbidden("requests from other pages are refused")
        if self._token is not None:
            check_token(Headers(scope=scope), self._token)


class Hosts:
    """Which `Host` headers are ours: loopback ones; with another bound address, also addresses and this machine's name."""

    def __init__(self, bound: str) -> None:
        self._loopback_only = _is_loopback(bound)
        self._names = {"localhost"} if self._loopback_only else {"localhost", bound.lower(), socket.gethostname().lower()}
        self._known: dict[str, bool] = {}

    def allows(self, host: str) -> bool:
        """Whether a `Host` header names us."""
        known = self._known.get(host)
        if known is None:
            known = self._decide(host)
            if len(self._known) < 1000:
                self._known[host] = known
        return known

    def _decide(self, host: str) -> bool:
        name = _without_port(host.lower())
        if name in self._names or _is_loopback(name):
            return True
        return not self._loopback_only and _is_address(name)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def check_token(headers: Headers, token: str) -> None:
    """Let control requests through. Raises Fault 403 without the token; with an empty token nothing gets through."""
    if not token:
        raise forbidden("this runner was started without a control token: its control routes are closed")
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise forbidden("this route needs the control token (Authorization: Bearer …)")


Handler = Callable[[Request], Awaitable[Response]]


def answering(handler: Handler) -> Handler:
    """A handler whose faults become replies."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Fault as fault:
            return fault_reply(fault)

    return answer


def fault_reply(fault: Fault) -> JSONResponse:
    """A fault as a reply."""
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else None
    return JSONResponse(fault.body, fault.status, headers)
