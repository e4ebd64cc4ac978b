"""Open Inference Protocol v2 (KServe, Triton, MLServer) over REST, with the binary tensor extension.

The solver is a model of its own name. Input `image` is BYTES [n], an encoded picture each: in JSON its base64 (the metadata says so), as
binary data its bytes. Each parameter of `infer` is an input of its own, left out where it has a default: one element, or one a picture.
Output `result` is BYTES [n], the JSON of each answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cvflow_tui.backend.runtime.runner.asking import VARIANT, admit, ask, encode, look, wishes
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, not_found
from cvflow_tui.backend.runtime.runner.guard import answering
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.protocols.bodies import JSON_TYPES, Bodies, parse_object, read_object
from cvflow_tui.backend.runtime.runner.protocols.tensors import pack, parameters_of
from cvflow_tui.backend.runtime.runner.protocols.v2_body import HEADER_LENGTH, HEADER_LIMIT, Arriving, read_tensors
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.runner.timing import counted
from cvflow_tui.model.packages import Parameter
from cvflow_tui.model.solvers import SolverState

DATATYPES = {"float": "FP64", "int": "INT64", "bool": "BOOL", "str": "BYTES"}

Handler = Callable[[Request], Awaitable[Response]]


class V2:
    """The routes."""

    def __init__(self, service: Service, bodies: Bodies) -> None:
        self._service = service
        self._bodies = bodies

    def routes(self) -> list[Route]:
        """Theirs."""
        model = "/v2/models/{model}"
        routes = [
            Route("/v2", answering(self._server), methods=["GET"]),
            Route("/v2/health/live", answering(self._live), methods=["GET"]),
            Route("/v2/health/ready", answering(self._ready), methods=["GET"]),
            Route("/v2/repository/index", answering(self._index), methods=["POST"]),
        ]
        for path in (model, model + "/versions/{version}"):
            routes += [
                Route(path, answering(self._model), methods=["GET"]),
                Route(path + "/ready", answering(self._model_ready), methods=["GET"]),
                Route(path + "/infer", counted(self._service, "v2", self._infer), methods=["POST"]),
            ]
        return routes

    @property
    def _is_ready(self) -> bool:
        return self._service.main.state is SolverState.READY

    async def _server(self, request: Request) -> Response:
        from importlib.metadata import version

        return JSONResponse({"name": "cvflow", "version": version("cvflow"), "extensions": ["binary_tensor_data"]})

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, request: Request) -> Response:
        # The specification's text calls the field `live`, its schema and the servers `ready`.
        return JSONResponse({"live": self._is_ready, "ready": self._is_ready}, 200 if self._is_ready else 503)

    async def _model(self, request: Request) -> Response:
        self._check_model(request)
        spec, parameters = self._service.spec, self._service.main.ready.parameters
        image = {"name": "image", "datatype": "BYTES", "shape": [-1], "parameters": {"content_type": "base64"}}
        return JSONResponse(
            {
                "name": spec.solver,
                "versions": [spec.version],
                "platform": "cvflow_python",
                "inputs": [image, *(_input(parameter) for parameter in parameters)],
                "outputs": [{"name": "result", "datatype": "BYTES", "shape": [-1], "parameters": {"content_type": "application/json"}}],
            }
        )

    async def _model_ready(self, request: Request) -> Response:
        self._check_model(request)
        return JSONResponse({"name": self._service.spec.solver, "ready": self._is_ready}, 200 if self._is_ready else 503)

    async def _index(self, request: Request) -> Response:
        """What is served here, in Triton's words. Loading and unloading are the daemon's, so those routes are not here."""
        incoming = Incoming(request.scope, request.receive)
        told = {}
        if incoming.header(b"content-length") not in (None, "0"):
            told = await read_object(self._bodies, incoming, HEADER_LIMIT, kinds=JSON_TYPES)
        main, spec = self._service.main, self._service.spec
        words = {SolverState.READY: "READY", SolverState.STARTING: "LOADING"}
        entry = {"name": spec.solver, "version": spec.version, "state": words.get(main.state, "UNAVAILABLE"), "reason": main.error or ""}
        return JSONResponse([] if told.get("ready") is True and not self._is_ready else [entry])

    def _check_model(self, request: Request) -> None:
        spec, model, version = self._service.spec, request.path_params["model"], request.path_params.get("version")
        if model != spec.solver:
            raise not_found(f"there is no model {model[:100]!r} here; this is {spec.solver!r}")
        if version is not None and version != spec.version:
            raise not_found(f"{spec.solver!r} has no version {version[:60]!r}; it is {spec.version!r}")

    # -- inference

    async def _infer(self, request: Request) -> Response:
        self._check_model(request)
        service, incoming = self._service, Incoming(request.scope, request.receive)
        variant, wished = incoming.header(VARIANT), wishes(incoming)
        admit(service, service.lane(variant))
        with ExitStack() as files, self._bodies.room() as room:
            arriving = Arriving(service, incoming, files)
            if incoming.header(HEADER_LENGTH.lower().encode()) is not None:
                told, values = await arriving.binary()
            else:
                if incoming.content_type not in JSON_TYPES:
                    raise Fault(415, "send application/json, or binary data behind Inference-Header-Content-Length", "usage")
                told = parse_object(await room.read(incoming, service.limits.body * 4 // 3 + HEADER_LIMIT))
                values = await arriving.plain(read_tensors(told, service.limits.tensors))
            outputs = _Outputs(told)
            timeout = wished.timeout or _timeout(told)
            results = await self._ask(incoming, variant, values, timeout)
        return self._reply(told, outputs, [encode(result) for result in results])

    async def _ask(self, incoming: Incoming, variant: str | None, values: dict[str, list[Any]], timeout: float | None) -> list[Any]:
        """Each picture's answer; the first fault ends them all, since a tensor is whole or is not."""
        service, pictures = self._service, values.pop("image")
        given = [_given(values, number, len(pictures)) for number in range(len(pictures))]
        sizes = [await look(service, picture) for picture in pictures]
        lane = service.lane(variant)
        admit(service, lane)

        async def one(number: int) -> Any:
            try:
                return await ask(lane, pictures[number], sizes[number], given[number], timeout=timeout)
            except Fault as fault:
                if len(pictures) > 1:
                    raise Fault(fault.status, f"image[{number}]: {fault.error}", fault.code, fault.retry_after) from None
                raise

        answers = [asyncio.create_task(one(number)) for number in range(len(pictures))]
        incoming.when_gone(lambda: [answer.cancel() for answer in answers])
        try:
            return await asyncio.gather(*answers)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Fault(499, "the client went away", "usage") from None
        finally:
            for answer in answers:
                answer.cancel()
            await asyncio.gather(*answers, return_exceptions=True)

    def _reply(self, told: dict[str, Any], outputs: _Outputs, results: list[bytes]) -> Response:
        spec = self._service.spec
        head: dict[str, Any] = {"model_name": spec.solver, "model_version": spec.version}
        if "id" in told:
            head["id"] = told["id"]
        output: dict[str, Any] = {"name": "result", "datatype": "BYTES", "shape": [len(results)]}
        if not outputs.binary:
            head["outputs"] = [{**output, "data": [result.decode("utf-8") for result in results]}]
            return JSONResponse(head)
        data = pack(results)
        head["outputs"] = [{**output, "parameters": {"binary_data_size": len(data)}}]
        text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        return Response(text + data, media_type="application/octet-stream", headers={HEADER_LENGTH: str(len(text))})


