"""`POST /infer`: a picture in, a result out."""

from __future__ import annotations

import logging
import time

from starlette.types import Receive, Scope, Send

from cvflow_tui.backend.runtime.runner.asking import (
    VARIANT,
    Wishes,
    admit,
    ask,
    encode,
    expected_size,
    look,
    receive_picture,
    wishes,
)
from cvflow_tui.backend.runtime.runner.faults import Fault, runner_failed
from cvflow_tui.backend.runtime.runner.guard import fault_reply
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.protocols.jobs import Jobs, job_reply
from cvflow_tui.backend.runtime.runner.protocols.original import original_fault, speaks_original, upload_headers
from cvflow_tui.backend.runtime.runner.service import Service

log = logging.getLogger(__name__)

_JSON = (b"content-type", b"application/json")


class Infer:
    """The route's handler."""

    def __init__(self, service: Service, jobs: Jobs) -> None:
        self._service = service
        self._jobs = jobs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens to it. An ASGI application of its own: the way to it is short."""
        service, began, status = self._service, time.perf_counter(), 200
        service.receiving += 1
        incoming = Incoming(scope, receive)
        try:
            wished = wishes(incoming)
            if wished.later:
                job = await self._jobs.begin_infer(incoming, wished)
                status = 202
                await job_reply(job, 202)(scope, receive, send)
                return
            body = await self._answer(incoming, scope, wished)
        except Fault as fault:
            status = fault.status
            original = speaks_original(service, incoming.content_type)
            await fault_reply(original_fault(fault) if original else fault)(scope, receive, send)
        except Exception:
            status = 500
            log.exception("the runner failed")
            await fault_reply(runner_failed())(scope, receive, send)
        else:
            headers = [_JSON, (b"content-length", b"%d" % len(body)), *upload_headers(service)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            service.receiving -= 1
            service.stats.count(time.perf_counter() - began, status, "infer", incoming.header(VARIANT))

    async def _answer(self, incoming: Incoming, scope: Scope, wished: Wishes) -> bytes:
        service, variant = self._service, incoming.header(VARIANT)
        admit(service, service.lane(variant))
        expected = expected_size(incoming, service.limits.body)
        with service.scratch.file(expected, service.limits.body) as upload:
            parameters = await receive_picture(service, incoming, upload, expected)
            size = await look(service, upload)
            # The lane is asked for again: while the body came in, the variant may have been promoted and the old worker left.
            lane = service.lane(variant)
            admit(service, lane)
            return encode(await ask(lane, upload, size, parameters, scope=scope, timeout=wished.timeout))
