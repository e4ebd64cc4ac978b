"""A small JSON object in a request's body."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, too_large

LIMIT = 1 << 20
"""Bytes that it may have."""


async def read_json(request: Request) -> dict[str, Any]:
    """The object in a request's body. Raises Fault 400, 413."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Fault(415, f"a body of type {kind[:60]!r} is not taken; send application/json", "usage")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise too_large(f"the body is longer than {LIMIT} bytes")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_input("the body is no JSON") from None
    if not isinstance(told, dict):
        raise bad_input("the body must be a JSON object")
    return told
