"""The whole path, unattended: from an empty home to a model that learnt, an export that loads, and nothing left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cvflow_tui.demo.checks import is_gone, require
from cvflow_tui.demo.report import DemoReport, Listener, Measures, Recorder
from cvflow_tui.demo.walk import Walk
from cvflow_tui.model.errors import CvflowError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.home import Home

Connect = Callable[["Home"], Awaitable["DaemonClient"]]
Find = Callable[["Home"], Awaitable["DaemonClient | None"]]


async def run_batch(home: Home, connect: Connect, find: Find, listener: Listener | None = None) -> DemoReport:
    """Walk the path in `home` and report each step. Never raises a CvflowError: the failing step is in the report.

    What was there before (a daemon, the package, a running solver, projects) is left as it was.
    """
    report = DemoReport(str(home.root))
    began = time.monotonic()
    try:
        await _walk(home, connect, find, report, listener)
    except CvflowError as error:
        if report.error is None:
            report.error, report.code = error.message, error.code
    report.seconds = time.monotonic() - began
    return report


async def _walk(home: Home, connect: Connect, find: Find, report: DemoReport, listener: Listener | None) -> None:
    recorder = Recorder(report, listener)
    clients: list[DaemonClient] = []
    served = await _is_served(home, find)

    async def begin() -> Measures:
        clients.append(await connect(home))
        status = await clients[0].status()
        return {"pid": status.pid, "url": status.url, "version": status.version, "was_running": served}

    daemon_pid = int((await recorder.step("daemon", begin))["pid"])
    client = clients[0]
    walk = Walk(client, home, recorder, f"demo-batch-{os.getpid()}")
    try:
        await walk.run()
    except BaseException:
        # whatever ended the walk, Ctrl-C too, is told only after everything it left has been taken away
        await walk.clean_up()
        await _end_quietly(client, served)
        raise
    await recorder.step("end", lambda: _end(client, daemon_pid, served))


async def _is_served(home: Home, find: Find) -> bool:
    client = await find(home)
    if client is None:
        return False
    async with client:
        return (await client.status()).pid > 0


async def _end(client: DaemonClient, pid: int, served: bool) -> Measures:
    if served:
        await client.close()
        return {"daemon": "goes on as before"}
    await client.shutdown(stop_solvers=True)
    await client.close()
    await wait_until(lambda: is_gone(pid), f"the daemon (pid {pid}) is still there")
    return {"daemon": "ended", "pid_gone": True}


async def _end_quietly(client: DaemonClient, served: bool) -> None:
    try:
        if not served:
            await client.shutdown(stop_solvers=True)
    except CvflowError:
        # the walk's own error is the one to tell; a daemon that can't be reached can't be ended either
        return
    finally:
        await client.close()


async def wait_until(holds: Callable[[], bool], otherwise: str, seconds: float = 30.0) -> None:
    """Wait for something that another process does. Raises CvflowError with `otherwise` after `seconds`."""
    import asyncio

    deadline = time.monotonic() + seconds
    while not holds():
        require(time.monotonic() < deadline, f"{otherwise} after {seconds:.0f} s")
        await asyncio.sleep(0.05)
