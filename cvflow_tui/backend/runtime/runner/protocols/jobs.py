"""Answers that come later: `Prefer: respond-async` on `/infer` and `/batch`, `PUT /jobs/ID`, and what became of them.

A job is known by its id alone, which nobody can guess unless they chose it; there is no list of them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cvflow_tui.backend.runtime.runner.asking import VARIANT, Wishes, admit, ask, encode, expected_size, look, receive_picture, wishes
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, busy, not_found, runner_failed
from cvflow_tui.backend.runtime.runner.guard import answering
from cvflow_tui.backend.runtime.runner.incoming import WAITING, Incoming
from cvflow_tui.backend.runtime.runner.lane import Lane
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service

log = logging.getLogger(__name__)

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LONGEST_POLL = 60.0
_FINAL = ("done", "failed", "cancelled")
Work = Callable[["Job"], Awaitable[None]]


@dataclass(slots=True)
class Job:
    """One, as it stands."""

    id: str
    kind: str
    """`infer` or `batch`."""
    state: str = "receiving"
    """`receiving` (its body is still coming in), `running`, `done`, `failed`, `cancelled`."""
    done: int = 0
    total: int | None = None
    created: float = field(default_factory=time.time)
    body: bytes = b""
    media: str = "application/json"
    fault: Fault | None = None
    abandoned: bool = False
    """It was cancelled while a worker was at it: the worker goes on with that one call for a while, and its answer is thrown away.

    A worker that is at nothing else is ended and replaced then (`watch.py`).
    """
    revision: int = 0
    ended: float | None = None
    task: asyncio.Task[None] | None = None
    lane: Lane | None = None
    at_work: Callable[[], bool] | None = None
    """Whether a worker is at one of a batch's pictures."""
    give_up: Callable[[], None] | None = None
    """Takes a batch's pictures back for good."""
    scope: dict[str, Any] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in _FINAL

    @property
    def reply(self) -> dict[str, Any]:
        """What `GET /jobs/ID` says."""
        told: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "created": self.created,
            "revision": self.revision,
        }
        if self.state == "done":
            told["result_url"] = f"/jobs/{self.id}/result"
            if self.kind == "infer":
                told["result"] = json.loads(self.body)
        if self.fault is not None:
            told |= {**self.fault.body, "status": self.fault.status}
        if self.abandoned:
            told["abandoned"] = True
        return told

    def change(self, state: str | None = None) -> None:
        """Tell those who wait that something is new."""
        if state is not None:
            self.state = state
        self.revision += 1
        self.changed.set()
        self.changed = asyncio.Event()


def job_reply(job: Job, status: int) -> Response:
    """A job with its address."""
    return JSONResponse(job.reply, status, {"Location": f"/jobs/{job.id}"})


