"""`cvflow new`: a package to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option, quiet_option
from cvflow_tui.cli.output import print_json, remark, say
from cvflow_tui.cli.session import Session
from cvflow_tui.model.authoring import NewPackageRequest
from cvflow_tui.model.results import TASKS

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.authoring import NewPackage


@click.command(
    epilog=examples(
        "cvflow new my-detector && cvflow check ./my-detector",
        "cvflow new reader --task text-recognition --vendor acme",
        "cvflow new reader --folder ~/code/reader --json",
    )
)
@click.argument("name")
@click.option("--task", type=click.Choice(TASKS), default="object-detection", show_default=True, help="What its solver shall do.")
@click.option("--vendor", default="local", show_default=True, help="Whose package it is: VENDOR/NAME.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="The folder to make; ./NAME if not said.")
@quiet_option
@json_option
@click.pass_obj
def new(session: Session, name: str, task: str, vendor: str, folder: Path | None, quiet: bool, as_json: bool) -> None:
    """Write a package to begin with: manifest, a solver that does something small and true, its test, a card.

    It passes `cvflow check` as it stands. Nothing is ever written over.
    """
    target = (folder or Path(name)).expanduser().absolute()

    async def work(client: DaemonClient) -> NewPackage:
        return await client.new_package(NewPackageRequest(name, str(target), vendor, task))

    made = session.run(work)
    if as_json:
        print_json(made)
    elif quiet:
        say(made.folder)
    else:
        say("\n".join([f"{made.ref} in {made.folder}", *(f"  {file}" for file in made.files)]))
        remark(f"next: cvflow check {_shown(target)}   then: cvflow install {_shown(target)}")


def _shown(path: Path) -> str:
    """The folder as it would be typed from here."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) and path != here else str(path)
