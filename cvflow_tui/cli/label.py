"""`cvflow label`: pictures in, one COCO file out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvflow_tui.cli.infer import parse_parameters, running_solver
from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option, quiet_option
from cvflow_tui.cli.output import print_json, remark, say, span
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.cli.labelling.run import Report
    from cvflow_tui.model.packages import SolverInfo
    from cvflow_tui.model.solvers import RunningSolver

WITHOUT_BOXES = ("image-classification", "image-captioning", "embedding")


@click.command(
    epilog=examples(
        "cvflow label photos/ --solver nanodet --out labels.json",
        "cvflow label photos/ more/a.jpg --solver nanodet --threshold .5 --out labels.json --json",
        "cvflow label photos/ --solver nanodet -p iou=.5 --out labels.json --strict",
    )
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--solver", "name", help="Which solver; the running one, if there is only one.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The COCO JSON file to write.")
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="Keep objects with at least this score; the solver's own default if not said."
)
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the solver; may be repeated.")
@click.option("--strict", is_flag=True, help="End with exit code 2 if any picture could not be labelled.")
@quiet_option
@json_option
@click.pass_obj
def label(
    session: Session,
    paths: tuple[Path, ...],
    name: str | None,
    out: Path,
    threshold: float | None,
    parameters: tuple[str, ...],
    strict: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Label PATHS (pictures, and folders of pictures with all below them) with a running solver, into one COCO file.

    The file appears when it is complete. A run that was stopped goes on where it was if the same command is given again: until then what is
    done lies in OUT.partial. Pictures that can't be read are named on stderr and left out; that alone is no error unless --strict.
    """
    out = out.expanduser().absolute()
    if not out.parent.is_dir():
        raise NotFoundError(f"{out.parent}: there is no such folder to write {out.name} in")
    chosen: dict[str, Any] = dict(parse_parameters(parameters))

    async def work(client: DaemonClient) -> Report:
        from cvflow_tui.backend.pictures.walk import check_roots, common_root
        from cvflow_tui.cli.labelling.run import Order, run
        from cvflow_tui.cli.progress import Progress

        roots = tuple(check_roots([str(path.absolute()) for path in paths]))
        solver = await running_solver(client, name)
        info = await _info(client, solver)
        if threshold is not None and any(each.name == "threshold" for each in info.parameters):
            chosen.setdefault("threshold", threshold)
        _check(info, chosen)
        order = Order(roots, common_root(roots), out, solver, chosen, threshold or 0.0, info.labels)
        with Progress(quiet) as progress:
            return await run(client, order, progress)

    report = session.run(work)
    _tell(report, quiet, as_json)
    if strict and report.unreadable:
        click.get_current_context().exit(UsageError.exit_code)


async def _info(client: DaemonClient, solver: RunningSolver) -> SolverInfo:
    for info in (await client.package(solver.package)).solvers:
        if info.name == solver.solver:
            return info
    raise NotFoundError(f"{solver.name} runs but its package does not name it; install the package again")


def _check(info: SolverInfo, chosen: dict[str, Any]) -> None:
    """Catch what would fail on every single picture."""
    if info.task in WITHOUT_BOXES:
        raise UsageError(f"{info.name} does {info.task}, which COCO files can't hold; use a solver that finds objects")
    known = [each.name for each in info.parameters]
    for name in chosen:
        if known and name not in known:
            raise UsageError(f"-p {name}: {info.name} has no such parameter; it has {', '.join(known)}")


def _tell(report: Report, quiet: bool, as_json: bool) -> None:
    for each in report.errors:
        remark(f"left out: {each['error']}", quiet)
    if report.unreadable > len(report.errors):
        remark(f"left out: {report.unreadable - len(report.errors)} more", quiet)
    if as_json:
        print_json(report)
    elif not quiet:
        left_out = f", {report.unreadable} left out" if report.unreadable else ""
        resumed = f" ({report.resumed} from the run before)" if report.resumed else ""
        speed = f", {report.rate:.1f} pictures a second" if report.rate else ""
        say(f"{report.out}: {report.annotations} objects on {report.labelled} pictures{resumed}{left_out}, {span(report.seconds)}{speed}")
