"""Files over https: streamed, verified, resumed. What was received of a download that was cut off waits for the next attempt."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.disk import link_or_copy, require_space, writing
from cvflow_tui.backend.packages.meter import Meter
from cvflow_tui.backend.packages.pip_config import hide_credentials
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError
from cvflow_tui.model.text import one_line

CHUNK = 256 << 10
RETRIES = 4
"""Attempts in a row that may bring nothing new before a download gives up."""

KEPT_SECONDS = 86400.0
"""How long an interrupted download waits for the attempt that resumes it."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived and was verified."""

    path: Path
    sha256: str
    size: int


class Downloads:
    """Downloads into a folder, one file an address. Thread-safe; the same address is fetched by one thread at a time.

    An address is `https:` (`http:` on this machine's loopback only) or `file:`. `cert` is a bundle of certificates to trust
    where the environment (SSL_CERT_FILE) names none; proxies are taken from the environment.
    """

    def __init__(self, folder: Path, *, cert: str | None = None) -> None:
        self.folder = folder
        self._cert = cert
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, url: str, sha256: str | None, what: str, into: Path, progress: Progress) -> Received:
        """The file at `url`, verified against `sha256` (None: whatever comes), as a new file `into`.

        Raises PackageError naming both digests where it is another file (which is deleted), RefusedError where it does not fit on the
        disk, RemoteError where it cannot be had; what arrived until then is kept for the next attempt.
        """
        with self._taking(self._key(url, sha256), progress) as path:
            received = self._attempt(url, sha256, path, what, progress)
            if sha256 is not None and received.sha256 != sha256:
                self._drop(path)
                raise wrong_digest(what, url, sha256, received.sha256)
            # A link of the caller's own: whoever forgets the download does not take the file from anyone.
            link_or_copy(received.path, into)
            return Received(into, received.sha256, received.size)

    def forget(self, url: str, sha256: str | None) -> None:
        """Delete what there is of a download, unless somebody is at it."""
        lock = self._lock(self._key(url, sha256))
        if lock.acquire(blocking=False):
            try:
                self._drop(self.folder / self._key(url, sha256))
            finally:
                lock.release()

    def size(self, url: str) -> int | None:
        """How large the file is, if its server says so within a few seconds."""
        try:
            if url.startswith("file:"):
                return file_path(url).stat().st_size
            with self._client(url, 5.0) as client:
                reply = client.head(url)
            return int(reply.headers["content-length"]) if reply.is_success else None
        except (httpx.HTTPError, OSError, KeyError, ValueError, RefusedError):
            return None

    def text(self, url: str, headers: dict[str, str]) -> tuple[str, str, str] | None:
        """A page as (text, content type, final address); None where there is none (404). Raises RemoteError."""
        if url.startswith("file:"):
            path = file_path(url)
            path = path / "index.html" if path.is_dir() else path
            return (path.read_text("utf-8", "replace"), "text/html", path.as_uri()) if path.is_file() else None
        try:
            with self._client(url, 30.0) as client:
                reply = client.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise _unreachable(url, error) from error
        if reply.status_code in (404, 410):
            return None
        if reply.is_error:
            raise RemoteError(f"{hide_credentials(url)} answered {reply.status_code} {reply.reason_phrase}")
        return reply.text, reply.headers.get("content-type", ""), str(reply.url)

    # -- one file

    def _attempt(self, url: str, sha256: str | None, path: Path, what: str, progress: Progress) -> Received:
        if path.is_file():
            received = _hash_file(path)
            if sha256 is None or received.sha256 == sha256:
                return received
            self._drop(path)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if url.startswith("file:"):
            return self._copy(file_path(url), path, what, progress)
        return self._receive(url, sha256, path, what, progress)

    def _copy(self, origin: Path, path: Path, what: str, progress: Progress) -> Received:
        part = part_of(path)
        try:
            total = origin.stat().st_size
            require_space(self.folder, total, what)
            progress.step(f"copying {what}", total=total, unit="bytes")
            digest, done, meter = hashlib.sha256(), 0, Meter(progress)
            with writing(self.folder, total, what), origin.open("rb") as source, part.open("wb") as file:
                while chunk := source.read(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    meter.at(done)
                _sync(file.fileno())
            meter.at(done, end=True)
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise PackageError(f"{what}: {origin} cannot be read: {error.strerror}") from error
        part.replace(path)
        return Received(path, digest.hexdigest(), done)

    def _receive(self, url: str, sha256: str | None, path: Path, what: str, progress: Progress) -> Received:
        """Fetch with as many connections as it takes, as long as each brings something."""
        part, failures = part_of(path), 0
        with self._client(url, 30.0) as client:
            while True:
                before = _size(part)
                try:
                    received = _Transfer(client, url, part, what, progress, resumable=sha256 is not None).run()
                except (httpx.TransportError, httpx.StreamError, _Cut) as error:
                    progress.check()
                    failures = 0 if _size(part) > before else failures + 1
                    if failures > RETRIES or "CERTIFICATE_VERIFY_FAILED" in str(error):
                        raise _unreachable(url, error) from error
                    progress.cancelled.wait(min(8.0, 0.1 * 2**failures))
                    progress.check()
                    continue
                if sha256 is not None and received.sha256 != sha256 and before:
                    # The piece from an earlier attempt may be of another file: once more from the start.
                    self._drop(path)
                    continue
                break
        part.replace(path)
        self._drop(path, keep_file=True)
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

    def _drop(self, path: Path, *, keep_file: bool = False) -> None:
        for name in (part_of(path), path.with_name(f"{path.name}.json")) + (() if keep_file else (path,)):
            name.unlink(missing_ok=True)

    def _key(self, url: str, sha256: str | None) -> str:
        return hashlib.sha256(f"{url}\n{sha256 or ''}".encode()).hexdigest()[:40]

    def _client(self, url: str, seconds: float) -> httpx.Client:
        context: ssl.SSLContext | bool = True
        if self._cert and not os.environ.get("SSL_CERT_FILE"):
            context = ssl.create_default_context(cafile=self._cert)
        local = _is_loopback(urlsplit(url).hostname)

        def check(request: httpx.Request) -> None:
            # Runs for every redirect too: none may leave https, and none from elsewhere may come back to this machine over http.
            if request.url.scheme == "https" or (request.url.scheme == "http" and local and _is_loopback(request.url.host)):
                return
            raise RefusedError(f"{hide_credentials(str(request.url))} is not https: what comes over it cannot be trusted; use https:")

        return httpx.Client(
            timeout=httpx.Timeout(seconds, connect=min(seconds, 15.0)),
            follow_redirects=True,
            verify=context,
            headers={"User-Agent": "cvflow", "Accept-Encoding": "identity"},
            event_hooks={"request": [check]},
        )


class _Cut(Exception):
    """The connection ended before the file did."""


class _Transfer:
    """One connection's worth of a download, appended to the part file."""

    def __init__(self, client: httpx.Client, url: str, part: Path, what: str, progress: Progress, *, resumable: bool) -> None:
        self._client = client
        self._url = url
        self._part = part
        self._notes = part.with_name(part.name.removesuffix(".part") + ".json")
        self._what = what
        self._progress = progress
        self._resumable = resumable
        """Whether a piece may be continued without the server's word that the file is the same: a known digest finds out."""

    def run(self) -> Received:
        """Receive to the end. Raises _Cut or httpx's errors for a connection that broke."""
        held = self._held()
        with self._client.stream("GET", self._url, headers=self._headers(held)) as reply, _shut_when(self._progress.cancelled, reply):
            if reply.status_code == 416 and held:
                self._part.unlink(missing_ok=True)
                raise _Cut("the piece does not fit the file on the server")
            if reply.is_error:
                self._refuse(reply)
            start = held if reply.status_code == 206 and _range_start(reply) == held else 0
            if reply.status_code == 206 and start != held:
                self._part.unlink(missing_ok=True)
                raise _Cut("the server sent another range")
            self._note(reply)
            return self._store(reply, start)

    def _store(self, reply: httpx.Response, start: int) -> Received:
        total = start + int(length) if (length := reply.headers.get("content-length", "")).isdigit() else None
        if total is not None:
            require_space(self._part.parent, total - start, self._what)
        digest, done = _hash_start(self._part, start)
        meter = Meter(self._progress)
        self._progress.step(f"downloading {self._what}", total=total, unit="bytes", done=done)
        with writing(self._part.parent, total, self._what), self._part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            # As it comes: collected into larger pieces, the last of them would be lost with the connection.
            for chunk in reply.iter_raw():
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                meter.at(done)
            _sync(file.fileno())
        meter.at(done, end=True)
        if total is not None and done != total:
            raise _Cut(f"{done:,} of {total:,} bytes came")
        return Received(self._part, digest.hexdigest(), done)

    def _held(self) -> int:
        size = _size(self._part)
        return size if size and (self._resumable or self._validator()) else 0

    def _headers(self, held: int) -> dict[str, str]:
        if not held:
            return {}
        validator = self._validator()
        return {"Range": f"bytes={held}-"} | ({"If-Range": validator} if validator else {})

    def _validator(self) -> str | None:
        try:
            told = json.loads(self._notes.read_text("utf-8"))
            return str(told["validator"]) if told["validator"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note(self, reply: httpx.Response) -> None:
        tag = reply.headers.get("etag", "")
        validator = tag if tag and not tag.startswith("W/") else reply.headers.get("last-modified")
        self._notes.write_text(json.dumps({"validator": validator}), "utf-8")

    def _refuse(self, reply: httpx.Response) -> None:
        if reply.status_code >= 500 or reply.status_code == 429:
            raise _Cut(f"the server answered {reply.status_code} {reply.reason_phrase}")
        raise RemoteError(f"{self._what}: {hide_credentials(self._url)} answered {reply.status_code} {reply.reason_phrase}")


def part_of(path: Path) -> Path:
    """Where a download lies until it is whole."""
    return path.with_name(f"{path.name}.part")


def sweep(folder: Path, now: float | None = None) -> None:
    """Delete downloads that nobody came back for within a day."""
    now = time.time() if now is None else now
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            if not 0 <= now - path.stat().st_mtime < KEPT_SECONDS:
                path.unlink()


def file_path(url: str) -> Path:
    """The path of a `file:` URL. Raises PackageError for one that names another machine."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise PackageError(f"{one_line(url, 100)!r} names no file of this machine: write file:///PATH")
    return Path(unquote(parts.path))


def wrong_digest(what: str, url: str, wanted: str, got: str) -> PackageError:
    """The error of a file that is not what the manifest (or the index) says."""
    origin = hide_credentials(one_line(url, 120))
    return PackageError(f"{what}: sha256 is {got} and should be {wanted}; nothing was kept (it came from {origin})")


def _hash_file(path: Path) -> Received:
    digest, size = _hash_start(path, path.stat().st_size)
    return Received(path, digest.hexdigest(), size)


def _hash_start(path: Path, size: int) -> tuple[hashlib._Hash, int]:
    digest, left = hashlib.sha256(), size
    if size:
        with path.open("rb") as file:
            while left and (chunk := file.read(min(CHUNK, left))):
                digest.update(chunk)
                left -= len(chunk)
    return digest, size - left


def _range_start(reply: httpx.Response) -> int | None:
    unit, _, rest = reply.headers.get("content-range", "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdigit() else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _unreachable(url: str, error: Exception) -> RemoteError:
    return RemoteError(f"{hide_credentials(url)} cannot be fetched: {one_line(str(error)) or type(error).__name__}")


@contextmanager
def _shut_when(cancelled: threading.Event, reply: httpx.Response) -> Iterator[None]:
    """Shut the connection the moment the job is called off: a read that waits for a slow server would not notice."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            if cancelled.is_set():
                connection = reply.extensions["network_stream"].get_extra_info("socket")
                with suppress(OSError, AttributeError):
                    connection.shutdown(socket.SHUT_RDWR)
                return

    thread = threading.Thread(target=watch, name="download-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
