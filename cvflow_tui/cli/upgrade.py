"""`cvflow upgrade`, `rollback`, `lock`: other versions of what is installed, and what exactly is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import agreed, hush_option, json_option, quiet_option, yes_option
from cvflow_tui.cli.outcome import tell_error
from cvflow_tui.cli.output import plain, print_json, remark, say
from cvflow_tui.cli.session import Session
from cvflow_tui.install_line import accept_weight_option, offline_option
from cvflow_tui.model.errors import CvflowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.cli.progress import Progress
    from cvflow_tui.model.packages import Differences, InstallPlan, Upgrade, UpgradeRequest


@click.command(
    epilog=examples(
        "cvflow upgrade                     # everything that is installed",
        "cvflow upgrade nanodet --restart",
        "cvflow upgrade nanodet==1.2.0 --yes --restart",
        "cvflow upgrade nanodet --dry-run --json | jq '.[].changes.distributions'",
    )
)
@click.argument("refs", metavar="[REF[==VERSION]]...", nargs=-1)
@click.option(
    "--restart",
    is_flag=True,
    help="Restart its solvers with the new version, and go back at once where one does not start; else they go on serving the old one.",
)
@click.option("--allow-script", "scripts", metavar="SHA256", multiple=True, help="Let the script with this digest run; repeatable.")
@click.option("--allow-build", metavar="NAME", multiple=True, help="Let this requirement's own code run to install it; repeatable.")
@accept_weight_option
@click.option("--dry-run", is_flag=True, help="Show what would change (--json: as a list of plans), and do nothing.")
@offline_option
@yes_option
@quiet_option
@json_option
@click.pass_obj
def upgrade(
    session: Session,
    /,
    refs: tuple[str, ...],
    restart: bool,
    scripts: tuple[str, ...],
    allow_build: tuple[str, ...],
    accept_weights: tuple[str, ...],
    dry_run: bool,
    offline: bool,
    yes: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Upgrade packages: shows what changes, asks, then does it. The version before is kept: cvflow rollback REF.

    Of several, one that cannot be upgraded keeps the others from nothing: it is told (--json: as {"ref", "error", "code"} in the list), and
    the exit code is that of the first.
    """
    from cvflow_tui.model.packages import UpgradeRequest

    failed: dict[str, CvflowError] = {}

    async def work(client: DaemonClient) -> Sequence[Upgrade | InstallPlan]:
        from cvflow_tui.cli.progress import Progress

        asked = refs or tuple(package.ref for package in await client.packages())
        done: list[Upgrade | InstallPlan] = []
        with Progress(quiet) as progress:
            for ref in asked:
                request = UpgradeRequest(ref, restart, restart, scripts, allow_build, accept_weights, offline)
                try:
                    found = await _upgrade(client, request, progress, yes=yes, quiet=quiet, dry_run=dry_run)
                except CvflowError as error:
                    if len(asked) == 1:
                        raise
                    progress.clear()
                    failed[ref] = error
                    line = error.message if ref in error.message else f"{ref}: {error.message}"
                    tell_error(type(error)(line, detail=error.detail), debug=session.debug)
                    continue
                done += [found] if found is not None else []
            if not asked:
                progress.remark("nothing is installed yet; see: cvflow hub search")
            if failed:
                progress.remark(f"{len(failed)} of {len(asked)} could not be upgraded: {', '.join(failed)}")
        return done

    found = session.run(work)
    if as_json:
        faults = [{"ref": ref, "error": error.message, "code": error.code} for ref, error in failed.items()]
        print_json([*(plain(each) for each in found), *faults])
    if failed:
        raise click.exceptions.Exit(next(iter(failed.values())).exit_code)


async def _upgrade(
    client: DaemonClient, request: UpgradeRequest, progress: Progress, *, yes: bool, quiet: bool, dry_run: bool
) -> Upgrade | InstallPlan | None:
    from cvflow_tui.backend.client import result_of
    from cvflow_tui.cli.progress import follow
    from cvflow_tui.model.errors import PackageError
    from cvflow_tui.model.packages import Upgrade

    progress.show(f"looking for another version of {request.ref}")
    plan = await client.plan_upgrade(request)
    progress.clear()
    summary = plan.package.summary
    rebuilt = bool(request.allow_build) and plan.changes is not None and bool(plan.changes.distributions)
    if plan.replaces == summary.version and not (plan.changes or rebuilt or request.accept_weights):
        progress.remark(f"{summary.ref} {summary.version} is up to date {plan.held}".rstrip())
        return plan if dry_run else None
    if plan.problems and not dry_run:
        raise PackageError(f"{summary.ref} {summary.version} can't be installed here: {'; '.join(plan.problems)}")
    if not quiet:
        head = f"{summary.ref} {plan.replaces or ''} -> {summary.version}"
        notes = [*plan.problems, *plan.package.warnings, *(finding.sentence for finding in plan.findings if not finding.blocks)]
        remark("\n".join([head, *changed_lines(plan), *script_lines(plan), *(f"  ! {each}" for each in dict.fromkeys(notes))]))
    if dry_run:
        return plan
    agreed(f"Upgrade {summary.ref} to {summary.version}?", yes)
    job = await follow(client, client.upgrade(request), progress)
    found = result_of(job, Upgrade)
    _tell(found, progress)
    return found


