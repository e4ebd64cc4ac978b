"""The demo project: made once, then like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvflow_tui.demo.pictures import credit, labels, photographs
from cvflow_tui.model.errors import BY_CODE, CvflowError, NotFoundError
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.projects import Project, ProjectSettings

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

PROJECT = "demo"
PACKAGE = "nanodet"
SOLVER = "detect"
ROUND_EVERY = 5
"""Half of the photographs: the second half shows what the first taught."""
THRESHOLD = 0.3


async def ensure_project(client: DaemonClient) -> str:
    """The demo project's name; it is made, and its solver installed, where they are not there yet. Pictures stay where they lie."""
    if any(project.name == PROJECT for project in await client.projects()):
        return PROJECT
    photographs()
    await ensure_package(client)
    await make_project(client, PROJECT)
    return PROJECT


async def ensure_package(client: DaemonClient) -> bool:
    """Install the demo's package unless it is there; returns whether it had to be."""
    if any(package.name == PACKAGE for package in await client.packages()):
        return False
    offered = await client.hub_package(PACKAGE)
    await finished(client, await client.install(offered.summary.source or PACKAGE))
    return True


async def make_project(client: DaemonClient, name: str) -> Project:
    """A new project on the demo's photographs."""
    solver = str(await client.resolve(f"{PACKAGE}/{SOLVER}"))
    settings = ProjectSettings(solver=solver, threshold=THRESHOLD, round_every=ROUND_EVERY)
    paths = [str(each.path) for each in photographs()]
    return await client.create_project(name, paths, labels(), settings=settings, credit=credit())


async def finished(client: DaemonClient, job: Job) -> Job:
    """The job once it is done. Raises what it failed with."""
    async for state in client.follow(job.id):
        job = state
    if job.state is not JobState.DONE:
        raise BY_CODE.get(job.code or "", CvflowError)(job.error or f"the {job.kind} of {job.subject} was {job.state}")
    return job


async def package_ref(client: DaemonClient) -> str:
    """`vendor/name` of the installed demo package. Raises NotFoundError where it is not installed."""
    for package in await client.packages():
        if package.name == PACKAGE:
            return package.ref
    raise NotFoundError(f"{PACKAGE} is not installed; install it: cvflow install {PACKAGE}")
