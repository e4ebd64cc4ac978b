"""`cvflow set`, `settings`, `restart`, `env`: how solvers are to run."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import hush_option, json_option, quiet_option
from cvflow_tui.cli.output import print_json, print_pairs, remark, say
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.setting_words import MEANINGS

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.settings import SettingsReport, Variable
    from cvflow_tui.model.solvers import RunningSolver


@click.command("set", epilog=examples("cvflow set nanodet replicas=2 memory=2G keep_alive=5m", "cvflow set detect autostart=on port=8080"))
@click.argument("solver")
@click.argument("changes", nargs=-1, required=True, metavar="NAME=VALUE…")
@quiet_option
@json_option
@click.pass_obj
def set_settings(session: Session, solver: str, changes: tuple[str, ...], quiet: bool, as_json: bool) -> None:
    """Say how a solver is to run. `NAME=` alone takes a setting back."""
    told = dict(_pair(change) for change in changes)
    report = session.run(lambda client: client.change_settings(solver, told))
    if as_json:
        print_json(report)
    elif not quiet:
        _tell(report, only=set(told))


_LINES = "\n".join(f"{name + '=' + example:<33}{meaning}" for name, (example, meaning) in MEANINGS.items())
set_settings.help = f"{set_settings.help}\n\n\b\n{_LINES}"


@click.command(epilog=examples("cvflow settings nanodet", "cvflow settings nanodet --json | jq .settings.memory"))
@click.argument("solver")
@hush_option
@json_option
@click.pass_obj
def settings(session: Session, solver: str, as_json: bool) -> None:
    """Show how a solver is to run. Values of environment variables are never shown."""
    report = session.run(lambda client: client.settings(solver))
    if as_json:
        print_json(report)
    else:
        _tell(report)


@click.command(epilog=examples("cvflow restart nanodet"))
@click.argument("solver")
@quiet_option
@json_option
@click.pass_obj
def restart(session: Session, solver: str, quiet: bool, as_json: bool) -> None:
    """Stop a solver and start it with its settings as they are now, at the port it had."""

    async def work(client: DaemonClient) -> RunningSolver:
        from cvflow_tui.cli.progress import Progress

        with Progress(quiet or as_json) as progress:
            progress.show(f"restarting {solver}")
            return await client.restart_solver(solver)

    found = session.run(work)
    if as_json:
        from cvflow_tui.cli.solvers import SHORT, facts

        told = facts(found)
        print_json({key: told[key] for key in SHORT})
    else:
        say(str(found.url) if quiet else f"{found.name} is {found.state} at {found.url} (pid {found.pid})")


@click.group(
    epilog=examples(
        "cvflow env set nanodet HF_HOME=/data/hf", "pass show api-key | cvflow env set me/net API_KEY", "cvflow env list nanodet"
    )
)
def env() -> None:
    """Environment variables of workers: of a package's, or of one solver's.

    Values can be set and not read: nothing of cvflow shows them again, and they are taken out of logs and
    errors. What a package answers with is its own: one that you give a secret to could tell it.
    """


@env.command("set", epilog=examples("cvflow env set nanodet MODE=fast", "cvflow env set nanodet API_KEY < key.txt"))
@click.argument("ref")
@click.argument("variable", metavar="NAME[=VALUE]")
@quiet_option
@json_option
@click.pass_obj
def env_set(session: Session, ref: str, variable: str, quiet: bool, as_json: bool) -> None:
    """Set a variable of REF (VENDOR/PACKAGE or VENDOR/PACKAGE/SOLVER). A value that is not given is read from standard input.

    What is given as an argument can be seen in the list of processes while the command runs; a secret is better read.
    """
    name, given, value = variable.partition("=")
    if not given:
        value = _read(name)

    async def work(client: DaemonClient) -> list[Variable]:
        found = await client.set_variable(ref, name, value)
        owners = {each.owner for each in found if each.name == name}
        serving = [solver.name for solver in await client.solvers() if solver.state.is_live and {solver.name, solver.package} & owners]
        for solver in serving:
            remark(f"{solver} gets it at its next start: cvflow restart {solver}")
        return found

    found = session.run(work)
    if not value:
        remark(f"{name} is set, and empty")
    _tell_variables(found, as_json, quiet)


@env.command("list", epilog=examples("cvflow env list nanodet", "cvflow env list nanodet --json"))
@click.argument("ref")
@hush_option
@json_option
@click.pass_obj
def env_list(session: Session, ref: str, as_json: bool) -> None:
    """List the variables of REF, without their values."""
    _tell_variables(session.run(lambda client: client.variables(ref)), as_json)


@env.command("unset", epilog=examples("cvflow env unset nanodet API_KEY"))
@click.argument("ref")
@click.argument("name")
@quiet_option
@json_option
@click.pass_obj
def env_unset(session: Session, ref: str, name: str, quiet: bool, as_json: bool) -> None:
    """Forget a variable of REF."""
    _tell_variables(session.run(lambda client: client.unset_variable(ref, name)), as_json, quiet)


def _pair(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals or not name:
        raise UsageError(f"{change[:60]!r} is not NAME=VALUE")
    return name.strip(), value.strip()


def _read(name: str) -> str:
    if sys.stdin.isatty():
        told: str = click.prompt(f"value of {name}", hide_input=True, err=True, default="", show_default=False)
        return told
    return sys.stdin.read().removesuffix("\n")


def _tell(report: SettingsReport, only: set[str] | None = None) -> None:
    from cvflow_tui.model.settings import write_setting

    names = [each.name for each in fields(report.settings) if only is None or each.name in only]
    pairs: list[tuple[str, object]] = [(name, write_setting(name, getattr(report.settings, name))) for name in names]
    if only is None:
        pairs += [(name, "(set)") for name in report.variables]
    print_pairs(pairs)
    for warning in report.warnings:
        remark(warning)
    if report.restart_for:
        remark(f"needs a restart ({', '.join(report.restart_for)}): cvflow restart {report.solver}")


def _tell_variables(found: list[Variable], as_json: bool, quiet: bool = False) -> None:
    if as_json:
        print_json(found)
    elif not quiet:
        for each in found:
            say(f"{each.owner}  {each.name} = (set)")