def _input(parameter: Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {"name": parameter.name, "datatype": DATATYPES.get(parameter.type, "BYTES"), "shape": [1]}
    return told if parameter.required else {**told, "parameters": {"optional": True}}


class _Outputs:
    """Which outputs are wanted, and how. Raises Fault 400."""

    def __init__(self, told: dict[str, Any]) -> None:
        default = parameters_of(told, "the request").get("binary_data_output", False)
        outputs = told.get("outputs") or [{"name": "result"}]
        if not isinstance(outputs, list) or len(outputs) > 1 or not isinstance(outputs[0], dict) or outputs[0].get("name") != "result":
            raise bad_input("outputs: this model has one output, 'result'")
        self.binary = parameters_of(outputs[0], "output 'result'").get("binary_data", default)
        if type(self.binary) is not bool:
            raise bad_input("binary_data and binary_data_output must be true or false")
        if "id" in told and not isinstance(told["id"], str):
            raise bad_input("id must be a text")


def _timeout(told: dict[str, Any]) -> float | None:
    """Triton's request parameter `timeout`, in microseconds."""
    value = told.get("parameters", {}).get("timeout")
    return value / 1e6 if type(value) is int and value > 0 else None


def _given(values: dict[str, list[Any]], number: int, pictures: int) -> dict[str, Any]:
    """The parameters of one picture."""
    for name, elements in values.items():
        if len(elements) not in (1, pictures):
            raise bad_input(f"input {name[:60]!r}: one element, or one a picture, is wanted")
    return {name: elements[number] if len(elements) == pictures else elements[0] for name, elements in values.items()}
