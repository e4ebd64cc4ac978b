"""`cvflow app`: the workstation."""

from __future__ import annotations

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.session import Session
from cvflow_tui.cli.workstation import open_app


@click.command(epilog=examples("cvflow app", "cvflow app --project raccoons", "cvflow app --demo"))
@click.option("--project", help="Open this project for annotation.")
@click.option("--demo", is_flag=True, help="Open the demo project, making it first where it is not there yet.")
@click.pass_obj
def app(session: Session, project: str | None, demo: bool) -> None:
    """Open the workstation in this terminal."""
    if project and demo:
        raise click.UsageError("--project and --demo exclude each other", click.get_current_context())
    click.get_current_context().exit(open_app(session, project=project, demo=demo))
