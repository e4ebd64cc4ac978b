"""Is the load the bottleneck? Ours against wrk, and against two processes of ours, on the fastest server there is."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.serving.load import Ask, load, picture
from benchmarks.serving.ours import bare
from benchmarks.serving.servers import ROOT, Server

CLIENTS = 16
RATE = re.compile(r"Requests/sec: *([\d.]+)")
LUA = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "image/jpeg"\nwrk.body = io.open("{}", "rb"):read("*a")\n'


def compare(rounds: int, seconds: float) -> list[str]:
    """Lines that say what each generator gets out of bare Starlette with raw bodies, and its share of a core."""
    with tempfile.TemporaryDirectory() as name, bare(CLIENTS, Path(name)) as server:
        folder = Path(name)
        (folder / "picture.jpg").write_bytes(picture())
        ways: dict[str, Callable[[], float]] = {
            "ours": lambda: load(server.port, picture_of(folder), Ask("raw"), CLIENTS, seconds).rate,
            "two processes of ours": lambda: two(server, seconds),
        }
        if shutil.which("wrk"):
            (folder / "post.lua").write_text(LUA.format(folder / "picture.jpg"))
            ways["wrk -t1"] = lambda: wrk(server, folder, seconds)
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, ask in ways.items():
                rates[way].append(ask())
    mine = statistics.median(rates["ours"])
    lines = [f"{way}: {statistics.median(told):.0f} req/s, {statistics.median(told) / mine:.2f} of ours" for way, told in rates.items()]
    return lines if shutil.which("wrk") else [*lines, "wrk: not installed"]


def picture_of(folder: Path) -> bytes:
    """The picture, made once."""
    return (folder / "picture.jpg").read_bytes()


def two(server: Server, seconds: float) -> float:
    """Replies a second of two generators with half the clients each."""
    command = [sys.executable, "-m", "benchmarks.serving.load", str(server.port), "--clients", str(CLIENTS // 2), "--seconds", str(seconds)]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    told = [json.loads(process.communicate()[0]) for process in both]
    return float(sum(one["answered"] / one["seconds"] for one in told))


def wrk(server: Server, folder: Path, seconds: float) -> float:
    """Replies a second of wrk."""
    url = f"http://127.0.0.1:{server.port}/infer"
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{max(1, round(seconds))}s", "-s", str(folder / "post.lua"), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = RATE.search(said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(f"wrk said {said[-300:]!r}")
    return float(found[1])
