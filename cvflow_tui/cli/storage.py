"""`cvflow disk`, `prune` and `verify`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import agreed, hush_option, json_option, quiet_option, yes_option
from cvflow_tui.cli.output import plain, print_json, print_table, remark, say, size, still_elsewhere
from cvflow_tui.cli.session import Session
from cvflow_tui.install_line import offline_option
from cvflow_tui.model.storage import told_of_cache, told_of_shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvflow_tui.backend.client import DaemonClient

EXTRA_SHOWN = 200
"""Findings that are listed for people; --json has them all."""


@click.command(epilog=examples("cvflow disk", "cvflow disk --json | jq '.entries[] | select(.kind == \"weight\")'"))
@hush_option
@json_option
@click.pass_obj
def disk(session: Session, as_json: bool) -> None:
    """Say what takes room in the home folder: packages, environments, weights, downloads, projects, logs. The sum is what du says.

    What is shared is linked from outside too, from uv's cache mostly: whoever deletes it here alone frees nothing.
    """
    usage = session.run(lambda client: client.disk())
    if as_json:
        print_json(usage)
        return
    print_table(
        (">size", "what", "name", "~used by", ">shared"),
        [
            (size(entry.bytes), entry.kind, entry.name, ", ".join(entry.used_by), size(entry.shared) if entry.shared else "")
            for entry in usage.entries
        ],
    )
    remark(f"{size(usage.total_bytes)} in {usage.root}; {size(usage.free_bytes)} free")
    if usage.shared:
        remark(told_of_shared(size(usage.shared)))
    if usage.cache:
        remark(told_of_cache(size(usage.cache_bytes), usage.cache))


@click.command(epilog=examples("cvflow prune --dry-run", "cvflow prune --keep-versions --yes --json"))
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--keep-versions", is_flag=True, help="Spare the versions that upgrades kept: the way back (cvflow rollback).")
@click.option("--cache", is_flag=True, help="And all that uv keeps: other programs use it too, and what they need is fetched again.")
@yes_option
@quiet_option
@json_option
@click.pass_obj
def prune(session: Session, /, dry_run: bool, keep_versions: bool, cache: bool, yes: bool, quiet: bool, as_json: bool) -> None:
    """Delete what nobody uses: weights and environments of no package, versions kept by upgrades, downloads that were cut off, old logs.

    After this there is no way back to the versions that upgrades replaced (cvflow rollback), unless they are spared: --keep-versions.
    """

    async def work(client: DaemonClient) -> Any:
        from cvflow_tui.cli.progress import Progress, follow

        found = await client.prunable(keep_versions=keep_versions, cache=cache)
        if dry_run or not found.entries:
            return found
        if not quiet:
            remark("\n".join(f"{size(entry.bytes):>9}  {entry.kind} {entry.shown}" for entry in found.entries))
        agreed(f"Delete this? It frees {size(found.freed)}.", yes)
        with Progress(quiet) as progress:
            return (await follow(client, client.prune(keep_versions=keep_versions, cache=cache), progress)).result

    result = plain(session.run(work))
    if as_json:
        print_json(result)
    elif dry_run:
        _show(result["entries"])
        say(f"{size(result['bytes'] - result['shared'])} would be freed{still_elsewhere(result['shared'])}")
    elif not quiet and result["done"]:
        say(f"{size(result['bytes'] - result['shared'])} freed{still_elsewhere(result['shared'])}")
    elif not quiet:
        say("there is nothing that nobody uses")


@click.command(epilog=examples("cvflow verify", "cvflow verify nanodet --repair", "cvflow verify --json | jq '.findings[]'"))
@click.argument("ref", required=False)
@click.option("--repair", is_flag=True, help="Bring back what is missing or damaged, file by file; solvers go on meanwhile.")
@click.option("--remove-extra", is_flag=True, help="Delete files that are no part of what was installed, those that packages wrote too.")
@offline_option
@quiet_option
@json_option
@click.pass_context
def verify(context: click.Context, /, ref: str | None, repair: bool, remove_extra: bool, offline: bool, quiet: bool, as_json: bool) -> None:
    """Compare every file with what was installed: the package's files and weights with its lock, its environment with its records.

    Without REF, all packages. Exits with 6 where a file is missing or damaged, or could be taken for the package's code and is not (and
    was not repaired). What packages write into their folders (cache/, temp/, static/) is told, and no fault.
    """
    session: Session = context.obj

    async def work(client: DaemonClient) -> Any:
        from cvflow_tui.cli.progress import Progress, follow

        with Progress(quiet or as_json) as progress:
            return (await follow(client, client.verify(ref, repair=repair, remove_extra=remove_extra, offline=offline), progress)).result

    result = plain(session.run(work))
    findings = result["findings"]
    if as_json:
        print_json(result)
    else:
        if findings:
            rows = [(each["package"], each["kind"], each["part"], each["path"]) for each in findings[:EXTRA_SHOWN]]
            print_table(("package", "state", "part", "file"), rows)
        if not quiet:
            _say_verified(result)
    context.exit(6 if findings else 0)


def _say_verified(result: dict[str, Any]) -> None:
    for package in result["repaired"]:
        say(f"repaired {package}; a solver of it that runs goes on with what it loaded: cvflow restart")
    if result["removed"]:
        many = f"{result['removed']:,} files deleted that were" if result["removed"] != 1 else "1 file deleted that was"
        say(f"{many} no part of what was installed")
    written = Counter((each["package"], each["path"].partition("/")[0]) for each in result["notes"])
    for (package, place), number in sorted(written.items()):
        say(f"{package} wrote {f'{number:,} files' if number > 1 else 'a file'} since: {place} (no fault; --remove-extra deletes)")
    count, files = len(result["packages"]), result["files"]
    looked = f"{files:,} files ({size(result['bytes'])}) of {count} package{'s' if count != 1 else ''}"
    findings = len(result["findings"])
    if any(each["kind"] == "extra" for each in result["findings"]):
        say("what is extra stays, with --repair too: --remove-extra deletes it")
    say(f"{looked}: {f'{findings} not as installed' if findings else 'all as installed'}")


def _show(entries: Sequence[Any]) -> None:
    rows = [plain(entry) for entry in entries]
    print_table((">size", "what", "name"), [(size(each["bytes"]), each["kind"], each["name"]) for each in rows])
