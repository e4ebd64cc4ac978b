"""Every error becomes `{"error", "code", "detail"?}` with a true status."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.space import full_disk
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Teach the application to answer with our errors."""

    @app.exception_handler(CvflowError)
    async def known(_: Request, error: CvflowError) -> JSONResponse:
        body = {"error": error.message, "code": error.code}
        return JSONResponse(body if error.detail is None else {**body, "detail": error.detail}, error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first.get("loc", ()) if part != "body")
        return JSONResponse({"error": one_line(f"{where or 'request'}: {first.get('msg', 'invalid')}"), "code": "usage"}, 422)

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail), "code": "not_found" if error.status_code == 404 else "usage"}, error.status_code)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        if (full := full_disk(error)) is not None:
            return await known(request, full)
        message = one_line(f"the daemon failed: {type(error).__name__}: {error} (its log has the rest)")
        return JSONResponse({"error": message, "code": "internal"}, 500)
