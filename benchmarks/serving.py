"""What a runner costs: overhead over a direct call, throughput against bare Starlette + uvicorn.

    python benchmarks/serving.py [--rounds 5] [--seconds 2] [--json]

The model is `time.sleep(1 ms)`, the picture a 200 KB JPEG, client and servers share this machine's cores. The servers take turns in
short rounds; what counts are the ratios of medians. Bare Starlette answers from its thread pool; so the solver says `concurrency = 16`
where it is compared with that, and both do one call after the other in the `serial` pair. Batching is measured with a model that
takes 4 ms and 0.25 ms a picture, which the one solver takes alone and the other together with those that wait.

The machine is rarely ours alone: `_cpu_us` is what a request costs the server in CPU time, its worker included.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SOLVER = """
import time

class Serial:
    def infer(self, image, threshold: float = 0.5):
        time.sleep(0.001)
        return {"objects": []}

class Threaded(Serial):
    concurrency = 16

class Single:
    def infer(self, image):
        time.sleep(0.00425)
        return {"objects": []}

class Batched(Single):
    def infer_batch(self, images):
        time.sleep(0.004 + 0.00025 * len(images))
        return [{"objects": []} for image in images]
"""

BARE = """
import asyncio, json, socket, sys, time
from concurrent.futures import ThreadPoolExecutor
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

pool = ThreadPoolExecutor(int(sys.argv[2]))

def model(picture):
    time.sleep(0.001)
    return {"objects": []}

async def infer(request):
    if request.headers["content-type"].startswith("multipart/"):
        async with request.form() as form:
            picture = await form["file"].read()
    else:
        picture = await request.body()
    return JSONResponse(await asyncio.get_running_loop().run_in_executor(pool, model, picture))

app = Starlette(routes=[Route("/infer", infer, methods=["POST"])])
listening = socket.socket(fileno=int(sys.argv[1]))
uvicorn.Server(uvicorn.Config(app, http="httptools", loop="uvloop", log_config=None, access_log=False, lifespan="off")).run([listening])
"""


def picture() -> bytes:
    """A JPEG of about 200 KB."""
    from PIL import Image

    file = io.BytesIO()
    Image.effect_noise((1024, 1024), 40).convert("RGB").save(file, "JPEG", quality=25)
    return file.getvalue()


def request(body: bytes, kind: str) -> bytes:
    """The bytes of one request."""
    if kind == "form":
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        body, content = head + body + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
    else:
        content = "image/jpeg"
    return f"POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def client(port: int, message: bytes, until: float, times: list[float]) -> None:
    """One connection that asks again as soon as it is answered. Raises for any status but 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        while (began := time.perf_counter()) < until:
            writer.write(message)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1"))
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(length)
            times.append(time.perf_counter() - began)
    finally:
        writer.close()


def load(port: int, message: bytes, clients: int, seconds: float) -> tuple[float, float]:
    """Requests a second, and the median time of one in milliseconds."""
    import uvloop

    times: list[float] = []

    async def everyone() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(client(port, message, began + seconds, times) for _ in range(clients)))
        return time.perf_counter() - began

    passed = uvloop.run(everyone())
    return len(times) / passed, statistics.median(times) * 1000


def direct(seconds: float) -> float:
    """Median of a direct call, in milliseconds."""
    times, until = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        time.sleep(0.001)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


