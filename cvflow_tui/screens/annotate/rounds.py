"""Following fine-tuning rounds while somebody annotates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.projects import Round

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient


class RoundWatch:
    """Follows one round at a time; `moved` hears each change, `ended` the end, `failed` why it could no longer be followed."""

    def __init__(
        self,
        client: DaemonClient,
        moved: Callable[[Job], None],
        ended: Callable[[Job], Awaitable[None]],
        failed: Callable[[CvflowError], None],
    ) -> None:
        self._client = client
        self._moved = moved
        self._ended = ended
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self._over: set[str] = set()
        self.job: Job | None = None
        """The round that runs, or None."""
        self._following: str | None = None

    def follow(self, job_id: str) -> None:
        """Follow a round's job, unless it is followed already or was seen to end."""
        if job_id == self._following or job_id in self._over:
            return
        if self._task is not None:
            self._task.cancel()
        self._following = job_id
        self._task = asyncio.create_task(self._watch(job_id))

    def close(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._following, self.job = None, None, None

    async def _watch(self, job_id: str) -> None:
        last: Job | None = None
        try:
            async for job in self._client.follow(job_id):
                last = job
                self.job = None if job.state.is_over else job
                if self.job is not None:
                    self._moved(job)
            self._over.add(job_id)
            if last is not None:
                await self._ended(last)
        except CvflowError as error:
            self._failed(error)
        finally:
            if self._following == job_id:
                self._following, self.job = None, None

    @staticmethod
    def outcome(job: Job, rounds: Sequence[Round]) -> Round | None:
        """The round a job belongs to: the one that names it, or else the newest."""
        named = [each for each in rounds if each.job == job.id]
        return max(named or rounds, key=lambda each: each.number, default=None)
