"""`GET /openapi.json`: every route of every protocol, the parameters typed by the hints of `infer`."""

from __future__ import annotations

from typing import Any

from cvflow_tui.backend.runtime.runner.results_schema import OBJECT, result_schema
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.model.packages import Parameter

Schema = dict[str, Any]

_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
_PICTURE: Schema = {"type": "string", "format": "binary"}
_TEXT: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object"}
_REASONS = {
    "400": "what was sent can't be used",
    "403": "a foreign host or page, a host that is not listed, or a control route without its token",
    "404": "there is no such thing",
    "405": "the route takes other methods",
    "408": "the body did not arrive in time",
    "409": "the state of things does not allow it",
    "413": "larger than a limit allows",
    "414": "the query is too long",
    "415": "this type of body is not taken",
    "424": "the checkpoint could not be loaded",
    "500": "the solver, or the runner, failed",
    "502": "another machine did not do its part",
    "503": "not now: starting, restarting, or too many wait (Retry-After says when to come back)",
    "504": "no answer within the time that was asked for",
}
_ALWAYS = ("400", "403", "404", "405", "414")
_ASKING = (*_ALWAYS, "408", "413", "415", "500", "503", "504")


def openapi(service: Service) -> Schema:
    """An OpenAPI 3.1 document."""
    spec, ready = service.spec, service.main.ready
    infer = _Infer(spec.name, ready.parameters, ready.documentation)
    return {
        "openapi": "3.1.0",
        "info": {"title": spec.name, "version": spec.version, "description": ready.documentation or f"A solver of task {spec.task}"},
        "paths": {**_about(), **infer.paths(), **_jobs(infer), **_v2(spec.solver, spec.version), **_label_studio(), **_control()},
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error", "code"],
                    "properties": {"error": {"type": "string", "description": "One line"}, "code": _TEXT},
                },
                "Result": result_schema(spec.task),
                "Object": OBJECT,
                "Job": _JOB,
            },
            "securitySchemes": {"control": {"type": "http", "scheme": "bearer", "description": "The runner's control token"}},
        },
    }


def parameter_schema(parameter: Parameter) -> Schema:
    """A parameter's values; the schema that the worker told, or what its type says."""
    schema: Schema = dict(parameter.schema or {})
    if not schema and parameter.type in _TYPES:
        schema = {"type": _TYPES[parameter.type]}
    if not parameter.required:
        schema["default"] = parameter.default
    return schema


class _Infer:
    """The ways to ask with one picture, or with many."""

    def __init__(self, name: str, parameters: tuple[Parameter, ...], documentation: str) -> None:
        self._name = name
        self._documentation = documentation
        self._schemas = {parameter.name: parameter_schema(parameter) for parameter in parameters}

    @property
    def parameters(self) -> list[Schema]:
        """In the query: the solver's own; in the headers: how to answer."""
        own = [_query(name, schema) for name, schema in self._schemas.items()]
        return [*own, _header("X-CVFlow-Variant", "A fine-tuned variant"), _timeout(), _prefer()]

    @property
    def body(self) -> Schema:
        """A picture, raw or in a form."""
        form = {"type": "object", "required": ["file"], "properties": {"file": _PICTURE, **self._schemas}}
        content = {kind: {"schema": _PICTURE} for kind in ("image/*", "application/octet-stream")}
        return {"required": True, "content": {**content, "multipart/form-data": {"schema": form}}}

    def paths(self) -> Schema:
        """`/infer`, `/batch` and where a batch's CSV is fetched."""
        answer = _json("the answer", _ref("Result"))
        later = {**_json("a job that will have the answer", _ref("Job")), "headers": {"Location": {"schema": _TEXT}}}
        infer = {
            **_operation("infer", f"Run a picture through {self._name}", {"200": answer, "202": later}, _ASKING),
            "description": self._documentation,
            "parameters": self.parameters,
            "requestBody": self.body,
        }
        files = {"type": "object", "properties": {"file": {"type": "array", "items": _PICTURE}, **self._schemas}, "required": ["file"]}
        lines = {"application/x-ndjson": {"schema": _TEXT}, "text/csv": {"schema": _TEXT}}
        told = {"application/json": {"schema": {"type": "object", "properties": {"filename": _TEXT}, "required": ["filename"]}}, **lines}
        batch = {
            **_operation(
                "batch",
                "Many pictures, answered line by line; or rows, as CSV or lines of JSON",
                {"200": {"description": "lines of JSON, or where the CSV is", "content": told}, "202": later},
                _ASKING,
            ),
            "parameters": [_header("X-CVFlow-Variant", "A fine-tuned variant"), _timeout(), _prefer()],
            "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": files}, **lines}},
        }
        table = {"description": "the CSV", "content": {"text/csv": {"schema": _TEXT}}}
        static = _operation("batch_csv", "The CSV that a batch made", {"200": table}, _ALWAYS)
        return {"/infer": {"post": infer}, "/batch": {"post": batch}, "/static/{name}": {"parameters": [_path("name")], "get": static}}


