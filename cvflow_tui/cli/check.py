"""`cvflow check`: what a package's author should know before somebody else installs it."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvflow_tui.cli.infer import parse_parameters
from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option, quiet_option
from cvflow_tui.cli.output import print_json, print_table, remark, say, size
from cvflow_tui.cli.session import Session
from cvflow_tui.install_line import environment_options, weights_option
from cvflow_tui.model.authoring import CheckReport, CheckRequest, Level
from cvflow_tui.model.errors import PackageError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.authoring import Elsewhere, Finding, SolverTrial

_MARKS = {Level.FAULT: "fault", Level.WARNING: "warn", Level.NOTE: "note"}


@click.command(
    epilog=examples(
        "cvflow check ./my-detector",
        "cvflow check ./my-detector --picture street.jpg --strict",
        "cvflow check ./old-detector --with 'numpy<2' --weights net.h5=~/net.h5",
        "cvflow check cvflow/nanodet --json | jq '.findings[] | .message'",
    )
)
@click.argument("source")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="The picture to infer on; else its own, or a drawn one.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter to infer with; may be repeated.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@environment_options
@weights_option
@quiet_option
@json_option
@click.pass_obj
def check(
    session: Session,
    /,
    source: str,
    picture: Path | None,
    parameters: tuple[str, ...],
    strict: bool,
    quiet: bool,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Look at a package as somebody who installs it would meet it; nothing is installed and nothing is left.

    SOURCE is a folder, or anything that install takes. Reads the manifest, labels and weights, makes the environment, imports each solver,
    has it answer for a picture through a real worker, looks at the answer, and measures. Exit code 6 where something is at fault.
    """
    shown = str(picture.expanduser().absolute()) if picture else None
    request = CheckRequest(_absolute(source), shown, strict, parameters=parse_parameters(parameters), **wishes)

    async def work(client: DaemonClient) -> CheckReport:
        from cvflow_tui.backend.client import result_of
        from cvflow_tui.cli.progress import Progress, follow

        with Progress(quiet or as_json) as progress:
            progress.show(f"looking at {source}")
            return result_of(await follow(client, client.check_package(request), progress), CheckReport)

    report = session.run(work)
    if as_json:
        print_json(report)
    else:
        _print(report, quiet)
    if not report.passed:
        raise click.exceptions.Exit(PackageError.exit_code)


def _absolute(source: str) -> str:
    """A folder that is there is meant as one, even without `./` before it; the daemon works elsewhere."""
    from cvflow_tui.install_line import absolute

    return str(Path(source).absolute()) if Path(source).is_dir() else absolute(source)


def _print(report: CheckReport, quiet: bool) -> None:
    for finding in report.findings:
        if finding.level is Level.FAULT or not quiet:
            say(_wrapped(_line(finding)))
    if quiet:
        return
    if report.solvers:
        columns = ("solver", "task", ">load", ">first", ">then", ">memory", "answer")
        print_table(columns, [_row(trial) for trial in report.solvers])
    if report.elsewhere.pythons:
        say("\n".join(map(_wrapped, _elsewhere(report.elsewhere))))
    remark(_summary(report))


def _line(finding: Finding) -> str:
    where = f"{finding.where}: " if finding.where else ""
    mend = f"; {finding.mend}" if finding.mend else ""
    return f"{_MARKS[finding.level]:<6}{finding.topic:<13}{where}{finding.message}{mend}"


def _wrapped(line: str) -> str:
    """The line as it is in a pipe; on a terminal broken between words, with what follows set in."""
    if not sys.stdout.isatty():
        return line
    width = max(40, shutil.get_terminal_size().columns - 1)
    return textwrap.fill(line, width, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False)


def _row(trial: SolverTrial) -> tuple[str, ...]:
    times = (_seconds(each) for each in (trial.load_seconds, trial.first_seconds, trial.infer_seconds))
    return (trial.name, trial.task, *times, size(trial.peak_rss) if trial.peak_rss else "-", _answer(trial.result))


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.1f} ms"


def _answer(result: Any) -> str:
    """An answer in a few words."""
    if not isinstance(result, dict):
        return "-" if result is None else str(result)
    if isinstance(objects := result.get("objects"), list):
        return f"{len(objects)} object{'s' if len(objects) != 1 else ''}"
    if isinstance(classes := result.get("classes"), list) and classes and isinstance(classes[0], dict):
        return f"{classes[0].get('label')} {classes[0].get('score')}"
    if isinstance(numbers := result.get("embedding"), list):
        return f"{len(numbers)} numbers"
    return str(result.get("caption") or ", ".join(map(str, result)))


def _elsewhere(found: Elsewhere) -> list[str]:
    """What it takes to run it on another machine."""
    environment = f", {size(found.environment_bytes)}" if found.environment_bytes is not None else " of the app's own Python"
    native = f"; compiled code in {', '.join(found.native)}" if found.native else "; no compiled code"
    count = f"{found.distributions} distribution{'s' if found.distributions != 1 else ''}"
    lines = [f"elsewhere: Python {', '.join(found.pythons)}; {count}{environment}; weights {size(found.weights_bytes)}{native}"]
    return lines + ([f"           made for a GPU: {', '.join(found.gpu)}"] if found.gpu else [])


def _summary(report: CheckReport) -> str:
    counts = {level: sum(finding.level is level for finding in report.findings) for level in Level}
    words = [f"{counts[level]} {level}{'s' if counts[level] > 1 else ''}" for level in reversed(Level) if counts[level]]
    name = f"{report.package} {report.version}" if report.package else report.source
    on = f", on {report.picture}" if report.picture else ""
    return f"{name}: {'passed' if report.passed else 'failed'} ({', '.join(words) or 'nothing to say'}){on}"
