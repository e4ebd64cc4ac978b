"""Packages as archives on a web server."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.manifest import MANIFESTS, find_manifest
from cvflow_tui.backend.packages.sources.base import Fetched
from cvflow_tui.backend.packages.sources.folder import copy_folder
from cvflow_tui.backend.packages.sources.unpack import SUFFIXES, unpack
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError, RemoteError, UsageError
from cvflow_tui.model.text import one_line

_URL = re.compile(r"https?://[A-Za-z0-9\[][^\s@#\\\x00-\x1f\x7f-\x9f]*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """An archive (zip, tar and compressed tar), what it must be, and a folder in it. A single folder at its top is looked through.

    Raises UsageError for an address, a digest or a folder that is none. `downloads` keeps what arrived for the next attempt.
    """

    url: str
    sha256: str | None = None
    subdirectory: str | None = None
    downloads: Downloads | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url):
            raise UsageError(f"{one_line(self.url.rpartition('@')[2], 100)!r} is no address of an archive: give https://HOST/FILE.zip")
        if not self.filename.endswith(SUFFIXES):
            raise UsageError(
                f"{one_line(self.url, 100)!r} is no archive that can be unpacked ({', '.join(SUFFIXES)});"
                " for a git repository write git+https://HOST/PATH"
            )
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256.lower()):
            raise UsageError(f"{one_line(self.sha256, 80)!r} is no sha256: give its 64 hexadecimal digits")
        parts = PurePosixPath(self.subdirectory).parts if self.subdirectory is not None else ()
        if self.subdirectory is not None and (not parts or {"..", "/"} & set(parts) or "\0" in self.subdirectory):
            raise UsageError(f"{one_line(self.subdirectory, 100)!r} is no folder inside an archive")

    @property
    def filename(self) -> str:
        """The last part of the address, in lower case."""
        return one_line(unquote(urlsplit(self.url).path).rpartition("/")[2], 120).lower()

    @property
    def text(self) -> str:
        """The source as it is typed."""
        told = [f"sha256={self.sha256.lower()}"] if self.sha256 else []
        told += [f"subdirectory={quote(self.subdirectory)}"] if self.subdirectory else []
        return f"{self.url}#{'&'.join(told)}" if told else self.url

    def fetch(self, into: Path, progress: Progress) -> Fetched:
        """Download, unpack and copy. Raises PackageError for another file than the digest says and for an archive that is refused."""
        downloads = self.downloads or Downloads(into.with_name(f"{into.name}.downloads"))
        archive, unpacked = into.with_name(f"{into.name}.archive"), into.with_name(f"{into.name}.unpacked")
        digest = self.sha256.lower() if self.sha256 else None
        try:
            # The user typed this address: it may stand in a network that a stranger's must not lead into.
            host = urlsplit(self.url).hostname or ""
            received = downloads.get(self.url, digest, self.filename, archive, progress, named=[host])
            unpack(archive, self.filename, unpacked, progress)
            warnings = copy_folder(self._origin(unpacked), into, progress)
        except (RemoteError, RefusedError, Cancelled):
            raise  # what arrived waits for the attempt that goes on with it
        except BaseException:
            downloads.forget(self.url, digest)
            raise
        finally:
            archive.unlink(missing_ok=True)
            shutil.rmtree(unpacked, ignore_errors=True)
        downloads.forget(self.url, digest)
        pinned = ArchiveSource(self.url, received.sha256, self.subdirectory).text
        return Fetched(source=pinned, warnings=tuple(warnings))

    def _origin(self, unpacked: Path) -> Path:
        """The package's folder in what was unpacked."""
        entries = list(unpacked.iterdir())
        if find_manifest(unpacked) is None and len(entries) == 1 and entries[0].is_dir():
            unpacked = entries[0]
        origin = unpacked / (self.subdirectory or ".")
        shown = self.filename + (f" in {self.subdirectory}" if self.subdirectory else "")
        if not origin.is_dir():
            raise NotFoundError(f"{one_line(shown)}: there is no such folder in the archive")
        if find_manifest(origin) is None:
            raise PackageError(f"{one_line(shown)}: there is no {MANIFESTS[0]} in this folder; a package needs one")
        return origin
