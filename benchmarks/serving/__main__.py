"""Our runner beside bare Starlette + uvicorn, LitServe, BentoML and the original cvpm and mlpm servers, in one run.

    python -m benchmarks.serving [--rounds 5] [--seconds 1] [--peers litserve,cvpm] [--strict] [--json FILE]

The model is `time.sleep(1 ms)` (it lets go of the interpreter), the picture a JPEG of 204,406 bytes; load and servers share this machine's
cores. All servers are up at once and take turns in short rounds; a ratio is the median of its rounds' ratios. Errors are no replies.
A measurement during which other programs had more than a tenth of the machine is taken again, up to three times in all; a ratio leaves out
the rounds that are still disturbed, where three calm ones are left.

Every server is given the best that one worker of it can be: bare Starlette a thread pool of 16, httptools and uvloop; BentoML 16 threads,
httptools and uvloop, no access log, metrics or traces; LitServe its fast queue, httptools and uvloop, no access log; mlpm gunicorn with
uvicorn's worker; the originals a file name of each client's own (with one name for all, their uploads overwrite each other: a row of its
own counts the errors). LitServe, cvpm and mlpm call the model one after the other and have no other way within one worker; "one call at a
time" compares that with a solver of ours that does the same, and `CPU us a request` is what remains when the model costs nothing.

Batching is measured with a model that takes 4 ms and 0.25 ms a picture. Peers' environments are kept in $XDG_CACHE_HOME/cvflow-bench.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.serving import table
from benchmarks.serving.bars import lines_of, missed
from benchmarks.serving.generators import compare
from benchmarks.serving.peers import PEERS
from benchmarks.serving.rounds import Found, measure


def main() -> int:
    """Print the tables; with --strict 1 where a bar is missed or could not be measured."""
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="benchmarks.serving")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--peers", default=",".join(names), help=f"some of {','.join(names)}; empty: none")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a bar is not met")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures")
    options = parser.parse_args()
    asked = [name for name in options.peers.split(",") if name]
    if unknown := set(asked) - set(names):
        parser.error(f"there is no peer {', '.join(sorted(unknown))}")
    before = os.getloadavg()[0]
    found = measure(options.rounds, options.seconds, asked)
    lines = lines_of(found)
    print(f"{options.rounds} rounds of {options.seconds:g} s on {os.cpu_count()} cores; load average before: {before:.1f}\n")
    print(table.bars(lines), table.cells(found), table.processes(found), sep="\n\n")
    print("\nthe load against other generators (bare Starlette, raw, 16 clients)")
    for told in compare(3, max(2.0, options.seconds)):
        print(f"  {told}")
    if options.json:
        options.json.write_text(json.dumps(figures(found), indent=1) + "\n", "utf-8")
    failing = missed(lines)
    print(f"\n{len(failing)} bars not met" if failing else "\nevery bar is met")
    return 1 if failing and options.strict else 0


def figures(found: Found) -> dict[str, object]:
    """Everything, by round."""
    return {
        "direct_ms": found.direct,
        "not_run": found.not_run,
        "cells": [
            {"server": cell.server, "request": cell.kind, "clients": cell.clients, "rounds": [asdict(sample) for sample in samples]}
            for cell, samples in found.samples.items()
        ],
        "bars": [asdict(line) for line in lines_of(found)],
    }


if __name__ == "__main__":
    sys.exit(main())
