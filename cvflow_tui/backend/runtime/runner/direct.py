"""The short way of a plain picture that came whole: answered without a task of its own. Whatever is special goes the long way (`infer.py`).

Nothing is refused here. Where a check does not hold, the request takes the long way, and is refused there, in the same words as ever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Scope

from cvflow_tui.backend.runtime.runner.asking import PREFER, TIMEOUT, VARIANT, admit, encode, fault_of
from cvflow_tui.backend.runtime.runner.faults import Fault, runner_failed
from cvflow_tui.backend.runtime.runner.guard import fault_reply
from cvflow_tui.backend.runtime.runner.incoming import WAITING, headers_of, kind_of, query_of
from cvflow_tui.backend.runtime.runner.lane import Unavailable
from cvflow_tui.backend.runtime.runner.pictures import Bomb, oversize, quick_facts
from cvflow_tui.backend.runtime.runner.scratch import SPARE_BYTES, Upload
from cvflow_tui.backend.runtime.runner.service import Service

log = logging.getLogger(__name__)

_WISHES = frozenset({VARIANT, TIMEOUT, PREFER, b"content-encoding"})
"""Headers of those who want something else than the plain answer, or send something else than the plain picture."""

Reply = Callable[[bytes], None]
"""Answers a request with 200 and these bytes of JSON."""
Otherwise = Callable[[ASGIApp], None]
"""Has an application answer it."""


class Direct:
    """Takes what it can. `check` raises the Fault of a request that the doors (`guard.py`) would refuse."""

    def __init__(self, service: Service, check: Callable[[Scope], None]) -> None:
        self._service = service
        self._check = check

    def take(self, scope: Scope, body: bytes | memoryview, reply: Reply, otherwise: Otherwise) -> bool:
        """Whether the request is taken: then `reply` or `otherwise` is called later, once."""
        if scope["path"] != "/infer" or scope["method"] != "POST" or not 0 < len(body) <= SPARE_BYTES:
            return False
        headers, service = headers_of(scope), self._service
        kind = kind_of(headers.get(b"content-type"))
        if not (kind.startswith("image/") or kind == "application/octet-stream") or not _WISHES.isdisjoint(headers):
            return False
        if service.main.ready.generation or len(body) > service.limits.body:
            return False
        began = time.perf_counter()
        service.receiving += 1
        upload: Upload | None = None
        try:
            self._check(scope)
            admit(service, service.main)
            upload = service.scratch.file(len(body), service.limits.body)
            answer = self._submit(scope, body, upload)
        except (Fault, Bomb, Unavailable, OSError):
            answer = None  # what it is, is told on the long way
        if answer is None:
            service.receiving -= 1
            if upload is not None:
                service.scratch.retire(upload)
            return False
        assert upload is not None
        scope[WAITING] = answer
        answer.add_done_callback(partial(self._answered, upload, began, reply, otherwise))
        return True

    def _submit(self, scope: Scope, body: bytes | memoryview, upload: Upload) -> asyncio.Future[Any] | None:
        """The picture put to the lane; None where that takes more than a look at its first bytes."""
        if not upload.in_memory:
            return None
        upload.put(body)
        upload.complete()
        limits = self._service.limits
        facts = quick_facts(upload.descriptor, limits.inflated)
        if facts is None or oversize(facts, limits) is not None:
            return None
        return self._service.main.submit(upload.path, facts.size, query_of(scope["query_string"]))

    def _answered(self, upload: Upload, began: float, reply: Reply, otherwise: Otherwise, answer: asyncio.Future[Any]) -> None:
        service, status = self._service, 200
        try:
            if answer.cancelled():
                upload.leave()  # a worker may still read it
            service.scratch.retire(upload)
            error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
            if error is None:
                reply(encode(answer.result()))
            else:
                fault = fault_of(error, upload.path)
                status = fault.status
                otherwise(fault_reply(fault))
        except Exception:
            status = 500
            log.exception("the runner failed")
            otherwise(fault_reply(runner_failed()))
        finally:
            service.receiving -= 1
            service.stats.count(time.perf_counter() - began, status, "infer")
