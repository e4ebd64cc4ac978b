"""`cvflow project`: annotation projects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import agreed, hush_option, json_option, quiet_option, yes_option
from cvflow_tui.cli.output import number, print_json, print_pairs, print_table, remark, say
from cvflow_tui.cli.session import Session
from cvflow_tui.cli.train import metrics_line
from cvflow_tui.model.errors import UsageError

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.projects import Project, ProjectStatus


@click.group(
    epilog=examples(
        "cvflow project new pets photos/ --labels cat,dog --solver nanodet",
        "cvflow project status pets",
        "cvflow project export pets --out pets.json",
    )
)
def project() -> None:
    """Annotation projects: pictures, labels, and what a person says of them."""


@project.command(
    epilog=examples(
        "cvflow project new pets photos/ --labels cat,dog",
        "cvflow project new pets photos/ more/*.jpg --labels cat,dog --solver nanodet --round-every 10 --json",
    )
)
@click.argument("name")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--labels", required=True, help="The labels, separated by commas, in the order of their keys.")
@click.option("--solver", help="The solver that suggests.")
@click.option("--round-every", type=click.IntRange(0), help="Annotated pictures between two fine-tuning rounds; 0 = never by itself.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Suggestions below this score are not shown.")
@quiet_option
@json_option
@click.pass_obj
def new(
    session: Session,
    name: str,
    pictures: tuple[Path, ...],
    labels: str,
    solver: str | None,
    round_every: int | None,
    threshold: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make a project of PICTURES: files and folders of pictures. They stay where they are."""
    wanted = split_labels(labels)
    paths = [str(path.absolute()) for path in pictures]

    async def work(client: DaemonClient) -> Project:
        from cvflow_tui.model.projects import ProjectSettings

        plain = ProjectSettings()
        settings = ProjectSettings(
            solver=str(await client.resolve(solver)) if solver else None,
            threshold=plain.threshold if threshold is None else threshold,
            round_every=plain.round_every if round_every is None else round_every,
        )
        return await client.create_project(name, paths, wanted, settings=settings)

    made = session.run(work)
    if as_json:
        print_json(made)
    elif not quiet:
        say(f"{made.name}: {made.pictures} pictures, labels {', '.join(made.labels)}; annotate: cvflow app --project {made.name}")


@project.command("list", epilog=examples("cvflow project list", "cvflow project list --json"))
@hush_option
@json_option
@click.pass_obj
def list_projects(session: Session, as_json: bool) -> None:
    """List the projects of this home."""
    found = session.run(lambda client: client.projects())
    if as_json:
        print_json(found)
        return
    rows = [
        (each.name, each.pictures, each.finished, each.annotations, each.settings.solver or "", each.checkpoint or "", each.error or "")
        for each in found
    ]
    print_table(("project", ">pictures", ">finished", ">annotations", "solver", "checkpoint", ""), rows)
    if not found:
        remark("no project yet; make one: cvflow project new NAME PICTURES… --labels a,b")


@project.command(epilog=examples("cvflow project status pets", "cvflow project status pets --json | jq .prequential.overall"))
@click.argument("name")
@hush_option
@json_option
@click.pass_obj
def status(session: Session, name: str, as_json: bool) -> None:
    """Show how far a project is, how good its suggestions are, and its rounds."""
    found = session.run(lambda client: client.project(name))
    if as_json:
        print_json(found)
    else:
        _print_status(found)


@project.command(
    epilog=examples("cvflow project export pets --out pets.json", "cvflow project export pets --format coco --out pets.json --json")
)
@click.argument("name")
@click.option("--format", "format_name", default="coco", show_default=True, help="What to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
@quiet_option
@json_option
@click.pass_obj
def export(session: Session, name: str, format_name: str, out: Path, quiet: bool, as_json: bool) -> None:
    """Write a project's annotations to a file, whole or not at all."""
    report = session.run(lambda client: client.export(name, format_name, str(out.expanduser().absolute())))
    for each in report.dropped:
        remark(f"left out: {each}", quiet or as_json)
    if as_json:
        print_json(report)
    elif not quiet:
        say(f"{report.path}: {report.annotations} annotations of {report.pictures} pictures as {report.format}")


@project.command(epilog=examples("cvflow project remove pets", "cvflow project remove pets --yes"))
@click.argument("name")
@yes_option
@quiet_option
@json_option
@click.pass_obj
def remove(session: Session, name: str, yes: bool, quiet: bool, as_json: bool) -> None:
    """Delete a project with its annotations and checkpoints. Its pictures stay where they are."""

    async def work(client: DaemonClient) -> Project:
        found = (await client.project(name)).project
        agreed(f"Delete {found.name} with {found.annotations} annotations?", yes)
        await client.remove_project(found.name)
        return found

    removed = session.run(work)
    if as_json:
        print_json({"removed": removed.name, "pictures": removed.pictures, "annotations": removed.annotations})
    elif not quiet:
        say(f"removed {removed.name}; its pictures stay where they are")


def split_labels(text: str) -> list[str]:
    """`a, b,c` as a list. Raises UsageError for none, an empty one, or one that comes twice."""
    labels = [label.strip() for label in text.split(",")]
    if not all(labels):
        raise UsageError(f"--labels {text!r}: separate labels by single commas, such as --labels cat,dog")
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise UsageError(f"--labels: {', '.join(twice)} comes twice")
    return labels


def _print_status(found: ProjectStatus) -> None:
    project, accuracy = found.project, found.prequential
    states = ", ".join(f"{count} {state}" for state, count in project.counts.items() if count)
    pairs: list[tuple[str, object]] = [
        ("project", project.name),
        ("folder", project.path),
        ("labels", ", ".join(project.labels)),
        ("pictures", f"{project.pictures}: {states}" if states else project.pictures),
        ("annotations", project.annotations),
        ("solver", project.settings.solver or "none"),
        ("checkpoint", project.checkpoint or "the package's own weights"),
        ("next round", "off" if project.until_round is None else f"after {project.until_round} more pictures"),
        ("accuracy", metrics_line(accuracy.overall)),
        ("lately", metrics_line(accuracy.recent)),
        ("pictures from", project.credit or ""),
        ("error", project.error or ""),
    ]
    print_pairs([pair for pair in pairs if pair[1] != ""])
    if found.rounds:
        say("")
        rows = [
            (
                each.number,
                each.state,
                each.pictures,
                "" if each.seconds is None else f"{each.seconds:.1f}",
                *_ap50(each.before, each.held_back),
                each.reason,
            )
            for each in found.rounds
        ]
        print_table((">round", "state", ">pictures", ">seconds", ">AP50 before", ">after", "why"), rows)


def _ap50(*measured: object) -> tuple[str, ...]:
    return tuple(number(getattr(each, "ap50", None)) for each in measured)
