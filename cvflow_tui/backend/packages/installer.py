"""Installing and removing as transactions: whatever ends one half-way, nothing of it is left."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.changes import changes_between
from cvflow_tui.backend.packages.compiling import Compiling
from cvflow_tui.backend.packages.describe import files_size
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.environment import Environment, Environments, host_environment
from cvflow_tui.backend.packages.fetched import Job, installed_spec, read_package
from cvflow_tui.backend.packages.first_use import accepted, first_weights
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.import_check import check_imports, imports_never
from cvflow_tui.backend.packages.lock import LOCK, write_lock
from cvflow_tui.backend.packages.locked import Lock, asked, follow, read_lock, refuse_unread, remember, told
from cvflow_tui.backend.packages.manifest import find_manifest
from cvflow_tui.backend.packages.numbering import listed_version
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.planner import make_plan, problems_of
from cvflow_tui.backend.packages.records import Record, Records
from cvflow_tui.backend.packages.resolution import Resolution
from cvflow_tui.backend.packages.runner_file import write_runner
from cvflow_tui.backend.packages.scripts import AFTER, BEFORE, find_scripts, not_run, refuse_unknown, run_scripts
from cvflow_tui.backend.packages.sealing import seal_again
from cvflow_tui.backend.packages.sources import parse_source
from cvflow_tui.backend.packages.supplied import as_asked, pinned
from cvflow_tui.backend.packages.unchanged import is_unchanged, unchanged_plan
from cvflow_tui.backend.packages.versions import REMOVED, commit, roll_back, to_keep, way_back
from cvflow_tui.backend.packages.weights import FOLDER, Weight, WeightFetcher, WeightStore
from cvflow_tui.backend.packages.wishes import wish_of
from cvflow_tui.home import Home
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError
from cvflow_tui.model.packages import Changes, InstallPlan, InstallRequest
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stores:
    """What installs share."""

    home: Home
    hub: FolderHub
    records: Records
    bytecode: Bytecode
    environments: Environments
    weights: WeightStore
    downloads: Downloads


class Installer:
    """Plans, installs and removes packages. Thread-safe; a package is worked on by one thread at a time, a second one is refused."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._guard = threading.Lock()
        self._busy: set[str] = set()
        self._held: Counter[str] = Counter()
        """Environments and weights of installs in progress, which no sweep may take."""
        self._commit_lock = threading.Lock()
        self.in_use: Callable[[str], Collection[str]] = lambda ref: ()
        """Which versions of a package somebody serves right now."""

    def plan(self, request: InstallRequest, caller: Circumstances) -> InstallPlan:
        """What installing would do; fetches the package's files, leaves nothing."""
        progress = Progress()
        downloads = self._stores.downloads.of(caller.kept_offline(request.offline))
        with self._workspace() as work:
            job = self._fetch(request, work, progress, downloads)
            package, installed = job.package, job.installed
            if not request.again and is_unchanged(job, self._stores.environments):
                return unchanged_plan(job, self._stores.home.root)
            first = first_weights(installed, self._stores.records, package)
            plan, resolution = make_plan(
                replace(package, version=job.version),
                job.fetched,
                wish=job.wish,
                work=work,
                home=self._stores.home.root,
                environments=self._stores.environments,
                weights=self._fetcher(downloads),
                replaces=installed.version if installed else None,
                first={name: each for name, each in first.items() if name not in request.accept_weights},
            )
            return replace(plan, changes=self._changes(job, resolution), scripts=job.scripts)

    def install(self, request: InstallRequest, progress: Progress, caller: Circumstances) -> Record:
        """Install a package. When this returns the package is there; when it raises, nothing of it is.

        What was downloaded until then waits for another attempt, unless the request says otherwise.

        Raises Cancelled when called off, else a CvflowError with the reason.
        """
        downloads = self._stores.downloads.of(caller.kept_offline(request.offline))
        try:
            with self._workspace() as work:
                job = self._fetch(request, work, progress, downloads)
                with self.working_on(job.package.ref):
                    # Somebody else may have installed or removed it until now.
                    job = replace(job, version=listed_version(job.package, job.fetched, self._there(job.package)))
                    try:
                        record = self._install(job, progress)
                    except BaseException:
                        self.sweep()  # the environment that was made for it
                        raise
        except BaseException:
            if request.discard:
                downloads.forget_taken()
            raise
        downloads.forget_taken()
        return record

    @contextmanager
    def rebuilt(
        self, request: InstallRequest, progress: Progress, caller: Circumstances, *, environment: bool
    ) -> Iterator[tuple[Path, Path | None, Sequence[Weight]]]:
        """An installed package made once more, beside the one that there is and gone afterwards.

        Its folder, with `environment` that of its environment, its weights. Raises as `install` does; changes nothing but the store.
        """
        downloads = self._stores.downloads.of(caller.kept_offline(request.offline))
        with self._workspace() as work:
            job = self._fetch(request, work, progress, downloads)
            aside = environment or any(script.allowed and script.when == AFTER for script in job.scripts)
            ensure = self._stores.environments.beside if aside else self._stores.environments.ensure
            with self.working_on(job.package.ref), self._made(job, progress, ensure) as (_, python, weights):
                yield job.staged, work / python.relative_to(work).parts[0] if python.is_relative_to(work) else None, weights
        downloads.forget_taken()

    def roll_back(self, record: Record) -> Record:
        """Make the version that was kept the installed one. Raises RefusedError where none was, PackageError where a part of it is gone.

        Touches no network and moves no file. The caller holds `working_on`.
        """
        with self._commit_lock:
            target = way_back(self._stores.records.kept_of(record.vendor, record.name))
            if target is None:
                raise RefusedError(f"{record.ref}: no version before {record.version} is kept; cvflow install brings any that there is")
            environment = target.record.environment
            if not target.record.path.is_dir() or not (environment is None or self._stores.environments.has(environment)):
                raise PackageError(f"{record.ref}: a part of version {target.record.version} is gone; install it again")
            return roll_back(record, self._stores.records) or record

    def remove(self, record: Record) -> None:
        """Take a package's files away, then its rows, then what nothing else uses. The caller holds `working_on`."""
        with self._workspace() as work, self._commit_lock:
            kept = [each.record for each in self._stores.records.kept_of(record.vendor, record.name)]
            for number, each in enumerate([record, *kept]):
                if each.path.exists():
                    work.mkdir(parents=True, exist_ok=True)
                    each.path.rename(work / f"{REMOVED}-{number}")
            self._tidy(record.path)
            self._stores.records.delete(record.vendor, record.name)
        self.sweep()

    def drop_surplus(self, record: Record) -> None:
        """Delete what is kept of a package beside the one way back and what is being served."""
        kept = self._stores.records.kept_of(record.vendor, record.name)
        stay = to_keep(kept, self.in_use(record.ref))
        for each in kept:
            if each not in stay:
                self.drop_kept(each.record)

    def drop_kept(self, record: Record) -> None:
        """Delete a version that an upgrade kept: after this there is no way back to it."""
        with self._workspace() as work, self._commit_lock:
            if record.path.exists():
                work.mkdir(parents=True, exist_ok=True)
                record.path.rename(work / REMOVED)
            self._stores.records.drop_kept(record.vendor, record.name, record.version)
        self.sweep()

    def sweep(self) -> None:
        """Delete environments and weights that no package uses and no install is about to use."""
        with self._commit_lock:
            with self._guard:
                held = {key for key, count in self._held.items() if count}
            self._stores.environments.sweep(self._stores.records.used_environments() | held)
            self._stores.weights.sweep(self._stores.records.used_weights() | held)

    @contextmanager
    def held(self) -> Iterator[tuple[str, ...]]:
        """Keep everybody from committing meanwhile: environments and weights of installs in progress, which must stay."""
        with self._commit_lock:
            with self._guard:
                held = tuple(key for key, count in self._held.items() if count)
            yield held

    @contextmanager
    def working_on(self, ref: str) -> Iterator[None]:
        """Be the only one to change a package. Raises RefusedError where somebody else is at it."""
        with self._guard:
            if ref in self._busy:
                raise RefusedError(f"{ref} is being installed or removed already; wait for that to end, or call it off: cvflow jobs")
            self._busy.add(ref)
        try:
            yield
        finally:
            with self._guard:
                self._busy.discard(ref)

    def is_changing(self, ref: str) -> bool:
        """Whether somebody installs, replaces or removes a package right now."""
        with self._guard:
            return ref in self._busy

    def _fetcher(self, downloads: Downloads) -> WeightFetcher:
        return WeightFetcher(self._stores.weights, downloads)

    def _fetch(self, request: InstallRequest, work: Path, progress: Progress, downloads: Downloads) -> Job:
        """Bring the package's files and read them."""
        work.mkdir(mode=0o700, parents=True)
        staged = work / "package"
        request, lock = self._followed(request)
        typed = request.scripts
        source = parse_source(request.source, self._stores.hub, downloads, editable=request.editable)
        fetched = source.fetch(staged, progress)
        package = as_asked(read_package(fetched, staged), request)
        if request.locked:
            if lock is None and not (staged / LOCK).is_file():
                raise NotFoundError(f"{one_line(request.source)}: there is no {LOCK} to follow; cvflow lock REF --out FILE writes one")
            lock = lock or read_lock(staged / LOCK)
            if lock.path.is_relative_to(self._stores.home.packages):  # the user's own word of last time; a stranger's lock allows nothing
                request = replace(request, scripts=(*request.scripts, *lock.scripts))
            # What its scripts made is in the lock too: then it is compared after they have run.
            package = package if lock.scripts else follow(lock, package)
        installed = self._stores.records.get(package.vendor, package.name)
        caller = downloads.caller
        scripts = find_scripts(package, request.scripts)
        known = asked(installed.request).scripts if installed is not None and installed.request is not None else ()
        refuse_unknown([digest for digest in typed if digest not in known], scripts, package.ref)
        wish = wish_of(package, request, caller, installed.path if installed else None, lock.path if lock else None)
        return Job(
            request=request,
            fetched=fetched,
            package=package,
            version=listed_version(package, fetched, self._there(package)),
            staged=staged,
            work=work,
            wish=wish,
            scripts=scripts,
            installed=installed,
            lock=lock,
            caller=caller,
            downloads=downloads,
        )

    def _there(self, package: Package) -> list[Record]:
        """The installed version of a package, and those that are kept."""
        records = self._stores.records
        installed = records.get(package.vendor, package.name)
        kept = [each.record for each in records.kept_of(package.vendor, package.name)]
        return kept if installed is None else [installed, *kept]

    def _followed(self, request: InstallRequest) -> tuple[InstallRequest, Lock | None]:
        """A request for a lock (its file, or an installed package) as one for the source that stands in it."""
        if not request.locked:
            return request, None
        # Whoever asks says where a file is from the root on: what lies beside the daemon is nobody's wish.
        file = Path(place) if (place := request.source.removeprefix("file:")).startswith("/") else None
        if file is not None and (file / LOCK).is_file() and find_manifest(file) is None:  # a folder with nothing but the lock
            file /= LOCK
        record = next((each for each in self._stores.records.all() if request.source in (each.ref, each.name)), None)
        if file is not None and file.is_file():
            lock = read_lock(file)
        elif record is not None:
            lock = read_lock(record.path / LOCK)
        else:
            return request, None
        return replace(request, source=lock.source), lock

    def _install(self, job: Job, progress: Progress) -> Record:
        with Compiling(self._stores.bytecode, job.work) as compiling:
            with self._made(job, progress, self._stores.environments.ensure, compiling.begin) as (record, _, weights):
                self._commit(job.staged, record, weights)
            compiling.keep()
        return record

    @contextmanager
    def _made(
        self, job: Job, progress: Progress, ensure: Callable[..., Environment], imported: Callable[[Environment], None] = lambda _: None
    ) -> Iterator[tuple[Record, Path, list[Weight]]]:
        """Everything but the commit: the package in its staged folder, its row, its interpreter, its weights.

        What it needs of the store stays meanwhile. `imported` is called as soon as its classes were imported.
        """
        if problems := problems_of(job.package, job.wish):
            raise RefusedError(f"{job.package.ref} cannot be installed here: {'; '.join(problems)}")
        if job.lock is not None:
            refuse_unread(job.lock, job.package.ref, job.scripts)
        job = self._run_scripts(job, BEFORE, None, progress)
        resolution = self._resolve(job, progress)
        digests = [model.sha256 for model in job.package.models if model.sha256]
        with self._holding([*([resolution.key] if resolution else []), *digests]):
            environment = (
                host_environment(job.package.requirements) if resolution is None else ensure(resolution, job.work, progress, job.caller)
            )
            job = self._run_scripts(job, AFTER, environment.python, progress)
            if environment.key is not None and any(script.allowed and script.when == AFTER for script in job.scripts):
                seal_again(environment.python.parents[1])  # what they installed is a part of it
            if job.lock is not None and any(script.allowed for script in job.scripts):
                job = replace(job, package=follow(job.lock, job.package))
            own = job.own(progress)
            if imports := self._imports_early(job, environment, progress):
                imported(environment)
            first = first_weights(job.installed, self._stores.records, own)
            held = {name: each.sha256 for name, each in first.items() if name not in job.request.accept_weights}
            weights = self._fetcher(job.downloads).place(own, job.work / "weights", progress, job.request.source, held, keep=True)
            job = replace(job, request=pinned(job.request, own, {each.name: each.sha256 for each in weights}))
            record = self._record(job, environment, accepted(first, weights))
            write_lock(own, job.fetched, weights, environment, record.installed_at, job.wish)
            runners: dict[str, str] = {}
            python = self._stores.environments.python(environment.key)  # where it will be: it may be made beside that one
            for solver in job.package.solvers:
                spec = installed_spec(record, job.package, solver, python, [each.name for each in weights])
                runners |= write_runner(job.staged, spec)
            remember(job.staged, replace(job.request, offline=False), job.scripts, runners)
            if not imports:
                check_imports(job.package, environment.python, progress, request=job.request, work=job.work)
                imported(environment)
            progress.step("finishing")
            record = replace(record, size=files_size(job.staged))
            yield record, environment.python, weights

    def _imports_early(self, job: Job, environment: Environment, progress: Progress) -> bool:
        """Whether its classes can be imported already, before its weights are fetched.

        Raises PackageError where weights are not what is missing: no module is to be looked for after gigabytes have come.
        """
        try:
            check_imports(job.package, environment.python, progress, request=job.request, work=job.work)
        except PackageError as error:
            if not job.package.models or imports_never(error):
                raise
            return False
        return True

    def _resolve(self, job: Job, progress: Progress) -> Resolution | None:
        """What its environment will hold: as its lock says, or else as the index says. None: the app's own Python."""
        if job.package.environment == "host":
            return None
        resolution = self._stores.environments.resolve(job.wish, job.work, progress)
        ran = any(script.allowed and script.when == AFTER for script in job.scripts)
        # What such a script does to the environment is nobody else's, not even that of the version before: one for this install alone.
        return replace(resolution, alone=job.work.name) if ran else resolution

    def _run_scripts(self, job: Job, when: str, python: Path | None, progress: Progress) -> Job:
        """Run what is allowed and due; the package as it is after that."""
        if not any(script.allowed and script.when == when for script in job.scripts):
            return job
        if job.fetched.editable is not None:
            raise RefusedError(f"{job.package.ref} is linked: run its scripts in its folder yourself, or install a copy of it")
        log = self._stores.home.install_log(job.package.ref)
        run_scripts(job.scripts, when, job.staged, job.work, progress, caller=job.caller, python=python, log=log)
        package = as_asked(read_package(job.fetched, job.staged), job.request)
        if (package.ref, package.version) != (job.package.ref, job.package.version):
            raise PackageError(f"a script of {job.package.ref} {job.package.version} made it {package.ref} {package.version}")
        wish = replace(job.wish, requirements=package.requirements, python=package.manifest.package.python)
        return replace(job, package=package, wish=wish)

    def _record(self, job: Job, environment: Environment, told_of_weights: Sequence[str]) -> Record:
        package = job.package
        warnings = [*job.fetched.warnings, *package.warnings, *not_run(job.scripts), *told_of_weights]
        if job.fetched.editable is not None and package.original_weights:
            warnings.append(
                f"its solver looks for weights in {FOLDER}/ of its own folder, into which cvflow does not write: put them there"
            )
        return Record(
            vendor=package.vendor,
            name=package.name,
            version=job.version,
            source=job.fetched.source,
            commit=job.fetched.commit,
            path=self._stores.records.folder(package.vendor, package.name, job.version),
            environment=environment.key,
            size=0,
            warnings=tuple(dict.fromkeys(warnings)),
            installed_at=time.time(),
            request=told(replace(job.request, locked=False, offline=False)),
            editable=job.fetched.editable,
            proven=False,
        )

    def _commit(self, staged: Path, record: Record, weights: list[Weight]) -> None:
        """Make the install real. From here on it is not called off any more."""
        in_use = self.in_use(record.ref)
        with self._commit_lock:
            leftover = commit(staged, record, weights, records=self._stores.records, store=self._stores.weights, in_use=in_use)
        for folder in leftover:
            shutil.rmtree(folder, ignore_errors=True)
        if leftover:
            self.sweep()

    def _changes(self, job: Job, resolution: Resolution | None) -> Changes | None:
        """What is another than in the version that is installed; None where none is, or it cannot be read."""
        if job.installed is None:
            return None
        try:
            record = job.installed
            old = load_package(record.root, vendor=record.vendor, commit=record.commit, bundled=record.environment is None)
        except PackageError as error:
            log.warning("%s: what is installed cannot be read: %s", job.installed.ref, error.message)
            return None
        weights = self._stores.records.weights(job.installed.vendor, job.installed.name)
        return changes_between(job.installed, old, weights, job.package, job.fetched, resolution)

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        """A folder of one's own in the staging folder, gone afterwards."""
        work = self._stores.home.staging / f"work-{uuid.uuid4().hex[:12]}"
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    @contextmanager
    def _holding(self, keys: Sequence[str]) -> Iterator[None]:
        with self._guard:
            self._held.update(keys)
        try:
            yield
        finally:
            with self._guard:
                self._held.subtract(keys)

    def _tidy(self, path: Path) -> None:
        """Delete the folders above a package that are empty now."""
        for folder in (path.parent, path.parent.parent):
            if folder.is_relative_to(self._stores.home.packages) and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
