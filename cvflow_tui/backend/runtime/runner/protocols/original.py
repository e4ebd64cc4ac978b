"""What the original packages' clients send and read, where it differs from ours: kept in shape, without the documented faults.

`docs/originals.md` has the whole table. All of it holds for solvers of the original generations only.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from cvflow_tui.backend.runtime.runner.document import openapi
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, forbidden, too_large
from cvflow_tui.backend.runtime.runner.forms import OneFile, feed
from cvflow_tui.backend.runtime.runner.guard import check_token, fault_reply
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.jobs import TrainJob
from cvflow_tui.backend.runtime.runner.json_body import read_json
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service

Handler = Callable[[Request], Awaitable[Response]]

URLENCODED = "application/x-www-form-urlencoded"
FORMS = ("multipart/form-data", URLENCODED)
PUBLIC = "temp/public"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
NO_FILE = "no file part!"
_DELETED = ((b"x-cvflow-upload", b"deleted"),)


def speaks_original(service: Service, content_type: str) -> bool:
    """Whether a request is one as the original clients send them: a form, to an original solver."""
    return bool(service.main.ready.generation) and content_type in FORMS


async def receive_original(service: Service, incoming: Incoming, upload: Upload) -> dict[str, str]:
    """An original form: its fields; its part `file` into the upload, which the second generation may leave out. Raises Fault 400."""
    limits = service.limits
    if incoming.content_type == URLENCODED:
        fields, has_file = await _urlencoded(incoming, limits), False
    else:
        form = OneFile(limits)

        async def drain() -> None:
            pieces, form.pieces = form.pieces, []
            for piece in pieces:
                await upload.write(piece)

        await feed(incoming, form, drain)
        fields, has_file = form.parameters, form.has_file
    if not has_file and service.main.ready.generation != "mlpm":
        raise bad_input(NO_FILE)
    return fields


def original_fault(fault: Fault) -> Fault:
    """The same refusal with the status as its code, as the originals' clients read it."""
    return Fault(fault.status, fault.error, str(fault.status), fault.retry_after)


def upload_headers(service: Service) -> tuple[tuple[bytes, bytes], ...]:
    """Says to clients of the originals what became of the upload: it goes with the reply, whatever `delete_after_process` asked for."""
    return _DELETED if service.main.ready.generation else ()


def public_file(service: Service, name: str) -> Response | None:
    """A file that an original solver left to be fetched (`cvpm.utility.save_image`), by a plain name; None where there is none."""
    if not service.main.ready.generation or not _PLAIN.fullmatch(name):
        return None
    path = Path(service.spec.root) / PUBLIC / name
    if path.is_symlink() or not path.is_file():
        return None
    # Whatever a solver wrote, no browser is to run it.
    return FileResponse(path, headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"})


def may_lack_picture(service: Service) -> bool:
    """Whether a request without a picture is one: solvers of the second generation take fields alone."""
    return service.main.ready.generation == "mlpm"


def original_about(service: Service, about: dict[str, Any]) -> dict[str, Any]:
    """`GET /`: what we say, and beside it what the original said: the bundle's attributes, or an OpenAPI document."""
    ready = service.main.ready
    if ready.generation == "mlpm":
        document = openapi(service)
        return {**document, "info": {**document["info"], "title": "AID Solver API"}, **about}
    if ready.attributes is not None:
        return {**ready.attributes, **about, "attributes": dict(ready.attributes)}
    return about


class Originals:
    """Routes that only original solvers have."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/exit", self.exit, methods=["GET"]),
            Route("/change", self.change, methods=["POST"]),
        ]

    async def exit(self, request: Request) -> Response:
        """End the runner, for whoever has the control token; the original ended for anybody."""
        if self._service.main.ready.generation != "cvpm":
            return _absent(request)
        try:
            check_token(request.headers, self._service.spec.token)
        except Fault:
            return fault_reply(original_fault(forbidden("GET /exit needs the control token; end the solver with: cvflow stop")))
        await self._service.end()
        return JSONResponse({"state": "stopped"})

    def trains(self, ours: Handler) -> Handler:
        """`/train`: the original's shapes for an original solver, `ours` (behind the token) for any other."""

        async def answer(request: Request) -> Response:
            ready = self._service.main.ready
            if not ready.generation:
                return await ours(request)
            if ready.hyperparameters is None:
                return fault_reply(original_fault(Fault(404, "not supported!", "404")))
            if request.method == "GET":
                return JSONResponse({"hyperparamters": dict(ready.hyperparameters), "hyperparameters": dict(ready.hyperparameters)})
            try:
                check_token(request.headers, self._service.spec.token)
                return self._begin(await read_json(request))
            except Fault as fault:
                return fault_reply(original_fault(fault))

        return answer

    def _begin(self, body: dict[str, Any]) -> Response:
        """Begin a training; `GET /train/ID` tells how far it is."""
        told = {key: body.get(key, {}) for key in ("hyperparameters", "config")}
        if not all(isinstance(each, dict) for each in told.values()):
            raise bad_input("config and hyperparameters must be objects")
        datapath = body.get("datapath")
        if not isinstance(datapath, str) or "\0" in datapath or not Path(datapath).is_absolute() or not Path(datapath).exists():
            raise bad_input("datapath: the absolute path of a file or folder that is there is wanted")
        folder = Path(self._service.spec.root) / "temp" / "train"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        job = TrainJob(dataset=datapath, checkpoint=folder, base=None, parameters=told)
        job.checkpoint = folder / f"{job.id}.json"
        self._service.jobs.start(job)
        return JSONResponse({"id": job.id, "result": True, "code": "200"})

    async def change(self, request: Request) -> Response:
        """Refuse: the original handed the solver its web framework's request, which there is none of here."""
        if self._service.main.ready.generation != "mlpm":
            return _absent(request)
        return fault_reply(original_fault(Fault(404, "not supported!", "404")))


def _absent(request: Request) -> Response:
    return fault_reply(Fault(404, f"{request.method} {request.url.path}: Not Found", "not_found"))


async def _urlencoded(incoming: Incoming, limits: Limits) -> dict[str, str]:
    """The fields of a form without files."""
    body, more = b"", True
    while more:
        piece, more = await incoming.piece()
        body += piece
        if len(body) > limits.field:
            raise too_large(f"the form is longer than {limits.field} bytes")
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=limits.fields))
    except ValueError as error:
        raise bad_input(f"the form can't be read: {error}") from None