_JOB: Schema = {
    "type": "object",
    "required": ["id", "kind", "state", "done", "total", "created", "revision"],
    "properties": {
        "id": _TEXT,
        "kind": {"enum": ["infer", "batch"]},
        "state": {"enum": ["receiving", "running", "done", "failed", "cancelled"]},
        "done": {"type": "integer"},
        "total": {"type": ["integer", "null"]},
        "created": {"type": "number", "description": "Seconds since 1970"},
        "revision": {"type": "integer"},
        "result": {"$ref": "#/components/schemas/Result"},
        "result_url": _TEXT,
        "error": _TEXT,
        "code": _TEXT,
        "status": {"type": "integer"},
        "abandoned": {
            "type": "boolean",
            "description": "Cancelled while a worker was at it: one that is at nothing else is replaced after ten seconds",
        },
    },
}


def _jobs(infer: _Infer) -> Schema:
    job = _json("the job", _ref("Job"))
    events = {**job, "content": {**job["content"], "text/event-stream": {"schema": _TEXT}}}
    wait = [_query("wait", {"type": "number", "minimum": 0, "maximum": 60}), _query("newer_than", {"type": "number", "minimum": 0})]
    made = _operation("put_job", "Ask under an id of one's own: the same id again is the same job", {"200": job, "201": job}, _ASKING)
    return {
        "/jobs/{job}": {
            "parameters": [_path("job", {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"})],
            "put": {**made, "parameters": infer.parameters, "requestBody": infer.body},
            "get": {**_operation("job", "How a job stands", {"200": events}, _ALWAYS), "parameters": wait},
            "delete": _operation("delete_job", "Cancel a job, or forget one that is over", {"200": job}, (*_ALWAYS, "409")),
        },
        "/jobs/{job}/result": {
            "parameters": [_path("job", {"type": "string"})],
            "get": _operation(
                "job_result",
                "A job's answer, as the request would have had it",
                {
                    "200": {
                        "description": "the answer",
                        "content": {kind: {"schema": {}} for kind in ("application/json", "application/x-ndjson", "text/csv")},
                    }
                },
                (*_ASKING, "409"),
            ),
        },
    }


def _about() -> Schema:
    about = _operation("about", "Package, version, solver, task, state, parameters, labels", {"200": _json("it", _OBJECT)}, _ALWAYS)
    status = _operation("status", "State, counts, workers", {"200": _json("it", _OBJECT)}, _ALWAYS)
    metrics = {"description": "Prometheus' text", "content": {"text/plain": {"schema": _TEXT}}}
    return {
        "/": {"get": about},
        "/_status": {"get": status},
        "/openapi.json": {"get": _operation("openapi", "This document", {"200": _json("it", _OBJECT)}, _ALWAYS)},
        "/metrics": {"get": _operation("metrics", "Counts for Prometheus", {"200": metrics}, _ALWAYS)},
    }


def _v2(solver: str, version: str) -> Schema:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {"name": _TEXT, "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}}, "datatype": _TEXT},
    }
    request = {"type": "object", "required": ["inputs"], "properties": {"id": _TEXT, "inputs": {"type": "array", "items": tensor}}}
    ready = _json("whether it is", {"type": "object", "properties": {"ready": {"type": "boolean"}, "live": {"type": "boolean"}}})
    paths: Schema = {
        "/v2": {"get": _operation("v2_server", "Open Inference Protocol: the server", {"200": _json("it", _OBJECT)}, _ALWAYS)},
        "/v2/health/live": {"get": _operation("v2_live", "Whether the runner lives", {"200": ready}, _ALWAYS)},
        "/v2/health/ready": {"get": _operation("v2_ready", "Whether the solver is ready", {"200": ready, "503": ready}, _ALWAYS)},
        "/v2/repository/index": {
            "post": {
                **_operation(
                    "v2_index",
                    "What is served here",
                    {"200": _json("it", {"type": "array", "items": _OBJECT})},
                    (*_ALWAYS, "408", "413", "415", "503"),
                ),
                "requestBody": {"required": False, "content": {"application/json": {"schema": _OBJECT}}},
            }
        },
    }
    for number, path in enumerate(("/v2/models/{model}", "/v2/models/{model}/versions/{version}")):
        named = [_path("model", {"enum": [solver]})] + ([_path("version", {"enum": [version]})] if number else [])
        suffix = "_version" if number else ""
        infer = {
            **_operation(f"v2_infer{suffix}", "Ask with tensors", {"200": _tensors()}, _ASKING),
            "parameters": [
                _header("X-CVFlow-Variant", "A fine-tuned variant"),
                _timeout(),
                _header("Inference-Header-Content-Length", "Length of the JSON before binary data", {"type": "integer", "minimum": 0}),
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": request}, "application/octet-stream": {"schema": _PICTURE}},
            },
        }
        model = _operation(f"v2_model{suffix}", "Its inputs and outputs", {"200": _json("it", _OBJECT)}, _ALWAYS)
        is_ready = _operation(f"v2_model_ready{suffix}", "Whether it is ready", {"200": ready, "503": ready}, _ALWAYS)
        paths |= {
            path: {"parameters": named, "get": model},
            f"{path}/ready": {"parameters": named, "get": is_ready},
            f"{path}/infer": {"parameters": named, "post": infer},
        }
    return paths


def _tensors() -> Schema:
    return {
        "description": "tensors",
        "content": {"application/json": {"schema": _OBJECT}, "application/octet-stream": {"schema": _PICTURE}},
    }


def _label_studio() -> Schema:
    def post(name: str, summary: str, properties: Schema, replies: Schema, refusals: tuple[str, ...]) -> Schema:
        body = {"type": "object", "properties": properties}
        operation = _operation(name, summary, replies, refusals)
        return {"post": {**operation, "requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}}

    small = (*_ALWAYS, "408", "413", "415", "503")
    told = _json("it", _OBJECT)
    tasks = {"type": "array", "items": {"type": "object", "properties": {"id": {}, "data": _OBJECT}}}
    predict = post("predict", "Label Studio: predictions", {"tasks": tasks, "label_config": _TEXT}, {"200": told}, (*_ASKING, "502"))
    predict["post"]["parameters"] = [_header("X-CVFlow-Variant", "A fine-tuned variant")]
    return {
        "/health": {"get": _operation("health", "Label Studio: whether the solver is ready", {"200": told}, (*_ALWAYS, "503"))},
        "/versions": {"get": _operation("versions", "Label Studio: which weights there are", {"200": told}, _ALWAYS)},
        "/setup": post(
            "setup", "Label Studio: a project begins", {"project": {}, "schema": _TEXT, "hostname": _TEXT}, {"200": told}, small
        ),
        "/predict": predict,
        "/webhook": post("webhook", "Label Studio: what people did", {"action": _TEXT}, {"200": told, "201": told}, (*small, "409")),
    }


def _control() -> Schema:
    def operation(name: str, summary: str, body: Schema | None = None) -> Schema:
        told = _operation(name, summary, {"200": _json("it", _OBJECT)}, (*_ALWAYS, "409", "413", "415", "424"))
        told["security"] = [{"control": []}]
        if body is not None:
            told["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object", "properties": body}}}}
        return told

    training = {"datapath": _TEXT, "hyperparameters": _OBJECT, "config": _OBJECT}
    return {
        "/train": {"post": operation("train", "Begin a training", training), "get": operation("trainings", "All trainings")},
        "/train/{job}": {
            "parameters": [_path("job")],
            "get": operation("training", "A training"),
            "delete": operation("cancel_training", "End a training"),
        },
        "/_cvflow/variants/{name}": {
            "parameters": [_path("name")],
            "put": operation("put_variant", "Load a checkpoint under a name", {"checkpoint": _TEXT}),
            "delete": operation("remove_variant", "Unload a variant"),
        },
        "/_cvflow/variants/{name}/promote": {
            "parameters": [_path("name")],
            "post": operation("promote", "Give a variant another's name", {"from": _TEXT}),
        },
        "/_cvflow/specification": {"put": operation("exchange", "Serve by another specification", {"specification": _TEXT})},
        "/_cvflow/history": {"get": operation("history", "What the last minutes were like")},
        "/_cvflow/stop": {"post": operation("stop", "Drain and end")},
    }


def _operation(name: str, summary: str, replies: Schema, refusals: tuple[str, ...]) -> Schema:
    refused = {status: _json(_REASONS[status], _ref("Error")) for status in refusals if status not in replies}
    return {"operationId": name, "summary": summary, "responses": {**replies, **refused}}


def _json(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _path(name: str, schema: Schema | None = None) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema or _TEXT}


def _header(name: str, text: str, schema: Schema | None = None) -> Schema:
    return {"name": name, "in": "header", "required": False, "description": text, "schema": schema or _TEXT}


def _timeout() -> Schema:
    seconds = {"type": "number", "exclusiveMinimum": 0, "maximum": 3600}
    return _header("X-CVFlow-Timeout", "Seconds after which the answer is wanted no more", seconds)


def _prefer() -> Schema:
    return _header("Prefer", "`respond-async`: answer with a job; `wait=SECONDS`")
