"""`POST /batch`: many pictures of one form, answered line by line as they are done; or the original's CSV of rows.

A form of pictures (each a part with a file name, after the text fields that hold for all): lines of JSON in the order of the parts, while
the rest is still being sent. A form whose first file is a CSV: each row is one question, its cells the parameters, its picture the part of
the form that the cell `image` (or `file`, `input_file_path`) names, or a data: URL there. A cell never names a file of this machine.
A body that is a CSV, or lines of JSON, is such a table without its form: answered in its own kind unless `Accept` names the other.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cvflow_tui.backend.runtime.runner.asking import VARIANT, admit, encode, wishes
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, not_found, runner_failed, too_large
from cvflow_tui.backend.runtime.runner.forms import feed
from cvflow_tui.backend.runtime.runner.guard import answering, fault_reply
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.protocols.batch_form import CSV_TYPES, LINE_TYPES, BatchForm
from cvflow_tui.backend.runtime.runner.protocols.cells import write_rows
from cvflow_tui.backend.runtime.runner.protocols.jobs import Job, Jobs, job_reply
from cvflow_tui.backend.runtime.runner.protocols.lines import Line, Pictures
from cvflow_tui.backend.runtime.runner.protocols.original import may_lack_picture, public_file
from cvflow_tui.backend.runtime.runner.protocols.streaming import Stream
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service

log = logging.getLogger(__name__)

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PICTURE_CELLS = ("image", "file", "input_file_path")


class Batch:
    """The routes."""

    def __init__(self, service: Service, jobs: Jobs) -> None:
        self._service = service
        self._jobs = jobs

    def routes(self) -> list[Route]:
        """Theirs."""
        return [
            Route("/batch", self._batch, methods=["POST"]),
            Route("/static/{name}", answering(self._static), methods=["GET"]),
        ]

    async def _batch(self, request: Request) -> Response:
        """Receive and answer."""
        service = self._service
        variant = request.headers.get(VARIANT.decode())
        service.receiving += 1
        status = 200
        try:
            incoming = Incoming(request.scope, request.receive)
            if incoming.content_type not in ("multipart/form-data", *CSV_TYPES, *LINE_TYPES):
                raise Fault(415, "send the pictures as parts of a multipart form, or rows as CSV or lines of JSON", "usage")
            wished = wishes(incoming)
            admit(service, service.lane(variant))
            run = _Run(service, self._jobs, incoming, variant, wished.timeout)
            reply = await (run.later() if wished.later else run.now())
            status = reply.status_code
            if isinstance(reply, Stream):
                service.receiving += 1
                reply.at_end = self._streamed
            return reply
        except Fault as fault:
            status = fault.status
            return fault_reply(fault)
        finally:
            service.receiving -= 1
            service.stats.count(None, status, "batch", variant)

    def _streamed(self) -> None:
        self._service.receiving -= 1

    async def _static(self, request: Request) -> Response:
        """The CSV that a batch made."""
        name, _, ending = request.path_params["name"].rpartition(".")
        job = self._jobs.result(name) if ending == "csv" else None
        if job is None or job.media != CSV:
            if (file := public_file(self._service, request.path_params["name"])) is not None:
                return file
            raise not_found("no such file")
        return Response(job.body, media_type=CSV)


class _Run:
    """One request."""

    def __init__(self, service: Service, jobs: Jobs, incoming: Incoming, variant: str | None, timeout: float | None) -> None:
        self._service = service
        self._jobs = jobs
        self._incoming = incoming
        self._kind = _kind_of_answer(incoming)
        self._job: Job | None = None
        self._pictures = Pictures(service, variant, self._told, timeout)
        self._form = BatchForm(service, self._pictures)

    async def now(self) -> Response:
        """Answer on this connection: the kind of answer is known with the first file of the form."""
        receiving = asyncio.create_task(self._receive())
        self._service.tasks.add(receiving)
        receiving.add_done_callback(self._service.tasks.discard)
        try:
            await self._form.decided.wait()
        except BaseException:
            receiving.cancel()
            raise
        if not self._form.has_rows and self._form.started:
            self._incoming.when_gone(self._pictures.abandon)
            return Stream(self._stream(receiving), NDJSON)
        try:
            await receiving
        except BaseException:
            self._form.files.close()
            raise
        if not self._form.has_rows:
            return Response(b"", media_type=NDJSON)
        body, kind = await self._table()
        if self._kind is not None:
            return Response(body, media_type=kind)
        return JSONResponse({"filename": f"{self._jobs.finished('batch', body, kind).id}.csv"})

    async def later(self) -> Response:
        """Receive all of it, then answer with a job."""
        job = self._job = self._jobs.make("batch")
        job.at_work, job.give_up = lambda: self._pictures.at_work, self._pictures.give_up
        reading = asyncio.create_task(self._collect())
        try:
            await self._receive()
        except BaseException:
            reading.cancel()
            self._pictures.abandon()
            self._form.files.close()
            self._jobs.forget(job)
            raise

        async def work(job: Job) -> None:
            try:
                job.total = max(len(self._form.rows), self._pictures.count)
                if self._form.has_rows:
                    reading.cancel()
                    job.body, job.media = await self._table()
                else:
                    job.body, job.media = await reading, NDJSON
            except asyncio.CancelledError:
                reading.cancel()
                self._pictures.abandon()
                raise

        self._jobs.run(job, work)
        return job_reply(job, 202)

    def _told(self, done: int, count: int) -> None:
        if self._job is not None:
            self._job.done = done
            self._job.change()

    async def _receive(self) -> None:
        try:
            async with asyncio.timeout(self._service.limits.batch_seconds):
                if self._incoming.content_type == "multipart/form-data":
                    await feed(self._incoming, self._form, self._form.drain)
                else:
                    await self._form.take(self._incoming)
                    return
            await self._form.whole()
        except TimeoutError:
            raise Fault(408, "the body did not arrive in time", "usage") from None
        finally:
            self._form.give_up()
            self._form.decided.set()
            if not self._form.has_rows:
                self._pictures.close()

    async def _collect(self) -> bytes:
        lines = []
        async for line in self._pictures:
            lines.append(encoded := line.encode())
            self._pictures.held(len(encoded))
        return b"".join(lines)

    async def _stream(self, receiving: asyncio.Task[None]) -> AsyncGenerator[bytes, None]:
        """Lines as they are done. They are gathered beside the sending, so that a client which sends all before it reads is no deadlock."""
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()

        async def gather() -> None:
            try:
                async for line in self._pictures:
                    encoded = line.encode()
                    self._pictures.held(len(encoded))
                    lines.put_nowait(encoded)
                lines.put_nowait(await _last_words(receiving))
            finally:
                lines.put_nowait(None)

        gathering = asyncio.create_task(gather())
        try:
            while (line := await lines.get()) is not None:
                self._pictures.taken(len(line))
                if line:
                    yield line
        finally:
            self._pictures.abandon()
            receiving.cancel()
            gathering.cancel()
            await asyncio.gather(receiving, gathering, return_exceptions=True)

    async def _table(self) -> tuple[bytes, str]:
        """What the rows were answered, and its kind."""
        with self._form.files:
            if self._kind == NDJSON:
                return b"".join([line.encode() async for line, _ in self._rows()]), NDJSON
            return write_rows([_joined(line, row) async for line, row in self._rows()]), CSV

    async def _rows(self) -> AsyncIterator[tuple[Line, dict[str, str]]]:
        """Each row's answer, in order."""
        pictures, rows = self._pictures, self._form.rows

        async def ask_all() -> None:
            try:
                for row in rows:
                    await self._ask_row(row)
            finally:
                pictures.close()

        asking = asyncio.create_task(ask_all())
        try:
            number = 0
            async for line in pictures:
                yield line, rows[number]
                number += 1
            await asking
        finally:
            asking.cancel()
            pictures.abandon()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask_row(self, row: dict[str, str]) -> None:
        name = next((column for column in PICTURE_CELLS if row.get(column)), None)
        parameters = {**self._form.parameters, **{key: value for key, value in row.items() if value != "" and key not in PICTURE_CELLS}}
        try:
            if name is None and may_lack_picture(self._service):
                await self._pictures.add(None, await self._service.scratch.keep(b"", self._service.limits.body), parameters)
                return
            if name is None:
                raise bad_input(f"the row names no picture: fill its cell {PICTURE_CELLS[0]!r}")
            if (upload := self._form.uploads.get(row[name])) is not None:
                await self._pictures.add(None, upload, parameters, keep=True)
                return
            if not row[name].startswith("data:"):
                raise bad_input(f"the form has no part whose file name is {row[name][:100]!r}")
            await self._pictures.add(None, await _decoded(self._service, row[name]), parameters)
        except Fault as fault:
            await self._pictures.refuse(None, fault)