@click.command(
    epilog=examples(
        "cvflow rollback nanodet",
        "cvflow rollback nanodet --to 1.0.0 --restart   # in a script: said twice, it is done once",
        "cvflow rollback cvflow/nanodet --json | jq -r .direction",
    )
)
@click.argument("ref")
@click.option("--to", "version", metavar="VERSION", help="Only to this version: nothing is done where it is installed already.")
@click.option("--restart", is_flag=True, help="Restart its solvers with that version.")
@quiet_option
@json_option
@click.pass_obj
def rollback(session: Session, /, ref: str, version: str | None, restart: bool, quiet: bool, as_json: bool) -> None:
    """Go back to the version that the last upgrade kept: at once, and without the network.

    The version that is left is kept in its stead. So a second rollback returns to the newer one, and says so (--json: direction is back,
    forward, or none). Whoever must not go forward again names the version: --to VERSION.
    """

    async def work(client: DaemonClient) -> Upgrade:
        from cvflow_tui.cli.progress import Progress

        with Progress(quiet) as progress:
            found = await _there_already(client, ref, version, restart=restart) if version else None
            found = found or await client.rollback(ref, restart=restart)
            _tell(found, progress)
        return found

    found = session.run(work)
    if as_json:
        print_json(found)


async def _there_already(client: DaemonClient, ref: str, version: str, *, restart: bool) -> Upgrade | None:
    """What a rollback that is not needed did: at most it restarts who still serves another version.

    None where it is needed; raises RefusedError where it would lead elsewhere.
    """
    from cvflow_tui.model.errors import RefusedError
    from cvflow_tui.model.packages import Upgrade

    detail = await client.package(ref)
    summary = detail.summary
    installed = summary.installed or summary.version
    if installed == version:
        live = [each for each in await client.solvers() if each.package == summary.ref and each.state.is_live]
        others = [each.name for each in live if each.version != installed]
        for name in others if restart else ():
            await client.restart_solver(name)
        restarted, serving_old = (tuple(others), ()) if restart else ((), tuple(others))
        return Upgrade(detail, detail.kept, restarted, serving_old, before=installed, direction="none")
    if detail.kept != version:
        kept = f"{detail.kept} is" if detail.kept else "none is"
        raise RefusedError(f"{summary.ref} is at {installed}, and of its other versions {kept} kept: there is no way back to {version}")
    return None


def direction_line(found: Upgrade) -> str:
    """Which way a rollback went."""
    summary = found.package.summary
    if found.direction == "none":
        return f"{summary.ref} {summary.version} is installed already, nothing to do"
    line = f"{summary.ref} {found.before} -> {summary.version}"
    return f"{line}: this returns to the newer version" if found.direction == "forward" else line


@click.command(epilog=examples("cvflow lock nanodet", "cvflow lock nanodet --out cvflow.lock && cvflow install --locked ./cvflow.lock"))
@click.argument("ref")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file to write, instead of stdout.")
@hush_option
@json_option
@click.pass_obj
def lock(session: Session, ref: str, out: Path | None, as_json: bool) -> None:
    """Print what exactly is installed: every file, weight and distribution with its digest. `install --locked` brings the same again."""
    text = session.run(lambda client: client.package_lock(ref))
    if as_json:
        import tomllib

        print_json(tomllib.loads(text))
    elif out is None:
        say(text.rstrip("\n"))
    if out is not None:
        _write(out, text)


def _write(out: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = out.with_name(f".{out.name}.part")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(out)
    except OSError as error:
        from cvflow_tui.model.errors import RefusedError

        raise RefusedError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def changed_lines(plan: InstallPlan) -> list[str]:
    """What another version changes, for people."""
    changes = plan.changes
    if changes is None:
        return []
    lines = []
    if changes.commits:
        lines.append(f"  commits       {changes.commits[0][:12]} to {changes.commits[1][:12]}")
    files = changes.files
    lines.append(f"  files         {len(files.added)} added, {len(files.removed)} removed, {len(files.changed)} changed")
    for title, found in (
        ("requirements", changes.requirements),
        ("weights", changes.weights),
        ("solvers", changes.solvers),
        ("parameters", changes.parameters),
    ):
        if found:
            lines.append(f"  {title:<13} {_differences(found)}")
    if changes.distributions:
        lines.append(f"  environment   {', '.join(each.words for each in changes.distributions)}")
    return lines


def script_lines(plan: InstallPlan) -> list[str]:
    """The scripts that a package wants to run, whole: whoever allows one has read it."""
    lines = []
    for script in plan.scripts:
        how = "will run" if script.allowed else f"will not run (allow it: --allow-script {script.sha256[:12]})"
        lines.append(f"  script        {script.name}, {script.when} the requirements, {how}; sha256 {script.sha256}")
        lines += [f"    | {line}" for line in script.text.splitlines()]
    return lines


def _differences(found: Differences) -> str:
    marks = (("+", found.added), ("-", found.removed), ("~", found.changed))
    return " ".join(f"{mark}{name}" for mark, names in marks for name in names)


def _tell(found: Upgrade, progress: Progress) -> None:
    """Say how it ended. Raises PackageError where a solver did not start."""
    from cvflow_tui.model.errors import PackageError

    summary = found.package.summary
    kept = f"; {found.previous} is kept (cvflow rollback {summary.ref})" if found.previous and found.direction != "none" else ""
    if found.direction or found.error is None:
        progress.remark((direction_line(found) if found.direction else f"{summary.ref} is at {summary.version}") + kept)
    if found.failure is not None:
        raise PackageError(found.failure)
    for name in found.restarted:
        progress.remark(f"{name} serves it")
    for name in found.serving_old:
        progress.remark(f"{name} goes on serving the version before until it is restarted (cvflow restart {name})")
