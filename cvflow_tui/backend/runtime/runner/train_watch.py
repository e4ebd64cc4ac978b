"""Looks after a worker that trains: does it become ready, does it grow, does it say anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from typing import Any

from cvflow_tui.backend.runtime.link import LoadFailed, WorkerLink
from cvflow_tui.backend.runtime.runner.watch import LOOK_SECONDS, resident, too_large
from cvflow_tui.model.settings import SolverSettings


class TrainingGivenUp(Exception):
    """The training was ended: the message says why."""


class TrainWatch:
    """Watches one training. Signs of life are a report of its progress and whatever it prints: some trainings know no other."""

    def __init__(self, link: WorkerLink, settings: SolverSettings) -> None:
        self._link = link
        self._settings = settings
        self._heard: float | None = None

    def heard(self) -> None:
        """A sign of life."""
        if self._heard is not None:
            self._heard = time.monotonic()

    async def over(self, load: Mapping[str, Any], training: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Have the worker load and train; the metrics. The caller ends the worker.

        Raises what that raises, LoadFailed, or TrainingGivenUp as soon as there is a reason.
        """
        work = asyncio.create_task(self._work(load, training))
        watching = asyncio.create_task(self._verdict())
        try:
            await asyncio.wait({work, watching}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise TrainingGivenUp(watching.result())
        finally:
            for task in (work, watching):
                task.cancel()
            await asyncio.gather(work, watching, return_exceptions=True)
            training.close()  # where it never came to that

    async def _work(self, load: Mapping[str, Any], training: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        limit = self._settings.start_timeout
        try:
            await asyncio.wait_for(self._link.load(load), limit)
        except TimeoutError:
            raise LoadFailed(f"its worker was not ready after {limit:g} s (setting start_timeout)", "") from None
        self._heard = time.monotonic()
        return await training

    async def _verdict(self) -> str:
        memory, stall = self._settings.memory, self._settings.train_stall
        pause = LOOK_SECONDS if stall is None else min(LOOK_SECONDS, stall / 4)
        while True:
            await asyncio.sleep(pause)
            if memory is not None and (used := resident(self._link.pid)) > memory:
                return too_large(used, memory)
            if stall is not None and self._heard is not None and time.monotonic() - self._heard > stall:
                return f"it reported no progress and printed nothing for {stall:g} s (setting train_stall)"
