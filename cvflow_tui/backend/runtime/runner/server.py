"""uvicorn, told to leave signals to us."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import uvicorn

from cvflow_tui.backend.runtime.orphans import ORPHANS
from cvflow_tui.backend.runtime.runner.app import make_app
from cvflow_tui.backend.runtime.runner.direct import Direct
from cvflow_tui.backend.runtime.runner.protocol import Intake
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.model.solvers import SolverState

log = logging.getLogger(__name__)

IDLE_SECONDS = 75
"""How long an idle connection stays open; above what clients keep theirs, so that none sends on a connection that is being closed."""


class Server(uvicorn.Server):
    """A server whose signals are answered by `serve` below."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(service: Service, listening: socket.socket, *, by_hand: bool) -> int:
    """Serve until a signal, `/_cvflow/stop`, or (by hand only) a solver that fails to start; the exit status."""
    host = listening.getsockname()[0]
    app = make_app(service, host)
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(Intake, Direct(service, app.check))),  # uvicorn only ever makes it and hands it to the loop
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=int(service.limits.drain_seconds),
    )
    server = Server(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop.set)
    if by_hand:
        loop.add_signal_handler(signal.SIGHUP, service.stop.set)
    service.main.open()
    watching = [asyncio.create_task(_stop(service, server)), asyncio.create_task(_announce(service, listening, by_hand))]
    watching += [asyncio.create_task(service.history.run()), asyncio.create_task(ORPHANS.reap())]
    try:
        await server.serve(sockets=[listening])
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        failed = service.main.state is SolverState.FAILED
        await service.close()
        ORPHANS.end()
        log.info("%s has ended", service.spec.name)
    return 6 if failed and by_hand else 0


async def _stop(service: Service, server: Server) -> None:
    await service.stop.wait()
    log.info("%s is told to stop", service.spec.name)
    server.should_exit = True


async def _announce(service: Service, listening: socket.socket, by_hand: bool) -> None:
    await service.main.settled.wait()
    if not by_hand:
        return
    if service.main.state is SolverState.READY:
        host, port = listening.getsockname()[:2]
        sys.stdout.write(f"http://{f'[{host}]' if ':' in host else host}:{port}\n")
        sys.stdout.flush()
    else:
        service.stop.set()
