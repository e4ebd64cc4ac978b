"""Every request of a screen or a command, as a method with types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from cvflow_tui import model
from cvflow_tui.backend.client.connection import Connection, Successor
from cvflow_tui.backend.client.discovery import DaemonAddress
from cvflow_tui.backend.client.runner import RunnerClient
from cvflow_tui.model.circumstances import HEADER, Circumstances
from cvflow_tui.model.daemon import DaemonStatus
from cvflow_tui.model.jobs import Job

if TYPE_CHECKING:
    from cvflow_tui.model.authoring import CheckRequest, NewPackage, NewPackageRequest
    from cvflow_tui.model.names import SolverName
    from cvflow_tui.model.packages import (
        HubVersion,
        InstallPlan,
        InstallRequest,
        PackageDetail,
        PackageSummary,
        PackageUses,
        Removal,
        Upgrade,
        UpgradeRequest,
    )
    from cvflow_tui.model.projects import (
        Act,
        ActResult,
        ExportReport,
        PicturePage,
        PictureState,
        PictureView,
        Project,
        ProjectSettings,
        ProjectStatus,
    )
    from cvflow_tui.model.results import Result
    from cvflow_tui.model.settings import SettingsReport, Variable
    from cvflow_tui.model.solvers import LogChunk, LogSearch, RunningSolver, SolverHistory
    from cvflow_tui.model.storage import DiskUsage, Pruning


START_LIMIT = 300.0
"""Seconds a start may take before the client gives up waiting (a large model on a slow disk)."""


class DaemonClient:
    """The daemon's API (`/api/v1`). Every method raises a CvflowError that says what to do.

    `transport` takes the place of the sockets to the daemon, `runner_transport` of those to the runners. A client that shall outlive its
    daemon is given a `successor`, which is asked once nobody answers any more. `circumstances` are told with all that is asked: whether
    the network may be used, proxies, pip's variables; None: those of this process.
    """

    def __init__(
        self,
        url: str,
        token: str,
        transport: httpx.AsyncBaseTransport | None = None,
        runner_transport: httpx.AsyncBaseTransport | None = None,
        successor: Successor | None = None,
        circumstances: Circumstances | None = None,
    ) -> None:
        told = Circumstances.here() if circumstances is None else circumstances
        self._daemon = Connection(url, token, transport, successor, headers={HEADER: told.header})
        self._runner = RunnerClient(runner_transport)

    @classmethod
    def at(cls, address: DaemonAddress, successor: Successor | None = None) -> DaemonClient:
        """A client of the daemon that was found."""
        return cls(address.url, address.token, successor=successor)

    async def __aenter__(self) -> DaemonClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the sockets."""
        await self._daemon.close()
        await self._runner.close()

    # -- the daemon itself

    async def status(self, *, timeout: float | None = None) -> DaemonStatus:
        """Who serves, and since when; `timeout` in seconds, where it shall be another than usual."""
        return await self._daemon.call(DaemonStatus, "GET", "/status", timeout=timeout)

    def begin_with(self, successor: Successor) -> None:
        """Have the next request, and no later one, go to the `successor` where this daemon has ended since it was found."""
        self._daemon.begin_with(successor)

    async def shutdown(self, *, stop_solvers: bool = False) -> None:
        """End the daemon, and with it the use of this client; solvers go on serving unless `stop_solvers`."""
        self._daemon.follow_nobody()
        await self._daemon.send("POST", "/shutdown", body={"stop_solvers": stop_solvers}, timeout=60.0)

    # -- hub and packages

    async def hub_packages(self, query: str = "") -> list[PackageSummary]:
        """What the hub offers; `query` matches name, task and tagline."""
        return await self._daemon.call(list[model.packages.PackageSummary], "GET", "/hub/packages", query=query or None)

    async def hub_package(self, ref: str) -> PackageDetail:
        """One package of the hub: `vendor/name`, or its name alone where that is unique."""
        return await self._daemon.call(model.packages.PackageDetail, "GET", "/hub/package", ref=ref)

    async def hub_versions(self, ref: str) -> list[HubVersion]:
        """Every version of a package that the hub has, the newest first; `ref` as for `hub_package`."""
        return await self._daemon.call(list[model.packages.HubVersion], "GET", "/hub/versions", ref=ref)

    async def packages(self) -> list[PackageSummary]:
        """What is installed."""
        return await self._daemon.call(list[model.packages.PackageSummary], "GET", "/packages")

    async def package(self, ref: str) -> PackageDetail:
        """One installed package."""
        return await self._daemon.call(model.packages.PackageDetail, "GET", "/package", ref=ref)

    async def plan_install(self, request: InstallRequest | str) -> InstallPlan:
        """What installing would do. Fetches the package's files (not its weights) to find out; changes nothing."""
        return await self._daemon.call(
            model.packages.InstallPlan, "POST", "/packages/plan", body=model.packages.InstallRequest.of(request), timeout=300.0
        )

    async def install(self, request: InstallRequest | str) -> Job:
        """Begin to install; follow the job with `follow`. Its result is the PackageDetail."""
        return await self._daemon.call(Job, "POST", "/packages/install", body=model.packages.InstallRequest.of(request))

    async def plan_upgrade(self, request: UpgradeRequest) -> InstallPlan:
        """What an upgrade would change (`changes`). Fetches the package's files to find out; changes nothing."""
        return await self._daemon.call(model.packages.InstallPlan, "POST", "/packages/upgrade/plan", body=request, timeout=300.0)

    async def upgrade(self, request: UpgradeRequest) -> Job:
        """Begin to upgrade; follow the job with `follow`. Its result is the Upgrade. The version before is kept."""
        return await self._daemon.call(Job, "POST", "/packages/upgrade", body=request)

    async def rollback(self, ref: str, *, restart: bool = False) -> Upgrade:
        """Go back to the version that the last upgrade kept: at once, and without the network."""
        return await self._daemon.call(
            model.packages.Upgrade, "POST", "/packages/rollback", body={"ref": ref, "restart": restart}, timeout=START_LIMIT
        )

    async def package_lock(self, ref: str) -> str:
        """The text of an installed package's `cvflow.lock`."""
        found: dict[str, str] = await self._daemon.call(dict[str, str], "GET", "/package/lock", ref=ref)
        return found["text"]

    async def package_uses(self, ref: str) -> PackageUses:
        """Who uses an installed package, and which packages share its environment and weights."""
        return await self._daemon.call(model.packages.PackageUses, "GET", "/package/uses", ref=ref)

    async def remove(self, ref: str, *, force: bool = False) -> Removal:
        """Stop a package's solvers and remove it, with every environment and weight that nothing else uses.

        Raises RefusedError where a project asks one of its solvers, unless `force`.
        """
        return await self._daemon.call(model.packages.Removal, "POST", "/packages/remove", body={"ref": ref, "force": force}, timeout=120.0)

    # -- the room they take

    async def disk(self) -> DiskUsage:
        """Every byte of the home folder, by what it is."""
        return await self._daemon.call(model.storage.DiskUsage, "GET", "/storage", timeout=300.0)

    async def prunable(self, *, keep_versions: bool = False, cache: bool = False) -> Pruning:
        """What nobody uses; with `keep_versions`, but for the versions that upgrades kept; with `cache`, and uv's. Changes nothing."""
        wanted = {"keep_versions": keep_versions or None, "cache": cache or None}
        return await self._daemon.call(model.storage.Pruning, "GET", "/storage/prunable", timeout=300.0, **wanted)

    async def prune(self, *, keep_versions: bool = False, cache: bool = False) -> Job:
        """Begin to delete what nobody uses; follow the job. Its result is the Pruning."""
        return await self._daemon.call(Job, "POST", "/storage/prune", keep_versions=keep_versions or None, cache=cache or None)

    async def verify(self, ref: str | None = None, *, repair: bool = False, remove_extra: bool = False, offline: bool = False) -> Job:
        """Begin to compare every file of a package (None: of all) with its lock; follow the job. Its result is the Verification."""
        return await self._daemon.call(
            Job, "POST", "/storage/verify", body={"ref": ref, "repair": repair, "remove_extra": remove_extra, "offline": offline}
        )

    # -- for the authors of packages

    async def new_package(self, request: NewPackageRequest) -> NewPackage:
        """Write a package to begin with. Raises RefusedError where something is there already."""
        return await self._daemon.call(model.authoring.NewPackage, "POST", "/packages/new", body=request)

    async def check_package(self, request: CheckRequest) -> Job:
        """Begin to check a package; follow the job with `follow`. Its result is the CheckReport."""
        return await self._daemon.call(Job, "POST", "/packages/check", body=request)

    # -- jobs

    async def jobs(self) -> list[Job]:
        """Every job of this daemon's life, newest first."""
        return await self._daemon.call(list[Job], "GET", "/jobs")

    async def job(self, job_id: str, *, newer_than: int | None = None, wait: float = 0.0) -> Job:
        """A job as it stands; with `newer_than`, waits up to `wait` seconds for a later revision."""
        return await self._daemon.call(Job, "GET", f"/jobs/{job_id}", newer_than=newer_than, wait=wait or None, timeout=wait + 30.0)

    async def cancel_job(self, job_id: str) -> Job:
        """Ask a job to end; it leaves nothing behind."""
        return await self._daemon.call(Job, "POST", f"/jobs/{job_id}/cancel")

    async def follow(self, job_id: str) -> AsyncIterator[Job]:
        """The job each time it changes, the last time when it is over."""
        job = await self.job(job_id)
        yield job
        while not job.state.is_over:
            newer = await self.job(job_id, newer_than=job.revision, wait=10.0)
            if newer.revision != job.revision:
                job = newer
                yield job

    # -- solvers

    async def solvers(self) -> list[RunningSolver]:
        """Every solver that runs, and those that failed and were not dismissed."""
        return await self._daemon.call(list[model.solvers.RunningSolver], "GET", "/solvers")

    async def resolve(self, name: str) -> SolverName:
        """The full name of an installed solver: `vendor/package/solver`, `package/solver`, `package` or `solver`, where unique."""
        return await self._daemon.call(model.names.SolverName, "GET", "/solvers/resolve", name=name)

    async def start_solver(self, name: str, *, port: int | None = None, wait: bool = True) -> RunningSolver:
        """Start a solver (or find it running). With `wait`, returns when it is ready; raises PackageError with why if it failed."""
        full = await self.resolve(name)
        return await self._daemon.call(
            model.solvers.RunningSolver,
            "POST",
            f"/solvers/{full}/start",
            body={"port": port, "wait": wait},
            timeout=model.settings.LONGEST_START + 60.0,
        )

    async def restart_solver(self, name: str) -> RunningSolver:
        """Stop a solver and start it with its settings as they are now; returns when it is ready. Raises as `start_solver`."""
        full = await self.resolve(name)
        return await self._daemon.call(
            model.solvers.RunningSolver, "POST", f"/solvers/{full}/restart", timeout=model.settings.LONGEST_START + 60.0
        )

    async def solver_history(self, name: str) -> SolverHistory:
        """A running solver's last ten minutes, second by second."""
        full = await self.resolve(name)
        return await self._daemon.call(model.solvers.SolverHistory, "GET", f"/solvers/{full}/history")

    async def search_log(
        self, name: str, text: str = "", *, level: str = "debug", since: float | None = None, limit: int = 1000
    ) -> LogSearch:
        """The last lines of a solver's log, rotated files included, that hold `text`, are of `level` or above, written after `since`."""
        full = await self.resolve(name)
        return await self._daemon.call(
            model.solvers.LogSearch,
            "GET",
            f"/solvers/{full}/log/search",
            text=text or None,
            level=level,
            since=since,
            limit=limit,
            timeout=60.0,
        )

    async def settings(self, name: str) -> SettingsReport:
        """A solver's settings, and what of them it does not run with yet."""
        full = await self.resolve(name)
        return await self._daemon.call(model.settings.SettingsReport, "GET", f"/solvers/{full}/settings")

    async def change_settings(self, name: str, changes: Mapping[str, str]) -> SettingsReport:
        """Set some of a solver's settings, all or none (`{"memory": "2G"}`; an empty text takes one back). Raises UsageError."""
        full = await self.resolve(name)
        return await self._daemon.call(model.settings.SettingsReport, "PATCH", f"/solvers/{full}/settings", body={"changes": dict(changes)})

    async def variables(self, ref: str) -> list[Variable]:
        """The environment variables of a package (and its solvers) or of one solver; their values are never told."""
        return await self._daemon.call(list[model.settings.Variable], "GET", "/variables", ref=ref)

    async def set_variable(self, ref: str, name: str, value: str) -> list[Variable]:
        """Give the workers of a package or a solver an environment variable, from their next start on."""
        return await self._daemon.call(list[model.settings.Variable], "PUT", "/variables", body={"ref": ref, "name": name, "value": value})

    async def unset_variable(self, ref: str, name: str) -> list[Variable]:
        """Forget an environment variable. Raises NotFoundError."""
        return await self._daemon.call(list[model.settings.Variable], "DELETE", "/variables", body={"ref": ref, "name": name})

    async def stop_solver(self, name: str) -> RunningSolver:
        """Stop a solver; when this returns, no process and no port is left."""
        full = await self.resolve(name)
        return await self._daemon.call(model.solvers.RunningSolver, "POST", f"/solvers/{full}/stop", timeout=60.0)

    async def solver_log(
        self, name: str, *, offset: int | None = None, limit: int = 65536, wait: float = 0.0, file: str = "", until: int | None = None
    ) -> LogChunk:
        """A piece of a solver's log from byte `offset` on (None: what lies before byte `until`, or its end), waiting up to `wait` seconds
        for more to come. `file`: one of the log's files, by the name that a chunk or a search gave it; else the newest.
        """
        full, place = await self.resolve(name), {"offset": offset, "limit": limit, "file": file or None, "until": until}
        return await self._daemon.call(
            model.solvers.LogChunk, "GET", f"/solvers/{full}/log", wait=wait or None, timeout=wait + 30.0, **place
        )

    async def infer(
        self,
        solver: RunningSolver,
        picture: Path | bytes,
        parameters: dict[str, Any] | None = None,
        *,
        variant: str | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Run a picture through a solver, straight to its port; `variant` names the project whose checkpoint answers.

        After `timeout` seconds it is given up. Raises UsageError for a picture it can't read, NotFoundError for a variant that is not.
        """
        return await self._runner.infer(solver, picture, parameters or {}, variant, timeout)

    # -- projects

    async def projects(self) -> list[Project]:
        """The projects of this home."""
        return await self._daemon.call(list[model.projects.Project], "GET", "/projects")

    async def create_project(
        self,
        name: str,
        pictures: Sequence[str],
        labels: Sequence[str],
        *,
        settings: ProjectSettings | None = None,
        credit: str | None = None,
    ) -> Project:
        """Make a project of pictures and folders of pictures (absolute paths). Reads no picture; that happens as they are opened."""
        body = {"name": name, "pictures": list(pictures), "labels": list(labels), "settings": settings, "credit": credit}
        return await self._daemon.call(model.projects.Project, "POST", "/projects", body=body, timeout=300.0)

    async def project(self, name: str) -> ProjectStatus:
        """A project with its accuracy and its rounds."""
        return await self._daemon.call(model.projects.ProjectStatus, "GET", f"/projects/{name}")

    async def change_project(self, name: str, settings: ProjectSettings) -> Project:
        """Give a project other settings."""
        return await self._daemon.call(model.projects.Project, "PUT", f"/projects/{name}/settings", body=settings)

    async def remove_project(self, name: str) -> None:
        """Delete a project's folder; its pictures stay where they are."""
        await self._daemon.send("DELETE", f"/projects/{name}", timeout=120.0)

    async def pictures(
        self, name: str, *, offset: int = 0, limit: int = 100, query: str = "", state: PictureState | None = None
    ) -> PicturePage:
        """A window of a project's pictures, in their order."""
        return await self._daemon.call(
            model.projects.PicturePage, "GET", f"/projects/{name}/pictures", offset=offset, limit=limit, query=query or None, state=state
        )

    async def open_picture(self, name: str, position: int | None = None) -> PictureView:
        """Open a picture (position from 1; None: the first that is not finished), asking the solver for suggestions if it has none yet."""
        return await self._daemon.call(
            model.projects.PictureView, "POST", f"/projects/{name}/open", body={"position": position}, timeout=START_LIMIT
        )

    async def picture_bytes(self, name: str, picture: int) -> bytes:
        """The picture's file, as it is."""
        return await self._daemon.fetch(f"/projects/{name}/pictures/{picture}/content", timeout=60.0)

    async def act(self, name: str, picture: int, act: Act) -> ActResult:
        """Do something to a picture. When this returns the act is in the journal, on disk."""
        return await self._daemon.call(model.projects.ActResult, "POST", f"/projects/{name}/pictures/{picture}/acts", body=act)

    async def undo(self, name: str) -> ActResult:
        """Take the last act of the project back, on whichever picture it was. Raises RefusedError when there is none."""
        return await self._daemon.call(model.projects.ActResult, "POST", f"/projects/{name}/undo")

    async def redo(self, name: str) -> ActResult:
        """Do again what was undone last. Raises RefusedError when there is nothing."""
        return await self._daemon.call(model.projects.ActResult, "POST", f"/projects/{name}/redo")

    async def train(self, name: str) -> Job:
        """Begin a fine-tuning round now; follow the job. Its result is the Round."""
        return await self._daemon.call(Job, "POST", f"/projects/{name}/train", timeout=START_LIMIT)

    async def export(self, name: str, format: str = "coco", out: str | None = None) -> ExportReport:
        """Write a project's annotations to the absolute path `out` on the daemon's machine, atomically."""
        return await self._daemon.call(
            model.projects.ExportReport, "POST", f"/projects/{name}/export", body={"format": format, "out": out}, timeout=600.0
        )