def _kind_of_answer(incoming: Incoming) -> str | None:
    """CSV or lines, as `Accept` says, or as the rows came; None for the original's form, whose CSV is fetched."""
    accept = incoming.header(b"accept") or ""
    if NDJSON in accept or CSV in accept:
        return NDJSON if NDJSON in accept else CSV
    if incoming.content_type in LINE_TYPES:
        return NDJSON
    return CSV if incoming.content_type in CSV_TYPES else None


def _joined(line: Line, row: dict[str, str]) -> dict[str, Any]:
    """The original's `row.update(result)`."""
    cells: dict[str, Any] = {key: value if not value.startswith("data:") else "data:…" for key, value in row.items()}
    if line.fault is not None:
        return {**cells, "error": line.fault.error}
    result = line.result if isinstance(line.result, dict) else {"result": line.result}
    # Our results have an `image` of their own; which picture it was is what the row said.
    return {**cells, **result, **{name: cells[name] for name in PICTURE_CELLS if name in cells}}


async def _last_words(receiving: asyncio.Task[None]) -> bytes:
    """A line for what went wrong with the form as a whole, once its first pictures were answered."""
    try:
        await receiving
    except Fault as fault:
        return encode({"index": None, **fault.body, "status": fault.status}) + b"\n"
    except Exception:
        log.exception("a batch failed")
        return encode({"index": None, **runner_failed().body, "status": 500}) + b"\n"
    return b""


async def _decoded(service: Service, url: str) -> Upload:
    """The picture in a data: URL, as a file. Raises Fault 400, 413."""
    head, comma, data = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise bad_input("a picture in a cell is written data:image/…;base64,…")
    if len(data) > service.limits.body * 4 // 3 + 4:
        raise too_large(f"the picture is larger than {service.limits.body} bytes")
    try:
        content = b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise bad_input("the picture's base64 can't be read") from None
    return await service.scratch.keep(content, service.limits.body)
