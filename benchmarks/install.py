"""What installing and starting take: a cached, locked package, the first reply of its solver, a download against `cp`.

    python benchmarks/install.py [--rounds 5] [--megabytes 512] [--strict] [--json FILE]

Whole commands are timed, as a person waits for them (the start of `cvflow` is in them, the daemon runs already). The package is a numpy +
onnxruntime one in an environment of its own, all its requirements pinned: what the bundled detector is, without the host environment.
"Cached" is: uv has the wheels, cvflow has removed the environment. The download comes from a server on the loopback (sendfile: it takes
next to nothing of the cores that both share), is hashed and synced to the disk; `cp` copies the same file to the same disk. What a download
that is hashed and synced takes at least is measured in the same rounds: a loop that does nothing else. Rounds are interleaved, medians are
told; CPU seconds are those of the whole process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
NANODET = ROOT / "cvflow_tui/solvers/nanodet"
CVFLOW = [sys.executable, "-m", "cvflow_tui"]

# What the 16-line solver needs and no more: the time of a start is that of its imports, its session and its first picture.
SOLVER = """
import cvflow
import numpy
import onnxruntime

class Detect(cvflow.Solver):
    def __init__(self):
        self.session = onnxruntime.InferenceSession(str(self.weights("model.onnx")), providers=["CPUExecutionProvider"])

    def infer(self, image):
        pixels = numpy.asarray(image.open().resize((416, 416)), numpy.float32).transpose(2, 0, 1)[None]
        outputs = self.session.run(None, {self.session.get_inputs()[0].name: pixels})
        return {"objects": [], "outputs": len(outputs)}
"""
MANIFEST = """
[package]
name = "speed"
vendor = "bench"
version = "1.0.0"
tagline = "numpy and onnxruntime in an environment of their own"

[[solvers]]
name = "detect"
class = "speed/solver/Detect"
task = "object-detection"
labels = ["thing"]

[[models]]
name = "model.onnx"
url = "model.onnx"
sha256 = "{sha256}"
"""
SERVER = """
import http.server, os, pathlib, sys
FILE = pathlib.Path(sys.argv[1])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_HEAD(self): self.answer(False)
    def do_GET(self): self.answer(True)
    def answer(self, body):
        size = FILE.stat().st_size
        first, last, told = 0, size - 1, self.headers.get("Range", "")
        if told.startswith("bytes="):
            start, _, end = told[6:].partition("-")
            first, last = int(start), int(end or last)
        self.send_response(206 if told else 200)
        for name, value in (("Content-Length", last + 1 - first), ("ETag", '"one"'), ("Accept-Ranges", "bytes")):
            self.send_header(name, str(value))
        if told:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        with FILE.open("rb") as file:
            while body and first <= last:
                first += os.sendfile(self.connection.fileno(), file.fileno(), first, last + 1 - first)
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def make_package(folder: Path) -> Path:
    """The package, every requirement pinned to what this Python has."""
    package = folder / "speed"
    (package / "speed").mkdir(parents=True)
    (package / "speed/solver.py").write_text(SOLVER)
    shutil.copy(NANODET / "pretrained/nanodet-m-416.onnx", package / "model.onnx")
    (package / "cvpm.toml").write_text(MANIFEST.format(sha256=hashlib.sha256((package / "model.onnx").read_bytes()).hexdigest()))
    pinned = folder / "requirements.in"
    pinned.write_text("".join(f"{name}=={version(name)}\n" for name in ("numpy", "onnxruntime", "pillow")))
    from uv import find_uv_bin

    command = [find_uv_bin(), "pip", "compile", "--quiet", "--no-annotate", "--no-header", "--python", sys.executable, str(pinned)]
    subprocess.run([*command, "--output-file", str(package / "requirements.txt")], check=True)
    return package


