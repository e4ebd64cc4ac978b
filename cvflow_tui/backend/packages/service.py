"""CVPM's repository component as the daemon uses it: one object, every method blocking and thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.check import Checker
from cvflow_tui.backend.packages.describe import detail_of, summary_of
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.environment import Environments
from cvflow_tui.backend.packages.fetched import installed_spec
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.installer import Installer, Stores
from cvflow_tui.backend.packages.linked import load_linked
from cvflow_tui.backend.packages.lock import LOCK
from cvflow_tui.backend.packages.manifest import find_manifest
from cvflow_tui.backend.packages.names import resolve_package, resolve_solver
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.records import Record, Records
from cvflow_tui.backend.packages.recovery import recover
from cvflow_tui.backend.packages.storage import Storage
from cvflow_tui.backend.packages.upgrading import split, upgrade_request
from cvflow_tui.backend.packages.versions import is_newer, way_back
from cvflow_tui.backend.packages.weights import WeightStore
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.store import Ballast, Database
from cvflow_tui.home import Home
from cvflow_tui.model.authoring import CheckReport, CheckRequest
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import NotFoundError, PackageError, UsageError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import HubVersion, InstallPlan, InstallRequest, PackageDetail, PackageSummary, PackageUses, Removal
from cvflow_tui.model.text import one_line

BUNDLED = Path(__file__).resolve().parents[2] / "solvers"
"""The packages that cvflow brings itself: the default hub."""


class PackageService:
    """Packages of one home folder: what the hub has, what is installed, and the way from one to the other.

    `hub_folder` takes the place of the bundled packages; only what lies in it may run on the app's own Python. Whatever fetches is told
    in which circumstances its `caller` asks: offline, indexes, proxies, certificates; None: in those of this process.
    """

    def __init__(self, home: Home, state: Database, hub_folder: Path | None = None) -> None:
        home.make()
        # There from the beginning: a cancelled install leaves the home folder as it was, to the last entry.
        downloads = home.staging / "downloads"
        downloads.mkdir(mode=0o700, exist_ok=True)
        bytecode = Bytecode(home.bytecode)
        self._stores = Stores(
            home=home,
            hub=FolderHub(hub_folder or BUNDLED),
            records=Records(state, home.packages),
            bytecode=bytecode,
            environments=Environments(home.environments, bytecode),
            weights=WeightStore(home.weights),
            downloads=Downloads(downloads),
        )
        self._ballast = Ballast(home.ballast)
        self._ballast.keep()
        self._installer = Installer(self._stores)
        self.storage = Storage(self._stores, self._installer, self._ballast)
        """What takes room, what of it nobody uses, and whether it is still what was installed."""
        self._read: dict[Path, tuple[int, Package]] = {}
        self._guard = threading.Lock()

    # -- what there is

    def hub_packages(self, query: str = "") -> list[PackageSummary]:
        """The hub's packages in whose name, vendor, task or tagline every word of `query` appears."""
        installed = self._versions()
        return [self._stores.hub.summary(package, installed.get(package.ref)) for package in self._stores.hub.search(query)]

    def hub_package(self, ref: str) -> PackageDetail:
        """One package of the hub: `vendor/name` or `name`, with `==VERSION` where not the newest is meant.

        Raises NotFoundError that says what there is.
        """
        name, _, version = map(str.strip, ref.partition("=="))
        package = self._stores.hub.find(name, version or None)
        return self._stores.hub.detail(package, self._versions().get(package.ref))

    def hub_versions(self, ref: str) -> list[HubVersion]:
        """Every version of a package of the hub, the newest first. Raises as `hub_package` does."""
        return self._stores.hub.versions(ref.strip(), self._versions())

    def installed(self) -> list[PackageSummary]:
        """What is installed, by name. A package whose folder was damaged says so in its tagline."""
        return [self._summary(record) for record in self._stores.records.all()]

    def detail(self, ref: str) -> PackageDetail:
        """One installed package: `vendor/name` or `name`. Raises NotFoundError that says what is installed."""
        return self._detail(self._record(ref))

    def resolve(self, name: str) -> SolverName:
        """The installed solver that `vendor/package/solver`, `package/solver`, `vendor/package`, `package` or `solver` means.

        Raises NotFoundError that says what there is, UsageError where several are meant, PackageError for a package that cannot be read.
        """
        known: list[SolverName] = []
        wanted = name.strip().lower()
        for record in self._stores.records.all():
            try:
                package = self._package(record)
            except PackageError:
                # Nobody knows its solvers now; who names it is to hear why, not that there is no such solver.
                if wanted in (record.ref, record.name) or wanted.startswith((f"{record.ref}/", f"{record.name}/")):
                    raise
                continue
            known += [SolverName(record.vendor, record.name, solver.name) for solver in package.solvers]
        return resolve_solver(name, known)

    def run_spec(self, name: SolverName) -> RunSpec:
        """What a runner needs to serve the solver (without a token). Raises PackageError where a part of the install is gone."""
        record = self._stores.records.get(name.vendor, name.package)
        if record is None:
            raise NotFoundError(f"{name.package_ref} is not installed (cvflow install {name.package_ref})")
        package = self._package(record)
        solver = next((solver for solver in package.solvers if solver.name.lower() == name.solver.lower()), None)
        if solver is None:
            there = ", ".join(solver.name for solver in package.solvers)
            raise NotFoundError(f"{record.ref} has no solver {name.solver!r}; it has {there}")
        python = self._stores.environments.python(record.environment)
        weights = [weight.name for weight in self._stores.records.weights(record.vendor, record.name)]
        spec = installed_spec(record, package, solver, python, weights)
        for file in (python, *map(Path, spec.weights.values())):
            if not file.exists():
                raise PackageError(f"{record.ref}: {file} is gone; install the package again")
        return spec

    # -- changing it

    def plan(self, request: InstallRequest | str, caller: Circumstances | None = None) -> InstallPlan:
        """What installing would do. Fetches the package's files to find out; changes nothing."""
        return self._installer.plan(_agreeing(request), _known(caller))

    def install(self, request: InstallRequest | str, progress: Progress, caller: Circumstances | None = None) -> PackageDetail:
        """Install a package, or replace it by another version. Raises Cancelled or a CvflowError, and then nothing of it is left."""
        return self._detail(self._installer.install(_agreeing(request), progress, _known(caller)))

    def check(self, request: CheckRequest, progress: Progress, caller: Circumstances | None = None) -> CheckReport:
        """Look at a package from every side without installing it; nothing of it is left."""
        return Checker(self._stores).check(request, progress, _known(caller))

    def upgrade_request(self, ref: str) -> InstallRequest:
        """What brings the newest version of an installed package, or the one that `NAME==VERSION` names; with all that was asked before."""
        return upgrade_request(ref, self._record)

    def roll_back(self, ref: str) -> tuple[PackageDetail, str, bool]:
        """Make the version that was kept the installed one; also the version it was before, and whether that was the older one.

        Raises RefusedError where none is kept.
        """
        record = self._record(ref)
        with self._installer.working_on(record.ref):
            target = self._installer.roll_back(record)
            return self._detail(target), record.version, is_newer(target, record)

    def named(self, text: str) -> str:
        """The full name of the installed package that `NAME` or `NAME==VERSION` means. Raises NotFoundError that says what is installed."""
        return self._record(split(text)[0]).ref

    def all_kept(self, ref: str) -> set[str]:
        """The versions that are kept of a package."""
        record = self._record(ref)
        return {each.record.version for each in self._stores.records.kept_of(record.vendor, record.name)}

    def drop_surplus(self, ref: str) -> None:
        """Keep no more of a package than the one way back, and what is being served."""
        self._installer.drop_surplus(self._record(ref))

    def kept(self, ref: str) -> str | None:
        """The version that a rollback of a package leads to, or None."""
        record = self._record(ref)
        back = way_back(self._stores.records.kept_of(record.vendor, record.name))
        return back.record.version if back else None

    def kept_versions(self) -> list[Record]:
        """Every version that an upgrade kept."""
        return [kept.record for kept in self._stores.records.kept()]

    def prove(self, ref: str, version: str) -> None:
        """Note that a version has started once: from now on it is one that an upgrade keeps as the way back."""
        vendor, _, name = ref.partition("/")
        self._stores.records.prove(vendor, name, version)

    @contextmanager
    def starting(self, name: SolverName) -> Iterator[None]:
        """A solver's start that fails: damaged files are named, and for a version that is started the first time the way back."""
        try:
            yield
        except PackageError as error:
            record = self._stores.records.get(name.vendor, name.package)
            if record is not None and (damage := self.storage.first_damage(record)) is not None:
                hint = f"{damage}: cvflow verify {record.ref} --repair brings it back"
                raise PackageError(f"{error.message}; {hint}", detail=error.detail) from error
            back = way_back(self._stores.records.kept_of(name.vendor, name.package)) if record and not record.proven else None
            if record is None or back is None:
                raise
            hint = f"it is the first start of {record.version}, and {back.record.version} is kept: cvflow rollback {record.ref} --restart"
            raise PackageError(f"{error.message}; {hint}", detail=error.detail) from error

    def watch_versions(self, in_use: Callable[[str], Collection[str]]) -> None:
        """Be told which versions of a package are being served: an upgrade leaves them where they are."""
        self._installer.in_use = in_use

    def uses(self, ref: str) -> PackageUses:
        """Which packages share an environment and weights with a package, and what goes with it. Who runs it and asks it, others know."""
        record = self._record(ref)
        records = self._stores.records
        own = {weight.sha256 for weight in records.weights(record.vendor, record.name)}
        others = [each for each in records.all() if each.ref != record.ref]
        return PackageUses(
            package=record.ref,
            environment=tuple(each.ref for each in others if each.environment is not None and each.environment == record.environment),
            weights=tuple(each.ref for each in others if own & {weight.sha256 for weight in records.weights(each.vendor, each.name)}),
            goes=self.storage.going_with(record),
        )

    def lock(self, ref: str) -> str:
        """The text of an installed package's lock."""
        try:
            file = self._record(ref).path / LOCK
            if not file.is_file():
                raise FileNotFoundError(file)
            return file.read_text("utf-8")
        except OSError as error:
            raise PackageError(f"{ref}: its {LOCK} is gone; install the package again") from error

    def remove(self, ref: str) -> Removal:
        """Remove a package, and the environment and weights that nothing else uses. Its solvers must not be running."""
        record = self._record(ref)
        with self._installer.working_on(record.ref), self._ballast.room():
            goes = self.storage.going_with(record)
            self._installer.remove(record)
            return Removal(package=record.ref, freed_bytes=goes.freed, shared_bytes=goes.shared)

    def recover(self) -> None:
        """Bring folders and database back into agreement after a daemon that died. Call once, before anything else."""
        recover(self._stores, self._installer)

    # -- reading installed packages

    def _versions(self) -> dict[str, str]:
        return {record.ref: record.version for record in self._stores.records.all()}

    def _record(self, ref: str) -> Record:
        records = {record.ref: record for record in self._stores.records.all()}
        return records[resolve_package(ref, list(records))]

    def _package(self, record: Record) -> Package:
        """An installed package, read once: its files do not change."""
        if record.editable is not None:  # its author's folder, which does change
            return load_linked(record)
        path = find_manifest(record.path)
        stamp = path.stat().st_mtime_ns if path else 0
        with self._guard:
            if (held := self._read.get(record.path)) is not None and held[0] == stamp:
                return held[1]
        package = load_package(record.path, vendor=record.vendor, commit=record.commit, bundled=record.environment is None)
        with self._guard:
            self._read[record.path] = (stamp, package)
        return package

    def _summary(self, record: Record) -> PackageSummary:
        try:
            package = self._package(record)
        except PackageError as error:
            damaged = f"damaged, install it again: {error.message}"
            tagline, told = (error.message,) * 2 if record.editable else (damaged, f"{record.ref} is {damaged}")
            return PackageSummary(
                record.vendor,
                record.name,
                record.version,
                one_line(tagline),
                source=record.source,
                installed=record.version,
                problem=one_line(told, 400),
            )
        summary = summary_of(package, source=record.source, installed=record.version)
        return replace(summary, vendor=record.vendor, name=record.name, version=record.version, size=record.size)

    def _detail(self, record: Record) -> PackageDetail:
        try:
            return self._told(record)
        except (PackageError, OSError) as error:
            now = self._stores.records.get(record.vendor, record.name)
            if now is None or now.installed_at != record.installed_at or self._installer.is_changing(record.ref):
                raise NotFoundError(f"{record.ref} {record.version} was removed or replaced by somebody else meanwhile") from error
            if isinstance(error, OSError):
                raise PackageError(f"{record.ref} is damaged, install it again: {one_line(str(error), 200)}") from error
            raise

    def _told(self, record: Record) -> PackageDetail:
        package = self._package(record)
        summary = self._summary(record)
        found = detail_of(package, summary, path=str(record.path), commit=record.commit, more_warnings=record.warnings)
        back = way_back(self._stores.records.kept_of(record.vendor, record.name))
        newer = back is not None and is_newer(back.record, record)
        return replace(
            found, kept=back.record.version if back else None, kept_is_newer=newer, linked=str(record.editable) if record.editable else None
        )


def _agreeing(request: InstallRequest | str) -> InstallRequest:
    """Raises UsageError for a request that asks for a lock to be followed, and for something else."""
    request = InstallRequest.of(request)
    if request.locked and (request.requirements or request.relax):
        other = "--relax" if request.relax else f"--with {one_line(request.requirements[0], 60)}"
        raise UsageError(f"--locked brings exactly what a lock says: there is no place for {other} beside it")
    return request


def _known(caller: Circumstances | None) -> Circumstances:
    return Circumstances.here() if caller is None else caller
