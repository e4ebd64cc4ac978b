"""The runner's routes, put together."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from cvflow_tui.backend.runtime.runner.control import Control
from cvflow_tui.backend.runtime.runner.describe import about
from cvflow_tui.backend.runtime.runner.document import openapi
from cvflow_tui.backend.runtime.runner.faults import Fault, runner_failed
from cvflow_tui.backend.runtime.runner.guard import Guard, fault_reply
from cvflow_tui.backend.runtime.runner.infer import Infer
from cvflow_tui.backend.runtime.runner.metrics import CONTENT_TYPE, metrics
from cvflow_tui.backend.runtime.runner.protocols.batch import Batch
from cvflow_tui.backend.runtime.runner.protocols.bodies import Bodies
from cvflow_tui.backend.runtime.runner.protocols.jobs import Jobs
from cvflow_tui.backend.runtime.runner.protocols.label_studio import LabelStudio
from cvflow_tui.backend.runtime.runner.protocols.original import Originals, original_about
from cvflow_tui.backend.runtime.runner.protocols.v2 import V2
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.runner.stats import memory_numbers


def make_app(service: Service, host: str) -> Guard:
    """The ASGI application of a runner that is bound to `host`."""
    jobs, bodies = Jobs(service), Bodies(service.limits)
    infer = Infer(service, jobs)

    async def answer_about(request: Request) -> Response:
        told = about(service)
        return JSONResponse(original_about(service, told) if service.main.ready.generation else told)

    async def answer_status(request: Request) -> Response:
        status = service.status()
        return JSONResponse({"memory": memory_numbers(), "cpu_percent": status["cpu"], "id": os.getpid(), **status})

    async def answer_openapi(request: Request) -> Response:
        return JSONResponse(openapi(service))

    async def answer_metrics(request: Request) -> Response:
        return Response(metrics(service), media_type=CONTENT_TYPE)

    app = Starlette(
        routes=[
            Route("/infer", infer, methods=["POST"]),
            Route("/", answer_about, methods=["GET"]),
            Route("/_status", answer_status, methods=["GET"]),
            Route("/openapi.json", answer_openapi, methods=["GET"]),
            Route("/metrics", answer_metrics, methods=["GET"]),
            *Control(service).routes(),
            *Originals(service).routes(),
            *jobs.routes(),
            *Batch(service, jobs).routes(),
            *V2(service, bodies).routes(),
            *LabelStudio(service, bodies).routes(),
        ],
        exception_handlers={HTTPException: _http_fault, Exception: _bug},
    )

    app.router.redirect_slashes = False  # what is not there is a 404, not another address

    async def shortcut(scope: Scope, receive: Receive, send: Send) -> None:
        """Straight to what nearly every request is for; everything else through Starlette."""
        if scope["type"] == "http" and scope["path"] == "/infer" and scope["method"] == "POST":
            await infer(scope, receive, send)
        else:
            await app(scope, receive, send)

    return Guard(shortcut, host, service.limits, service.spec.token)


async def _http_fault(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405) in our shape."""
    assert isinstance(error, HTTPException)
    reply = fault_reply(
        Fault(
            error.status_code,
            f"{request.method} {request.url.path[:200]}: {error.detail}",
            "not_found" if error.status_code == 404 else "usage",
        )
    )
    reply.headers.update(error.headers or {})
    return reply


async def _bug(request: Request, error: Exception) -> Response:
    """A mistake of ours; the log has its traceback."""
    return fault_reply(runner_failed())
