"""What the tests of packages are made of."""

from __future__ import annotations

import base64
import hashlib
import io
import ssl
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.home import Home
from cvflow_tui.model.circumstances import Circumstances

if TYPE_CHECKING:
    from cvflow_tui.backend.packages.resolution import Wish

MODES: dict[str, Literal["w", "w:gz", "w:xz", "w:bz2"]] = {
    "p.tar": "w",
    "p.tar.gz": "w:gz",
    "p.tgz": "w:gz",
    "p.tar.xz": "w:xz",
    "p.tar.bz2": "w:bz2",
}
"""Kinds of tar archives, and how each is opened."""

SOLVER = '''
class Solver:
    """Says nothing of a picture."""

    def infer(self, image, threshold: float = 0.3, label="box", *, deep: bool = False):
        return {}

    def train(self, dataset, checkpoint, report):
        return {}
'''


def write_package(
    folder: Path,
    *,
    name: str | None = None,
    vendor: str | None = None,
    version: str = "1.0.0",
    tagline: str = "",
    solver: str = "detect",
    task: str = "object-detection",
    environment: str | None = None,
    requirements: str = "",
    source: str = SOLVER,
    more: str = "",
) -> Path:
    """A package with one solver in `folder`; `more` is appended to its manifest."""
    lines = ["[package]", f'name = "{name or folder.name}"', f'version = "{version}"', f'tagline = "{tagline}"', 'license = "MIT"']
    lines += [f'vendor = "{vendor}"'] if vendor else []
    lines += [f'environment = "{environment}"'] if environment else []
    lines += ["[[solvers]]", f'name = "{solver}"', 'class = "parts/solver/Solver"', f'task = "{task}"', more]
    code = folder / "parts"
    code.mkdir(parents=True)
    (folder / "cvpm.toml").write_text("\n".join(lines), "utf-8")
    (folder / "README.md").write_text(f"# {name or folder.name}\n", "utf-8")
    (code / "solver.py").write_text(source, "utf-8")
    if requirements:
        (folder / "requirements.txt").write_text(requirements, "utf-8")
    return folder


def weight(name: str, url: str, sha256: str | None = None) -> str:
    """A `[[models]]` table."""
    return f'\n[[models]]\nname = "{name}"\nurl = "{url}"\n' + (f'sha256 = "{sha256}"\n' if sha256 else "")


def sha256(data: bytes) -> str:
    """The digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


def payload(size: int, seed: int = 1) -> bytes:
    """Bytes that no two places have alike, so that a misplaced piece shows."""
    blocks = (hashlib.sha256(f"{seed}.{number}".encode()).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def write_wheel(folder: Path, name: str, version: str, files: dict[str, bytes], *, requires: str = "") -> Path:
    """A wheel that pip and uv install; `requires` is a requirement of its own."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info, needs = f"{name}-{version}.dist-info", f"Requires-Dist: {requires}\n" if requires else ""
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for file, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{file},sha256={digest},{len(data)}\n"
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in files.items():
            archive.writestr(file, data)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def packed(folder: Path, name: str, top: str = "p-1.0/") -> bytes:
    """An archive of a folder."""
    out = io.BytesIO()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if name.endswith(".zip"):
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, f"{top}{path.relative_to(folder)}")
    else:
        with tarfile.open(fileobj=out, mode=MODES[name]) as archive:
            for path in files:
                archive.add(path, f"{top}{path.relative_to(folder)}")
    return out.getvalue()


def git(folder: Path, *arguments: str) -> str:
    """Run git in a repository of the test's."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    return subprocess.run([*command, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(folder: Path, message: str = "all") -> str:
    """Commit everything in a folder (made a repository if it is none); the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def tree(home: Home) -> set[str]:
    """Everything below a home folder but the database, the folders that are always there, and downloads that wait for another try."""
    always = {"packages", "environments", "weights", "projects", "logs", "runs", "staging", "staging/downloads"}
    always |= {"ballast", "daemon.lock"}
    found = {path.relative_to(home.root).as_posix() for path in home.root.rglob("*")}
    return {name for name in found if name not in always and not name.startswith(("state.db", "staging/downloads/"))}


class Watching(Progress):
    """Keeps the steps and calls the job off in the one whose name begins with `cancel_at`, at the first report after it or at once."""

    def __init__(self, cancel_at: str | None = None, *, after: float | None = None) -> None:
        super().__init__()
        self.steps: list[str] = []
        self.reports: list[tuple[str, float, float | None]] = []
        self._cancel_at = cancel_at
        self._after = after
        """Amount of the step to be done before it is called off; None: at once."""

    def step(self, name: str, *, total: float | None = None, unit: str = "", done: float = 0.0) -> None:
        """Note the step."""
        self.steps.append(name)
        self.reports.append((name, done, total))
        if self._cancel_at is not None and name.startswith(self._cancel_at) and self._after is None:
            self.cancelled.set()
        super().step(name, total=total, unit=unit, done=done)

    def advance(self, done: float, total: float | None = None) -> None:
        """Note the report."""
        self.reports.append((self.steps[-1], done, total))
        if self._cancel_at is not None and self._after is not None and self.steps[-1].startswith(self._cancel_at) and done >= self._after:
            self.cancelled.set()
        super().advance(done, total)


