"""`POST /infer`: a picture in, a result out."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from starlette.types import Receive, Scope, Send

from cvflow_tui.backend.runtime.link import CallFailed, WorkerGone
from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, busy, runner_failed, solver_failed, too_large
from cvflow_tui.backend.runtime.runner.forms import receive_form, receive_raw
from cvflow_tui.backend.runtime.runner.guard import fault_reply
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.lane import Lane, Unavailable
from cvflow_tui.backend.runtime.runner.pictures import displayed_size
from cvflow_tui.backend.runtime.runner.scratch import Upload
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

VARIANT = b"x-cvflow-variant"
_JSON = (b"content-type", b"application/json")


class Infer:
    """The route's handler."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens to it. An ASGI application of its own: the way to it is short."""
        service, began = self._service, time.perf_counter()
        service.receiving += 1
        failed = True
        try:
            result = await self._answer(Incoming(scope, receive))
            body = json.dumps(result, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
            failed = False
        except Fault as fault:
            failed = fault.status >= 500
            await fault_reply(fault)(scope, receive, send)
        except Exception:
            log.exception("the runner failed")
            await fault_reply(runner_failed())(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON, (b"content-length", b"%d" % len(body))]})
            await send({"type": "http.response.body", "body": body})
        finally:
            service.receiving -= 1
            service.stats.count(time.perf_counter() - began, failed)

    async def _answer(self, incoming: Incoming) -> Any:
        service = self._service
        variant = incoming.header(VARIANT)
        lane = service.lane(variant)
        if service.receiving > service.limits.queue:
            raise busy("too many requests are waiting")
        with service.scratch.file(self._expected(incoming), service.limits.body) as upload:
            parameters = await self._receive(incoming, upload)
            upload.complete()
            size = self._look(upload)
            # The lane is asked for again: while the body came in, the variant may have been promoted and the old worker left.
            lane = service.lane(variant)
            return await self._ask(lane, upload, size, parameters)

    def _expected(self, incoming: Incoming) -> int:
        limit = self._service.limits.body
        told = incoming.header(b"content-length")
        if told is None:
            return limit
        expected = int(told) if told.isdecimal() else limit
        if expected > limit + 64 * 1024:  # a form has a little around the picture
            raise too_large(f"the body is {expected} bytes; at most {limit} are taken")
        return expected

    async def _receive(self, incoming: Incoming, upload: Upload) -> dict[str, str]:
        kind = incoming.content_type
        parameters = incoming.query()
        try:
            async with asyncio.timeout(self._service.limits.upload_seconds):
                if kind == "multipart/form-data":
                    parameters.update(await receive_form(incoming, upload, self._service.limits))
                elif kind.startswith("image/") or kind == "application/octet-stream":
                    await receive_raw(incoming, upload)
                else:
                    raise Fault(415, f"a body of type {kind[:60]!r} is not taken; send image/* or a multipart form", "usage")
        except TimeoutError:
            raise Fault(408, "the body did not arrive in time", "usage") from None
        if upload.size == 0:
            raise bad_input("the picture is empty")
        return parameters

    def _look(self, upload: Upload) -> tuple[int, int] | None:
        """The picture's size. Raises Fault 400 for what is no picture (solvers of task `other` may take other files), 413 for a bomb."""
        size = displayed_size(upload.descriptor)
        if size is None:
            if self._service.spec.task == "other":
                return None
            raise bad_input("the picture can't be read: this is no picture format we know")
        if size[0] * size[1] > self._service.limits.pixels:
            raise too_large(
                f"the picture has {size[0]} x {size[1]} pixels; at most {self._service.limits.pixels // 1_000_000} million are taken"
            )
        return size

    async def _ask(self, lane: Lane, upload: Upload, size: tuple[int, int] | None, parameters: dict[str, str]) -> Any:
        try:
            return await lane.submit(upload.path, size, parameters)
        except Unavailable as error:
            raise busy(str(error)) from None
        except WorkerGone as error:
            raise busy(str(error)) from None
        except CallFailed as error:
            # The private path of the upload is nobody's business; the sender knows it as "the picture".
            message = one_line(str(error).replace(upload.path, "the picture"), 500)
            raise (bad_input(message) if error.kind == "input" else solver_failed(message)) from None
