"""The routes that need the control token: training, variants, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, not_found
from cvflow_tui.backend.runtime.runner.guard import check_token, fault_reply
from cvflow_tui.backend.runtime.runner.jobs import TrainJob
from cvflow_tui.backend.runtime.runner.json_body import read_json
from cvflow_tui.backend.runtime.runner.protocols.original import Originals
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.errors import PackageError

_NAME_LIMIT = 200

Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """Their handlers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """All control routes, each behind the token."""
        original = Originals(self._service)
        return [
            Route("/train", original.trains(self._behind(self.train)), methods=["POST"]),
            Route("/train", original.trains(self._behind(self.trainings)), methods=["GET"]),
            Route("/train/{job}", self._behind(self.train_status), methods=["GET"]),
            Route("/train/{job}", self._behind(self.train_cancel), methods=["DELETE"]),
            Route("/_cvflow/variants/{name}", self._behind(self.put_variant), methods=["PUT"]),
            Route("/_cvflow/variants/{name}/promote", self._behind(self.promote), methods=["POST"]),
            Route("/_cvflow/variants/{name}", self._behind(self.remove_variant), methods=["DELETE"]),
            Route("/_cvflow/specification", self._behind(self.exchange), methods=["PUT"]),
            Route("/_cvflow/history", self._behind(self.history), methods=["GET"]),
            Route("/_cvflow/stop", self._behind(self.stop), methods=["POST"]),
        ]

    async def train(self, request: Request) -> Response:
        """Begin a training in a worker of its own."""
        body = await read_json(request)
        config = body.get("config", {})
        hyperparameters = body.get("hyperparameters", {})
        if not isinstance(config, dict) or not isinstance(hyperparameters, dict):
            raise bad_input("config and hyperparameters must be objects")
        if not self._service.main.ready.trainable:
            raise not_found(f"{self._service.spec.name} has no train")
        base = config.get("base")
        job = TrainJob(
            dataset=str(_folder(body.get("datapath"), "datapath")),
            checkpoint=_new(config.get("checkpoint"), "config.checkpoint"),
            base=str(_there(base, "config.base")) if base is not None else None,
            parameters=hyperparameters,
        )
        self._service.jobs.start(job)
        return JSONResponse({"id": job.id, "result": True, "code": "200"})

    async def trainings(self, request: Request) -> Response:
        """Every training that is known, with the checkpoint it writes."""
        return JSONResponse({"trainings": [{**job.reply, "checkpoint": str(job.checkpoint)} for job in self._service.jobs.all()]})

    async def train_status(self, request: Request) -> Response:
        """A training as it stands."""
        return JSONResponse(self._job(request).reply)

    async def train_cancel(self, request: Request) -> Response:
        """End a training; the reply comes once its process is gone."""
        job = self._job(request)
        await self._service.jobs.cancel(job)
        return JSONResponse(job.reply)

    async def put_variant(self, request: Request) -> Response:
        """Load a checkpoint under a name; the reply comes once it serves."""
        body = await read_json(request)
        await self._service.put_variant(_name(request), _there(body.get("checkpoint"), "checkpoint"))
        return self._variants()

    async def promote(self, request: Request) -> Response:
        """Rename a variant over another."""
        source = (await read_json(request)).get("from")
        if not isinstance(source, str) or not source:
            raise bad_input("from: the name of a variant is missing")
        self._service.promote(_name(request), source)
        return self._variants()

    async def remove_variant(self, request: Request) -> Response:
        """Unload a variant."""
        self._service.remove_variant(_name(request))
        return self._variants()

    async def exchange(self, request: Request) -> Response:
        """Go over to another specification of the same solver; the reply comes once it serves."""
        path = _there((await read_json(request)).get("specification"), "specification")
        try:
            spec = await asyncio.to_thread(RunSpec.load, path)
        except PackageError as error:
            raise bad_input(f"specification: {error.message}") from error
        if (spec.name, spec.token) != (self._service.spec.name, self._service.spec.token):
            raise bad_input(f"specification: {path} is not one of {self._service.spec.name}")
        await self._service.exchange(spec)
        return JSONResponse({"version": spec.version})

    async def history(self, request: Request) -> Response:
        """The last ten minutes, second by second."""
        return JSONResponse(self._service.history.told())

    async def stop(self, request: Request) -> Response:
        """Drain and end."""
        await self._service.end()
        return JSONResponse({"state": "stopped"})

    def _variants(self) -> Response:
        return JSONResponse({"variants": sorted(self._service.variants)})

    def _job(self, request: Request) -> TrainJob:
        if (job := self._service.jobs.get(request.path_params["job"])) is None:
            raise not_found("no such training")
        return job

    def _behind(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            try:
                check_token(request.headers, self._service.spec.token)
                return await handler(request)
            except Fault as fault:
                return fault_reply(fault)

        return checked


def _name(request: Request) -> str:
    name = str(request.path_params["name"])
    if len(name) > _NAME_LIMIT or not name.isprintable() or not name.isascii():
        raise bad_input("a variant's name is at most 200 plain characters")
    return name


def _absolute(value: Any, field: str) -> Path:
    if not isinstance(value, str) or not value or "\0" in value or not Path(value).is_absolute():
        raise bad_input(f"{field}: an absolute path is wanted")
    return Path(value)


def _there(value: Any, field: str) -> Path:
    path = _absolute(value, field)
    if not path.exists():
        raise bad_input(f"{field}: {path} is not there")
    return path


def _folder(value: Any, field: str) -> Path:
    path = _there(value, field)
    if not path.is_dir():
        raise bad_input(f"{field}: {path} is no folder")
    return path


def _new(value: Any, field: str) -> Path:
    path = _absolute(value, field)
    if path.exists():
        raise bad_input(f"{field}: {path} exists already")
    if not path.parent.is_dir():
        raise bad_input(f"{field}: {path.parent} is no folder")
    return path
