"""What every protocol's answering routes have in common: they are counted, and their faults become replies."""

from __future__ import annotations

import logging
import time

from starlette.requests import Request
from starlette.responses import Response

from cvflow_tui.backend.runtime.runner.asking import VARIANT
from cvflow_tui.backend.runtime.runner.faults import Fault, runner_failed
from cvflow_tui.backend.runtime.runner.guard import Handler, fault_reply
from cvflow_tui.backend.runtime.runner.service import Service

log = logging.getLogger(__name__)


def counted(service: Service, protocol: str, handler: Handler) -> Handler:
    """A handler that asks the solver."""

    async def answer(request: Request) -> Response:
        began = time.perf_counter()
        service.receiving += 1
        try:
            reply = await handler(request)
        except Fault as fault:
            reply = fault_reply(fault)
        except Exception:
            log.exception("the runner failed")
            reply = fault_reply(runner_failed())
        finally:
            service.receiving -= 1
        service.stats.count(time.perf_counter() - began, reply.status_code, protocol, request.headers.get(VARIANT.decode()))
        return reply

    return answer
