"""`/jobs`: long things, awaited by long polling."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from cvflow_tui.backend.api.document import fails
from cvflow_tui.backend.api.names import LARGEST, JobId, Wait
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.jobs import Job

router = routes("jobs", "/jobs")


@router.get("")
def list_jobs(rooms: Rooms) -> list[Job]:
    """Every job, newest first."""
    return rooms.jobs.jobs()


@router.get("/{job_id}", responses=fails(404))
def show(rooms: Rooms, job_id: JobId, newer_than: Annotated[int | None, Query(ge=-1, lt=LARGEST)] = None, wait: Wait = 0) -> Job:
    """A job as it stands, or once it is newer than a revision."""
    job = rooms.jobs.get(job_id) if newer_than is None else rooms.jobs.wait(job_id, newer_than, wait)
    return _known(job, job_id)


@router.post("/{job_id}/cancel", responses=fails(404))
def cancel(rooms: Rooms, job_id: JobId) -> Job:
    """Ask a job to end."""
    return _known(rooms.jobs.cancel(job_id), job_id)


def _known(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFoundError(f"there is no job {job_id!r}")
    return job
