"""`cvflow demo`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option, quiet_option
from cvflow_tui.cli.output import number, print_json, print_table, size
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import BY_CODE, CvflowError

if TYPE_CHECKING:
    from cvflow_tui.demo.report import DemoReport, Step


@click.command(
    epilog=examples("cvflow demo", "cvflow demo --pictures", "cvflow demo --batch", "cvflow --home /tmp/trial demo --batch --json")
)
@click.option("--batch", is_flag=True, help="Walk the whole path unattended and report what was measured.")
@click.option(
    "--pictures", "list_pictures", is_flag=True, help="Print the paths of the demo's photographs, one a line, and do nothing else."
)
@quiet_option
@json_option
@click.pass_obj
def demo(session: Session, batch: bool, list_pictures: bool, quiet: bool, as_json: bool) -> None:
    """Open the workstation on real photographs; they come with scikit-image.

    With --batch: find, install, start and ask a detector, annotate the photographs, fine-tune twice, export, stop, remove. Exits 0 only if
    every step did what it says; otherwise the exit code is that of the step's error. Uses a folder of its own unless --home or
    CVFLOW_HOME names one; what is in that one already is left as it is.
    """
    if list_pictures:
        _list_pictures(as_json)
        return
    if not batch:
        from cvflow_tui.cli.workstation import open_app

        click.get_current_context().exit(open_app(session, demo=True))
    report = _run(session, quiet)
    if as_json:
        print_json(report.to_json())
    else:
        print_table(
            ("step", "", ">seconds", "measured"),
            [(s.name, "ok" if s.ok else "failed", f"{s.seconds:.2f}", _measured(s)) for s in report.steps],
        )
    if not report.ok:
        error = BY_CODE.get(report.code or "", CvflowError)
        click.echo(f"cvflow: {report.error or 'nothing was done'}", err=True)
        click.get_current_context().exit(error.exit_code)


def _list_pictures(as_json: bool) -> None:
    from cvflow_tui.demo.pictures import photographs

    paths = [str(photograph.path) for photograph in photographs()]
    if as_json:
        print_json(paths)
    else:
        click.echo("\n".join(paths))


def _run(session: Session, quiet: bool) -> DemoReport:
    import asyncio

    from cvflow_tui.cli.progress import Progress
    from cvflow_tui.demo.batch import run_batch

    temporary = None if session.home_was_chosen else Path(tempfile.mkdtemp(prefix="cvflow-demo-"))
    session.choose_home(temporary)
    report: DemoReport | None = None
    try:
        with Progress(quiet) as progress:

            def tell(step: Step) -> None:
                if step.seconds == 0.0:
                    progress.show(step.name)

            report = asyncio.run(run_batch(session.home, session.connect, session.find, tell))
            if temporary is not None and not report.ok:
                progress.remark(f"the home folder is kept for a look: {temporary}")
    finally:
        if temporary is not None and (report is None or report.ok):
            shutil.rmtree(temporary)
    return report


def _measured(step: Step) -> str:
    if step.error:
        return step.error
    return "  ".join(
        f"{name.replace('_', ' ')} {_value(name, value)}" for name, value in step.measures.items() if value not in (None, "", {})
    )


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("bytes"):
        return size(value)
    if isinstance(value, float):
        return number(value) if 0 <= value <= 1 else f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(key, each)}" for key, each in value.items() if each is not None)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
