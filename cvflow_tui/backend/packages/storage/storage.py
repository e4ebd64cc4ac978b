"""The room that a home folder takes, as the daemon uses it: every method blocking and thread-safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.disk import delete
from cvflow_tui.backend.packages.installer import Installer, Stores
from cvflow_tui.backend.packages.names import resolve_package
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.storage.mending import MENDED
from cvflow_tui.backend.packages.storage.pruning import InUse, Unused, going_with, priced, unused
from cvflow_tui.backend.packages.storage.repairing import Repairer
from cvflow_tui.backend.packages.storage.usage import measure
from cvflow_tui.backend.packages.storage.verifying import Seen, verify_own_files, verify_package
from cvflow_tui.backend.packages.uv_cache import cache_folder, empty_cache
from cvflow_tui.backend.store import Ballast
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError, PackageError
from cvflow_tui.model.storage import DiskUsage, Finding, Pruning, Verification
from cvflow_tui.model.text import name_in_text


class Storage:
    """Tells, frees and verifies what a home folder holds."""

    def __init__(self, stores: Stores, installer: Installer, ballast: Ballast) -> None:
        self._stores = stores
        self._installer = installer
        self._ballast = ballast

    def usage(self) -> DiskUsage:
        """Every byte of the home folder, by what it is."""
        return measure(self._stores.home, self._stores.records, self._stores.downloads.folder)

    def prunable(self, *, keep_versions: bool = False, cache: bool = False) -> Pruning:
        """What nobody uses (and uv's `cache`), and how much smaller the home folder would be without it. Changes nothing."""
        with self._installer.held() as held:
            return priced(self._stores.home, self._unused(held, keep_versions), cache_folder() if cache else None)

    def going_with(self, record: Record) -> Pruning:
        """What a removal of an installed package deletes, and how much smaller the home folder would be without it. Changes nothing."""
        return priced(self._stores.home, going_with(self._stores.home, self._stores.records, record))

    def prune(self, progress: Progress, *, keep_versions: bool = False, cache: bool = False) -> Pruning:
        """Delete what nobody uses: unless `keep_versions`, the versions that upgrades kept among it, the way back.

        With `cache`, uv's too. Raises CvflowError where that fails; the rest is deleted then.
        """
        folder = cache_folder() if cache else None
        with self._ballast.room(), self._installer.held() as held:
            found = self._unused(held, keep_versions)
            told = priced(self._stores.home, found, folder)
            for each in found:
                progress.step(f"deleting {each.kind} {each.name}")
                if each.record is not None:
                    self._stores.records.drop_kept(each.record.vendor, each.record.name, each.record.version)
                delete(each.paths)
        if folder is not None:
            empty_cache(progress)
        return replace(told, done=True)

    def verify(
        self,
        ref: str | None,
        progress: Progress,
        *,
        repair: bool = False,
        remove_extra: bool = False,
        caller: Circumstances | None = None,
    ) -> Verification:
        """Read every file of one package or of all, and of the versions kept of them, and compare.

        With `remove_extra`, deletes what is no part of what was installed; with `repair`, brings back what is missing or damaged, by the
        network of the `caller` (None: of this process).

        Raises NotFoundError for a package that is not installed, and where a repair fails the error of what it needed, once the other
        packages are repaired.
        """
        records = self._records(ref)
        repairer = Repairer(self._stores, self._installer, caller or Circumstances.here())
        seen, findings, repaired, removed, failed = Seen(progress), list[Finding](), list[str](), 0, dict[str, CvflowError]()
        for record, kept in [*((each, False) for each in records), *((each, True) for each in self._kept_of(records))]:
            name = f"{record.ref} {record.version}" if kept else record.ref
            progress.step(f"reading {record.ref} {record.version}", unit="bytes", done=seen.bytes)
            before = seen.copy() if repair or remove_extra else seen
            found = list(self._found(record, seen))
            # First, for what is extra may stand in the way of what comes back.
            gone = repairer.remove_extra(record, found) if remove_extra else 0
            removed += gone
            if gone:  # it may have been a link in the place of a folder: what was found there is not
                seen = before.copy()
                found = list(self._found(record, seen))
            mends = repair and any(finding.kind in MENDED for finding in found)
            try:
                if mends:
                    repairer.repair(record, found, progress, kept=kept)
            except CvflowError as error:
                failed[name] = error
            if mends or gone:
                seen = before.copy()
                found = list(self._found(record if kept else self._stores.records.get(record.vendor, record.name) or record, seen))
            if mends and not any(finding.kind in MENDED for finding in found):
                repaired.append(name)
            findings += [replace(finding, package=name) for finding in found]
        if failed:
            raise _told_together(failed)
        told = [replace(finding, path=name_in_text(finding.path)) for finding in findings]
        faults = tuple(finding for finding in told if finding.kind != "written")
        notes = tuple(finding for finding in told if finding.kind == "written")
        return Verification(tuple(record.ref for record in records), seen.files, seen.bytes, faults, notes, removed, tuple(repaired))

    def first_damage(self, record: Record) -> str | None:
        """The first of a package's own files or weights that is missing or damaged, in a few words; None where all are as they came."""
        for finding in verify_own_files(record, self._stores.weights, Seen(Progress())):
            if finding.kind in MENDED:
                return f"{name_in_text(finding.path)} is {finding.kind}"
        return None

    def _kept_of(self, records: Sequence[Record]) -> list[Record]:
        """The ways back. Where a package is linked to its author's folder there is nothing of an old version to compare."""
        refs = {record.ref for record in records}
        return [each.record for each in self._stores.records.kept() if each.record.ref in refs and each.record.editable is None]

    def _found(self, record: Record, seen: Seen) -> Iterator[Finding]:
        return verify_package(record, self._stores.environments, self._stores.weights, seen)

    def known(self, ref: str) -> str:
        """The full name of an installed package. Raises NotFoundError that says what is installed."""
        return self._records(ref)[0].ref

    def _unused(self, held: Sequence[str], keep_versions: bool) -> list[Unused]:
        in_use = InUse(held, self._stores.downloads.is_taken, self._installer.in_use, keep_versions)
        return unused(self._stores.home, self._stores.records, self._stores.downloads.folder, in_use)

    def _records(self, ref: str | None) -> list[Record]:
        records = {record.ref: record for record in self._stores.records.all()}
        return list(records.values()) if ref is None else [records[resolve_package(ref, list(records))]]


def _told_together(failed: Mapping[str, CvflowError]) -> CvflowError:
    """The error of a package that was not repaired, or of several."""
    if len(failed) == 1:
        return next(iter(failed.values()))
    return PackageError("; ".join(error.message if ref in error.message else f"{ref}: {error.message}" for ref, error in failed.items()))
