"""`cvflow jobs`: the long things that the daemon is doing, and calling one off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import hush_option, json_option
from cvflow_tui.cli.output import print_json, print_table, remark, say
from cvflow_tui.cli.session import Session

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.jobs import Job


@click.command(epilog=examples("cvflow jobs", "cvflow jobs --all --json", "cvflow jobs --cancel 3f0a9c21b7de"))
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--cancel", "job_id", metavar="ID", help="Call this one off; it leaves nothing behind.")
@hush_option
@json_option
@click.pass_obj
def jobs(session: Session, everything: bool, job_id: str | None, as_json: bool) -> None:
    """List installs and rounds that the daemon is at, also those whose command or app has gone."""
    if job_id is not None:
        job = session.run(lambda client: _cancel(client, job_id))
        if as_json:
            print_json(job)
        else:
            say(f"the {job.kind} of {job.subject} is {job.state}")
        return
    found = [job for job in session.run(lambda client: client.jobs()) if everything or not job.state.is_over]
    if as_json:
        print_json(found)
    elif found:
        print_table(("job", "what", "of", "state", "now"), [(job.id, job.kind, job.subject, job.state, _now(job)) for job in found])
    else:
        remark("nothing was done since the daemon began" if everything else "nothing is going on; see also: cvflow jobs --all")


async def _cancel(client: DaemonClient, job_id: str) -> Job:
    """The job once it has ended."""
    job = await client.cancel_job(job_id)
    async for state in client.follow(job.id):
        job = state
    return job


def _now(job: Job) -> str:
    from cvflow_tui.cli.progress import progress_line

    if job.state.is_over:
        return job.error or ""
    return progress_line(job.step, job.done, job.total, job.unit, job.rate, job.eta)
