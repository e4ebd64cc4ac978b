"""`/api/v1/openapi.json`: every route with what it takes, what it answers, and how it fails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import TypeAdapter
from starlette.routing import compile_path

Schema = dict[str, Any]

_REASONS = {
    400: "the body is no JSON that can be read",
    401: "the token is missing or wrong",
    403: "a foreign host, or a page of another site",
    404: "there is no such thing",
    405: "the path takes other methods: `Allow` names them",
    409: "the state of things does not allow it: a name or a port that is taken, a disk that is full, a daemon that is about to end",
    413: "the body is too large, or does not tell its length",
    415: "the body is not application/json",
    422: "what was sent makes no sense: the error names the field",
    424: "a package is at fault: its manifest, its weights, its requirements, its code",
    500: "the daemon failed; its log has the rest",
    502: "another machine or another process did not do its part",
}
_ALWAYS = (401, 403, 405, 413, 500)
_BODY = (400, 415)
_METHODS = ("get", "put", "post", "delete", "patch")
_CHANGING = ("put", "post", "delete", "patch")
_ERROR = "ErrorReply"


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What every reply of 4xx and 5xx holds."""

    error: str
    """One line that names the thing and, where there is one, the mend."""
    code: Literal["internal", "usage", "not_found", "refused", "remote", "package"]
    detail: str | None = None
    """What stands behind the message (a traceback, a tool's output): left out where there is none."""


def fails(*statuses: int) -> dict[int | str, Schema]:
    """`responses` of a route that fails in these ways, beside those in which each of its kind does."""
    return {status: _reply(status) for status in statuses}


class DescribedApi(FastAPI):
    """An application that tells also how its routes fail, and what opens it."""

    def openapi(self) -> Schema:
        """The document, made when it is first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def methods_at(app: FastAPI, path: str) -> str:
    """What `Allow` says of a path. (The router names the methods of one of the routes at it, not of all.)"""
    found = {method.upper() for template, methods in app.openapi()["paths"].items() if _pattern(template).match(path) for method in methods}
    return ", ".join(sorted(found))


@lru_cache(maxsize=1000)
def _pattern(template: str) -> re.Pattern[str]:
    return compile_path(template)[0]


def _completed(document: Schema) -> Schema:
    schemas = document["components"]["schemas"]
    for foreign in ("HTTPValidationError", "ValidationError"):  # FastAPI's words for a 422; ours are others
        schemas.pop(foreign, None)
    schemas[_ERROR] = TypeAdapter(ErrorReply).json_schema()
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The word in the home folder's file `token`"}
    }
    document["security"] = [{"token": []}]
    for variants in _discriminated(document):
        for reference in variants["mapping"].values():  # without it nobody could tell which of them was meant: a default is none here
            schema = schemas[reference.rpartition("/")[2]]
            schema["required"] = sorted({*schema.get("required", ()), variants["propertyName"]})
    for path in document["paths"].values():
        for method in _METHODS:
            if method in path:
                _complete(method, path[method])
    return document


def _discriminated(document: Schema) -> list[Schema]:
    """What tells the variants of a body apart, where it has some."""
    bodies = [operation.get("requestBody", {}) for path in document["paths"].values() for operation in path.values()]
    schemas = [body["content"]["application/json"]["schema"] for body in bodies if body]
    return [schema["discriminator"] for schema in schemas if "discriminator" in schema]


def _complete(method: str, operation: Schema) -> None:
    """Add how every route of its kind fails."""
    replies = operation["responses"]
    replies.pop("422", None)
    statuses = [*_ALWAYS]
    if "requestBody" in operation:
        statuses += _BODY
    if "requestBody" in operation or operation.get("parameters"):
        statuses.append(422)
    if method in _CHANGING:
        statuses.append(409)
    for status in statuses:
        replies.setdefault(str(status), _reply(status))
    operation["responses"] = dict(sorted(replies.items()))


def _reply(status: int) -> Schema:
    reply: Schema = {
        "description": _REASONS[status],
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_ERROR}"}}},
    }
    if status == 401:
        reply["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    if status == 405:
        reply["headers"] = {"Allow": {"schema": {"type": "string"}, "required": True}}
    return reply
