"""The load: connections that ask again as soon as they are answered. `python -m benchmarks.serving.load PORT …` is a process of it.

It shares the machine's cores with the servers, so what it takes is told with every figure; `generators.py` holds it against wrk.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSED = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
SIZE = 204_406
"""Bytes of the picture."""
PATIENCE = 30.0
"""Seconds after the end that the last answers may take."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a server."""

    kind: str
    """`raw` (the picture is the body) or `form` (it is the part `file` of a multipart form)."""
    path: str = "/infer"
    fields: tuple[tuple[str, str], ...] = ()
    """Further fields of the form."""
    same_name: bool = False
    """Whether all clients upload under one file name, as cameras and scripts do, or each under its own."""


@dataclass(slots=True)
class Loaded:
    """What came of it."""

    clients: int
    seconds: float = 0.0
    answered: int = 0
    """Replies of status 200."""
    failed: int = 0
    """Replies of any other status, and connections that broke."""
    cpu: float = 0.0
    """CPU seconds that the load itself took."""
    times: list[float] = field(default_factory=list)
    """Seconds of each reply of status 200."""

    @property
    def rate(self) -> float:
        """Successful replies a second."""
        return self.answered / self.seconds

    @property
    def errors(self) -> float:
        """The share of replies that were none."""
        return self.failed / max(1, self.answered + self.failed)

    @property
    def p50(self) -> float:
        """Median milliseconds of a successful reply."""
        return statistics.median(self.times) * 1000 if self.times else float("nan")


def picture() -> bytes:
    """A JPEG of 1024 x 1024 pixels and exactly 204,406 bytes, as in the reference measurements; the same every time."""
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).normal(128, 30, (1024, 1024)).clip(0, 255).astype("uint8")
    for quality in range(95, 0, -1):
        file = io.BytesIO()
        Image.fromarray(noise).convert("RGB").save(file, "JPEG", quality=quality)
        if file.tell() <= SIZE:
            break
    return file.getvalue().ljust(SIZE, b"\0")  # the last few bytes stand after the picture's end


def message(body: bytes, ask: Ask, number: int) -> bytes:
    """The bytes of the request that client `number` sends."""
    content = "image/jpeg"
    if ask.kind == "form":
        name = "a.jpg" if ask.same_name else f"a{number}.jpg"
        fields = "".join(f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in ask.fields)
        head = f'{fields}--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'
        body, content = head.encode() + body + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
    start = f"POST {ask.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
    return start.encode() + body


async def _client(port: int, request: bytes, until: float, loaded: Loaded) -> None:
    while time.perf_counter() < until:
        try:
            await _connection(port, request, until, loaded)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            loaded.failed += 1
            await asyncio.sleep(0.01)


async def _connection(port: int, request: bytes, until: float, loaded: Loaded) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        while (began := time.perf_counter()) < until:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            await _body(reader, head)
            if head[9:12] == b"200":
                loaded.answered += 1
                loaded.times.append(time.perf_counter() - began)
            else:
                loaded.failed += 1
            if CLOSED.search(head):
                return
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> None:
    if told := LENGTH.search(head):
        await reader.readexactly(int(told[1]))
        return
    if not CHUNKED.search(head):
        raise EOFError("a reply that does not tell where it ends")
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


def load(port: int, body: bytes, ask: Ask, clients: int, seconds: float) -> Loaded:
    """Ask for that long."""
    import uvloop

    loaded = Loaded(clients)
    requests = [message(body, ask, number) for number in range(clients)]

    async def everyone() -> None:
        began, cpu = time.perf_counter(), time.process_time()
        async with asyncio.timeout(seconds + PATIENCE):
            await asyncio.gather(*(_client(port, request, began + seconds, loaded) for request in requests))
        loaded.seconds, loaded.cpu = time.perf_counter() - began, time.process_time() - cpu

    uvloop.run(everyone())
    return loaded


def main() -> None:
    """One generator as a process of its own; prints what came of it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--kind", choices=("raw", "form"), default="raw")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    loaded = load(options.port, picture(), Ask(options.kind), options.clients, options.seconds)
    json.dump(asdict(loaded) | {"times": []}, sys.stdout)


if __name__ == "__main__":
    main()
