"""Bringing back what is missing or damaged: weights from where they came, everything else of the same version, made once more beside it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import is_relative
from cvflow_tui.backend.packages.installer import Installer, Stores
from cvflow_tui.backend.packages.linked import load_linked
from cvflow_tui.backend.packages.lock import LOCK
from cvflow_tui.backend.packages.locked import asked, note_runners, read_lock
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.sealing import NOTE
from cvflow_tui.backend.packages.storage.mending import MENDED, mend_environment, mend_files, mend_weights, put, remove_files
from cvflow_tui.backend.packages.storage.verifying import Seen
from cvflow_tui.backend.packages.supplied import as_asked
from cvflow_tui.backend.packages.weights import FOLDER, WeightFetcher
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.model.storage import Finding


class Repairer:
    """Repairs one package. A repair that fails leaves what was good of it."""

    def __init__(self, stores: Stores, installer: Installer, caller: Circumstances) -> None:
        self._caller = caller
        self._stores = stores
        self._installer = installer

    def repair(self, record: Record, findings: Sequence[Finding], progress: Progress, *, kept: bool = False) -> None:
        """Make the package what it was when it was installed. Raises the error of whatever its source does not deliver any more.

        `kept`: it is the version to which a rollback leads.
        """
        if any(finding.path == LOCK for finding in findings):
            raise PackageError(f"{record.ref}: its {LOCK} is gone or damaged, and with it what it was; install it again: {record.source}")
        if record.editable is not None:
            load_linked(record)  # nobody but its author brings that folder back
        lock = read_lock(record.path / LOCK)
        weights = lock.weights
        self._clean_store(record, weights, progress)
        if {finding.part for finding in findings if finding.kind in MENDED} == {"weight"} and self._weights_again(
            record, weights, progress
        ):
            return
        folder = None if record.environment is None else self._stores.environments.path(record.environment)
        damaged = any(finding.part == "environment" and finding.kind in MENDED for finding in findings)
        sealed = folder is not None and self._stores.environments.has(folder.name) and not any(each.path == NOTE for each in findings)
        if kept and damaged and not sealed:
            how = f"cvflow rollback {record.ref}, then cvflow verify {record.ref} --repair"
            raise PackageError(
                f"{record.ref} {record.version}: its environment is gone, and is made anew for an installed version only: {how}"
            )
        if record.editable is not None or (damaged and not sealed):
            # What a linked folder asks for now may be another environment; and of one that is gone, or is not known, nothing can be mended.
            with self._unfit(record, damaged):
                self._installer.install(self._request(record), progress, self._caller)
            return
        request = self._request(record)
        if kept:  # its own lock, not that of the version that is installed
            request = replace(request, source=str(record.path / LOCK))
        with self._installer.rebuilt(request, progress, self._caller, environment=damaged) as (new, environment, fresh):
            progress.step(f"mending {record.ref}")
            if any(finding.part == "file" and finding.path in lock.runners for finding in findings):
                self._runners_again(record, lock.runners, new)
            mend_files(record.path, new, findings)
            mend_weights(record.path, new, fresh, self._stores.weights)
            if folder is not None and environment is not None:
                mend_environment(folder, environment, findings)

    def remove_extra(self, record: Record, findings: Sequence[Finding]) -> int:
        """Delete what is no part of what was installed; how many files it were."""
        extra = [finding for finding in findings if finding.kind not in MENDED]
        count = remove_files(record.path, [finding.path for finding in extra if finding.part == "file"])
        if record.environment is not None:
            of_environment = [finding.path for finding in extra if finding.part == "environment"]
            count += remove_files(self._stores.environments.path(record.environment), of_environment)
        return count

    def _clean_store(self, record: Record, weights: Mapping[str, str], progress: Progress) -> None:
        """Take damaged weights out of the store, so that nobody links to them; put good ones of the package into it."""
        seen = Seen(progress)
        for name, sha256 in weights.items():
            kept, own = self._stores.weights.path(sha256), record.path / FOLDER / name
            if kept.is_file() and seen.digest(kept) != sha256:
                kept.unlink()
            if not kept.is_file() and seen.digest(own) == sha256:
                self._stores.weights.adopt(own, sha256)

    def _weights_again(self, record: Record, weights: Mapping[str, str], progress: Progress) -> bool:
        """Fetch weights that do not come with the package's own files; whether that was all."""
        package = self._package(record)
        seen = Seen(progress)
        models = [model for model in package.models if seen.digest(record.path / FOLDER / model.name) != weights.get(model.name)]
        if any(is_relative(model.url) for model in models):
            return False
        held = tuple(model.model_copy(update={"sha256": weights[model.name]}) for model in models)
        with self._workspace() as work:
            fetcher = WeightFetcher(self._stores.weights, self._stores.downloads.of(self._caller))
            for weight in fetcher.place(replace(package, root=record.path, models=held), work, progress, record.source):
                self._stores.weights.adopt(record.path / FOLDER / weight.name, weight.sha256)
        return True

    def _runners_again(self, record: Record, before: Mapping[str, str], new: Path) -> None:
        """Have all its runner files be those that were made anew, and the lock say so: another cvflow may have written them otherwise."""
        runners = read_lock(new / LOCK).runners
        if runners != before:
            for name in runners:
                put(new / name, record.path / name, record.path)
            note_runners(record.path, runners)

    def _package(self, record: Record) -> Package:
        package = load_package(record.root, vendor=record.vendor, commit=record.commit, bundled=record.environment is None)
        return as_asked(package, self._request(record))

    def _request(self, record: Record) -> InstallRequest:
        """What was asked for when it was installed, held to the lock. A linked folder is as its author has it now."""
        request = asked(record.request) if record.request else InstallRequest(record.source)
        source = request.source if record.editable else record.ref
        return replace(request, source=source, locked=record.editable is None)

    @contextmanager
    def _unfit(self, record: Record, damaged: bool) -> Iterator[None]:
        if not damaged or record.environment is None:
            yield
            return
        with self._stores.environments.unfit(record.environment):
            yield

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        work = self._stores.home.staging / f"repair-{uuid.uuid4().hex[:12]}"
        work.mkdir(mode=0o700)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
