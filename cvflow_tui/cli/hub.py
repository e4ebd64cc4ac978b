"""`cvflow hub`: find packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import hush_option, json_option
from cvflow_tui.cli.output import plain, print_json, print_pairs, print_table, remark, say, size
from cvflow_tui.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.packages import HubVersion, PackageDetail


@click.group(epilog=examples("cvflow hub search detection", "cvflow hub show nanodet"))
def hub() -> None:
    """Find packages on the hub."""


@hub.command(epilog=examples("cvflow hub search", "cvflow hub search face --json"))
@click.argument("query", default="")
@hush_option
@json_option
@click.pass_obj
def search(session: Session, query: str, as_json: bool) -> None:
    """List the hub's packages; QUERY matches name, task and tagline. Finding none is no error."""
    found = session.run(lambda client: client.hub_packages(query))
    if as_json:
        print_json(found)
        return
    print_table(
        ("package", "version", "installed", "task", ">size", "~licence", "what it is"),
        [
            (each.ref, each.version, each.installed or "", ", ".join(each.tasks), size(each.size), each.license, each.tagline)
            for each in found
        ],
    )
    if not found:
        remark(f"the hub has nothing like {query}" if query else "the hub is empty")


@hub.command(epilog=examples("cvflow hub show cvflow/nanodet", "cvflow hub show nanodet==1.0.0 --json"))
@click.argument("ref")
@hush_option
@json_option
@click.pass_obj
def show(session: Session, ref: str, as_json: bool) -> None:
    """Show one package of the hub: its versions, and of the newest its solvers, parameters, weights and README.

    REF is VENDOR/NAME, or NAME where that is unique; NAME==VERSION shows another version than the newest.
    """

    async def work(client: DaemonClient) -> tuple[PackageDetail, list[HubVersion]]:
        detail = await client.hub_package(ref)
        return detail, await client.hub_versions(detail.summary.ref)

    detail, versions = session.run(work)
    if as_json:
        print_json(plain(detail) | {"versions": plain(versions)})
    else:
        print_detail(detail, versions)


def print_detail(detail: PackageDetail, versions: Sequence[HubVersion] = ()) -> None:
    """A package in full, for people."""
    summary = detail.summary
    print_pairs(
        [
            ("package", f"{summary.ref} {summary.version}"),
            ("what it is", summary.tagline),
            ("licence", summary.license),
            ("size", size(summary.size)),
            ("installed", summary.installed or "no"),
            ("versions", ", ".join(version_words(version) for version in versions)),
            ("environment", "the app's own Python" if detail.environment == "host" else "one of its own"),
            ("requirements", ", ".join(detail.requirements)),
            ("source", summary.source),
        ]
    )
    for solver in detail.solvers:
        parameters = ", ".join(f"{each.name}: {each.type}" + ("" if each.required else f" = {each.default}") for each in solver.parameters)
        labels = f", {len(solver.labels)} labels" if solver.labels else ""
        learns = ", learns" if solver.trainable else ""
        say(f"\nsolver {solver.name}: {solver.task}{labels}{learns}" + (f"\n  {parameters}" if parameters else ""))
    for weight in detail.weights:
        trust = f", untrusted ({weight.untrusted})" if weight.untrusted else ""
        say(f"\nweights {weight.name}: {size(weight.size)}{trust} from {weight.url}")
    for warning in detail.warnings:
        say(f"\nwarning: {warning}")
    if detail.readme:
        say(f"\n{detail.readme.strip()}")


def version_words(version: HubVersion) -> str:
    """A version with what is known of it."""
    from datetime import datetime

    date = "" if version.published is None else f"{datetime.fromtimestamp(version.published).astimezone():%Y-%m-%d}"
    notes = [note for note in (date, size(version.size), "installed" if version.installed else "") if note]
    return f"{version.version} ({', '.join(notes)})" if notes else version.version
