"""`cvflow logs`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import hush_option, json_option
from cvflow_tui.cli.output import remark
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.text import clean

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

PIECE = 65536
"""Bytes of a log asked for at once."""
LONG_PIECE = 1 << 20
"""The most that is handed out at once."""
PATIENCE = 10.0
"""Seconds the daemon holds a request while a log does not grow."""


@click.command(
    epilog=examples(
        "cvflow logs nanodet", "cvflow logs nanodet -f", "cvflow logs nanodet --level warning --since 2h", "cvflow logs nanodet --grep cuda"
    )
)
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is written, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), default=100, show_default=True, help="How many of the last lines.")
@click.option("--since", metavar="TIME", help="Only what was written since: 30s, 5m, 2h, 1d ago, or 2026-01-31, 2026-01-31T12:00.")
@click.option("--level", type=click.Choice(["debug", "info", "warning", "error"]), help="Only lines of that level and above.")
@click.option("--grep", metavar="TEXT", help="Only lines that hold the text; capitals count where it has some.")
@hush_option
@json_option
@click.pass_obj
def logs(
    session: Session, name: str, follow: bool, lines: int, since: str | None, level: str | None, grep: str | None, as_json: bool
) -> None:
    """Show what a solver and its runner wrote. With --json, one object {"line"} a line.

    With --since, --level or --grep the older files are searched too, and --json tells level and time of each line.
    """
    if since is not None or level is not None or grep is not None:
        if follow:
            raise UsageError("-f follows the whole log: leave out --since, --level and --grep, or pipe it into grep")
        session.run(lambda client: _search(client, name, lines, _when(since), level or "debug", grep or "", as_json))
        return

    async def work(client: DaemonClient) -> None:
        name_in_full = str(await client.resolve(name))
        text, end = await _last(client, name_in_full, lines)
        unfinished = _write(text, as_json, hold=follow)
        while follow:
            chunk = await client.solver_log(name_in_full, offset=end, limit=PIECE, wait=PATIENCE)
            # a log that was turned over is shorter than where we were
            end = chunk.end if chunk.size >= end else 0
            unfinished = _write(unfinished + chunk.text, as_json, hold=True)

    session.run(work)


async def _search(client: DaemonClient, name: str, lines: int, since: float | None, level: str, text: str, as_json: bool) -> None:
    found = await client.search_log(name, text, level=level, since=since, limit=max(1, lines))
    for line in found.lines[len(found.lines) - min(lines, len(found.lines)) :]:
        told = {"line": clean(line.text), "level": line.level, "time": line.time}
        sys.stdout.write(f"{json.dumps(told) if as_json else told['line']}\n")
    if not found.complete:
        remark("the search took too long: the oldest part of the log was not looked through")


def _when(since: str | None) -> float | None:
    """Seconds since 1970. Raises UsageError."""
    from time import time

    from cvflow_tui.model.moments import read_moment

    if since is None:
        return None
    try:
        return read_moment(since, time())
    except ValueError as error:
        raise UsageError(f"--since {error}") from None


async def _last(client: DaemonClient, name: str, lines: int) -> tuple[str, int]:
    """The log's last lines, and the byte where the rest begins. Where the last piece holds too few, a longer one is asked for,
    and then the whole log is read: a piece cut out of the middle would cut lines."""
    for limit in (PIECE, LONG_PIECE):
        chunk = await client.solver_log(name, limit=limit)
        if chunk.start == 0 or chunk.text.count("\n") > lines:
            return "".join(_ends(chunk.text, lines)), chunk.end
    end, read, kept = chunk.end, 0, list[str]()
    while read < end:
        before = await client.solver_log(name, offset=read, limit=min(LONG_PIECE, end - read))
        if before.start != read or before.end <= read:
            break  # the log was turned over meanwhile
        kept, read = _ends("".join(kept) + before.text, lines), before.end
    return "".join(kept), end


def _ends(text: str, lines: int) -> list[str]:
    """The last lines of a text, each with its line end."""
    every = [f"{line}\n" for line in text.split("\n")]
    every[-1] = every[-1][:-1]
    if not every[-1]:
        every.pop()
    return every[len(every) - min(lines, len(every)) :]


def _write(text: str, as_json: bool, *, hold: bool) -> str:
    """Print whole lines; with `hold`, an unfinished last one is handed back to wait for its rest."""
    whole, newline, rest = text.rpartition("\n")
    lines = whole.split("\n") if newline else []
    if rest and not hold:
        lines, rest = [*lines, rest], ""
    for line in lines:
        sys.stdout.write(f"{json.dumps({'line': clean(line)}) if as_json else clean(line)}\n")
    sys.stdout.flush()
    return rest
