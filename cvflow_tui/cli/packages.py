"""`cvflow install`, `list`, `remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import agreed, hush_option, json_option, quiet_option, yes_option
from cvflow_tui.cli.output import plain, print_json, print_table, remark, say, size, still_elsewhere
from cvflow_tui.cli.session import Session
from cvflow_tui.install_line import absolute, source_options

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.errors import CvflowError
    from cvflow_tui.model.packages import InstallPlan, PackageUses


@click.command(
    epilog=examples(
        "cvflow install nanodet",
        "cvflow install hub:cvflow/nanodet --yes",
        "cvflow install git+https://example.org/detector.git@v1.2 --yes",
        "cvflow install git+ssh://git@example.org/lab/detector --allow-script 3f5a9c0de712",
        "cvflow install https://example.org/detector-1.2.tar.gz",
        "cvflow install ./my-package --editable --json --yes",
        "cvflow install ./old-package --with opencv-python-headless --relax --python 3.9",
        "cvflow install ./old-package --weights ~/weights --weights net.h5=pypi:net-weights==1.0#net/net.h5",
    )
)
@source_options
@yes_option
@quiet_option
@json_option
@click.pass_obj
def install(session: Session, /, source: str, yes: bool, quiet: bool, as_json: bool, **wishes: Any) -> None:
    """Install a package: shows what will happen, asks, then does it. Ctrl-C calls it off: nothing is installed.

    SOURCE is a name of the hub (NAME==VERSION for another than the newest), a folder, https://HOST/FILE.zip or .tar.gz,
    git+https:URL[@REVISION], git+ssh://git@HOST/PATH, git+file:FOLDER. What is installed already, to the last byte and with the same
    options, is not installed again (--json: "unchanged" is true).
    """
    from cvflow_tui.model.packages import InstallRequest

    request = InstallRequest(absolute(source, wishes["locked"]), **wishes)

    async def work(client: DaemonClient) -> object:
        from cvflow_tui.cli.progress import Progress, follow

        with Progress(quiet) as progress:
            progress.show(f"looking at {request.source}")
            plan = await client.plan_install(request)
            progress.clear()
            summary = plan.package.summary
            if plan.unchanged:
                progress.remark(f"{summary.ref} {summary.version} is installed already, nothing to do (--reinstall does it anew)")
                return plain(await client.package(summary.ref)) | {"unchanged": True}
            if plan.problems:
                raise _impossible(plan)
            if not quiet:
                _show_plan(plan)
            agreed("Install it?", yes)
            job = await follow(client, client.install(request), progress)
            progress.remark(f"installed {summary.ref} {summary.version}")
            return plain(job.result) | {"unchanged": False}

    result = session.run(work)
    if as_json:
        print_json(result)


@click.command("list", epilog=examples("cvflow list", "cvflow list --json | jq -r '.[].name'"))
@hush_option
@json_option
@click.pass_obj
def list_packages(session: Session, as_json: bool) -> None:
    """List the installed packages and their solvers."""
    found = session.run(lambda client: client.packages())
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each.ref,
            each.version,
            "unusable" if each.problem else ", ".join(each.solvers),
            ", ".join(each.tasks),
            size(each.size),
            each.source,
        )
        for each in found
    ]
    print_table(("package", "version", "solvers", "task", ">size", "~source"), rows)
    for each in found:
        if each.problem:
            remark(each.problem)
    if not found:
        remark("nothing is installed yet; see: cvflow hub search")


@click.command(epilog=examples("cvflow remove nanodet", "cvflow remove cvflow/nanodet --yes --json"))
@click.argument("ref")
@click.option("--force", is_flag=True, help="Also where projects ask one of its solvers.")
@yes_option
@quiet_option
@json_option
@click.pass_obj
def remove(session: Session, ref: str, force: bool, yes: bool, quiet: bool, as_json: bool) -> None:
    """Stop a package's solvers and remove it, with every environment and weight that nothing else uses."""

    async def work(client: DaemonClient) -> object:
        uses = await client.package_uses(ref)
        if not quiet:
            remark("\n".join(_uses_lines(uses)))
        agreed(f"Remove {uses.package}{' and stop its solvers' if uses.running else ''}?", yes)
        # Who was told who loses what, and said yes to it, has said so.
        return await client.remove(uses.package, force=force or not (yes or quiet))

    removal = session.run(work)
    if as_json:
        print_json(removal)
    elif not quiet:
        freed, shared = getattr(removal, "freed_bytes", None), getattr(removal, "shared_bytes", 0)
        say(f"removed {getattr(removal, 'package', ref)}: {size(freed)} freed{still_elsewhere(shared)}")


def _uses_lines(uses: PackageUses) -> list[str]:
    """Who uses a package, what stays, and what the disk gets back."""
    from cvflow_tui.model.storage import told_of_shared

    told = (
        ("is stopped:", uses.running),
        ("loses its suggestions:", uses.projects),
        ("its environment stays for", uses.environment),
        ("some of its weights stay for", uses.weights),
    )
    lines = [uses.package, *(f"  {what} {', '.join(names)}" for what, names in told if names)]
    lines += [f"  frees {size(uses.goes.freed)}"]
    return [*lines, f"  {told_of_shared(size(uses.goes.shared), 'what goes')}"] if uses.goes.shared else lines


def _impossible(plan: InstallPlan) -> CvflowError:
    """Why it cannot be, as an error of the kind that stands in the way first."""
    from cvflow_tui.model.errors import BY_CODE

    blocking = [finding for finding in plan.findings if finding.blocks]
    kind = BY_CODE.get(blocking[0].code if blocking else "package", BY_CODE["package"])
    detail = "\n".join(finding.detail for finding in blocking if finding.detail) or None
    return kind(f"{plan.package.summary.ref} can't be installed here: {'; '.join(plan.problems)}", detail=detail)


def _show_plan(plan: InstallPlan) -> None:
    from cvflow_tui.cli.upgrade import changed_lines, script_lines

    summary = plan.package.summary
    replaces = f", replacing {plan.replaces}" if plan.replaces else ""
    tagline = f": {summary.tagline}" if summary.tagline else ""
    lines = [
        f"{summary.ref} {summary.version}{replaces}{tagline}",
        f"  from         {plan.source}",
        f"  licence      {summary.license or 'not stated'}",
        f"  environment  {plan.environment}",
        f"  download     {size(plan.download_bytes)}, on disk {size(plan.disk_bytes)} of {size(plan.free_bytes)} free",
    ]
    notes = [*plan.package.warnings, *(finding.sentence for finding in plan.findings if not finding.blocks)]
    lines += [*changed_lines(plan), *script_lines(plan)]
    remark("\n".join(lines + [f"  - {step}" for step in plan.steps] + [f"  ! {each}" for each in notes]))
