"""A DaemonClient with a hub, packages, solvers and jobs in memory: frozen data, no socket, no thread."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.model.daemon import DaemonStatus
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import NotFoundError, UsageError
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import (
    Changes,
    HubVersion,
    InstallPlan,
    InstallRequest,
    PackageDetail,
    PackageSummary,
    PackageUses,
    Parameter,
    Removal,
    Script,
    SolverInfo,
    Upgrade,
    UpgradeRequest,
    WeightInfo,
)
from cvflow_tui.model.projects import Project
from cvflow_tui.model.results import ClassScore, DetectedObject, ModelRef, Result
from cvflow_tui.model.settings import SettingsReport, Variable, read_setting, read_settings
from cvflow_tui.model.solvers import Figures, LogChunk, LogLine, LogSearch, RunningSolver, SolverHistory, SolverState
from cvflow_tui.model.storage import DiskEntry, DiskUsage, Pruning

README = """# {title}

{tagline}

## Use

```
cvflow start {ref}/{solver}
curl --data-binary @picture.jpg localhost:8080/infer
```

* reads JPEG, PNG and WebP
* answers in milliseconds on a CPU
"""


def package(
    ref: str, version: str, tagline: str, license: str, solvers: dict[str, str], size: int | None, *, installed: bool = False
) -> PackageDetail:
    """A package of the fake hub; `solvers` maps a solver's name to its task."""
    vendor, name = ref.split("/")
    infos = tuple(
        SolverInfo(
            solver,
            f"{name}/solver/{solver.title()}",
            task,
            ("cat", "dog"),
            (Parameter("threshold", "float", 0.3), Parameter("iou", "float", 0.6)),
            trainable=solver == "detect",
            batch=8,
        )
        for solver, task in solvers.items()
    )
    summary = PackageSummary(
        vendor,
        name,
        version,
        tagline,
        license,
        tuple(dict.fromkeys(solvers.values())),
        tuple(solvers),
        size,
        f"hub:{ref}",
        version if installed else None,
    )
    return PackageDetail(
        summary,
        README.format(title=name, tagline=tagline, ref=ref, solver=next(iter(solvers))),
        infos,
        (WeightInfo(f"{name}.onnx", f"pretrained/{name}.onnx", "0" * 64, size),),
        "host" if name == "nanodet" else "venv",
        ("numpy>=1.26", "onnxruntime>=1.20"),
        ">=3.9",
        f"/home/me/.local/share/cvflow/packages/{ref}/{version}" if installed else None,
    )


def default_hub() -> list[PackageDetail]:
    """Five packages, one of which tries to speak markup and terminal escapes."""
    return [
        package(
            "cvflow/nanodet",
            "1.0.0",
            "80 everyday objects, 30 ms on a CPU",
            "Apache-2.0",
            {"detect": "object-detection"},
            3_720_000,
            installed=True,
        ),
        package(
            "cvflow/face_utility",
            "1.2.0",
            "Faces: boxes, 68 landmarks, 128 dimensions",
            "BSD-3-Clause",
            {"detect": "object-detection", "landmarks": "keypoint-detection", "encode": "embedding"},
            101_400_000,
        ),
        package(
            "cvflow/mobilenet",
            "0.9.1",
            "1000 classes, small and quick",
            "Apache-2.0",
            {"classify": "image-classification"},
            14_200_000,
            installed=True,
        ),
        package("stranger/odd", "2.0", "[red]not red[/red] \x1b[31mnor this\x1b[0m", "MIT", {"caption": "image-captioning"}, None),
        package("lab/ocr-lite", "3.1.4", "Reads signs and receipts", "MIT", {"read": "text-recognition"}, 8_800_000),
    ]


