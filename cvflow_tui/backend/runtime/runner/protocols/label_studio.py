"""Label Studio's ML-backend calls: the solver suggests in it. Learning happens in cvflow's projects, and the events say so."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cvflow_tui.backend.runtime.runner.asking import VARIANT, admit
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, busy, too_large
from cvflow_tui.backend.runtime.runner.guard import answering
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.protocols.bodies import Bodies, parse_object
from cvflow_tui.backend.runtime.runner.protocols.fetching import Fetcher
from cvflow_tui.backend.runtime.runner.protocols.label_config import LabelConfig, read_config
from cvflow_tui.backend.runtime.runner.protocols.lines import Line, Pictures
from cvflow_tui.backend.runtime.runner.protocols.regions import mean_score, predictions
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.runner.timing import counted
from cvflow_tui.model.solvers import SolverState

TRAIN_EVENTS = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "ANNOTATIONS_DELETED")
START = "START_TRAINING"
_PROJECTS = 200
_SMALL = 4 << 20


@dataclass(frozen=True, slots=True)
class _Project:
    """What `/setup` said of a project."""

    config: str = ""
    home: str = ""
    token: str = field(default="", repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)


class LabelStudio:
    """The routes."""

    def __init__(self, service: Service, bodies: Bodies) -> None:
        self._service = service
        self._bodies = bodies
        self._projects: OrderedDict[str, _Project] = OrderedDict()
        settings = service.spec.settings
        self._fetcher = Fetcher(service.scratch, service.limits.body, settings.allow_hosts, settings.local_files)

    def routes(self) -> list[Route]:
        """Theirs."""
        return [
            Route("/health", answering(self._health), methods=["GET"]),
            Route("/versions", answering(self._versions), methods=["GET"]),
            Route("/setup", answering(self._setup), methods=["POST"]),
            Route("/predict", counted(self._service, "label_studio", self._predict), methods=["POST"]),
            Route("/webhook", answering(self._webhook), methods=["POST"]),
        ]

    def _version(self, variant: str | None = None) -> str:
        spec = self._service.spec
        return f"{spec.package} {spec.version}" + (f" {variant}" if variant else "")

    async def _health(self, request: Request) -> Response:
        if self._service.main.state is not SolverState.READY:
            raise busy(self._service.main.why_not(), self._service.main.pause)
        return JSONResponse({"status": "UP", "model_class": self._service.spec.solver})

    async def _versions(self, request: Request) -> Response:
        return JSONResponse({"versions": [self._version(), *(self._version(name) for name in sorted(self._service.variants))]})

    async def _setup(self, request: Request) -> Response:
        """Remember a project's configuration, where it lives, and what is to be handed to the solver (`extra_params`, JSON)."""
        told = await self._object(request, _SMALL)
        config = _text(told, "schema")
        if config:
            read_config(config)
        project = _Project(config, _text(told, "hostname"), _text(told, "access_token"), _extra(told.get("extra_params")))
        self._projects[_project_id(told)] = project
        while len(self._projects) > _PROJECTS:
            self._projects.popitem(last=False)
        return JSONResponse({"model_version": self._version()})

    async def _webhook(self, request: Request) -> Response:
        """Take notice of what people did; a training that is asked for is refused rather than pretended."""
        told = await self._object(request, _SMALL)
        action = _text(told, "action")
        if action == START:
            where = "export the annotations from Label Studio and learn in a cvflow project: cvflow project import, cvflow train"
            raise Fault(409, f"{self._service.spec.name} does not learn from Label Studio's events; {where}", "refused")
        if action not in TRAIN_EVENTS:
            return JSONResponse({"status": "Unknown event"})
        return JSONResponse({"status": "ok", "result": {"trained": False}}, 201)

    # -- predictions

    async def _predict(self, request: Request) -> Response:
        service, incoming = self._service, Incoming(request.scope, request.receive)
        variant = incoming.header(VARIANT)
        admit(service, service.lane(variant))
        with self._bodies.room() as room:
            _check_json(incoming)
            told = parse_object(await room.read(incoming, service.limits.body * 4 // 3 + _SMALL))
            tasks, project = told.get("tasks"), self._projects.get(_project_id(told), _Project())
            if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
                raise bad_input("tasks: a list of tasks is wanted")
            if len(tasks) > service.limits.tasks:
                raise too_large(f"{len(tasks)} tasks; at most {service.limits.tasks} are taken")
            config = read_config(_text(told, "label_config") or project.config)
            pictures = Pictures(service, variant)
            incoming.when_gone(pictures.abandon)
            image = next(control.to_name for control in config.controls)
            lines = await self._ask(pictures, tasks, config.images[image], project)
        if lines and all(line.fault is not None for line in lines):
            assert lines[0].fault is not None
            raise lines[0].fault
        results = await asyncio.to_thread(self._results, lines, config, image, self._version(variant))
        return JSONResponse({"results": results, "model_version": self._version(variant)})

    async def _ask(self, pictures: Pictures, tasks: list[dict[str, Any]], name: str, project: _Project) -> list[Line]:
        async def feed() -> None:
            try:
                for task in tasks:
                    try:
                        upload = await self._fetcher.fetch(_address(task, name), project.home, project.token)
                    except Fault as fault:
                        await pictures.refuse(None, fault)
                    else:
                        await pictures.add(None, upload, project.parameters)
            finally:
                pictures.close()

        feeding = asyncio.create_task(feed())
        try:
            lines = [line async for line in pictures]
            await feeding
            return lines
        finally:
            feeding.cancel()
            pictures.abandon()
            await asyncio.gather(feeding, return_exceptions=True)

    @staticmethod
    def _results(lines: list[Line], config: LabelConfig, image: str, version: str) -> list[dict[str, Any]]:
        """A prediction a task. A picture that failed among others suggests nothing, and says why."""
        results = []
        for line in lines:
            if line.fault is not None:
                results.append({"model_version": version, "score": 0.0, "result": [], "error": line.fault.error})
                continue
            regions = predictions(line.result, config, line.size or (1, 1), image)
            results.append({"model_version": version, "score": mean_score(regions), "result": regions})
        return results

    async def _object(self, request: Request, limit: int) -> dict[str, Any]:
        incoming = Incoming(request.scope, request.receive)
        _check_json(incoming)
        with self._bodies.room() as room:
            return parse_object(await room.read(incoming, limit))


def _check_json(incoming: Incoming) -> None:
    if incoming.content_type != "application/json":
        raise Fault(415, f"a body of type {incoming.content_type[:60]!r} is not taken; send application/json", "usage")


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_input(f"{name} must be a text")
    return value or ""


def _project_id(told: Mapping[str, Any]) -> str:
    """`12.1700000000` names project 12 and when it was made."""
    return str(told.get("project") or "").partition(".")[0][:100]


def _extra(told: Any) -> dict[str, Any]:
    try:
        extra = json.loads(told) if isinstance(told, str) and told.strip() else told or {}
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise bad_input("extra_params must be a JSON object of the solver's parameters")
    return extra


def _address(task: Mapping[str, Any], name: str) -> str:
    data = task.get("data")
    address = data.get(name) if isinstance(data, dict) else None
    if not isinstance(address, str) or not address:
        raise bad_input(f"the task's data has no {name[:60]!r} with a picture's address")
    return address
