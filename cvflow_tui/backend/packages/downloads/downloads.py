"""Downloads into a folder: one file an address, from whichever mirror delivers it."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.disk import link_or_copy
from cvflow_tui.backend.packages.downloads.copying import copy_file
from cvflow_tui.backend.packages.downloads.fetching import Fetching
from cvflow_tui.backend.packages.downloads.journal import drop, part_of
from cvflow_tui.backend.packages.downloads.outbound import Outbound, OutboundRefusedError, no_network
from cvflow_tui.backend.packages.downloads.pages import Page, head_size, read_page
from cvflow_tui.backend.packages.downloads.received import Received, WrongDigestError, file_path, hash_file, wrong_digest
from cvflow_tui.backend.packages.downloads.wanted import Wanted
from cvflow_tui.backend.packages.pip_config import read_pip_config
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError, RemoteError

UNSURE_SECONDS = 86400.0
"""How long a file whose digest nobody tells is taken for the one at its address: later, it is fetched anew."""


class Downloads:
    """Downloads into a folder, one file an address. Thread-safe; the same file is fetched by one thread at a time.

    An address is `https:` (`http:` on this machine's loopback only, where the user named it) or `file:`. Proxies, certificates and
    whether the network may be used at all are the `caller`'s (None: this process's own). Where a connection may lead is `outbound.py`'s;
    `named` are always hosts that the user wrote down, which may lie anywhere.
    """

    def __init__(self, folder: Path, *, caller: Circumstances | None = None) -> None:
        self.folder = folder
        self.caller = Circumstances.here() if caller is None else caller
        self._cert = read_pip_config(self.caller.variables).cert
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._taken: set[tuple[str, str | None]] = set()

    def of(self, caller: Circumstances) -> Downloads:
        """The same downloads for somebody else; whoever must not touch the network is refused by name what is not at hand."""
        found = Downloads(self.folder, caller=caller)
        found._locks, found._guard = self._locks, self._guard
        return found

    @property
    def is_offline(self) -> bool:
        """Whether the network must not be touched."""
        return self.caller.offline

    def get(
        self,
        url: str,
        sha256: str | None,
        what: str,
        into: Path,
        progress: Progress,
        *,
        size: int | None = None,
        mirrors: Sequence[str] = (),
        named: Collection[str] = (),
        for_pip: bool = False,
    ) -> Received:
        """The file at `url` or one of its mirrors, verified against `sha256` (None: whatever comes), as a new file `into`.

        `size` is the most bytes it may have, `for_pip` says that an index listed it. Raises PackageError naming both digests where it is
        another file (which is deleted), RefusedError where it does not fit on the disk or the address must not be reached, RemoteError
        where it cannot be had; what arrived until then is kept for the next attempt.
        """
        self._taken.add((url, sha256))
        wanted = Wanted(url, sha256, what, size, tuple(mirrors), frozenset(named), for_pip)
        with self._taking(wanted.key, progress) as path:
            received = self._whole(path, sha256) or self._first(wanted, path, progress)
            # A link of the caller's own: whoever forgets the download does not take the file from anyone.
            link_or_copy(received.path, into)
            return Received(into, received.sha256, received.size)

    def forget(self, url: str, sha256: str | None) -> None:
        """Delete what there is of a download, unless somebody is at it."""
        key = Wanted(url, sha256, "").key
        lock = self._lock(key)
        if lock.acquire(blocking=False):
            try:
                drop(self.folder / key)
                (self.folder / key).unlink(missing_ok=True)
            finally:
                lock.release()

    def forget_taken(self) -> None:
        """Delete what was asked for through this object, come to its end or not, unless somebody else is at it."""
        for url, sha256 in self._taken:
            self.forget(url, sha256)

    def has(self, url: str, sha256: str | None) -> bool:
        """Whether a download came to its end and waits."""
        return (self.folder / Wanted(url, sha256, "").key).is_file()

    def is_taken(self, path: Path) -> bool:
        """Whether somebody is at the download that lies at `path`."""
        return self._lock(path.name).locked()

    def held(self, url: str, sha256: str | None) -> int:
        """Bytes on the disk that an earlier attempt left of a download."""
        path = self.folder / Wanted(url, sha256, "").key
        return sum(file.stat().st_blocks * 512 for file in (path, part_of(path)) if file.exists())

    def size(self, url: str, named: Collection[str] = (), *, for_pip: bool = False) -> int | None:
        """How large the file is, if its server says so within a few seconds."""
        try:
            if url.startswith("file:"):
                return file_path(url).stat().st_size
            return None if self.is_offline else head_size(Outbound.of(self.caller, named, for_pip=for_pip), url, self._cert)
        except (OSError, CvflowError):
            return None

    def text(self, url: str, headers: dict[str, str], named: Collection[str] = ()) -> Page | None:
        """A page of a package index as (text, content type, final address); None where there is none (404). Raises RemoteError."""
        if url.startswith("file:"):
            path = file_path(url)
            path = path / "index.html" if path.is_dir() else path
            return (path.read_text("utf-8", "replace"), "text/html", path.as_uri()) if path.is_file() else None
        if self.is_offline:
            raise no_network(url)
        return read_page(Outbound.of(self.caller, named, for_pip=True), url, headers, self._cert)

    # -- one file

    def _whole(self, path: Path, sha256: str | None) -> Received | None:
        """What an earlier attempt brought to its end, if it is the file."""
        if not path.is_file():
            return None
        if sha256 is None and not 0 <= time.time() - path.stat().st_mtime < UNSURE_SECONDS:
            path.unlink()
            return None
        received = hash_file(path)
        if sha256 is None or received.sha256 == sha256:
            return received
        path.unlink()
        return None

    def _first(self, wanted: Wanted, path: Path, progress: Progress) -> Received:
        """The file from the first address that delivers it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        failures: list[CvflowError] = []
        for url in (wanted.url, *wanted.mirrors):
            try:
                return self._from(url, wanted, path, progress)
            except (RemoteError, WrongDigestError, OutboundRefusedError) as error:
                failures.append(error)
        if len(failures) == 1:
            raise failures[0]
        # The worst of them gives the kind: a file that is another one is more than a server that is down.
        worst = next((error for error in failures if not isinstance(error, RemoteError)), failures[0])
        raise type(worst)("; ".join(dict.fromkeys(error.message for error in failures)))

    def _from(self, url: str, wanted: Wanted, path: Path, progress: Progress) -> Received:
        if url.startswith("file:"):
            received = copy_file(file_path(url), part_of(path), wanted, progress)
        elif self.is_offline:
            raise no_network(url)
        else:
            outbound = Outbound.of(self.caller, wanted.named, for_pip=wanted.for_pip)
            outbound.check(httpx.URL(url))
            received = Fetching(wanted, url, part_of(path), progress).run(outbound, self._cert)
        if wanted.sha256 is not None and received.sha256 != wanted.sha256:
            drop(path)
            raise wrong_digest(wanted.what, url, wanted.sha256, received.sha256)
        part_of(path).replace(path)
        drop(path)
        return Received(path, received.sha256, received.size)

    @contextmanager
    def _taking(self, key: str, progress: Progress) -> Iterator[Path]:
        lock = self._lock(key)
        while not lock.acquire(timeout=0.2):
            progress.check()
        try:
            yield self.folder / key
        finally:
            lock.release()

    def _lock(self, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())
