"""The runner's process: its loop, its log, its end."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import resource
import socket
from contextlib import suppress
from pathlib import Path

from cvflow_tui.backend.runtime.redaction import Redactor
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.backend.runtime.runner.logfile import LogFile, LogHandler
from cvflow_tui.backend.runtime.runner.scratch import Scratch
from cvflow_tui.backend.runtime.runner.server import serve
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import Spawned

KEPT_BYTES = 16 * 1024 * 1024
"""How much memory that is free for the moment stays ours."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def run_service(
    spec: RunSpec, listening: socket.socket, spawned: Spawned | None, *, log: Path | None, scratch: Path | None, by_hand: bool
) -> int:
    """Serve until told to stop; the exit status. The worker may have been started already: it loads while we import."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logfile = LogFile(log, redactor=Redactor(spec.environment.values()))
    logging.basicConfig(level=logging.INFO, handlers=[LogHandler(logfile)])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    uploads = Scratch(scratch)

    async def whole() -> int:
        return await serve(Service(spec, logfile, uploads, Limits(), spawned), listening, by_hand=by_hand)

    _keep_memory()
    gc.collect()
    gc.freeze()  # what was imported lives as long as we do: no collection need look at it again
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(whole())


def _keep_memory() -> None:
    """Keep what a picture took for the next one: glibc hands memory back piece by piece, and the kernel clears every page anew."""
    with suppress(AttributeError, OSError):  # another C library
        libc = ctypes.CDLL(None)
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            libc.mallopt(option, KEPT_BYTES)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    with suppress(ImportError):
        import uvloop

        return uvloop.Loop
    return None
