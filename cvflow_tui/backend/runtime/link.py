"""The runner's end of a worker: frames out, frames in, and the worker's end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from cvflow_tui.backend.runtime.marks import kill_bearers
from cvflow_tui.backend.runtime.orphans import ORPHANS
from cvflow_tui.backend.runtime.outlet import Outlet
from cvflow_tui.backend.runtime.worker import WORKER_MARK, Spawned
from cvflow_tui.model.packages import Parameter

log = logging.getLogger(__name__)

FRAME_LIMIT = 256 * 1024 * 1024
"""The longest frame, in bytes."""

TERM_SECONDS = 3.0
"""How long a worker may take to end on its own."""

LAST_WORDS_SECONDS = 0.2
"""How long what a worker wrote before it ended may take to be read."""

_LENGTH = struct.Struct(">I")
_encoder = json.JSONEncoder(separators=(",", ":"))


class WorkerGone(Exception):
    """The worker ended before it answered; the message says how."""


class CallTimeout(WorkerGone):
    """The worker was ended because a call took too long; the message says how long."""


class LoadFailed(Exception):
    """The solver could not be loaded: the last line of its traceback, and all of it."""

    def __init__(self, error: str, traceback: str) -> None:
        super().__init__(error)
        self.traceback = traceback


class CallFailed(Exception):
    """A call ended with an exception. `kind` is `input` (the sender's fault) or `solver`."""

    def __init__(self, kind: str, error: str, traceback: str) -> None:
        super().__init__(error)
        self.kind = kind
        self.traceback = traceback


@dataclass(frozen=True, slots=True)
class Ready:
    """What a loaded solver can do."""

    parameters: tuple[Parameter, ...] = ()
    trainable: bool = False
    batch: bool = False
    concurrency: int = 1
    labels: tuple[str, ...] = ()
    generation: str = ""
    """`cvpm` or `mlpm` for a solver of the original packages: its replies keep that generation's shapes."""
    attributes: Mapping[str, Any] | None = None
    """What an original's bundle says of its package."""
    documentation: str = ""
    """The docstring of `infer`."""
    hyperparameters: Mapping[str, Any] | None = None
    """What an original's `train` may be told; None where it can't be asked for."""

    @classmethod
    def read(cls, frame: Mapping[str, Any]) -> Ready:
        """From the `ready` frame."""
        return cls(
            parameters=tuple(_parameter(item) for item in frame["parameters"]),
            documentation=str(frame.get("documentation", ""))[:20_000],
            trainable=bool(frame["trainable"]),
            batch=bool(frame["batch"]),
            concurrency=max(1, int(frame.get("concurrency", 1))),
            labels=tuple(frame.get("labels", ())),
            generation=str(frame.get("generation", "")),
            attributes=frame.get("attributes"),
            hyperparameters=frame.get("hyperparameters"),
        )


class WorkerLink(asyncio.Protocol):
    """One worker process. `on_end` is called once, when its socket has closed."""

    def __init__(self, spawned: Spawned, on_end: Callable[[], None] | None = None) -> None:
        self.process = spawned.process
        self.pid = spawned.process.pid
        self._mark = spawned.mark
        self._redactor = spawned.redactor
        self.on_progress: Callable[[Mapping[str, Any]], None] | None = None
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._outlet: Outlet | None = None
        self._buffer = bytearray()
        self._next = 0
        self._calls: dict[int, asyncio.Future[list[Any]]] = {}
        self._single: asyncio.Future[Mapping[str, Any]] | None = None
        self._closed = False

    @classmethod
    async def attach(cls, spawned: Spawned, on_end: Callable[[], None] | None = None) -> WorkerLink:
        """Take over a worker that was started."""
        link = cls(spawned, on_end)
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=spawned.socket)
        link._watch()
        return link

    @property
    def closed(self) -> bool:
        """Whether the worker has gone: whatever is asked of it now fails."""
        return self._closed

    async def load(self, frame: Mapping[str, Any]) -> Ready:
        """Have the worker load its solver. Raises LoadFailed where the package's code raised, WorkerGone where the process died."""
        answer = await self._ask(frame)
        if answer["op"] == "failed":
            raise LoadFailed(self._redactor.text(str(answer["error"])), self._redactor.text(str(answer.get("traceback", ""))))
        return Ready.read(answer)

    async def ping(self) -> None:
        """Return once the worker has said that it is there. Raises WorkerGone."""
        await self._ask({"op": "ping"})

    async def train(self, frame: Mapping[str, Any], on_progress: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        """Have the worker train; returns the solver's metrics. Raises CallFailed, WorkerGone."""
        self.on_progress = on_progress
        answer = await self._ask(frame)
        if answer["op"] == "error":
            raise self._failure(answer)
        return dict(answer["metrics"])

    def call(self, files: Sequence[str], parameters: Mapping[str, Any], sizes: Sequence[Any]) -> asyncio.Future[list[Any]]:
        """Ask for the results of some pictures. The future fails with CallFailed or WorkerGone."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(WorkerGone("the solver's process has ended"))
            return future
        self._next += 1
        self._calls[self._next] = future
        self._send({"op": "infer", "id": self._next, "files": list(files), "parameters": dict(parameters), "sizes": list(sizes)})
        return future

    async def kill(self, grace: float = TERM_SECONDS) -> int:
        """End the worker and whatever it started: TERM, then KILL, to its process group. Returns its exit status."""
        if self._closed and grace:
            await self._exits(LAST_WORDS_SECONDS)  # it is ending by itself: how, is what its exit status shall tell
        if self._transport is not None:
            self._transport.abort()  # the socket's end is the polite request; a worker that waits for a frame ends at once
        self._signal(signal.SIGTERM)
        await self._exits(grace)
        self._signal(signal.SIGKILL)
        return await self.ended()

    async def _exits(self, seconds: float) -> None:
        """Give the process so long to end."""
        deadline = time.monotonic() + seconds
        while not self._exited() and time.monotonic() < deadline:  # noqa: ASYNC110 - a process's end is no event of the loop
            await asyncio.sleep(0.01)

    async def ended(self) -> int:
        """Wait for the process to end; its exit status (negative: the signal). No zombie is left, and none of its children."""
        pause = 0.005
        while not self._exited():
            await asyncio.sleep(pause)
            pause = min(0.05, pause * 1.5)
        self._signal(signal.SIGKILL)
        status = self.process.wait()
        kill_bearers(WORKER_MARK, self._mark)  # what it started in sessions of their own
        ORPHANS.worker_ended(self.process.pid)
        return status

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not derive from asyncio's
        self._outlet = Outlet(self._transport)

    def data_received(self, data: bytes) -> None:
        """Cut what came into frames."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > FRAME_LIMIT:
                self._break("a frame that is too long")
                return
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = self._buffer[_LENGTH.size : end]
            del self._buffer[:end]
            try:
                self._dispatch(json.loads(body.decode()))
            except (ValueError, KeyError, TypeError) as error:
                self._break(f"a frame that is none ({error})")
                return

    def connection_lost(self, error: Exception | None) -> None:
        """The worker is gone: so are its answers."""
        self._closed = True
        gone = WorkerGone("the solver's process ended before it answered")
        if self._single is not None and not self._single.done():
            self._single.set_exception(gone)
        for future in self._calls.values():
            if not future.done():
                future.set_exception(gone)
        self._calls.clear()
        if self._on_end is not None:
            self._on_end()

    # -- inside

    def _watch(self) -> None:
        """Have the process's end end the link: a process that it forked may hold the socket open for ever."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            return  # a system without them; the socket's end is all there is
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            loop.call_later(LAST_WORDS_SECONDS, self._hang_up)

        loop.add_reader(descriptor, ended)

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _ask(self, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._closed:
            raise WorkerGone("the solver's process has ended")
        self._single = asyncio.get_running_loop().create_future()
        self._send(frame)
        return await self._single

    def _send(self, frame: Mapping[str, Any]) -> None:
        assert self._outlet is not None
        body = _encoder.encode(frame).encode()
        self._outlet.write(_LENGTH.pack(len(body)) + body)

    def _dispatch(self, frame: Mapping[str, Any]) -> None:
        operation, number = frame["op"], frame.get("id")
        if operation == "progress":
            if self.on_progress is not None:
                self.on_progress(frame)
        elif number is None:
            if self._single is not None and not self._single.done():
                self._single.set_result(frame)
        elif (future := self._calls.pop(number, None)) is not None and not future.done():
            if operation == "result":
                future.set_result(frame["results"])
            else:
                future.set_exception(self._failure(frame))

    def _break(self, what: str) -> None:
        log.error("worker %d sent %s; it is ended", self.pid, what)
        self._signal(signal.SIGKILL)
        if self._transport is not None:
            self._transport.abort()

    def _exited(self) -> bool:
        """Whether the process has ended; leaves it unreaped, so that its number still names its group and no other's."""
        if self.process.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _signal(self, number: signal.Signals) -> None:
        if self.process.returncode is None:  # once reaped, the number may name a stranger
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _failure(self, frame: Mapping[str, Any]) -> CallFailed:
        clean = self._redactor.text
        return CallFailed(str(frame.get("kind", "solver")), clean(str(frame["error"])), clean(str(frame.get("traceback", ""))))


def _parameter(told: Mapping[str, Any]) -> Parameter:
    return Parameter(told["name"], told["type"], told["default"], told["required"], told.get("schema"))
