"""Whether what is asked for is installed already, to the last byte: then there is nothing to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from posixpath import normpath

from packaging.utils import canonicalize_name

from cvflow_tui.backend.packages.describe import SKIPPED, detail_of, summary_of
from cvflow_tui.backend.packages.disk import free_bytes
from cvflow_tui.backend.packages.environment import Environments
from cvflow_tui.backend.packages.fetched import Job
from cvflow_tui.backend.packages.lock import LOCK, digests, read_wishes
from cvflow_tui.backend.packages.locked import Lock, asked, read_lock
from cvflow_tui.backend.packages.locked_pins import same_environment
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.resolution import Wish
from cvflow_tui.backend.packages.upgrading import ranges
from cvflow_tui.backend.packages.weights import FOLDER
from cvflow_tui.model.errors import NotFoundError, PackageError
from cvflow_tui.model.packages import Changes, InstallPlan, InstallRequest


def is_unchanged(job: Job, environments: Environments) -> bool:
    """Whether installing would bring exactly what is there: the same source, files, weights and wishes, and all of it whole.

    Reads the package's own files and weights; of the environment, which may have gigabytes, only that it is there (`cvflow verify`
    reads all). Whatever is not sure is not the same: a linked folder, scripts, weights that the user brings, or that come from elsewhere
    and have no digest.
    """
    record = job.installed
    if record is None or (record.version, record.source, record.commit) != (job.version, job.fetched.source, job.fetched.commit):
        return False
    if record.editable is not None or job.fetched.editable is not None or any(script.allowed for script in job.scripts):
        return False
    if job.request.weights or (record.request is not None and asked(record.request).weights):
        return False
    if record.environment is not None and not environments.has(record.environment):
        return False
    try:
        lock = read_lock(record.path / LOCK)
        if job.wish.locked is not None and record.environment is not None and not same_environment(job.wish.locked, lock.path):
            return False
    except (NotFoundError, PackageError):
        return False
    same_wish = _told(job.wish) == _told(read_wishes(record.path / LOCK)) and _same_source(job.request, record)
    return same_wish and _same_content(job, record, lock)


def _told(wish: Wish) -> tuple[object, ...]:
    """What a user asked for beside the author's requirements, which are files of the package."""
    return wish.added, wish.relax, wish.interpreter, {*map(canonicalize_name, wish.allow_build), *(each.pin.name for each in wish.builds)}


def _same_source(request: InstallRequest, record: Record) -> bool:
    """Whether an upgrade would look at the same place: `nanodet` and `nanodet<2` may be the same version, and are not the same wish.

    A lock brings what it says, wherever it came from.
    """
    if request.locked:
        return True
    before = asked(record.request).source if record.request is not None else ""
    return ranges(before) == ranges(request.source) if record.source.startswith("hub:") else before == request.source


def _same_content(job: Job, record: Record, lock: Lock) -> bool:
    """Whether what came, what is installed and what the lock says are the same, weights included."""
    # What tools left beside the author's files belongs to nobody.
    came = {name: digest for name, digest in digests(job.staged) if not SKIPPED & set(Path(name).parts)}
    weights = {model.name: model.sha256 or came.get(normpath(model.url)) for model in job.package.models}
    if weights != dict(lock.weights) or _without_weights(job, came) != _without_weights(job, lock.files):
        return False
    there = dict(digests(record.path))
    wanted = {**lock.files, **lock.runners, **{f"{FOLDER}/{name}": digest for name, digest in lock.weights.items()}}
    return all(there.get(name) == digest for name, digest in wanted.items())


def _without_weights(job: Job, files: Mapping[str, str]) -> dict[str, str]:
    """The files that are no weights, which are compared by themselves."""
    placed = job.package.weight_files
    return {name: digest for name, digest in files.items() if name not in placed}


def unchanged_plan(job: Job, home: Path) -> InstallPlan:
    """The plan to do nothing."""
    package, fetched = replace(job.package, version=job.version), job.fetched
    summary = summary_of(package, source=fetched.source, installed=package.version)
    return InstallPlan(
        package=detail_of(package, summary, commit=fetched.commit, more_warnings=fetched.warnings),
        source=fetched.source,
        download_bytes=0,
        disk_bytes=0,
        free_bytes=free_bytes(home),
        environment="as it is",
        replaces=package.version,
        changes=Changes(package.version),
        unchanged=True,
    )
