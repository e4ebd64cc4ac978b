"""A daemon's client without a daemon: holds model objects, answers as the real one does. `FakeClient` is handed in through `Session`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cvflow_tui.backend.jobs import JobBoard, Progress
from cvflow_tui.cli.session import Session
from cvflow_tui.home import Home
from cvflow_tui.model.authoring import CheckRequest, NewPackage, NewPackageRequest
from cvflow_tui.model.daemon import DaemonStatus
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import CvflowError, NotFoundError, UsageError
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import (
    HubVersion,
    InstallPlan,
    InstallRequest,
    PackageDetail,
    PackageSummary,
    PackageUses,
    Parameter,
    Removal,
    SolverInfo,
)
from cvflow_tui.model.projects import DetectionMetrics, ExportReport, Project, ProjectSettings, ProjectStatus, Round, RoundState
from cvflow_tui.model.results import Result, parse_result
from cvflow_tui.model.solvers import LogChunk, RunningSolver, SolverState

SUMMARY = PackageSummary(
    "cvflow", "nanodet", "1.0.0", "80 everyday objects", "Apache-2.0", ("object-detection",), ("detect",), 7_600_000, "hub:cvflow/nanodet"
)
INFO = SolverInfo(
    "detect", "nanodet/solver/NanoDetSolver", "object-detection", ("person", "cat"), (Parameter("threshold", "float", 0.3),), True, 8
)
DETAIL = PackageDetail(SUMMARY, "# NanoDet\n\nFinds [bold]things[/bold].", (INFO,), (), "host", ("numpy",))
RUNNING = RunningSolver("cvflow/nanodet", "detect", SolverState.READY, 4711, 1234, "http://127.0.0.1:4711", 65.0, 12.0, 150_000_000, 7)
REPLY = {
    "task": "object-detection",
    "model": {"package": "cvflow/nanodet", "version": "1.0.0", "checkpoint": None},
    "image": {"width": 40, "height": 30},
    "objects": [
        {"label": "cat", "score": 0.91, "box": [1.0, 2.0, 11.0, 22.0]},
        {"label": "person", "score": 0.4, "box": [5.0, 5.0, 9.0, 9.0]},
    ],
}


class FakeClient:
    """Set the attributes to what the daemon should hold; `failure` is raised by every method."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.installed: list[PackageSummary] = []
        self.running: list[RunningSolver] = []
        self.findings: tuple[Finding, ...] = ()
        self.made: list[Project] = []
        self.log = ""
        self.growing: list[str] = []
        self.board = JobBoard()
        self.install_work: Callable[[Progress], Any] = lambda _: DETAIL
        self.plan_problems: tuple[str, ...] = ()
        self.infer_as: Callable[[Path | bytes, dict[str, Any]], Any] = lambda _picture, _parameters: REPLY
        self.infer_seconds = 0.0
        self.under_way = self.most_under_way = 0
        self.asked: list[Path | bytes] = []
        self.removed: list[str] = []
        self.calls: list[str] = []
        self.status_of = DaemonStatus("http://127.0.0.1:1", 1, "0.1.0", "/home", 5.0, False, 2)
        self.kept_old = False
        self.made_packages: list[NewPackageRequest] = []
        self.checked: list[CheckRequest] = []
        self.report: Any = None

    async def __aenter__(self) -> FakeClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.calls.append("close")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure

    async def status(self) -> DaemonStatus:
        self._note("status")
        return self.status_of

    async def shutdown(self, *, stop_solvers: bool = False) -> None:
        self._note(f"shutdown {stop_solvers}")

    async def hub_packages(self, query: str = "") -> list[PackageSummary]:
        self._note("hub_packages")
        return [SUMMARY] if query in SUMMARY.name else []

    async def hub_package(self, ref: str) -> PackageDetail:
        self._note("hub_package")
        return DETAIL

    async def hub_versions(self, ref: str) -> list[HubVersion]:
        self._note(f"hub_versions {ref}")
        return [
            HubVersion("1.0.0", "hub:cvflow/nanodet==1.0.0", 3_720_000, 1769850000.0, True),
            HubVersion("0.9.0", "hub:cvflow/nanodet==0.9.0"),
        ]

    async def packages(self) -> list[PackageSummary]:
        self._note("packages")
        return self.installed

    async def package(self, ref: str) -> PackageDetail:
        self._note("package")
        if not self.installed:
            raise NotFoundError(f"{ref} is not installed")
        return DETAIL

    async def plan_install(self, request: InstallRequest | str) -> InstallPlan:
        source = InstallRequest.of(request).source
        self._note(f"plan {source}")
        plan = InstallPlan(DETAIL, source, 0, 7_600_000, 10**10, "the app's own Python", ("copy the files",), self.plan_problems)
        return replace(plan, unchanged=bool(self.installed) and not InstallRequest.of(request).again)

    async def install(self, request: InstallRequest | str) -> Job:
        source = InstallRequest.of(request).source
        self._note(f"install {source}")
        return self.board.start("install", source, self.install_work)

    async def new_package(self, request: NewPackageRequest) -> NewPackage:
        self._note(f"new {request.name}")
        self.made_packages.append(request)
        return NewPackage(f"{request.vendor}/{request.name}", request.task, request.folder, ("cvpm.toml",))

    async def check_package(self, request: CheckRequest) -> Job:
        self._note(f"check {request.source}")
        self.checked.append(request)
        return self.board.start("check", request.source, lambda _: self.report)

    async def package_uses(self, ref: str) -> PackageUses:
        return PackageUses((await self.package(ref)).summary.ref)

    async def remove(self, ref: str, *, force: bool = False) -> Removal:
        self._note(f"remove {ref}")
        return Removal(ref, 7_600_000)

    async def job(self, job_id: str) -> Job:
        job = self.board.get(job_id)
        assert job is not None
        return job

    async def jobs(self) -> list[Job]:
        return self.board.jobs()

    async def cancel_job(self, job_id: str) -> Job:
        self._note("cancel_job")
        job = self.board.cancel(job_id)
        if job is None:
            raise NotFoundError(f"there is no job {job_id!r}")
        return job

    async def follow(self, job_id: str) -> AsyncIterator[Job]:
        revision = -1
        while True:
            job = await asyncio.to_thread(self.board.wait, job_id, revision, 0.05)
            assert job is not None
            if job.revision != revision:
                revision = job.revision
                yield job
            if job.state.is_over:
                return

    async def solvers(self) -> list[RunningSolver]:
        self._note("solvers")
        return self.running

    async def resolve(self, name: str) -> SolverName:
        self._note(f"resolve {name}")
        if name not in ("nanodet", "detect", "cvflow/nanodet/detect"):
            raise NotFoundError(f"there is no solver {name!r}")
        return SolverName("cvflow", "nanodet", "detect")

    async def start_solver(self, name: str, *, port: int | None = None, wait: bool = True) -> RunningSolver:
        await self.resolve(name)
        self.running = [RUNNING]
        return RUNNING

    async def stop_solver(self, name: str) -> RunningSolver:
        await self.resolve(name)
        return RunningSolver("cvflow/nanodet", "detect", SolverState.STOPPED)

    async def solver_log(self, name: str, *, offset: int | None = None, limit: int = 65536, wait: float = 0.0) -> LogChunk:
        if wait and self.growing:
            self.log += self.growing.pop(0)
        elif wait:
            await asyncio.sleep(0.01)
            raise KeyboardInterrupt
        whole = self.log.encode()
        start = max(0, len(whole) - limit) if offset is None else min(offset, len(whole))
        piece = whole[start : start + limit]
        return LogChunk(piece.decode(), start, start + len(piece), len(whole))

    async def infer(self, solver: RunningSolver, picture: Path | bytes, parameters: dict[str, Any] | None = None) -> Result:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.asked.append(picture)
            await asyncio.sleep(self.infer_seconds)
            if isinstance(picture, Path):
                await asyncio.to_thread(picture.read_bytes)
            reply = self.infer_as(picture, parameters or {})
            if isinstance(reply, BaseException):
                raise reply
            return parse_result(json.loads(json.dumps(reply)))
        finally:
            self.under_way -= 1

    async def projects(self) -> list[Project]:
        self._note("projects")
        return self.made

    async def create_project(
        self, name: str, pictures: Any, labels: Any, *, settings: ProjectSettings | None = None, credit: str | None = None
    ) -> Project:
        self._note(f"create {name}")
        project = Project(name, f"/projects/{name}", tuple(labels), settings or ProjectSettings(), pictures=len(pictures), credit=credit)
        self.made.append(project)
        return project

    async def project(self, name: str) -> ProjectStatus:
        self._note(f"project {name}")
        found = next((each for each in self.made if each.name == name), None)
        if found is None:
            raise NotFoundError(f"there is no project {name!r}")
        rounds = tuple(self._round(job) for job in self.board.jobs() if job.kind == "round")
        return ProjectStatus(found, rounds=rounds)

    def _round(self, job: Job) -> Round:
        state = RoundState.KEPT_OLD if self.kept_old else RoundState.PROMOTED
        after = DetectionMetrics(4, 0.9, 0.8, 0.75, 0.5)
        return Round(1, state, 10, 0.0, 6.0, "r1", after, None, "no better" if self.kept_old else "", job.id)

    async def change_project(self, name: str, settings: ProjectSettings) -> Project:
        self._note(f"change {name} {settings.solver}")
        return self.made[0]

    async def remove_project(self, name: str) -> None:
        self._note(f"remove_project {name}")
        self.removed.append(name)

    async def train(self, name: str) -> Job:
        self._note(f"train {name}")
        return self.board.start("round", name, lambda progress: progress.step("learning", total=10, unit="steps"))

    async def export(self, name: str, format: str = "coco", out: str | None = None) -> ExportReport:
        self._note(f"export {name} {format} {out}")
        if format != "coco":
            raise UsageError(f"format {format!r} is not known; known are: coco")
        return ExportReport(format, 3, 5, ("2 captions",), out)


def session_of(client: FakeClient, home: Path, *, is_up: bool = True) -> Session:
    """A session whose daemon is the fake; `is_up`: whether one runs without being started."""

    async def connect(_: Home) -> Any:
        if isinstance(client.failure, CvflowError) and "connect" in client.failure.message:
            raise client.failure
        return client

    async def find(_: Home) -> Any:
        return client if is_up else None

    session = Session(connect=connect, find=find)
    session.choose_home(home)
    return session
