"""Every error becomes `{"error", "code", "detail"?}` with a true status."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from cvflow_tui.backend.api.body import UNREADABLE
from cvflow_tui.backend.api.document import methods_at
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.space import full_disk
from cvflow_tui.model.text import clean, one_line

log = logging.getLogger(__name__)


class ErrorResponse(JSONResponse):
    """An error as a reply. What it quotes (a file's name, a tool's output) may hold anything: it can always be sent, and be shown."""

    def __init__(self, error: str, code: str, status: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        body = {"error": " ".join(clean(error).split()), "code": code}
        super().__init__(body if detail is None else {**body, "detail": clean(detail)}, status, headers)

    def render(self, content: Any) -> bytes:
        """As JSON, with a mark in place of what is no character (file names that are no UTF-8)."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def install(app: FastAPI) -> None:
    """Teach the application to answer with our errors."""

    @app.exception_handler(CvflowError)
    async def known(_: Request, error: CvflowError) -> JSONResponse:
        return ErrorResponse(error.message, error.code, error.status, error.detail)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return ErrorResponse(one_line(_words(error.errors()[0])), "usage", 422)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        told = "the body is no JSON that can be read" if error.status_code == 400 else str(error.detail)
        code = "not_found" if error.status_code == 404 else "usage"
        headers = {"Allow": methods_at(request.app, request.url.path)} if error.status_code == 405 else error.headers
        return ErrorResponse(told, code, error.status_code, headers=headers)

    @app.exception_handler(OSError)
    async def of_the_system(request: Request, error: OSError) -> JSONResponse:
        if error.errno == errno.ENAMETOOLONG:  # wherever a name becomes a file's: it was the request's
            return ErrorResponse(
                one_line(f"{str(error.filename or 'a name')[-60:]}: that is too long for the name of a file"), "usage", 422
            )
        return await unknown(request, error)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        if (full := full_disk(error)) is not None:
            return await known(request, full)
        message = one_line(f"the daemon failed: {type(error).__name__}: {error} (its log has the rest)")
        return ErrorResponse(message, "internal", 500)


def _words(fault: Mapping[str, Any]) -> str:
    """What the first fault of a request is, and where."""
    if fault["type"] == UNREADABLE:
        return str(fault["msg"])
    if fault["type"] == "json_invalid":
        return f"the body is no JSON: {fault['ctx']['error']} (character {fault['loc'][-1]})"
    where = ".".join(str(part) for part in fault["loc"] if part not in ("body", "query", "path"))
    return f"{where or 'request'}: {fault['msg']}"
