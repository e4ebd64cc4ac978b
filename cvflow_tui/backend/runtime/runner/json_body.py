"""A small JSON object in a request's body."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from cvflow_tui.backend.runtime.runner.faults import bad_input, too_large

LIMIT = 1 << 20
"""Bytes that it may have."""


async def read_json(request: Request) -> dict[str, Any]:
    """The object in a request's body. Raises Fault 400, 413."""
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
