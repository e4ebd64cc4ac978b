"""The steps of the unattended demo, in the order in which a person would take them."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cvflow_tui.demo.annotator import NEAR, Tally, annotate
from cvflow_tui.demo.checks import check_coco, folder_bytes, is_free, is_gone, require
from cvflow_tui.demo.pictures import Photograph, photographs
from cvflow_tui.demo.project import PACKAGE, ROUND_EVERY, SOLVER, THRESHOLD, finished, make_project, package_ref
from cvflow_tui.demo.report import Measures, Recorder
from cvflow_tui.model.errors import CvflowError, PackageError
from cvflow_tui.model.projects import PictureState, RoundState
from cvflow_tui.model.results import Result
from cvflow_tui.model.solvers import RunningSolver, SolverState

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.home import Home


class Walk:
    """One walk along the path. What it made itself it takes away again; what was there before stays."""

    def __init__(self, client: DaemonClient, home: Home, recorder: Recorder, project: str) -> None:
        self._client = client
        self._home = home
        self._step = recorder.step
        self._project = project
        self._photographs = {each.path.name: each for each in photographs()}
        self._tally = Tally()
        self._made_project = self._installed = self._started = False
        self._solver: RunningSolver | None = None

    async def run(self) -> None:
        """Every step. Raises the first CvflowError, which is in the report under its step's name."""
        await self._step("hub", self._hub)
        await self._step("install", self._install)
        await self._step("start", self._start)
        await self._step("infer", self._infer)
        await self._step("project", self._make_project)
        await self._annotate_all()
        await self._step("undo", self._undo_and_redo)
        await self._step("accuracy", self._accuracy)
        await self._step("export", self._export)
        await self._step("stop", self._stop)
        await self._step("remove", self._remove)

    # -- package and solver

    async def _hub(self) -> Measures:
        found = await self._client.hub_packages(PACKAGE)
        require(any(each.name == PACKAGE for each in found), f"the hub has no {PACKAGE}")
        return {"packages": len(await self._client.hub_packages()), "found": [each.ref for each in found]}

    async def _install(self) -> Measures:
        if any(each.name == PACKAGE for each in await self._client.packages()):
            return {"already_installed": True}
        offered = await self._client.hub_package(PACKAGE)
        source = offered.summary.source or PACKAGE
        plan = await self._client.plan_install(source)
        if plan.problems:
            raise PackageError("; ".join(plan.problems))
        self._installed = True
        await finished(self._client, await self._client.install(source))
        ref = await package_ref(self._client)
        return {"package": ref, "environment": plan.environment, "download_bytes": plan.download_bytes, "disk_bytes": self._bytes()}

    async def _start(self) -> Measures:
        before = {solver.name for solver in await self._client.solvers() if solver.state.is_live}
        name = f"{await package_ref(self._client)}/{SOLVER}"
        self._started = name not in before
        solver = await self._client.start_solver(name)
        require(solver.state in (SolverState.READY, SolverState.BUSY), f"{name} is {solver.state} after it was started")
        require(solver.pid is not None and solver.url is not None and not is_gone(solver.pid), f"{name} has no process")
        self._solver = solver
        return {"solver": name, "pid": solver.pid, "port": solver.port, "url": solver.url, "state": solver.state.value}

    async def _infer(self) -> Measures:
        assert self._solver is not None
        found = things = objects = 0
        times: list[float] = []
        for photograph in self._photographs.values():
            began = time.perf_counter()
            result = await self._client.infer(self._solver, photograph.path, {"threshold": THRESHOLD})
            times.append((time.perf_counter() - began) * 1000)
            objects += len(result.objects)
            things += len(photograph.things)
            found += _found(result, photograph)
        require(found > 0, f"none of {things} things on {len(times)} photographs was found")
        middle = round(statistics.median(times), 1)
        return {"pictures": len(times), "objects": objects, "things": things, "found": found, "median_ms": middle}

    # -- project

    async def _make_project(self) -> Measures:
        project = await make_project(self._client, self._project)
        self._made_project = True
        require(project.pictures == len(self._photographs), f"the project has {project.pictures} pictures of {len(self._photographs)}")
        return {"project": project.name, "pictures": project.pictures, "labels": len(project.labels)}

    async def _annotate_all(self) -> None:
        """Half of the pictures, a round, the other half, another round: suggestions of the second half must come from the first round."""
        count, awaited = len(self._photographs), 0
        for first in range(1, count + 1, ROUND_EVERY):
            last = min(first + ROUND_EVERY - 1, count)
            await self._step(f"annotate {first}-{last}", partial(self._annotate, first, last))
            if last - first + 1 == ROUND_EVERY:
                require(len(self._tally.rounds) > awaited, f"no round began after {last} annotated pictures")
            for job in self._tally.rounds[awaited:]:
                awaited += 1
                await self._step(f"round {awaited}", partial(self._round, job))

    async def _annotate(self, first: int, last: int) -> Measures:
        before, serving = self._tally.acts.copy(), (await self._client.project(self._project)).project.checkpoint
        suggested = 0
        checkpoints: set[str | None] = set()
        for position in range(first, last + 1):
            view = await self._client.open_picture(self._project, position)
            photograph = self._photographs.get(view.picture.name.rpartition("/")[2])
            if photograph is None or view.picture.error:
                raise CvflowError(view.picture.error or f"{view.picture.name} is no photograph of the demo")
            if view.note:
                raise CvflowError(f"{view.picture.name} has no suggestions: {view.note}")
            suggested += sum(suggestion.score >= THRESHOLD for suggestion in view.suggestions)
            checkpoints |= {suggestion.checkpoint for suggestion in view.suggestions}
            await annotate(self._client, self._project, view, photograph.things, THRESHOLD, self._tally)
        require(checkpoints <= {serving}, f"suggestions came from {checkpoints - {serving}}, though {serving or 'the package'} serves")
        acts = self._tally.acts - before
        return {"pictures": last - first + 1, "suggestions": suggested, "suggested_by": serving or "package", "acts": dict(acts)}

    async def _round(self, job_id: str) -> Measures:
        await finished(self._client, await self._client.job(job_id))
        status = await self._client.project(self._project)
        round_ = next((each for each in status.rounds if each.job == job_id), None)
        if round_ is None:
            raise CvflowError("the round is over but is not written down")
        require(round_.state in (RoundState.PROMOTED, RoundState.KEPT_OLD), f"round {round_.number} {round_.state}: {round_.reason}")
        if round_.state is RoundState.PROMOTED:
            require(status.project.checkpoint == round_.checkpoint, f"{round_.checkpoint} was promoted, {status.project.checkpoint} serves")
        else:
            require(bool(round_.reason), f"round {round_.number} kept the old checkpoint without a reason")
        return {
            "round": round_.number,
            "outcome": round_.state.value,
            "reason": round_.reason,
            "serving": status.project.checkpoint or "package",
            "pictures": round_.pictures,
            "held_back": asdict(round_.held_back) if round_.held_back else None,
            "before": asdict(round_.before) if round_.before else None,
        }

    async def _undo_and_redo(self) -> Measures:
        undone = await self._client.undo(self._project)
        opened = undone.view.picture.state
        redone = await self._client.redo(self._project)
        state = redone.view.picture.state
        require(state.is_finished and opened is not state, f"undo and redo left {redone.view.picture.name} {state}")
        return {"undone": undone.message, "redone": redone.message}

    async def _accuracy(self) -> Measures:
        status = await self._client.project(self._project)
        require(status.project.finished == len(self._photographs), f"{status.project.finished} pictures are finished")
        overall = status.prequential.overall
        require(overall.pictures > 0 and overall.ap50 is not None, "nothing was measured while annotating")
        empty = status.project.counts.get(PictureState.CONFIRMED_EMPTY, 0)
        return {**asdict(overall), "annotations": status.project.annotations, "confirmed_empty": empty, "acts": dict(self._tally.acts)}

    async def _export(self) -> Measures:
        with tempfile.TemporaryDirectory(prefix="cvflow-demo-") as folder:
            out = Path(folder) / "demo.json"
            report = await self._client.export(self._project, "coco", str(out))
            measured = check_coco(out, list(self._photographs.values()))
        require(report.annotations == measured["annotations"], f"the export reports {report.annotations} annotations")
        return measured

    # -- taking it all away

    async def _stop(self) -> Measures:
        assert self._solver is not None and self._solver.pid is not None and self._solver.url is not None
        if not self._started:
            return {"left_running": True}
        requests = next((each.requests for each in await self._client.solvers() if each.name == self._solver.name), 0)
        await self._client.stop_solver(self._solver.name)
        require(is_gone(self._solver.pid), f"process {self._solver.pid} is still there after stop")
        require(is_free(self._solver.url), f"the port of {self._solver.url} is still taken after stop")
        self._started = False
        return {"pid_gone": True, "port_free": True, "requests": requests}

    async def _remove(self) -> Measures:
        await self._client.remove_project(self._project)
        self._made_project = False
        require(not (self._home.projects / self._project).exists(), f"the folder of {self._project} is still there")
        if not self._installed:
            return {"package_kept": True}
        ref = await package_ref(self._client)
        removal = await self._client.remove(ref)
        self._installed = False
        require(all(each.ref != ref for each in await self._client.packages()), f"{ref} is still listed after it was removed")
        folder = self._home.packages / Path(ref)
        require(not folder.exists() or folder_bytes(folder) == 0, f"{folder} is still there after {ref} was removed")
        return {"package": ref, "freed_bytes": removal.freed_bytes}

    async def clean_up(self) -> None:
        """Take away what a walk that failed has made. What resists is left: the step's own error is the one to tell."""
        for made, undo in (
            (self._made_project, lambda: self._client.remove_project(self._project)),
            (self._started and self._solver is not None, lambda: self._client.stop_solver(self._solver.name if self._solver else "")),
            (self._installed, lambda: self._client.remove(PACKAGE)),
        ):
            if made:
                try:
                    await undo()
                except CvflowError:
                    continue

    def _bytes(self) -> int:
        return folder_bytes(self._home.packages)


def _found(result: Result, photograph: Photograph) -> int:
    """How many of the things a result names rightly, with a box that is near."""
    return sum(
        any(each.label == thing.label and each.box is not None and each.box.iou(thing.box) >= NEAR for each in result.objects)
        for thing in photograph.things
    )
