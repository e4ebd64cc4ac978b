"""A check from end to end: read, make the environment, bring the weights, import, run, look at the answers."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.check import pictures
from cvflow_tui.backend.packages.check.contents import code_findings, label_findings, script_findings, weight_findings
from cvflow_tui.backend.packages.check.elsewhere import elsewhere_findings, look_around
from cvflow_tui.backend.packages.check.manifest import manifest_findings
from cvflow_tui.backend.packages.check.results import result_findings
from cvflow_tui.backend.packages.check.trial import Question, Trial, batch_complaint, try_solver
from cvflow_tui.backend.packages.diagnosis import gpu_findings, library_findings
from cvflow_tui.backend.packages.environment import Environment, Environments, host_environment
from cvflow_tui.backend.packages.import_check import check_imports
from cvflow_tui.backend.packages.installer import Stores
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.planner import problems_of
from cvflow_tui.backend.packages.resolution import Wish
from cvflow_tui.backend.packages.sources import Fetched, parse_source
from cvflow_tui.backend.packages.specs import spec_of
from cvflow_tui.backend.packages.supplied import as_asked
from cvflow_tui.backend.packages.weights import Weight, WeightFetcher
from cvflow_tui.backend.packages.wishes import wish_of
from cvflow_tui.model.authoring import CheckReport, CheckRequest, Elsewhere, Finding, Level, SolverTrial
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError, PackageError, RefusedError
from cvflow_tui.model.geometry import Size
from cvflow_tui.model.packages import InstallRequest, SolverInfo
from cvflow_tui.model.text import one_line


@dataclass(slots=True)
class _Notes:
    """What a check has found so far."""

    findings: list[Finding] = field(default_factory=list)
    trials: list[SolverTrial] = field(default_factory=list)
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    picture: str = ""

    def add(self, level: Level, topic: str, message: str, mend: str = "", where: str = "") -> None:
        self.findings.append(Finding(level, topic, one_line(message, 400), one_line(mend, 300), one_line(where, 200)))

    @property
    def faulty(self) -> bool:
        return any(finding.level is Level.FAULT for finding in self.findings)


class Checker:
    """Checks packages without installing them: what it makes lies in the staging folder and is gone afterwards."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def check(self, request: CheckRequest, progress: Progress, caller: Circumstances) -> CheckReport:
        """Look at a package from every side.

        Raises a CvflowError where the source or the picture cannot be had at all; what is wrong with the package is in the report.
        """
        caller = caller.kept_offline(request.offline)
        with self._workspace() as work:
            fetched = parse_source(request.source, self._stores.hub, self._stores.downloads.of(caller)).fetch(work / "package", progress)
            notes = _Notes(list(manifest_findings(work / "package")))
            package = None if notes.faulty else self._read(work / "package", fetched, notes)
            if package is not None:
                self._run(package, request, work, notes, progress, caller)
            return _report(request, package, fetched, notes)

    def _read(self, root: Path, fetched: Fetched, notes: _Notes) -> Package | None:
        bundled = fetched.bundled or Path(fetched.source).resolve().parent == self._stores.hub.folder.resolve()
        try:
            package = load_package(root, vendor=fetched.vendor, commit=fetched.commit, bundled=bundled)
        except PackageError as error:
            notes.add(Level.FAULT, "manifest", error.message)
            return None
        for warning in dict.fromkeys([*fetched.warnings, *package.warnings]):
            # Those are told with their mends: the first by the manifest's findings, the second below.
            if warning not in package.misspelt and not warning.endswith("whatever its source sends first is trusted"):
                notes.add(Level.WARNING, "package", warning)
        notes.findings += [*label_findings(package), *script_findings(package), *code_findings(package)]
        return package

    def _run(self, package: Package, request: CheckRequest, work: Path, notes: _Notes, progress: Progress, caller: Circumstances) -> None:
        """Everything that needs more than reading."""
        wanted = InstallRequest(
            request.source,
            requirements=request.requirements,
            relax=request.relax,
            allow_build=request.allow_build,
            python=request.python,
            weights=request.weights,
        )
        package, wish = as_asked(package, wanted), wish_of(package, wanted, caller)
        picture, size, notes.picture = pictures.choose(package, request.picture, work)
        weights = self._weights(package, work, notes, progress, caller)
        problems = problems_of(package, wish)
        for problem in problems:
            notes.add(Level.FAULT, "elsewhere", f"it cannot run here: {problem}")
        environments = Environments(work / "environments", self._stores.bytecode)
        environment = None if problems else self._environment(package, wish, environments, work, notes, progress)
        if environment is None:
            return
        notes.elsewhere = look_around(package, environment, environments, weights or ())
        notes.findings += elsewhere_findings(package, notes.elsewhere)
        for solver in package.solvers:
            if not _imports(package, solver, environment.python, work, notes, progress) or weights is None:
                notes.trials.append(SolverTrial(solver.name, solver.task))
                continue
            progress.step(f"running {solver.name}")
            spec = spec_of(package, solver, package.root, environment.python, [weight.name for weight in weights])
            trial = try_solver(spec, Question(picture, size, request.parameters), progress)
            notes.findings += _trial_findings(trial, solver, size)
            notes.trials.append(_told(trial, solver))

    def _weights(self, package: Package, work: Path, notes: _Notes, progress: Progress, caller: Circumstances) -> list[Weight] | None:
        """The weights in their place; None where one cannot be had."""
        weights: list[Weight] | None = None
        try:
            weights = WeightFetcher(self._stores.weights, self._stores.downloads.of(caller)).place(package, work / "weights", progress)
        except CvflowError as error:
            notes.add(Level.FAULT, "weights", error.message)
        notes.findings += weight_findings(package, weights or ())
        return weights

    def _environment(
        self, package: Package, wish: Wish, environments: Environments, work: Path, notes: _Notes, progress: Progress
    ) -> Environment | None:
        """The environment, made; None where it cannot be."""
        found = list(gpu_findings(package))
        environment = None
        if package.environment == "host":
            environment = host_environment(package.requirements)
        else:
            environments.folder.mkdir()
            try:
                resolution = environments.resolve(wish, work, progress)
                environment = environments.ensure(resolution, work, progress, wish.caller)
                found += library_findings(resolution)
            except (PackageError, RefusedError) as error:
                notes.add(Level.FAULT, "requirements", error.message, where="requirements.txt")
        for told in found:
            notes.add(Level.WARNING, "elsewhere", told.what, told.mend)
        return environment

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        work = self._stores.home.staging / f"check-{uuid.uuid4().hex[:12]}"
        try:
            work.mkdir(mode=0o700, parents=True)
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _imports(package: Package, solver: SolverInfo, python: Path, work: Path, notes: _Notes, progress: Progress) -> bool:
    try:
        check_imports(replace(package, solvers=(solver,)), python, progress, work=work)
    except PackageError as error:
        message = error.message.removeprefix(f"{package.ref}: ")
        notes.add(Level.FAULT, "import", message, "name what it imports in requirements.txt, or mend class = …")
        return False
    return True


