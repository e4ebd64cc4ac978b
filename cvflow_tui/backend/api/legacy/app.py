"""The original routes, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cvflow_tui.backend.api import errors
from cvflow_tui.backend.api.legacy import repos, running
from cvflow_tui.backend.api.legacy.guard import LegacyGuard
from cvflow_tui.backend.api.legacy.proxy import PREFIX, Proxy
from cvflow_tui.backend.api.services import Services

NOT_SERVED = {
    "/contrib": "datasets, uploads and trainings of the original web page are not served; see: cvflow project, cvflow train",
    "/_inspector": "requests are not recorded: they hold pictures and secrets",
    "/socket": "logs are not sent over a WebSocket; see: cvflow logs -f SOLVER",
}
"""Routes of the original that are refused, and why."""

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_legacy(services: Services, token: str, hosts: Collection[str]) -> ASGIApp:
    """The application behind the legacy port."""
    app = FastAPI(title="cvflow daemon, as the original's", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.services = services
    errors.install(app)
    app.include_router(repos.router)
    app.include_router(running.router)
    for path, reason in NOT_SERVED.items():
        app.add_api_route(path, _refusing(reason), methods=_METHODS)
        app.add_api_route(f"{path}/{{rest:path}}", _refusing(reason), methods=_METHODS)
    proxy = Proxy(services.supervisor)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await proxy(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": NOT_SERVED["/socket"][:120]})
        else:
            await app(scope, receive, send)

    return LegacyGuard(routed, token, frozenset(hosts))


def _refusing(reason: str) -> Callable[[Request], Awaitable[Response]]:
    async def refuse(request: Request) -> Response:
        return JSONResponse({"error": reason, "code": "refused"}, 501)

    return refuse
