"""What a runner says of itself: `/`, `/openapi.json`."""

from __future__ import annotations

from typing import Any

from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.model.packages import Parameter

_SCHEMAS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
_ERROR = {"type": "object", "required": ["error", "code"], "properties": {"error": {"type": "string"}, "code": {"type": "string"}}}
_REFUSALS = {"400": "the picture or a parameter can't be used", "413": "too large", "500": "the solver failed", "503": "not now"}


def about(service: Service) -> dict[str, Any]:
    """`GET /`."""
    spec, ready = service.spec, service.main.ready
    return {
        "package": spec.package,
        "version": spec.version,
        "solver": spec.solver,
        "task": spec.task,
        "state": str(service.state),
        "parameters": [
            {"name": item.name, "type": item.type, "default": item.default, "required": item.required} for item in ready.parameters
        ],
        "labels": list(spec.labels or ready.labels),
        "trainable": ready.trainable,
    }


def openapi(service: Service) -> dict[str, Any]:
    """`GET /openapi.json`: an OpenAPI 3.1 document, the parameters typed by the hints of `infer`."""
    spec, parameters = service.spec, service.main.ready.parameters
    picture = {"type": "string", "format": "binary"}
    fields = {"file": picture, **{item.name: _schema(item) for item in parameters}}
    query: list[dict[str, Any]] = [{"name": item.name, "in": "query", "required": False, "schema": _schema(item)} for item in parameters]
    query.append({"name": "X-CVFlow-Variant", "in": "header", "required": False, "schema": {"type": "string"}})
    infer = {
        "operationId": "infer",
        "summary": f"Run a picture through {spec.name}",
        "parameters": query,
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": picture},
                "application/octet-stream": {"schema": picture},
                "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": fields}},
            },
        },
        "responses": {
            "200": {"description": "the result", "content": {"application/json": {"schema": {}}}},
            **{code: _refusal(text) for code, text in _REFUSALS.items()},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": spec.name, "version": spec.version},
        "paths": {
            "/infer": {"post": infer},
            "/": {"get": _simple("about", "Package, version, solver, task, state, parameters, labels")},
            "/_status": {"get": _simple("status", "State and counts")},
        },
    }


def _schema(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _SCHEMAS[parameter.type]} if parameter.type in _SCHEMAS else {}
    if not parameter.required:
        schema["default"] = parameter.default
    return schema


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ERROR}}}


def _simple(operation: str, summary: str) -> dict[str, Any]:
    reply = {"description": "as it stands", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": operation, "summary": summary, "responses": {"200": reply}}
