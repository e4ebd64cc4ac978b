"""Installing and removing as transactions: whatever ends one half-way, nothing of it is left."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import files_size
from cvflow_tui.backend.packages.disk import sync_folder, sync_tree
from cvflow_tui.backend.packages.environment import Environment, Environments, host_environment
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.import_check import check_imports
from cvflow_tui.backend.packages.lock import write_lock
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.planner import make_plan, problems_of
from cvflow_tui.backend.packages.records import Record, Records
from cvflow_tui.backend.packages.resolution import Wish
from cvflow_tui.backend.packages.runner_file import write_runner
from cvflow_tui.backend.packages.sources import Fetched, parse_source
from cvflow_tui.backend.packages.specs import spec_of
from cvflow_tui.backend.packages.weights import FOLDER, Weight, WeightFetcher, WeightStore
from cvflow_tui.backend.packages.wishes import wish_of
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.packages import InstallPlan, InstallRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stores:
    """What installs share."""

    home: Home
    hub: FolderHub
    records: Records
    environments: Environments
    weights: WeightStore
    downloads: Downloads


class Installer:
    """Plans, installs and removes packages. Thread-safe; a package is worked on by one thread at a time, a second one is refused."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._fetcher = WeightFetcher(stores.weights, stores.downloads)
        self._guard = threading.Lock()
        self._busy: set[str] = set()
        self._held: Counter[str] = Counter()
        """Environments of installs in progress, which no sweep may take."""
        self._commit_lock = threading.Lock()

    def plan(self, request: InstallRequest) -> InstallPlan:
        """What installing would do; fetches the package's files, leaves nothing."""
        progress = Progress()
        with self._workspace() as work:
            fetched, package = self._fetch(request, work, progress)
            installed = self._stores.records.get(package.vendor, package.name)
            return make_plan(
                package,
                fetched,
                wish=wish_of(package, request, installed.path if installed else None),
                work=work,
                home=self._stores.home.root,
                environments=self._stores.environments,
                weights=self._fetcher,
                replaces=installed.version if installed else None,
            )

    def install(self, request: InstallRequest, progress: Progress) -> Record:
        """Install a package. When this returns the package is there; when it raises, nothing of it is.

        Raises Cancelled when called off, else a CvflowError with the reason.
        """
        with self._workspace() as work:
            fetched, package = self._fetch(request, work, progress)
            with self.working_on(package.ref):
                try:
                    return self._install(request, fetched, package, work, progress)
                except BaseException:
                    self.sweep()  # the environment that was made for it
                    raise

    def remove(self, record: Record) -> None:
        """Take a package's files away, then its rows, then what nothing else uses. The caller holds `working_on`."""
        with self._workspace() as work, self._commit_lock:
            if record.path.exists():
                work.mkdir(parents=True, exist_ok=True)
                record.path.rename(work / "removed")
                self._tidy(record.path)
            self._stores.records.delete(record.vendor, record.name)
        self.sweep()

    def sweep(self) -> None:
        """Delete environments and weights that no package uses and no install is about to use."""
        with self._commit_lock:
            with self._guard:
                held = {key for key, count in self._held.items() if count}
            self._stores.environments.sweep(self._stores.records.used_environments() | held)
            self._stores.weights.sweep(self._stores.records.used_weights())

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

    def _fetch(self, request: InstallRequest, work: Path, progress: Progress) -> tuple[Fetched, Package]:
        work.mkdir(mode=0o700, parents=True)
        staged = work / "package"
        fetched = parse_source(request.source, self._stores.hub, self._stores.downloads, editable=request.editable).fetch(staged, progress)
        return fetched, load_package(staged, vendor=fetched.vendor, commit=fetched.commit, bundled=fetched.bundled)

    def _install(self, request: InstallRequest, fetched: Fetched, package: Package, work: Path, progress: Progress) -> Record:
        installed = self._stores.records.get(package.vendor, package.name)
        wish = wish_of(package, request, installed.path if installed else None)
        if problems := problems_of(package, wish):
            raise RefusedError(f"{package.ref} cannot be installed here: {'; '.join(problems)}")
        resolution = None if package.environment == "host" else self._stores.environments.resolve(wish, work, progress)
        with self._holding(resolution.key if resolution else None):
            environment = (
                host_environment(package.requirements)
                if resolution is None
                else self._stores.environments.ensure(resolution, work, progress, offline=wish.offline)
            )
            weights = self._fetcher.place(package, work / "weights", progress)
            record = self._finish(fetched, package, environment, weights, wish)
            check_imports(package, environment.python, progress)
            progress.step("finishing")
            record = replace(record, size=files_size(package.root))
            self._commit(package.root, record, weights)
        return record

    def _finish(self, fetched: Fetched, package: Package, environment: Environment, weights: list[Weight], wish: Wish) -> Record:
        """Write what an installed package has beside its author's files."""
        record = Record(
            vendor=package.vendor,
            name=package.name,
            version=package.version,
            source=fetched.source,
            commit=fetched.commit,
            path=self._stores.records.folder(package.vendor, package.name, package.version),
            environment=environment.key,
            size=0,
            warnings=tuple(dict.fromkeys([*fetched.warnings, *package.warnings])),
            installed_at=time.time(),
        )
        write_lock(package, fetched, weights, environment, record.installed_at, wish)
        for solver in package.solvers:
            write_runner(package.root, spec_of(package, solver, record.path, environment.python, [weight.name for weight in weights]))
        return record

    def _commit(self, staged: Path, record: Record, weights: list[Weight]) -> None:
        """Make the install real: weights kept, one rename, then the row. From here on it is not called off any more."""
        final = record.path
        aside = aside_of(final)
        with self._commit_lock:
            sync_tree(staged)
            for weight in weights:
                self._stores.weights.adopt(staged / FOLDER / weight.name, weight.sha256)
            final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            previous = self._stores.records.get(record.vendor, record.name)
            if final.exists():
                # The same version again: the old folder stays beside it until the row is written (`recover` puts it back).
                final.rename(aside)
            try:
                staged.rename(final)
                sync_folder(final.parent)
                self._stores.records.put(record, weights)
            except BaseException:
                shutil.rmtree(final, ignore_errors=True)
                if aside.exists():
                    aside.rename(final)
                raise
        shutil.rmtree(aside, ignore_errors=True)
        if previous is not None:
            if previous.path != final:
                shutil.rmtree(previous.path, ignore_errors=True)
            self.sweep()

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        """A folder of one's own in the staging folder, gone afterwards."""
        work = self._stores.home.staging / f"work-{uuid.uuid4().hex[:12]}"
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    @contextmanager
    def _holding(self, key: str | None) -> Iterator[None]:
        if key is None:
            yield
            return
        with self._guard:
            self._held[key] += 1
        try:
            yield
        finally:
            with self._guard:
                self._held[key] -= 1

    def _tidy(self, path: Path) -> None:
        """Delete the folders above a package that are empty now."""
        for folder in (path.parent, path.parent.parent):
            if folder.is_relative_to(self._stores.home.packages) and folder != self._stores.home.packages and not any(folder.iterdir()):
                folder.rmdir()


def aside_of(path: Path) -> Path:
    """Where the old folder of a version waits while the new one takes its place."""
    return path.with_name(f".{path.name}.old")