class Jobs:
    """All of one runner."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._jobs: dict[str, Job] = {}

    def routes(self) -> list[Route]:
        """Their routes."""
        return [
            Route("/jobs/{job}", answering(self._put), methods=["PUT"]),
            Route("/jobs/{job}", answering(self._get), methods=["GET"]),
            Route("/jobs/{job}", answering(self._delete), methods=["DELETE"]),
            Route("/jobs/{job}/result", answering(self._result), methods=["GET"]),
        ]

    # -- making

    def make(self, kind: str, job_id: str | None = None) -> Job:
        """A new job, not yet begun. Raises Fault 503 where too many wait."""
        self._tidy()
        if sum(not job.over for job in self._jobs.values()) >= self._service.limits.jobs:
            raise busy("too many jobs are waiting", self._service.pause(self._service.main))
        job = Job(job_id or secrets.token_hex(16), kind)
        self._jobs[job.id] = job
        return job

    def forget(self, job: Job) -> None:
        """As if it had never been: its body did not come in."""
        self._jobs.pop(job.id, None)

    def run(self, job: Job, work: Work) -> None:
        """Begin; `work` sets the job's body."""
        job.change("running")
        task = job.task = asyncio.create_task(self._run(job, work), name=f"job-{job.id}")
        self._service.tasks.add(task)
        task.add_done_callback(self._service.tasks.discard)

    def finished(self, kind: str, body: bytes, media: str) -> Job:
        """A job that is done already: a place where a result can be fetched."""
        job = self.make(kind)
        job.body, job.media = body, media
        self._end(job, "done")
        return job

    async def begin_infer(self, incoming: Incoming, wished: Wishes, job: Job | None = None) -> Job:
        """Receive a picture and begin a job that asks for its result. Raises Fault."""
        service, variant = self._service, incoming.header(VARIANT)
        job = job or self.make("infer")
        job.total = 1
        upload: Upload | None = None
        try:
            admit(service, service.lane(variant))
            expected = expected_size(incoming, service.limits.body)
            upload = service.scratch.file(expected, service.limits.body)
            parameters = await receive_picture(service, incoming, upload, expected)
            size = await look(service, upload)
            lane = service.lane(variant)
            admit(service, lane)
        except BaseException:
            self.forget(job)
            if upload is not None:
                service.scratch.retire(upload)
            raise
        received = upload

        async def work(job: Job) -> None:
            job.lane = lane
            with received:
                job.body = encode(await ask(lane, received, size, parameters, scope=job.scope, timeout=wished.timeout))
            job.done = 1

        self.run(job, work)
        return job

    # -- running and ending

    async def _run(self, job: Job, work: Work) -> None:
        try:
            await work(job)
            self._end(job, "done")
        except asyncio.CancelledError:
            self._end(job, "cancelled")
        except Fault as fault:
            job.fault = fault
            self._end(job, "cancelled" if fault.status == 499 else "failed")
        except Exception:
            log.exception("job %s failed", job.id)
            job.fault = runner_failed()
            self._end(job, "failed")

    def _end(self, job: Job, state: str) -> None:
        job.ended, job.lane, job.at_work, job.give_up = time.monotonic(), None, None, None
        job.scope.clear()
        job.change(state)
        asyncio.get_running_loop().call_later(self._service.limits.job_seconds + 1, self._tidy)
        self._tidy()

    def _tidy(self) -> None:
        """Forget what is too old, and the oldest where there are too many or too much."""
        limits, now = self._service.limits, time.monotonic()
        over = sorted((job for job in self._jobs.values() if job.ended is not None), key=lambda job: job.ended or 0.0)
        held = sum(len(job.body) for job in over)
        for number, job in enumerate(over):
            expired = now - (job.ended or 0.0) > limits.job_seconds
            if not expired and len(over) - number <= limits.jobs_kept and held <= limits.job_bytes:
                break
            held -= len(job.body)
            del self._jobs[job.id]

    # -- routes

    async def _put(self, request: Request) -> Response:
        """Ask under an id of one's own: asked again, the same job answers."""
        job_id = request.path_params["job"]
        if not ID.fullmatch(job_id):
            raise bad_input("a job's id is 1 to 64 letters, digits and . _ -")
        incoming = Incoming(request.scope, request.receive)
        if (known := self._jobs.get(job_id)) is not None:
            more, read = True, 0
            while more and read <= self._service.limits.body:  # a client that is cut off while it sends does not read the answer
                piece, more = await incoming.piece()
                read += len(piece)
            return job_reply(known, 200)
        job = await self.begin_infer(incoming, wishes(incoming), self.make("infer", job_id))
        self._service.stats.count(None, 201, "jobs", incoming.header(VARIANT))
        return job_reply(job, 201)

    async def _get(self, request: Request) -> Response:
        """How it stands: at once, or once it is newer than `newer_than`, for up to `wait` seconds; as events where those are accepted."""
        job = self._of(request)
        if "text/event-stream" in request.headers.get("accept", ""):
            return StreamingResponse(_events(job), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        wait = min(LONGEST_POLL, _number(request, "wait", 0.0))
        newer = _number(request, "newer_than", float(job.revision))
        until = time.monotonic() + wait
        while wait and not job.over and job.revision <= newer and (left := until - time.monotonic()) > 0:
            await _changed(job, left)
        return job_reply(job, 200)

    async def _delete(self, request: Request) -> Response:
        """Cancel what is not over; forget what is."""
        job = self._of(request)
        if job.over:
            self.forget(job)
            return job_reply(job, 200)
        if job.state == "receiving":
            raise Fault(409, "its body is still being received: close that connection", "refused")
        waiting = job.scope.get(WAITING)
        if job.lane is not None and waiting is not None:
            job.abandoned = not job.lane.takes_back(waiting)
            job.lane.give_up(waiting)
        elif job.at_work is not None and job.give_up is not None:
            job.abandoned = job.at_work()
            job.give_up()
        if job.task is not None:
            job.task.cancel()
            await asyncio.gather(job.task, return_exceptions=True)
        if not job.over:  # it had not even begun
            self._end(job, "cancelled")
        return job_reply(job, 200)

    async def _result(self, request: Request) -> Response:
        """The answer itself, as the request would have had it."""
        job = self._of(request)
        if job.fault is not None:
            raise job.fault
        if job.state != "done":
            raise Fault(409, f"the job is {job.state}", "refused")
        return Response(job.body, media_type=job.media)

    def result(self, job_id: str) -> Job | None:
        """A job that is done, by its id."""
        self._tidy()
        job = self._jobs.get(job_id)
        return job if job is not None and job.state == "done" else None

    def _of(self, request: Request) -> Job:
        self._tidy()
        if (job := self._jobs.get(request.path_params["job"])) is None:
            raise not_found("no such job")
        return job


async def _changed(job: Job, seconds: float) -> None:
    try:
        await asyncio.wait_for(job.changed.wait(), seconds)
    except TimeoutError:
        return


async def _events(job: Job) -> AsyncIterator[bytes]:
    """Server-sent events: `progress` whenever something is new, then one named after how it ended; a comment now and then."""
    told = -1
    while True:
        if job.revision != told:
            told = job.revision
            name = job.state if job.over else "progress"
            yield f"event: {name}\nid: {told}\ndata: {json.dumps(job.reply)}\n\n".encode()
        if job.over:
            return
        await _changed(job, 15.0)
        if job.revision == told:
            yield b": still here\n\n"


def _number(request: Request, name: str, default: float) -> float:
    told = request.query_params.get(name)
    if told is None:
        return default
    try:
        value = float(told)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise bad_input(f"{name} must be a number, 0 or more")
    return value
