"""Open Inference Protocol v2 (KServe, Triton, MLServer) over REST, with the binary tensor extension.

The solver is a model of its own name. Input `image` is BYTES [n], an encoded picture each: in JSON its base64 (the metadata says so), as
binary data its bytes. Each parameter of `infer` is an input of its own, left out where it has a default: one element, or one a picture.
Output `result` is BYTES [n], the JSON of each answer.
"""

from __future__ import annotations

import asyncio
import binascii
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cvflow_tui.backend.runtime.runner.asking import VARIANT, admit, ask, encode, look, wishes
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, not_found, too_large
from cvflow_tui.backend.runtime.runner.guard import answering
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.protocols.bodies import JSON_TYPES, Bodies, parse_object, plain, read_object
from cvflow_tui.backend.runtime.runner.protocols.tensors import Tensor, pack, parameters_of, read_tensor, unpack
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.runner.timing import counted
from cvflow_tui.model.packages import Parameter
from cvflow_tui.model.solvers import SolverState

HEADER_LENGTH = "Inference-Header-Content-Length"
DATATYPES = {"float": "FP64", "int": "INT64", "bool": "BOOL", "str": "BYTES"}
_HEADER_LIMIT = 1 << 20
_SMALL = 1 << 20
"""The most that the binary data of an input other than `image` may take."""

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
            told = await read_object(self._bodies, incoming, _HEADER_LIMIT, kinds=JSON_TYPES)
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
            arriving = _Arriving(service, incoming, files)
            if incoming.header(HEADER_LENGTH.lower().encode()) is not None:
                told, values = await arriving.binary()
            else:
                if incoming.content_type not in JSON_TYPES:
                    raise Fault(415, "send application/json, or binary data behind Inference-Header-Content-Length", "usage")
                told = parse_object(await room.read(incoming, service.limits.body * 4 // 3 + _HEADER_LIMIT))
                values = await arriving.plain(_tensors(told, service.limits.tensors))
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


def _tensors(told: dict[str, Any], most: int) -> list[Tensor]:
    inputs = told.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise bad_input("inputs: a list with the input 'image' is wanted")
    tensors = [read_tensor(one, most) for one in inputs]
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        raise bad_input("inputs: two have the same name")
    image = next((tensor for tensor in tensors if tensor.name == "image"), None)
    if image is None or image.datatype != "BYTES" or image.count < 1:
        raise bad_input("inputs: 'image' of BYTES with at least one element is wanted")
    return tensors


def _given(values: dict[str, list[Any]], number: int, pictures: int) -> dict[str, Any]:
    """The parameters of one picture."""
    for name, elements in values.items():
        if len(elements) not in (1, pictures):
            raise bad_input(f"input {name[:60]!r}: one element, or one a picture, is wanted")
    return {name: elements[number] if len(elements) == pictures else elements[0] for name, elements in values.items()}


class _Arriving:
    """The inputs of one request: pictures as files, all else as values."""

    def __init__(self, service: Service, incoming: Incoming, files: ExitStack) -> None:
        self._service = service
        self._incoming = incoming
        self._files = files
        self._rest = b""
        self._more = True

    async def plain(self, tensors: list[Tensor]) -> dict[str, list[Any]]:
        """Out of JSON."""
        values: dict[str, list[Any]] = {}
        for tensor in tensors:
            if tensor.data is None:
                raise bad_input(f"input {tensor.name[:60]!r}: binary data needs the header {HEADER_LENGTH}")
            if tensor.name == "image":
                values["image"] = [await self._decoded(text) for text in tensor.data]
            else:
                values[tensor.name] = tensor.data
        return values

    async def binary(self) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """Out of a body whose first part is JSON; pictures go straight to their files."""
        plain(self._incoming)
        limits = self._service.limits
        told = self._incoming.header(HEADER_LENGTH.lower().encode()) or ""
        if not told.isdecimal() or len(told) > 10 or int(told) > _HEADER_LIMIT:
            raise bad_input(f"{HEADER_LENGTH} must be a number of bytes, at most {_HEADER_LIMIT}")
        try:
            async with asyncio.timeout(limits.upload_seconds):
                request = parse_object(await self._take(int(told)))
                values: dict[str, list[Any]] = {}
                for tensor in _tensors(request, limits.tensors):
                    values[tensor.name] = await self._tensor(tensor)
                if self._rest or (self._more and await self._piece()):
                    raise bad_input("the body is longer than its inputs")
        except TimeoutError:
            raise Fault(408, "the body did not arrive in time", "usage") from None
        return request, values

    async def _tensor(self, tensor: Tensor) -> list[Any]:
        if tensor.data is not None:
            return [await self._decoded(text) for text in tensor.data] if tensor.name == "image" else tensor.data
        assert tensor.binary_size is not None
        if tensor.name != "image":
            if tensor.binary_size > _SMALL:
                raise too_large(f"input {tensor.name[:60]!r} is larger than {_SMALL} bytes")
            elements = unpack(tensor, await self._take(tensor.binary_size))
            return [element.decode("utf-8", "replace") if isinstance(element, bytes) else element for element in elements]
        pictures, left = [], tensor.binary_size
        for _ in range(tensor.count):
            length = int.from_bytes(await self._take(4), "little")
            left -= 4 + length
            if left < 0:
                break
            pictures.append(await self._picture(length))
        if left or len(pictures) != tensor.count:
            raise bad_input(f"input 'image': the binary data is not {tensor.count} elements, each a length and as many bytes")
        return pictures

    async def _picture(self, length: int) -> Upload:
        limit = self._service.limits.body
        if length > limit:
            raise too_large(f"the picture is larger than {limit} bytes")
        upload = self._files.enter_context(self._service.scratch.file(length, limit))
        while length:
            piece = self._rest or await self._piece()
            if not piece:
                raise bad_input("the body ends too early")
            await upload.write(piece[:length])
            self._rest, length = piece[length:], length - len(piece[:length])
        upload.complete()
        return upload

    async def _take(self, count: int) -> bytes:
        """So many bytes of the body."""
        pieces = [self._rest]
        have = len(self._rest)
        while have < count:
            if not (piece := await self._piece()):
                raise bad_input("the body ends too early")
            pieces.append(piece)
            have += len(piece)
        whole = b"".join(pieces)
        self._rest = whole[count:]
        return whole[:count]

    async def _piece(self) -> bytes:
        """The next piece that holds something; nothing at the end."""
        piece = b""
        while not piece and self._more:
            piece, self._more = await self._incoming.piece()
        return piece

    async def _decoded(self, text: str) -> Upload:
        if text.startswith("data:"):
            text = text.partition(",")[2]
        try:
            content = b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise bad_input("input 'image': in JSON an element is the picture's base64") from None
        return self._files.enter_context(await self._service.scratch.keep(content, self._service.limits.body))
