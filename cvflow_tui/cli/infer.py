"""`cvflow infer`: pictures through one solver."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        "cvflow infer holiday/ more/*.jpg --json > answers.jsonl",
        "cvflow infer holiday/ --out answers.jsonl",
    )
)
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURES…")
@click.option("--solver", "name", help="Which solver; the running one, if there is only one.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the solver; may be repeated.")
@click.option("--variant", help="The project whose fine-tuned checkpoint answers; the package's own weights without it.")
@click.option("--timeout", type=click.FloatRange(0.001, 3600), metavar="SECONDS", help="Give a picture up after so long.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write lines of JSON to FILE, once all are there."
)
@click.option("--draw/--no-draw", default=None, help="Draw the picture with its boxes; by default on a terminal.")
@quiet_option
@json_option
@click.pass_obj
def infer(
    session: Session,
    pictures: tuple[str, ...],
    name: str | None,
    parameters: tuple[str, ...],
    variant: str | None,
    timeout: float | None,
    out: Path | None,
    draw: bool | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run PICTURES (files and folders, or - for stdin) through a running solver.

    Of one picture it prints the objects: as a table on a terminal, tab-separated in a pipe (label, score, x0, y0, x1, y1), or the whole
    reply with --json. Of many, or of a folder, each line names its picture; with --json a line is {"picture", "result"} or, for a picture
    that can't be used, {"picture", "error", "code"}, and the exit code says so at the end.
    """
    chosen = parse_parameters(parameters)
    more: dict[str, Any] = {key: value for key, value in (("variant", variant), ("timeout", timeout)) if value is not None}
    if len(pictures) == 1 and out is None and not Path(pictures[0]).expanduser().is_dir():
        _one(session, pictures[0], name, chosen, more, draw, quiet, as_json)
    elif "-" in pictures:
        raise UsageError("- (stdin) is one picture: give it alone, without --out")
    elif draw:
        raise UsageError("--draw draws one picture")
    else:
        _many(session, pictures, name, chosen, more, out, quiet, as_json)


def _one(
    session: Session,
    picture: str,
    name: str | None,
    chosen: dict[str, str],
    more: dict[str, Any],
    draw: bool | None,
    quiet: bool,
    as_json: bool,
) -> None:
    body = _read(picture)

    async def work(client: DaemonClient) -> tuple[RunningSolver, Result]:
        solver = await running_solver(client, name)
        try:
            return solver, await client.infer(solver, body, chosen, **more)
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
    if count or "objects" in result.raw:
        remark(f"{solver.name}: {count or 'no'} object{'' if count == 1 else 's'}", quiet)
    else:
        remark(f"{solver.name} answered", quiet)


def _many(
    session: Session,
    given: tuple[str, ...],
    name: str | None,
    chosen: dict[str, str],
    more: dict[str, Any],
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    from cvflow_tui.cli.inferring import Tally, find_pictures, infer_many, output
    from cvflow_tui.cli.progress import Progress

    found = find_pictures(given)

    async def work(client: DaemonClient) -> tuple[RunningSolver, Tally]:
        solver = await running_solver(client, name)

        async def ask(path: Path) -> Result:
            return await client.infer(solver, path, chosen, **more)

        with output(out) as lines, Progress(quiet) as progress:
            return solver, await infer_many(found, ask, lines, progress, as_json=as_json or out is not None)

    solver, tally = session.run(work)
    failed = f", {tally.failed} of which can't be used" if tally.failed else ""
    where = f" -> {out}" if out is not None else ""
    remark(f"{solver.name}: {tally.pictures} picture{'s' if tally.pictures > 1 else ''}{failed}{where}", quiet)
    if tally.first is not None:
        click.get_current_context().exit(tally.first.exit_code)


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
