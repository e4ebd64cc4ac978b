"""`cvflow infer`: one picture through one solver."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option, quiet_option
from cvflow_tui.cli.output import number, print_json, print_table, remark, say
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import NotFoundError, RefusedError, UsageError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.results import Result
    from cvflow_tui.model.solvers import RunningSolver


@click.command(
    epilog=examples(
        "cvflow infer street.jpg",
        "cvflow infer street.jpg --solver nanodet -p threshold=.5 --json",
        "curl -s https://example.org/a.jpg | cvflow infer - --json | jq '.objects[].label'",
    )
)
@click.argument("picture")
@click.option("--solver", "name", help="Which solver; the running one, if there is only one.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the solver; may be repeated.")
@click.option("--draw/--no-draw", default=None, help="Draw the picture with its boxes; by default on a terminal.")
@quiet_option
@json_option
@click.pass_obj
def infer(
    session: Session, picture: str, name: str | None, parameters: tuple[str, ...], draw: bool | None, quiet: bool, as_json: bool
) -> None:
    """Run PICTURE (a file, or - for stdin) through a running solver.

    Prints the objects: as a table on a terminal, tab-separated in a pipe (label, score, x0, y0, x1, y1), or the whole reply with --json.
    """
    chosen = parse_parameters(parameters)
    body = _read(picture)

    async def work(client: DaemonClient) -> tuple[RunningSolver, Result]:
        solver = await running_solver(client, name)
        try:
            return solver, await client.infer(solver, body, chosen)
        except UsageError as error:
            # the runner was sent bytes: only we know what they are called
            raise UsageError(f"{picture}: {error.message}", detail=error.detail) from error

    solver, result = session.run(work)
    if as_json:
        print_json(dict(result.raw))
        return
    if draw or (draw is None and sys.stdout.isatty() and not quiet):
        from cvflow_tui.cli.drawing import draw_result

        draw_result(body, result)
    _print_result(result)
    count = len(result.objects)
    remark(f"{solver.name}: {count} object{'s' if count > 1 else ''}" if count else f"{solver.name} answered", quiet)


def parse_parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    """`name=value` pairs. The runner reads the values by the solver's own type hints. Raises UsageError for a pair without `=`."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {pair}: write NAME=VALUE, such as -p threshold=.3")
        found[name] = value
    return found


async def running_solver(client: DaemonClient, name: str | None) -> RunningSolver:
    """The solver that is meant: by name, or the only one that runs.

    Raises NotFoundError when none runs, UsageError when several do and none was named, RefusedError when the named one does not run.
    """
    live = [solver for solver in await client.solvers() if solver.state.is_live]
    if name is not None:
        full = str(await client.resolve(name))
        for solver in live:
            if solver.name == full:
                return solver
        raise RefusedError(f"{full} is not running; start it: cvflow start {full}")
    if not live:
        installed = [f"{each.ref}/{solver}" for each in await client.packages() for solver in each.solvers]
        hint = f"start one: cvflow start {installed[0]}" if installed else "install one: cvflow install nanodet, then: cvflow start nanodet"
        raise NotFoundError(f"no solver is running; {hint}")
    if len(live) > 1:
        raise UsageError(f"several solvers are running; say which with --solver: {', '.join(solver.name for solver in live)}")
    return live[0]


def _read(picture: str) -> bytes:
    if picture == "-":
        return sys.stdin.buffer.read()
    path = Path(picture).expanduser()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error


def _print_result(result: Result) -> None:
    if result.objects:
        columns = ("label", ">score", ">x0", ">y0", ">x1", ">y1", "text")
        rows = []
        for each in result.objects:
            corners = [f"{value:.1f}" for value in each.box.corners] if each.box else [""] * 4
            rows.append((each.label, number(each.score, 3), *corners, each.text or ""))
        print_table(columns, rows)
    if result.classes:
        print_table(("class", ">score"), [(each.label, number(each.score, 3)) for each in result.classes])
    if result.caption:
        say(result.caption)
    if result.embedding:
        say(" ".join(f"{value:g}" for value in result.embedding))
    known = result.objects or result.classes or result.caption or result.embedding
    if not known and "objects" not in result.raw and "classes" not in result.raw:
        print_json(dict(result.raw))
