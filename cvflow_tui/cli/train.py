"""`cvflow train`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option, quiet_option
from cvflow_tui.cli.output import number, plain, print_json, print_pairs
from cvflow_tui.cli.session import Session

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.projects import DetectionMetrics, Round


@click.command(epilog=examples("cvflow train raccoons", "cvflow train raccoons --solver nanodet --json"))
@click.argument("project")
@click.option("--solver", help="Learn with this solver from now on.")
@quiet_option
@json_option
@click.pass_obj
def train(session: Session, project: str, solver: str | None, quiet: bool, as_json: bool) -> None:
    """Run a fine-tuning round now and wait for it. Ctrl-C calls it off.

    The new checkpoint serves only if it is no worse on held-back pictures; that it is not is an outcome, not an error.
    """

    async def work(client: DaemonClient) -> Round:
        from cvflow_tui.cli.progress import Progress, follow
        from cvflow_tui.model.errors import CvflowError

        if solver:
            settings = (await client.project(project)).project.settings
            await client.change_project(project, replace(settings, solver=str(await client.resolve(solver))))
        with Progress(quiet) as progress:
            job = await follow(client, client.train(project), progress)
        # the rounds are what was written down; the job's result is only its echo
        rounds = (await client.project(project)).rounds
        found = next((each for each in rounds if each.job == job.id), None) or max(rounds, key=lambda each: each.number, default=None)
        if found is None:
            raise CvflowError(f"{project}: the round ended but is not written down")
        return found

    done = session.run(work)
    if as_json:
        print_json(plain(done))
        return
    pairs: list[tuple[str, object]] = [
        ("round", f"{done.number}: {done.state}"),
        ("pictures", done.pictures),
        ("seconds", "" if done.seconds is None else f"{done.seconds:.1f}"),
        ("before", metrics_line(done.before)),
        ("after", metrics_line(done.held_back)),
        ("checkpoint", done.checkpoint or "the package's own weights"),
        ("reason", done.reason),
    ]
    print_pairs([(name, value) for name, value in pairs if not quiet or name in ("round", "after")])


def metrics_line(found: DetectionMetrics | None) -> str:
    """`P .91  R .84  AP50 .78  AP .55 on 12 pictures`."""
    if found is None:
        return "not measured"
    return (
        f"P {number(found.precision)}  R {number(found.recall)}  AP50 {number(found.ap50)}  AP {number(found.ap)}"
        f" on {found.pictures} pictures"
    )
