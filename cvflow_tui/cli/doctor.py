"""`cvflow doctor`: why a package can't run here, before anything is downloaded."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option, quiet_option
from cvflow_tui.cli.output import print_json, say, size
from cvflow_tui.cli.session import Session
from cvflow_tui.install_line import environment_options

if TYPE_CHECKING:
    from cvflow_tui.model.diagnosis import Finding
    from cvflow_tui.model.packages import InstallPlan


@click.command(
    epilog=examples(
        "cvflow doctor nanodet",
        "cvflow doctor git+https://example.org/detector.git --details",
        "cvflow doctor ./old-package --relax --python 3.9",
        "cvflow doctor ./my-package --json | jq '.findings[] | .what'",
    )
)
@click.argument("source")
@environment_options
@click.option("--details", is_flag=True, help="Show all that stands behind a finding, such as the resolver's whole answer.")
@quiet_option
@json_option
@click.pass_obj
def doctor(session: Session, /, source: str, details: bool, quiet: bool, as_json: bool, **wishes: Any) -> None:
    """Say why a package can't run here, what to do about it, and what it would download. Downloads and changes nothing.

    SOURCE is anything that install takes. Looks at Python, requirements, the imports of its code that nothing brings, the hosts of the
    weights, disk, GPU, and libraries of the system. Exits with 0 when it can be installed, else with the code of the first thing in its
    way: 4 refused, 5 remote, 6 package. What would fail at the installation (an import) is in its way too; install tries it all the same.
    """
    from cvflow_tui.cli.progress import Progress
    from cvflow_tui.install_line import absolute
    from cvflow_tui.model.errors import BY_CODE
    from cvflow_tui.model.packages import InstallRequest

    request = InstallRequest(absolute(source), again=True, **wishes)
    with Progress(quiet or as_json) as progress:
        progress.show(f"looking at {request.source}")
        plan = session.run(lambda client: client.plan_install(request))
    blocking = sorted((finding for finding in plan.findings if finding.blocks or finding.fails), key=lambda each: not each.blocks)
    if as_json:
        print_json(_told(plan, can_run=not blocking))
    else:
        say(_report(plan, details=details))
    if blocking:
        raise click.exceptions.Exit(BY_CODE.get(blocking[0].code, BY_CODE["package"]).exit_code)


def _told(plan: InstallPlan, *, can_run: bool) -> dict[str, Any]:
    summary = plan.package.summary
    return {
        "package": summary.ref,
        "version": summary.version,
        "can_run": can_run,
        "environment": plan.environment,
        "download_bytes": plan.download_bytes,
        "disk_bytes": plan.disk_bytes,
        "free_bytes": plan.free_bytes,
        "findings": [asdict(finding) for finding in plan.findings],
        "scripts": [asdict(script) for script in plan.scripts if not script.allowed],
        "warnings": list(plan.package.warnings),
    }


def _report(plan: InstallPlan, *, details: bool) -> str:
    summary = plan.package.summary
    lines = [
        f"{summary.ref} {summary.version} {_verdict(plan)}",
        f"  environment  {plan.environment}",
        f"  download     {size(plan.download_bytes)}, on disk {size(plan.disk_bytes)} of {size(plan.free_bytes)} free",
    ]
    for finding in sorted(plan.findings, key=lambda each: (not each.blocks, not each.fails)):
        lines += _lines(finding, details=details)
    lines += [
        f"  warn   {script.name} does not run unless you allow it: --allow-script {script.sha256[:12]}"
        for script in plan.scripts
        if not script.allowed
    ]
    lines += [f"  warn   {warning}" for warning in plan.package.warnings]
    return "\n".join(lines)


def _verdict(plan: InstallPlan) -> str:
    """Nothing is refused for what only the installation can be sure of, and yet it is no "can be"."""
    if any(finding.blocks for finding in plan.findings):
        return "cannot be installed here"
    return "is likely to fail here" if any(finding.fails for finding in plan.findings) else "can be installed here"


def _lines(finding: Finding, *, details: bool) -> list[str]:
    word = "stops" if finding.blocks else "fails" if finding.fails else "warn "
    lines = [f"  {word}  {finding.topic}: {finding.what}"]
    lines += [f"         {finding.mend}"] if finding.mend else []
    if details and finding.detail:
        lines += [f"         | {line}" for line in finding.detail.rstrip().splitlines()]
    return lines