class FakeClient(DaemonClient):
    """Every method of hub, packages, jobs and solvers. `install_gate`: an event that the fake install waits for between two steps.

    `fail` maps a method's name to the CvflowError it raises next.
    """

    def __init__(self, hub: list[PackageDetail] | None = None, *, embedded: bool = True) -> None:
        super().__init__("http://127.0.0.1:1", "token")
        self.hub = {detail.summary.ref: detail for detail in (default_hub() if hub is None else hub)}
        self.running: dict[str, RunningSolver] = {}
        self.logs: dict[str, str] = {}
        self.board: dict[str, Job] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.fail: dict[str, Exception] = {}
        self.embedded = embedded
        self.plan_environment = "a new virtualenv with 2 requirements"
        self.plan_steps: tuple[str, ...] = ("fetch the files", "fetch 1 weight", "make the environment", "check the solvers")
        self.problems: tuple[str, ...] = ()
        self.history: dict[str, tuple[Figures, ...]] = {}
        self.chosen: dict[str, dict[str, str]] = {}
        self.secrets: dict[Variable, str] = {}
        self.disk_entries: tuple[DiskEntry, ...] = ()
        self.goes = Pruning()
        self.cache_bytes = 0
        self.removal_shares = 0
        self.newest = ""
        self.held = ""
        self.older: tuple[HubVersion, ...] = ()
        """Versions of every package of the hub beside its newest."""
        self.kept: str | None = None
        self.kept_is_newer = False
        self.unchanged = False
        """Whether what is asked for is installed already."""
        self.upgrade_error: str | None = None
        self.used_by: tuple[str, ...] = ()
        self.changes: Changes | None = None
        self.scripts: tuple[Script, ...] = ()
        self.findings: tuple[Finding, ...] = ()
        self.install_fails: Callable[[InstallRequest], dict[str, Any] | None] = lambda request: None
        """What is said of an install that fails, as fields of its job."""
        self.installed_as: InstallRequest | None = None
        self.install_gate: asyncio.Event | None = None
        self.result = Result(
            raw={},
            task="object-detection",
            model=ModelRef("cvflow/nanodet", "1.0.0"),
            image=Size(64, 48),
            objects=(DetectedObject("dog", 0.91, Box(4, 4, 40, 40)), DetectedObject("cat", 0.52, Box(20, 10, 60, 44))),
        )
        self._ids = itertools.count(1)
        self._changed = asyncio.Condition()

    def _call(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, arguments))
        if error := self.fail.pop(name, None):
            raise error

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of a method so far."""
        return [arguments for called, arguments in self.calls if called == name]

    async def status(self, *, timeout: float | None = None) -> DaemonStatus:
        """Who serves."""
        self._call("status")
        return DaemonStatus("http://127.0.0.1:1", os.getpid() if self.embedded else 1, "0.1.0", "/home/me", embedded=self.embedded)

    async def shutdown(self, *, stop_solvers: bool = False) -> None:
        """Remember how it was ended."""
        self._call("shutdown", stop_solvers)

    # -- hub and packages

    async def hub_packages(self, query: str = "") -> list[PackageSummary]:
        """The fake hub."""
        self._call("hub_packages", query)
        return [detail.summary for detail in self.hub.values()]

    async def hub_package(self, ref: str) -> PackageDetail:
        """One of them."""
        self._call("hub_package", ref)
        return self._detail(ref)

    async def hub_versions(self, ref: str) -> list[HubVersion]:
        """The one that is there, and those that were put beside it."""
        self._call("hub_versions", ref)
        summary = self._detail(ref).summary
        newest = HubVersion(summary.version, f"hub:{ref}", summary.size, 1769850000.0, summary.installed == summary.version, newest=True)
        return [newest, *self.older]

    async def packages(self) -> list[PackageSummary]:
        """The installed ones."""
        self._call("packages")
        return [detail.summary for detail in self.hub.values() if detail.summary.installed]

    async def package(self, ref: str) -> PackageDetail:
        """One installed."""
        self._call("package", ref)
        return replace(self._detail(ref), kept=self.kept, kept_is_newer=self.kept_is_newer)

    def _detail(self, ref: str) -> PackageDetail:
        if ref not in self.hub:
            raise NotFoundError(f"no package {ref} on the hub")
        return self.hub[ref]

    async def plan_install(self, request: InstallRequest | str) -> InstallPlan:
        """A plan for `hub:REF`; anything else is not found."""
        request = InstallRequest.of(request)
        source = request.source
        self._call("plan_install", source)
        detail = self._detail(source.removeprefix("hub:").partition("==")[0])
        size = detail.summary.size or 0
        return InstallPlan(
            detail,
            source,
            size or None,
            size * 2 or None,
            52_000_000_000,
            self.plan_environment,
            self.plan_steps,
            self.problems,
            detail.summary.installed,
            self.changes,
            tuple(replace(script, allowed=script.sha256 in request.scripts) for script in self.scripts),
            () if request.requirements else self.findings,
            unchanged=self.unchanged and not request.again,
        )

    async def install(self, request: InstallRequest | str) -> Job:
        """Begin the fake install: three steps, each waiting for the gate where there is one."""
        self.installed_as = InstallRequest.of(request)
        source = self.installed_as.source
        self._call("install", source)
        ref = source.removeprefix("hub:")
        job = Job(f"job{next(self._ids)}", "install", ref, JobState.RUNNING, "fetch the files", revision=1)
        self.board[job.id] = job
        asyncio.get_running_loop().create_task(self._install(job.id, ref))
        return job

    async def _install(self, job_id: str, ref: str) -> None:
        steps = [("fetch the files", 4096.0, "bytes"), ("fetch 1 weight", 3_720_000.0, "bytes"), ("make the environment", 2.0, "packages")]
        for step, total, unit in steps:
            await self.change(job_id, step=step, done=total / 2, total=total, unit=unit, rate=1_240_000.0, eta=1.5)
            if self.install_gate is not None:
                await self.install_gate.wait()
            if self.board[job_id].state.is_over:
                return
        if self.installed_as is not None and (failure := self.install_fails(self.installed_as)) is not None:
            await self.change(job_id, state=JobState.FAILED, **failure)
            return
        detail = self.hub[ref]
        self.hub[ref] = replace(detail, summary=replace(detail.summary, installed=detail.summary.version))
        await self.change(job_id, state=JobState.DONE, done=2.0)

    async def change(self, job_id: str, **changes: Any) -> None:
        """Move a job on and wake who waits."""
        async with self._changed:
            job = self.board[job_id]
            self.board[job_id] = replace(job, revision=job.revision + 1, **changes)
            self._changed.notify_all()

    async def remove(self, ref: str, *, force: bool = False) -> Removal:
        """Remove a package and stop its solvers."""
        self._call("remove", ref, force)
        detail = self._detail(ref)
        self.hub[ref] = replace(detail, summary=replace(detail.summary, installed=None))
        stopped = tuple(name for name in self.running if name.startswith(f"{ref}/"))
        for name in stopped:
            del self.running[name]
        return Removal(ref, detail.summary.size or 0, stopped, self.removal_shares)

    # -- jobs

    async def jobs(self) -> list[Job]:
        """Newest first."""
        return list(reversed(self.board.values()))

    async def job(self, job_id: str, *, newer_than: int | None = None, wait: float = 0.0) -> Job:
        """As the daemon's: waits for a later revision."""
        self._call("job", job_id)

        def newer() -> bool:
            return newer_than is None or self.board[job_id].revision > newer_than

        async with self._changed:
            if not newer() and wait:
                try:
                    await asyncio.wait_for(self._changed.wait_for(newer), wait)
                except TimeoutError:
                    pass
            return self.board[job_id]

    async def cancel_job(self, job_id: str) -> Job:
        """Cancel at once."""
        self._call("cancel_job", job_id)
        await self.change(job_id, state=JobState.CANCELLED, eta=None)
        return self.board[job_id]

    # -- solvers

    async def solvers(self) -> list[RunningSolver]:
        """What runs."""
        self._call("solvers")
        return list(self.running.values())

    async def resolve(self, name: str) -> SolverName:
        """Full names only."""
        return SolverName.parse(name)

    async def start_solver(self, name: str, *, port: int | None = None, wait: bool = True) -> RunningSolver:
        """Start: ready at once."""
        self._call("start_solver", name)
        full = SolverName.parse(name)
        count = len(self.running)
        self.running[name] = RunningSolver(
            full.package_ref,
            full.solver,
            SolverState.READY,
            port or 41000 + count,
            2000 + count,
            f"http://127.0.0.1:{41000 + count}",
            uptime=3725.0,
            cpu=12.5,
            rss=183_500_000,
            requests=128,
            rate=3.4,
            p50=31.2,
            p95=44.9,
            version="1.0.0",
        )
        self.logs.setdefault(name, "".join(f"line {number}: served in {number % 7 + 28} ms\n" for number in range(1, 61)))
        return self.running[name]

    async def stop_solver(self, name: str) -> RunningSolver:
        """Stop and forget."""
        self._call("stop_solver", name)
        if name not in self.running:
            raise NotFoundError(f"{name} does not run")
        return replace(self.running.pop(name), state=SolverState.STOPPED, port=None, pid=None)

    def change_solver(self, name: str, change: Callable[[RunningSolver], RunningSolver]) -> None:
        """Move the numbers of a solver."""
        self.running[name] = change(self.running[name])

    async def log(self, name: str, text: str) -> None:
        """Append to a log and wake who follows it."""
        async with self._changed:
            self.logs[name] = self.logs.get(name, "") + text
            self._changed.notify_all()

    async def solver_log(
        self, name: str, *, offset: int | None = None, limit: int = 65536, wait: float = 0.0, file: str = "", until: int | None = None
    ) -> LogChunk:
        """A piece of a log, in whole lines, as the daemon's."""
        self._call("solver_log", name, offset)

        def whole() -> bytes:
            return self.logs.get(name, "").encode()

        if offset is None:
            end = len(whole()) if until is None else until
            start = max(0, end - limit)
            if start and whole()[start - 1 : start] != b"\n":
                start = whole().find(b"\n", start) + 1
            return LogChunk(whole()[start:end].decode(), start, end, len(whole()), "1-1")
        if wait and offset >= len(whole()):
            async with self._changed:
                try:
                    await asyncio.wait_for(self._changed.wait_for(lambda: len(whole()) > offset), wait)
                except TimeoutError:
                    pass
        piece = whole()[offset : offset + limit]
        return LogChunk(piece.decode(), offset, offset + len(piece), len(whole()), "1-1")

    async def search_log(
        self, name: str, text: str = "", *, level: str = "debug", since: float | None = None, limit: int = 1000
    ) -> LogSearch:
        """The lines that hold the text; all of them are news, written on the 31st of January."""
        self._call("search_log", name, text, level, since)
        found, start = list[LogLine](), 0
        for line in self.logs.get(name, "").splitlines():
            if text in (line if text != text.lower() else line.lower()) and level in ("debug", "info"):
                found.append(LogLine(line, "info", 1769850000.0, "1-1", start))
            start += len(line.encode()) + 1
        return LogSearch(tuple(found[-limit:]), start)

    async def solver_history(self, name: str) -> SolverHistory:
        """The history that was put there."""
        self._call("solver_history", name)
        return SolverHistory(name, self.history.get(name, ()))

    # -- other versions

    async def plan_upgrade(self, request: UpgradeRequest) -> InstallPlan:
        """As an install of the same package, by its version `newest`."""
        self._call("plan_upgrade", request)
        plan = await self.plan_install(f"hub:{request.ref}")
        summary = replace(plan.package.summary, version=self.newest or plan.package.summary.version)
        return replace(plan, package=replace(plan.package, summary=summary), held=self.held)

    async def upgrade(self, request: UpgradeRequest) -> Job:
        """Done at once; what it brought comes as JSON does."""
        self._call("upgrade", request)
        before = self.hub[request.ref].summary
        detail = replace(self.hub[request.ref], summary=replace(before, version=self.newest, installed=self.newest))
        self.hub[request.ref] = detail
        done = Upgrade(detail, before.version, tuple(self.running) if request.restart else (), (), False, self.upgrade_error)
        result = TypeAdapter(Upgrade).dump_python(done, mode="json")
        job = Job(f"job{next(self._ids)}", "upgrade", request.ref, JobState.DONE, "finishing", revision=1, result=result)
        self.board[job.id] = job
        return job

    async def rollback(self, ref: str, *, restart: bool = False) -> Upgrade:
        """Back to 0.9.0."""
        self._call("rollback", ref, restart)
        detail = replace(self.hub[ref], summary=replace(self.hub[ref].summary, version="0.9.0", installed="0.9.0"))
        self.hub[ref] = detail
        return Upgrade(detail, None)

    async def package_uses(self, ref: str) -> PackageUses:
        """Its solvers that run, and the projects that were said to use it."""
        running = tuple(name for name in self.running if name.startswith(f"{ref}/"))
        return PackageUses(ref, running, self.used_by, goes=self.goes)

    # -- room

    async def disk(self) -> DiskUsage:
        """What was put there."""
        total = sum(entry.bytes for entry in self.disk_entries)
        cache = ("/home/me/.cache/uv", self.cache_bytes) if self.cache_bytes else ("", 0)
        return DiskUsage("/home/me/cvflow", total, 52_000_000_000, self.disk_entries, *cache)

    async def prunable(self, *, keep_versions: bool = False, cache: bool = False) -> Pruning:
        """The entries that no package shares."""
        unused = tuple(entry for entry in self.disk_entries if entry.kind in ("kept version", "download"))
        return Pruning(unused, sum(entry.bytes for entry in unused), shared=sum(entry.shared for entry in unused))

    async def prune(self, *, keep_versions: bool = False, cache: bool = False) -> Job:
        """Gone at once."""
        self._call("prune")
        gone = (await self.prunable()).entries
        self.disk_entries = tuple(entry for entry in self.disk_entries if entry not in gone)
        job = Job(f"job{next(self._ids)}", "prune", "", JobState.DONE, "done", revision=1)
        self.board[job.id] = job
        return job

    # -- how solvers run

    async def restart_solver(self, name: str) -> RunningSolver:
        """Start it anew at the port it had."""
        self._call("restart_solver", name)
        return self.running[name]

    async def settings(self, name: str) -> SettingsReport:
        """What was set; what a running solver was not started with needs a restart."""
        chosen = self.chosen.get(name, {})
        running = name in self.running
        return SettingsReport(name, read_settings(chosen), tuple(chosen), (), running, tuple(chosen) if running else ())

    async def change_settings(self, name: str, changes: Mapping[str, str]) -> SettingsReport:
        """Set, or take back with an empty text."""
        self._call("change_settings", name, dict(changes))
        held = self.chosen.setdefault(name, {})
        for setting, text in changes.items():
            if text:
                read_setting(setting, text)
                held[setting] = text
            else:
                held.pop(setting, None)
        return await self.settings(name)

    async def variables(self, ref: str) -> list[Variable]:
        """Those of a package with its solvers', or of one solver."""
        return [each for each in self.secrets if each.owner == ref or each.owner.startswith(f"{ref}/")]

    async def set_variable(self, ref: str, name: str, value: str) -> list[Variable]:
        """Keep its name; the value goes where nobody reads it."""
        self._call("set_variable", ref, name, value)
        self.secrets[Variable(ref, name)] = value
        return await self.variables(ref)

    async def unset_variable(self, ref: str, name: str) -> list[Variable]:
        """Forget it."""
        self._call("unset_variable", ref, name)
        del self.secrets[Variable(ref, name)]
        return await self.variables(ref)

    async def infer(
        self,
        solver: RunningSolver,
        picture: Path | bytes,
        parameters: dict[str, Any] | None = None,
        *,
        variant: str | None = None,
        timeout: float | None = None,
    ) -> Result:
        """The frozen result; a file that is no picture is refused as a runner would."""
        self._call("infer", solver.name, picture)
        content = picture if isinstance(picture, bytes) else await asyncio.to_thread(picture.read_bytes)
        if not content.startswith((b"\x89PNG", b"\xff\xd8")):
            raise UsageError("the body is no picture that can be read")
        return self.result

    # -- projects: none here

    async def projects(self) -> list[Project]:
        """No projects."""
        self._call("projects")
        return []


def classification() -> Result:
    """What a classifier would answer."""
    return Result(raw={}, task="image-classification", classes=(ClassScore("tabby", 0.71), ClassScore("tiger cat", 0.2)))
