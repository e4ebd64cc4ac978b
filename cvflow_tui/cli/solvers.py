"""`cvflow start`, `stop`, `ps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import hush_option, json_option, quiet_option
from cvflow_tui.cli.output import print_json, print_table, remark, say, size, span
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import RefusedError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.solvers import RunningSolver

SHORT = ("package", "solver", "state", "port", "pid", "url")
"""What `start --json` prints: scripts rely on it."""


def facts(solver: RunningSolver) -> dict[str, Any]:
    """What `ps --json` prints of a solver: what `start` prints, and how it does."""
    from cvflow_tui.cli.output import plain

    told: dict[str, Any] = plain(solver)
    return {**{name: told[name] for name in SHORT}, **told}


@click.command(
    epilog=examples(
        "cvflow start nanodet",
        "cvflow start cvflow/nanodet/detect --port 8080 --json",
        "curl --data-binary @street.jpg $(cvflow start nanodet -q)/infer",
    )
)
@click.argument("name")
@click.option("--port", type=click.IntRange(1, 65535), help="The port it shall own; any free one if not said.")
@quiet_option
@json_option
@click.pass_obj
def start(session: Session, name: str, port: int | None, quiet: bool, as_json: bool) -> None:
    """Run a solver as a REST service. Returns when it is ready, or says why it failed.

    NAME is VENDOR/PACKAGE/SOLVER, or any part of it that is unique.
    """

    async def work(client: DaemonClient) -> RunningSolver:
        from cvflow_tui.cli.progress import Progress

        with Progress(quiet or as_json) as progress:
            progress.show(f"starting {name}")
            solver = await client.start_solver(name, port=port)
            if port is not None and solver.port != port:
                raise RefusedError(f"{solver.name} runs already, at port {solver.port}; stop it first: cvflow stop {solver.name}")
            return solver

    solver = session.run(work)
    if as_json:
        told = facts(solver)
        print_json({key: told[key] for key in SHORT})
    else:
        say(str(solver.url) if quiet else f"{solver.name} is {solver.state} at {solver.url} (pid {solver.pid})")


@click.command(epilog=examples("cvflow stop nanodet", "cvflow stop cvflow/nanodet/detect --json"))
@click.argument("name")
@quiet_option
@json_option
@click.pass_obj
def stop(session: Session, name: str, quiet: bool, as_json: bool) -> None:
    """Stop a solver. When this returns, no process and no port is left."""
    solver = session.run(lambda client: client.stop_solver(name))
    if as_json:
        told = facts(solver)
        print_json({key: told[key] for key in SHORT})
    elif not quiet:
        say(f"{solver.name} is {solver.state}")


@click.command(epilog=examples("cvflow ps", "cvflow ps --json | jq '.[] | {solver, rate, p95}'"))
@hush_option
@json_option
@click.pass_obj
def ps(session: Session, as_json: bool) -> None:
    """List the solvers that run, and those that failed."""

    async def work(client: DaemonClient) -> tuple[list[RunningSolver], dict[str, str]]:
        found = await client.solvers()
        # Which version is installed matters only beside one that serves.
        packages = await client.packages() if any(each.state.is_live for each in found) and not as_json else []
        return found, {package.ref: package.installed or package.version for package in packages}

    found, installed = session.run(work)
    if as_json:
        print_json([facts(each) for each in found])
        return
    print_table(
        ("solver", "state", ">port", ">pid", "~>up", "~>cpu", ">memory", "~>requests", "~>per s", "~>p50 ms", ">p95 ms"),
        [_row(each) for each in found],
    )
    for each in found:
        if each.error:
            remark(f"{each.name}: {each.error}")
        if each.state.is_live and each.version and each.version != installed.get(each.package, each.version):
            remark(f"{each.name} still serves {each.version}, {installed[each.package]} is installed: cvflow restart {each.name}")
    if not found:
        remark("no solver runs; start one: cvflow start NAME")


def _state(solver: RunningSolver) -> str:
    """The state, and how many of its workers serve where there are several."""
    state = "asleep" if solver.asleep else str(solver.state)
    return f"{state} {solver.replicas_ready}/{solver.replicas}" if solver.replicas > 1 and solver.state.is_live else state


def _row(solver: RunningSolver) -> tuple[object, ...]:
    def milliseconds(value: float | None) -> str:
        return "" if value is None else f"{value:.1f}"

    live = (span(solver.uptime), f"{solver.cpu:.0f}%", size(solver.rss)) if solver.state.is_live else ("", "", "")
    traffic = (solver.requests, f"{solver.rate:.1f}", milliseconds(solver.p50), milliseconds(solver.p95))
    return (solver.name, _state(solver), solver.port, solver.pid, *live, *traffic)