class FileServer:
    """Serves files over TLS (or plain http without a certificate), with ranges, and can be told to misbehave."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None) -> None:
        folder.mkdir()
        self.folder = folder
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """(method, path, headers) of every request."""
        self.cut_after: list[int] = []
        """For each of the next requests: bytes after which the connection is cut."""
        self.stall = threading.Event()
        """While set, a body stops half-way and waits."""
        self.ignore_ranges = False
        self.ignore_if_range = False
        """Whether a range is sent of whatever the file is now."""
        self.offers_ranges = False
        """Whether replies say `Accept-Ranges: bytes`."""
        self.has_tag = True
        """Whether replies carry an ETag."""
        self.shift = 0
        """Bytes by which a range that is sent lies beside the one that was asked for."""
        self.headers: dict[str, str] = {}
        """Headers that take the place of the true ones in every reply with a body."""
        self.slowness = 0.0
        """Seconds between two pieces of 64 kB."""
        self.redirects: dict[str, str] = {}
        self.on_request: Callable[[int], object] = lambda number: None
        """Called with the number of each request before it is answered."""
        self.types: dict[str, str] = {}
        self.heads = 0
        """What every HEAD is answered with, where that is not 0."""
        handler = type("Handler", (_Handler,), {"files": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._http.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve on a thread."""
        thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stall.clear()
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    def add(self, path: str, data: bytes) -> str:
        """Serve `data`; its URL."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return f"{self.url}/{path}"

    def gets(self, path: str) -> list[dict[str, str]]:
        """Headers of the GET requests for a path."""
        return [headers for method, asked, headers in self.requests if method == "GET" and asked == f"/{path}"]


class _Handler(BaseHTTPRequestHandler):
    files: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""

    def handle_error(self, *_: Any) -> None:
        """A client that left is no news."""

    def do_HEAD(self) -> None:
        """Answer with headers alone."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Answer with a file."""
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        files = self.files
        files.requests.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        if self.path in files.redirects:
            self._head(302, 0, {"Location": files.redirects[self.path]})
            return
        if self.command == "HEAD" and files.heads:
            self._head(files.heads, 0, {})
            return
        files.on_request(len(files.requests))
        path = files.folder / self.path.strip("/")
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self._head(404, 0, {})
            return
        data = path.read_bytes()
        tag = f'"{sha256(data)[:16]}"'
        span = self._span(len(data), tag)
        start, end = span or (0, len(data))
        headers = {"Content-Type": files.types.get(self.path, "application/octet-stream")}
        headers |= {"ETag": tag} if files.has_tag else {}
        headers |= {"Accept-Ranges": "bytes"} if files.offers_ranges else {}
        headers |= {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"} if span else {}
        self._head(206 if span else 200, end - start, headers | files.headers)
        if body:
            self._send(data[start:end])

    def _span(self, size: int, tag: str) -> tuple[int, int] | None:
        asked = self.headers.get("Range", "")
        other = self.headers.get("If-Range", tag) != tag and not self.files.ignore_if_range
        if self.files.ignore_ranges or not asked or other:
            return None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start = int(first) + self.files.shift
        return (start, min(size, int(last) + 1) if last else size) if start < size else None

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(length)} | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, data: bytes) -> None:
        cut = self.files.cut_after.pop(0) if self.files.cut_after else len(data)
        try:
            for start in range(0, min(cut, len(data)), 65536) if self.files.slowness else ():
                self.wfile.write(data[start : min(cut, start + 65536)])
                time.sleep(self.files.slowness)
            if self.files.slowness:
                return
            half = len(data) // 2
            self.wfile.write(data[: min(cut, half)])
            while self.files.stall.is_set():
                time.sleep(0.02)
            self.wfile.write(data[half : max(cut, half)])
            self.wfile.flush()
        except OSError:
            pass
        if cut < len(data):
            self.close_connection = True


def wish_here(*given: Any, **more: Any) -> Wish:
    """What an environment is asked for by this process: with the indexes that its own variables name."""
    from cvflow_tui.backend.packages.resolution import Wish  # not before: builds of tests import this file, and have nothing else

    return Wish(*given, **{"caller": Circumstances.here(), **more})