def timed(work: Callable[[], object]) -> float:
    """Seconds of it."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cvflow(environment: Mapping[str, str], *words: str) -> str:
    """What a command prints. Raises with what it said where it fails."""
    done = subprocess.run([*CVFLOW, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cvflow {' '.join(words)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def first_reply(environment: Mapping[str, str], picture: bytes) -> tuple[float, float]:
    """Seconds from `cvflow start` to the first result, and those of the command alone."""
    began = time.perf_counter()
    told = json.loads(cvflow(environment, "start", "bench/speed/detect", "--json"))
    started = time.perf_counter() - began
    asked = urllib.request.Request(f"{told['url'].rstrip('/')}/infer", picture, {"Content-Type": "image/jpeg"})
    with urllib.request.urlopen(asked) as reply:
        assert json.load(reply)["outputs"] > 0
    return time.perf_counter() - began, started


def installs(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Installing and starting, by round."""
    from benchmarks.serving.load import picture

    package, body = make_package(folder), picture()
    environment = {**os.environ, "CVFLOW_HOME": str(folder / "home")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # where it is set, every command would compile cvflow anew: no user's does
    found: dict[str, list[float]] = {"install": [], "start": [], "start alone": [], "command": []}
    try:
        cvflow(environment, "install", str(package), "--yes")  # fills uv's cache, starts the daemon
        for _ in range(rounds):
            cvflow(environment, "remove", "bench/speed", "--yes")
            found["install"].append(timed(lambda: cvflow(environment, "install", str(package), "--yes")))
            whole, alone = first_reply(environment, body)
            found["start"].append(whole)
            found["start alone"].append(alone)
            cvflow(environment, "stop", "bench/speed/detect")
            found["command"].append(timed(lambda: cvflow(environment, "list", "--json")))
    finally:
        cvflow(environment, "daemon", "stop", "--solvers")
    return found


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """The address of a file on the loopback: HTTP/1.1, ranges, sendfile."""
    # It complains of clients that leave early, which is how a download finds out that it may come in parts.
    command = [sys.executable, "-c", SERVER, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/file"
    finally:
        process.terminate()
        process.wait(10)


def bare(url: str, target: Path) -> None:
    """The least that a download is: one connection, received into eight buffers of 256 KiB, hashed on a thread, written, synced."""
    place = urlsplit(url)
    digest = hashlib.sha256()
    free: SimpleQueue[memoryview] = SimpleQueue()
    full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
    for _ in range(8):
        free.put(memoryview(bytearray(256 << 10)))

    def hash_all() -> None:
        while (found := full.get()) is not None:
            digest.update(found[0][: found[1]])
            free.put(found[0])

    hasher = threading.Thread(target=hash_all)
    hasher.start()
    with socket.create_connection((place.hostname, place.port)) as connection, target.open("wb", buffering=0) as file:
        connection.sendall(f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        while count := connection.recv_into(buffer := free.get()):
            file.write(buffer[:count])
            full.put((buffer, count))
        full.put(None)
        os.fsync(file.fileno())
    hasher.join()


def downloads(folder: Path, megabytes: int, rounds: int) -> dict[str, list[float]]:
    """Downloading and copying, by round."""
    from cvflow_tui.backend.jobs import Progress
    from cvflow_tui.backend.packages.downloads import Downloads

    origin, target = folder / "origin", folder / "target"
    digest = hashlib.sha256()
    with origin.open("wb") as file:
        for _ in range(megabytes):
            file.write(piece := os.urandom(1 << 20))
            digest.update(piece)
    sha256 = digest.hexdigest()
    found: dict[str, list[float]] = {
        name: [] for name in ("download", "download CPU", "bare", "bare CPU", "cp", "cp and sync", "sha256", "sha256 CPU")
    }

    def copy() -> None:
        subprocess.run(["cp", str(origin), str(target)], check=True)

    def copy_and_sync() -> None:
        copy()
        subprocess.run(["sync", str(target)], check=True)

    def download() -> None:
        store = Downloads(folder / "downloads")
        store.get(url, sha256, "the file", target, Progress(), named=["127.0.0.1"])

    def settled(work: Callable[[], object]) -> float:
        target.unlink(missing_ok=True)
        os.sync()  # what the last one wrote is not written during this one
        return timed(work)

    def with_cpu(what: str, work: Callable[[], object]) -> None:
        began = time.process_time()
        found[what].append(settled(work))
        found[f"{what} CPU"].append(time.process_time() - began)

    def hash_alone() -> None:
        with origin.open("rb") as kept:
            hashlib.file_digest(kept, "sha256")

    with serving(origin) as url:
        for _ in range(rounds):
            found["cp"].append(settled(copy))
            found["cp and sync"].append(settled(copy_and_sync))
            with_cpu("download", download)
            Downloads(folder / "downloads").forget(url, sha256)
            with_cpu("bare", partial(bare, url, target))
            with_cpu("sha256", hash_alone)
    return found


def main() -> int:
    """Measure and print; with --strict 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--strict", action="store_true", help="exit 1 where a bar is not met")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = installs(folder, options.rounds) | downloads(folder, options.megabytes, options.rounds)

    def paired(one: str, other: str) -> Iterator[tuple[float, float]]:
        return zip(found[one], found[other], strict=True)

    ratios = [copy / download for copy, download in paired("cp", "download")]
    synced = [copy / download for copy, download in paired("cp and sync", "download")]
    lines: list[tuple[str, list[float], str, bool | None]] = [
        ("install of a cached, locked package, s", found["install"], "<= 1", statistics.median(found["install"]) <= 1),
        ("`cvflow start` to the first reply, s", found["start"], "<= 1.5", statistics.median(found["start"]) <= 1.5),
        (f"download of {options.megabytes} MiB, rate / cp's", ratios, ">= 0.3", statistics.median(ratios) >= 0.3),
        ("`cvflow start` alone, s", found["start alone"], "", None),
        ("a command that does nothing (`list`), s", found["command"], "", None),
        ("download, rate / that of cp and sync", synced, "", None),
        ("download, rate / that of the least it can be", [bare / download for bare, download in paired("bare", "download")], "", None),
        ("the least a download can be, rate / cp's", [copy / bare for copy, bare in paired("cp", "bare")], "", None),
        *((f"{what}, CPU s", found[f"{what} CPU"], "", None) for what in ("download", "bare", "sha256")),
        *(
            (f"{what}, MiB/s", [options.megabytes / second for second in found[what]], "", None)
            for what in ("download", "bare", "cp", "cp and sync", "sha256")
        ),
    ]
    print(f"{options.rounds} rounds, load average {os.getloadavg()[0]:.1f}\n")
    print("| what | median | rounds | bar | |\n| --- | --- | --- | --- | --- |")
    for what, values, bar, met in lines:
        held = "" if met is None else "met" if met else "NOT MET"
        print(f"| {what} | {statistics.median(values):.2f} | {min(values):.2f} - {max(values):.2f} | {bar} | {held} |")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 1 if options.strict and any(met is False for *_, met in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
