"""Upgrades and rollbacks together with the solvers that serve: who goes on with the old version, who is restarted, what fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.upgrading import held_to
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import InstallPlan, InstallRequest, PackageDetail, Upgrade, UpgradeRequest
from cvflow_tui.model.solvers import RunningSolver, SolverState


class Upgrader:
    """Changes which version of a package is served. Thread-safe."""

    def __init__(self, packages: PackageService, supervisor: Supervisor) -> None:
        self._packages = packages
        self._supervisor = supervisor
        self._undoable: list[str] = []
        """Packages of which every version stays until an upgrade has shown that it needs none of them; one entry an upgrade."""
        packages.watch_versions(self._in_use)

    def plan(self, request: UpgradeRequest, caller: Circumstances | None = None) -> InstallPlan:
        """What an upgrade would change; changes nothing."""
        wanted = self._wanted(request)
        plan = replace(self._packages.plan(wanted, caller), held=held_to(wanted.source))
        if not (request.restart or request.rollback_on_failure):
            return plan
        ref = plan.package.summary.ref
        steps = [f"have {solver.name} go over to it, at its port" for solver in self._serving(ref)]
        steps += [f"start {solver.name}, which had failed" for solver in self._failed(ref)]
        return replace(plan, steps=(*plan.steps, *steps))

    def upgrade(self, request: UpgradeRequest, progress: Progress, caller: Circumstances | None = None) -> Upgrade:
        """Install another version over the one that is there, which is kept, and restart its solvers where that is asked.

        Raises Cancelled or a CvflowError when nothing was changed. A solver that does not start with the new version is told in the
        result, or rolled back where that was asked.
        """
        wanted = self._wanted(request)
        with self._undoably(request):
            detail = self._packages.install(wanted, progress, caller)
        ref = detail.summary.ref
        serving = self._serving(ref)
        if not (request.restart or request.rollback_on_failure):
            return self._told(detail, serving, ())
        restarted, error = self._restart(serving, progress)
        if error is not None and request.rollback_on_failure and self._packages.kept(ref) is not None:
            return self._undo(ref, serving, restarted, error, progress)
        self._packages.drop_surplus(ref)
        revived, still = self._restart(self._failed(ref), progress, all_of_them=True)
        return replace(self._told(detail, serving, (*restarted, *revived)), error=error or still)

    def roll_back(self, ref: str, restart: bool) -> Upgrade:
        """Go to the version that was kept: back, or forward where a rollback was there before. Raises RefusedError where none is kept.

        Where a solver that serves is to be restarted and does not start with it, nothing changes (`Upgrade.rolled_back`).
        """
        detail, before, forward = self._packages.roll_back(ref)
        serving = self._serving(detail.summary.ref)
        restarted, error = self._restart(serving, Progress()) if restart else ((), None)
        if error is not None:
            return replace(self._undo(detail.summary.ref, serving, restarted, error, Progress()), before=before)
        # Who had failed is what one mostly goes back for; where it fails again, nothing is lost.
        revived, still = self._restart(self._failed(detail.summary.ref), Progress(), all_of_them=True) if restart else ((), None)
        told = self._told(detail, serving, (*restarted, *revived))
        return replace(told, before=before, direction="forward" if forward else "back", error=still)

    def _undo(self, ref: str, serving: list[RunningSolver], restarted: tuple[str, ...], error: str, progress: Progress) -> Upgrade:
        """Return to the version before, which is kept: who does not serve it (any more) is restarted with it."""
        before, *_ = self._packages.roll_back(ref)
        there = {solver.name for solver in self._serving(ref)} - set(restarted)
        back, not_back = self._restart([each for each in serving if each.name not in there], progress, all_of_them=True)
        told = self._told(before, serving, (*sorted(there), *back))
        return replace(told, rolled_back=True, error=error, not_back=not_back)

    def start(self, solver: SolverName, port: int | None, wait: bool) -> RunningSolver:
        """Start a solver; a version that starts is proven, of one that fails the first time the way back is named."""
        with self._packages.starting(solver):
            found = self._supervisor.start(self._packages.run_spec(solver), port, wait)
        self._prove(found)
        return found

    def restart(self, solver: SolverName) -> RunningSolver:
        """Restart a solver, as `start` does. Another version is loaded beside the one that serves, which serves on where that fails."""
        with self._packages.starting(solver):
            spec = self._packages.run_spec(solver)
            serves = next((each for each in self._supervisor.solvers() if each.name == str(solver) and each.state.is_live), None)
            moves = "port" in self._supervisor.report(str(solver), solver.package_ref).restart_for
            anew = serves is None or serves.version == spec.version or moves
            found = self._supervisor.restart(spec) if anew else self._supervisor.exchange(spec)
        self._prove(found)
        return found

    def _wanted(self, request: UpgradeRequest) -> InstallRequest:
        wanted = self._packages.upgrade_request(request.ref)
        scripts = tuple(dict.fromkeys([*wanted.scripts, *request.scripts]))
        return replace(
            wanted,
            offline=request.offline,
            scripts=scripts,
            allow_build=request.allow_build,
            accept_weights=request.accept_weights,
            again=bool(request.allow_build or request.accept_weights),
        )

    @contextmanager
    def _undoably(self, request: UpgradeRequest) -> Iterator[None]:
        """Where an upgrade that fails is to be undone: have the way back of before stay too, or there would be none afterwards."""
        if not request.rollback_on_failure:
            yield
            return
        ref = self._packages.named(request.ref)
        self._undoable.append(ref)
        try:
            yield
        finally:
            self._undoable.remove(ref)

    def _in_use(self, ref: str) -> set[str]:
        """The versions of a package that an install may not delete."""
        served = {solver.version for solver in self._serving(ref)}
        return served | self._packages.all_kept(ref) if ref in self._undoable else served

    def _serving(self, ref: str) -> list[RunningSolver]:
        return [solver for solver in self._supervisor.solvers() if solver.package == ref and solver.state.is_live]

    def _failed(self, ref: str) -> list[RunningSolver]:
        return [solver for solver in self._supervisor.solvers() if solver.package == ref and solver.state is SolverState.FAILED]

    def _restart(
        self, solvers: list[RunningSolver], progress: Progress, *, all_of_them: bool = False
    ) -> tuple[tuple[str, ...], str | None]:
        """Have solvers serve the version that is installed now, each at its port, one after another up to the first that fails (or all).

        Which do, and why one (the first) does not.
        """
        done: list[str] = []
        why: str | None = None
        for solver in solvers:
            progress.step(f"restarting {solver.name}")
            name = SolverName.parse(solver.name)
            try:
                found = self._supervisor.exchange(self._packages.run_spec(name), solver.port)
            except CvflowError as error:
                why = why or error.message
                if not all_of_them:
                    break
            else:
                self._prove(found)
                done.append(solver.name)
        return tuple(done), why

    def _prove(self, solver: RunningSolver) -> None:
        if solver.state in (SolverState.READY, SolverState.BUSY):
            self._packages.prove(solver.package, solver.version)

    def _told(self, detail: PackageDetail, before: list[RunningSolver], restarted: tuple[str, ...]) -> Upgrade:
        """How it stands now; `before` is what served when it began."""
        ref, version = detail.summary.ref, detail.summary.version
        serving = {solver.name: solver.version for solver in self._serving(ref)}
        old = tuple(name for name, served in serving.items() if served != version)
        down = tuple(solver.name for solver in before if solver.name not in serving)
        return Upgrade(detail, self._packages.kept(ref), restarted, old, down=down)
