"""`cvflow daemon`: the process that owns the home folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import hush_option, json_option, quiet_option
from cvflow_tui.cli.output import plain, print_json, print_pairs, remark, say, span
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.text import plural

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.model.daemon import DaemonStatus
    from cvflow_tui.model.jobs import Job

END_SECONDS = 60.0

_UNIT = """\
[Unit]
Description=cvflow, which serves {home}

[Service]
ExecStart={python} -m cvflow_tui --home {home} daemon run
Restart=on-failure
# Solvers outlive their daemon: only that one is ended.
KillMode=process

[Install]
WantedBy=default.target
"""


@click.group(epilog=examples("cvflow daemon run --port 7070", "cvflow daemon status --json", "cvflow daemon stop --solvers"))
def daemon() -> None:
    """The process that owns the home folder. Other commands start one in the background where there is none."""


@daemon.command(epilog=examples("cvflow daemon run", "cvflow --home /srv/cvflow daemon run --port 7070"))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at; loopback unless said otherwise.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="The port; 0 takes any free one.")
@click.option("--i-know", is_flag=True, help="Listen where other machines can reach it; the token opens it, and nothing is encrypted.")
@click.option("--legacy-api", is_flag=True, help="Serve the original daemon's routes too, behind the same token.")
@click.option("--legacy-port", type=click.IntRange(0, 65535), default=10590, show_default=True, help="Where; 0 takes any free port.")
@hush_option
@json_option
@click.pass_obj
def run(session: Session, host: str, port: int, i_know: bool, legacy_api: bool, legacy_port: int, as_json: bool) -> None:
    """Serve this home until SIGTERM, Ctrl-C or `cvflow daemon stop`. Solvers outlive it.

    With --legacy-api, clients of the original daemon are served too: they give the token (HOME/token) as the password of a URL,
    http://cvflow:TOKEN@127.0.0.1:10590/, or as a bearer token.

    Prints where it listens once requests are answered; with --json what `daemon status --json` does, on one line.
    """
    from cvflow_tui.backend.daemon import run_daemon

    def tell(found: DaemonStatus) -> None:
        if as_json:
            print_json(_facts(found))
        else:
            say(f"{found.url} (pid {found.pid}) serves {found.home}")
            if found.legacy_url is not None:
                say(f"{found.legacy_url} serves the original daemon's routes")
        sys.stdout.flush()  # whoever started us waits for it, and we go on

    legacy = legacy_port if legacy_api else None
    run_daemon(session.home, host=host, port=port, i_know=i_know, legacy_port=legacy, serving=tell)


@daemon.command(epilog=examples("cvflow daemon status", "cvflow daemon status --json | jq -r .url"))
@hush_option
@json_option
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """Say who serves this home. Exit code 3 if nobody does."""
    found = session.run_if_up(lambda client: client.status())
    if as_json:
        print_json(_facts(found))
        return
    where = "inside an open app" if found.embedded else "on its own"
    legacy = [("legacy", found.legacy_url)] if found.legacy_url is not None else []
    print_pairs(
        [
            ("url", found.url),
            *legacy,
            ("pid", f"{found.pid}, {where}"),
            ("version", found.version),
            ("home", found.home),
            ("up", span(found.uptime)),
            ("solvers", found.solvers),
        ]
    )


@daemon.command(epilog=examples("cvflow daemon stop", "cvflow daemon stop --solvers"))
@click.option("--solvers", is_flag=True, help="Stop the running solvers too; otherwise they go on serving.")
@quiet_option
@json_option
@click.pass_obj
def stop(session: Session, solvers: bool, quiet: bool, as_json: bool) -> None:
    """End the daemon; returns when it has gone. Exit code 3 if none runs. What it is at (an install, a round) is called off, and said."""
    called_off: list[Job] = []

    async def work(client: DaemonClient) -> DaemonStatus:
        found = await client.status()
        called_off.extend(job for job in await client.jobs() if not job.state.is_over)
        if found.embedded:
            raise RefusedError(f"the daemon lives in an open app (pid {found.pid}); leave the app to end it")
        await client.shutdown(stop_solvers=solvers)
        await wait_for_end(found.pid)
        return found

    ended = session.run_if_up(work)
    if as_json:
        jobs = [{"kind": job.kind, "subject": job.subject} for job in called_off]
        print_json({"stopped": True, "pid": ended.pid, "solvers_stopped": solvers, "called_off": jobs})
    elif not quiet:
        left = (
            ""
            if solvers or not ended.solvers
            else f"; {plural(ended.solvers, 'solver')} {'goes' if ended.solvers == 1 else 'go'} on serving"
        )
        for job in called_off:
            remark(f"called off: {job.kind} {job.subject}")
        say(f"the daemon (pid {ended.pid}) has ended{left}")


@daemon.command(epilog=examples("cvflow daemon unit > ~/.config/systemd/user/cvflow.service && systemctl --user enable --now cvflow"))
@hush_option
@json_option
@click.pass_obj
def unit(session: Session, as_json: bool) -> None:
    """Print a unit for systemd that serves this home from the start of the machine on; what is set to autostart starts with it.

    For a user who is not logged in, it runs after `loginctl enable-linger`.
    """
    text = _UNIT.format(python=_word(sys.executable), home=_word(str(session.home.root)))
    if as_json:
        print_json({"unit": text})
    else:
        say(text.rstrip("\n"))


def _word(text: str) -> str:
    """One word of a command in a unit, whatever stands in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


async def wait_for_end(pid: int) -> None:
    """Wait until a process is gone. Raises RefusedError if it is still there after a minute."""
    import asyncio
    import time

    import psutil

    deadline = time.monotonic() + END_SECONDS
    while psutil.pid_exists(pid):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        if time.monotonic() > deadline:
            raise RefusedError(f"the daemon (pid {pid}) did not end within {END_SECONDS:.0f} s; see logs/daemon.log in the home folder")
        await asyncio.sleep(0.05)


def _facts(found: DaemonStatus) -> dict[str, object]:
    told: dict[str, object] = plain(found)
    return {"url": found.url, "pid": found.pid, "version": found.version, **told}