@contextmanager
def server(command: list[str], place: int) -> Iterator[int]:
    """A server on a socket of ours (`command[place]` takes its number); yields the port once it answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        command = [*command[:place], str(listening.fileno()), *command[place + 1 :]]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=(listening.fileno(),), stderr=subprocess.DEVNULL, start_new_session=True)
        port = listening.getsockname()[1]
    try:
        yield port
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def runner(folder: Path, kind: str) -> Iterator[int]:
    """Our runner with one of the solvers above."""
    from cvflow_tui.backend.runtime.polling import status_of
    from cvflow_tui.backend.runtime.spec import RunSpec

    spec = folder / f"{kind}.json"
    RunSpec("bench/bench", "1", kind.lower(), str(folder), f"bench/solver/{kind}", "other", sys.executable, batch=16).save(spec)
    command = [sys.executable, "-m", "cvflow_tui.backend.runtime.runner", "--spec", str(spec), "--log", str(folder / "log"), "--fd", "N"]
    with server(command, len(command) - 1) as port:
        while (status_of(port) or {}).get("state") != "ready":
            time.sleep(0.05)
        yield port


class Cost:
    """The CPU time that a server has spent so far: the process that listens on `port`, and its children."""

    def __init__(self, port: int) -> None:
        import psutil

        listening = {
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid is not None
        }
        server = psutil.Process(listening.pop())
        self._processes = [server, *server.children(recursive=True)]

    def seconds(self) -> float:
        """User and system time together."""
        return sum(times.user + times.system for times in (process.cpu_times() for process in self._processes))


def measure(rounds: int, seconds: float) -> dict[str, float]:
    """All figures: medians over interleaved rounds."""
    body = picture()
    raw, form = request(body, "raw"), request(body, "form")
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench").mkdir()
        (folder / "bench" / "solver.py").write_text(SOLVER)
        bare = [sys.executable, "-c", BARE, "N"]
        with (
            runner(folder, "Serial") as serial,
            runner(folder, "Threaded") as threaded,
            runner(folder, "Single") as single,
            runner(folder, "Batched") as batched,
            server([*bare, "1"], 3) as bare_serial,
            server([*bare, "16"], 3) as bare_threaded,
        ):
            for port in (serial, threaded, single, batched, bare_serial, bare_threaded):
                load(port, raw, 4, 0.5)
            costs = {port: Cost(port) for port in (threaded, bare_threaded)}

            def loaded(name: str, port: int, message: bytes) -> None:
                before = costs[port].seconds()
                rate = load(port, message, 16, seconds)[0]
                note(f"{name}_rps", rate)
                note(f"{name}_cpu_us", (costs[port].seconds() - before) / (rate * seconds) * 1e6)

            for _ in range(rounds):
                note("direct_p50_ms", direct(seconds / 2))
                note("raw_p50_ms", load(serial, raw, 1, seconds)[1])
                note("form_p50_ms", load(serial, form, 1, seconds)[1])
                note("bare_raw_p50_ms", load(bare_serial, raw, 1, seconds)[1])
                note("bare_form_p50_ms", load(bare_serial, form, 1, seconds)[1])
                for kind, message in (("raw", raw), ("form", form)):
                    loaded(f"{kind}_16", threaded, message)
                    loaded(f"bare_{kind}_16", bare_threaded, message)
                    note(f"serial_{kind}_16_rps", load(serial, message, 16, seconds)[0])
                    note(f"bare_serial_{kind}_16_rps", load(bare_serial, message, 16, seconds)[0])
                for clients in (1, 16):
                    note(f"single_{clients}_rps", load(single, raw, clients, seconds)[0])
                    note(f"batched_{clients}_rps", load(batched, raw, clients, seconds)[0])
    figures = {key: round(statistics.median(values), 3) for key, values in found.items()}
    figures["raw_overhead_ms"] = round(figures["raw_p50_ms"] - figures["direct_p50_ms"], 3)
    figures["form_overhead_ms"] = round(figures["form_p50_ms"] - figures["direct_p50_ms"], 3)
    for kind in ("raw", "form"):
        figures[f"{kind}_16_ratio"] = round(figures[f"{kind}_16_rps"] / figures[f"bare_{kind}_16_rps"], 3)
        figures[f"serial_{kind}_16_ratio"] = round(figures[f"serial_{kind}_16_rps"] / figures[f"bare_serial_{kind}_16_rps"], 3)
    for clients in (1, 16):
        figures[f"batching_{clients}_ratio"] = round(figures[f"batched_{clients}_rps"] / figures[f"single_{clients}_rps"], 3)
    return figures


BARS = {
    "raw_overhead_ms": ("<=", 1.0),
    "form_overhead_ms": ("<=", 1.3),
    "raw_16_ratio": (">=", 0.8),
    "form_16_ratio": (">=", 0.8),
    "batching_16_ratio": (">=", 5.0),
}
"""The numbers to hold."""


def main() -> int:
    """Print the figures; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.rounds, options.seconds)
    missed = [name for name, (sign, bar) in BARS.items() if (figures[name] > bar if sign == "<=" else figures[name] < bar)]
    if options.json:
        print(json.dumps({"figures": figures, "missed": missed}, indent=1))
    else:
        for name, value in figures.items():
            sign, bar = BARS.get(name, ("", ""))
            print(f"{name:28} {value:10.3f}   {sign} {bar}".rstrip())
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