def _trial_findings(trial: Trial, solver: SolverInfo, size: Size) -> list[Finding]:
    where = _place(solver)
    if trial.failed is not None:
        step, why = trial.failed
        last = [line for line in trial.detail.splitlines() if line.strip()]
        message = f"it cannot be loaded: {why}" if step == "load" else f"it does not answer: {why}"
        mend = f"look at: {one_line(last[-1], 200)}" if last and one_line(last[-1], 200) not in why else ""
        if step == "input":
            mend = "a parameter that it needs is given with -p NAME=VALUE, a picture that it takes with --picture"
        return [Finding(Level.FAULT, "load" if step == "load" else "infer", one_line(message, 400), mend, where)]
    labels = (trial.ready.labels if trial.ready else ()) or solver.labels
    found = result_findings(trial.result, solver.task, labels, size, where)
    found += [Finding(Level.FAULT, "infer", message, "answer once for each", where) for message in batch_complaint(trial)]
    if solver.batch > 1 and trial.ready is not None and not trial.ready.batch:
        message = f"the manifest says batch = {solver.batch}, and the class has no infer_batch"
        found.append(Finding(Level.WARNING, "infer", message, "write one, or leave batch out", where))
    if not trial.same:
        found.append(Finding(Level.NOTE, "infer", "it answers differently each time for the same picture", "fix its seeds", where))
    if trial.refuses_broken is False:
        message = "a broken picture ends as a failure of the solver (500), not as the sender's (400)"
        found.append(Finding(Level.WARNING, "infer", message, "open pictures with image.open() or image.array()", where))
    return found


def _told(trial: Trial, solver: SolverInfo) -> SolverTrial:
    return SolverTrial(
        name=solver.name,
        task=solver.task,
        load_seconds=trial.load_seconds,
        first_seconds=trial.first_seconds,
        infer_seconds=trial.infer_seconds,
        peak_rss=trial.peak_rss,
        result=trial.result,
    )


def _place(solver: SolverInfo) -> str:
    return f"solver {one_line(solver.name, 60)}"


def _report(request: CheckRequest, package: Package | None, fetched: Fetched, notes: _Notes) -> CheckReport:
    findings = sorted(notes.findings, key=lambda finding: list(Level).index(finding.level), reverse=True)
    return CheckReport(
        source=fetched.source,
        package=package.ref if package else "",
        version=package.version if package else "",
        picture=notes.picture,
        passed=not _failing(findings, strict=request.strict),
        findings=tuple(findings),
        solvers=tuple(notes.trials),
        elsewhere=notes.elsewhere,
    )


def _failing(findings: Sequence[Finding], *, strict: bool) -> list[Finding]:
    levels = (Level.FAULT, Level.WARNING) if strict else (Level.FAULT,)
    return [finding for finding in findings if finding.level in levels]
