"""The measurement: every server up at once, asked in turns, in rounds."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.serving.load import Ask, load, picture
from benchmarks.serving.model.bench_model import look
from benchmarks.serving.ours import bare, runner
from benchmarks.serving.peers import DELETE, PEERS, Peer, peer_server
from benchmarks.serving.servers import NotRun, Server

RAW, FORM = Ask("raw"), Ask("form")
CALM, TRIES = 0.1, 3
"""A measurement is taken again, up to so many times, where others had more than this share of the machine. What it found plays no part."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that is measured in every round."""

    server: str
    kind: str
    """What is asked, in a word."""
    clients: int
    ask: Ask = field(compare=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round found for a cell."""

    rate: float
    """Successful replies a second."""
    p50: float
    """Milliseconds."""
    errors: float
    """Share of replies that were errors."""
    cpu: float
    """Microseconds of CPU that a request cost the server."""
    load: float
    """Share of one core that the load took."""
    others: float
    """Share of the machine that neither took: everyone else on it."""


@dataclass(slots=True)
class Found:
    """All that was measured."""

    samples: dict[Cell, list[Sample]] = field(default_factory=dict)
    direct: list[float] = field(default_factory=list)
    """Median milliseconds of a call without any server, by round."""
    started: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    """Peers that could not be had, and why."""

    def of(self, server: str, kind: str, clients: int) -> list[Sample]:
        """A cell's samples by round; none where it was not measured."""
        return self.samples.get(Cell(server, kind, clients, RAW), [])


def scratch() -> str | None:
    """Where every server keeps what it is sent: memory, if there is some, so that no disk is measured."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def cells_of_peer(peer: Peer) -> list[Cell]:
    """What is asked of a peer."""
    cells = [Cell(peer.name, "form", clients, peer.form) for clients in (1, 16)]
    if peer.raw is not None:
        cells += [Cell(peer.name, "raw", clients, peer.raw) for clients in (1, 16)]
    else:
        cells.append(Cell(peer.name, "form, one file name, deleted", 16, Ask("form", fields=(DELETE,), same_name=True)))
    if peer.batching:
        cells += [Cell(peer.name, name, clients, Ask("raw", f"/{name}")) for name in ("alone", "batched") for clients in (1, 16)]
    return cells


def cells_of_ours() -> list[Cell]:
    """What is asked of our runner and of bare Starlette."""
    asks = (("raw", RAW), ("form", FORM))
    cells = [Cell(server, kind, 16, ask) for server in ("ours", "bare") for kind, ask in asks]
    cells += [Cell(server, kind, clients, ask) for server in ("ours-1", "bare-1") for kind, ask in asks for clients in (1, 16)]
    return cells + [Cell(f"ours-{name}", name, clients, RAW) for name in ("alone", "batched") for clients in (1, 16)]


@contextmanager
def servers(found: Found, peers: Collection[str]) -> Iterator[dict[str, Server]]:
    """Every server that can be had, by name; the others are noted."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=scratch())))
        up = {
            "ours": stack.enter_context(runner("Threaded", folder)),
            "ours-1": stack.enter_context(runner("Serial", folder)),
            "ours-alone": stack.enter_context(runner("Alone", folder)),
            "ours-batched": stack.enter_context(runner("Batched", folder)),
            "bare": stack.enter_context(bare(16, folder)),
            "bare-1": stack.enter_context(bare(1, folder)),
        }
        for peer in PEERS:
            try:
                if peer.name not in peers:
                    raise NotRun("it was not asked for (--peers)")
                up[peer.name] = stack.enter_context(peer_server(peer, folder))
            except (NotRun, OSError) as error:
                found.not_run[peer.name] = str(error)
        yield up


def measure(rounds: int, seconds: float, peers: Collection[str]) -> Found:
    """All of it."""
    found, body = Found(), picture()
    with servers(found, peers) as up:
        cells = [*cells_of_ours(), *(cell for peer in PEERS for cell in cells_of_peer(peer))]
        # What is compared stands side by side, so that a neighbour's minute of work on this machine meets all of them.
        cells = sorted((cell for cell in cells if cell.server in up), key=lambda cell: (cell.clients, cell.kind))
        for cell in cells:
            load(up[cell.server].port, body, cell.ask, cell.clients, min(0.5, seconds))
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            found.direct.append(direct(seconds / 2))
            turn = number * 3 % len(cells)
            for cell in cells[turn:] + cells[:turn]:
                found.samples.setdefault(cell, []).append(calm_sample(up[cell.server], body, cell, seconds))
        for name, server in up.items():
            found.started[name], found.memory[name], found.processes[name] = server.started, server.memory(), len(server.family())
    return found


def calm_sample(server: Server, body: bytes, cell: Cell, seconds: float) -> Sample:
    """One cell once; again, a few times, where others had much of the machine: then the least disturbed."""
    tried: list[Sample] = []
    while not tried or (tried[-1].others > CALM and len(tried) < TRIES):
        tried.append(sample(server, body, cell, seconds))
    return min(tried, key=lambda one: one.others)


def sample(server: Server, body: bytes, cell: Cell, seconds: float) -> Sample:
    """One cell once."""
    before, busy = server.cpu(), busy_seconds()
    loaded = load(server.port, body, cell.ask, cell.clients, seconds)
    spent, busy = server.cpu() - before, busy_seconds() - busy
    replies = max(1, loaded.answered + loaded.failed)
    others = max(0.0, busy - spent - loaded.cpu) / loaded.seconds / (os.cpu_count() or 1)
    return Sample(loaded.rate, loaded.p50, loaded.errors, spent / replies * 1e6, loaded.cpu / loaded.seconds, others)


def busy_seconds() -> float:
    """CPU seconds that processes have had on this machine so far."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)


def direct(seconds: float) -> float:
    """Median milliseconds of a call of the model in this process."""
    times, until = [], time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        look(b"")
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000
