"""`cvflow logs`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from cvflow_tui.cli.lazy import examples
from cvflow_tui.cli.options import json_option
from cvflow_tui.cli.session import Session
from cvflow_tui.model.text import clean

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

PIECE = 65536
"""Bytes of a log asked for at once."""
PATIENCE = 10.0
"""Seconds the daemon holds a request while a log does not grow."""


@click.command(epilog=examples("cvflow logs nanodet", "cvflow logs nanodet -f", "cvflow logs nanodet -n 500 | grep -i warning"))
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is written, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), default=100, show_default=True, help="How many of the last lines.")
@json_option
@click.pass_obj
def logs(session: Session, name: str, follow: bool, lines: int, as_json: bool) -> None:
    """Show what a solver and its runner wrote. With --json, one object {"line"} a line."""

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


async def _last(client: DaemonClient, name: str, lines: int) -> tuple[str, int]:
    """The log's last lines, and the byte where the rest begins."""
    chunk = await client.solver_log(name, limit=PIECE)
    text, start, end = chunk.text, chunk.start, chunk.end
    while start > 0 and text.count("\n") <= lines:
        before = await client.solver_log(name, offset=max(0, start - PIECE), limit=min(PIECE, start))
        if before.start >= start:
            break
        text, start = before.text + text, before.start
    kept = text.splitlines(keepends=True)
    return "".join(kept[len(kept) - min(lines, len(kept)) :]), end


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
