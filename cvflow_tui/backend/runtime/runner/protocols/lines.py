"""Many pictures, answered in order: each is put to the lane as it comes, each answer is one line, one bad picture is one bad line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cvflow_tui.backend.runtime.runner.asking import ask, encode, look
from cvflow_tui.backend.runtime.runner.faults import Fault, too_large
from cvflow_tui.backend.runtime.runner.incoming import WAITING
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one picture."""

    index: int
    name: str | None
    result: Any = None
    fault: Fault | None = None
    size: tuple[int, int] | None = None
    """The picture's, as displayed."""

    def encode(self) -> bytes:
        """As a line of JSON."""
        told: dict[str, Any] = {"index": self.index} | ({} if self.name is None else {"name": self.name})
        if self.fault is not None:
            return encode({**told, **self.fault.body, "status": self.fault.status}) + b"\n"
        return encode({**told, "result": self.result}) + b"\n"


class Pictures:
    """The pictures of one request. Whoever receives them calls `add` and at last `close`; whoever answers iterates."""

    def __init__(
        self, service: Service, variant: str | None, told: Callable[[int, int], None] | None = None, timeout: float | None = None
    ) -> None:
        self._service = service
        self._variant = variant
        self._told = told
        self._timeout = timeout
        self._scopes: dict[int, dict[str, Any]] = {}
        self._room = asyncio.Semaphore(service.limits.ahead)
        self._tasks: deque[asyncio.Task[Line]] = deque()
        self._more = asyncio.Event()
        self._closed = False
        self._held = 0
        self.count = 0
        self.done = 0

    async def add(self, name: str | None, upload: Upload, parameters: Mapping[str, Any], *, keep: bool = False) -> None:
        """Put a picture to the lane once few enough are under way. Its file is removed when it is answered, unless `keep` says not to.

        Raises Fault 413 beyond the number of pictures, or of bytes of answers that nobody reads.
        """
        limits = self._service.limits
        try:
            if self.count >= limits.batch:
                raise too_large(f"a batch is at most {limits.batch} pictures")
            if self._held > limits.batch_replies:
                raise too_large(f"more than {limits.batch_replies} bytes of answers wait to be read")
            await self._room.acquire()
        except BaseException:
            if not keep:
                self._service.scratch.retire(upload)
            raise
        self._start(self._answer(self.count, name, upload, parameters, keep))

    async def refuse(self, name: str | None, fault: Fault) -> None:
        """A picture that could not even be received takes its place in the order."""
        await self._room.acquire()
        self._start(self._refusal(self.count, name, fault))

    def close(self) -> None:
        """No more will come."""
        self._closed = True
        self._more.set()

    @property
    def at_work(self) -> bool:
        """Whether a worker is at one of them: that call can't be taken back."""
        lane = self._service.lane(self._variant)
        return any(not lane.takes_back(reply) for reply in self._waiting())

    def give_up(self) -> None:
        """Take all of them back for good, also what a worker is at."""
        lane = self._service.lane(self._variant)
        for reply in self._waiting():
            lane.give_up(reply)

    def _waiting(self) -> list[asyncio.Future[Any]]:
        return [reply for scope in self._scopes.values() if (reply := scope.get(WAITING)) is not None and not reply.done()]

    def abandon(self) -> None:
        """Nobody reads the answers: what waits is taken back."""
        for task in self._tasks:
            task.cancel()
        self.close()

    async def __aiter__(self) -> AsyncIterator[Line]:
        while True:
            while not self._tasks:
                if self._closed:
                    return
                self._more.clear()
                await self._more.wait()
            line = await self._tasks[0]
            self._tasks.popleft()
            yield line

    def taken(self, count: int) -> None:
        """So many bytes of answers have left."""
        self._held -= count

    def held(self, count: int) -> None:
        """So many bytes of answers wait to leave."""
        self._held += count

    def _start(self, work: Any) -> None:
        self.count += 1
        task = asyncio.create_task(work)
        task.add_done_callback(self._done)
        self._tasks.append(task)
        self._more.set()

    def _done(self, task: asyncio.Task[Line]) -> None:
        self._room.release()
        self.done += 1
        if self._told is not None:
            self._told(self.done, self.count)

    async def _refusal(self, index: int, name: str | None, fault: Fault) -> Line:
        return Line(index, name, fault=fault)

    async def _answer(self, index: int, name: str | None, upload: Upload, parameters: Mapping[str, Any], keep: bool) -> Line:
        scope = self._scopes[index] = {}
        try:
            size = await look(self._service, upload)
            lane = self._service.lane(self._variant)
            return Line(index, name, await ask(lane, upload, size, parameters, scope=scope, timeout=self._timeout), size=size)
        except Fault as fault:
            return Line(index, name, fault=fault)
        finally:
            del self._scopes[index]
            if not keep:
                self._service.scratch.retire(upload)
