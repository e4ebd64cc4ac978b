"""`runner_SOLVER.py` in an installed package: serves a solver by hand, with any Python."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from cvflow_tui.backend.runtime.spec import RunSpec

_TEMPLATE = '''\
"""Serves the solver {name} by hand, without the daemon:

    python {file} --port 8080

Any Python will do: the work is done by the one that cvflow itself runs on.
"""
import argparse
import os
import sys

APP_PYTHON = {python!r}
SPEC = os.path.join(os.path.dirname(os.path.abspath(__file__)), {spec!r})


def main():
    parser = argparse.ArgumentParser(description={description!r})
    parser.add_argument("--port", type=int, default=8080, help="where it listens on this machine (default: 8080; 0 = any free port)")
    parser.add_argument("--host", help="the address to listen on (default: 127.0.0.1, this machine alone)")
    parser.add_argument("--i-know", action="store_true", help="listen where other machines can reach it")
    parser.add_argument("--token-file", metavar="FILE", help="the token that every request must bear then")
    arguments = parser.parse_args()
    more = ["--host", arguments.host] if arguments.host else []
    more += ["--i-know"] if arguments.i_know else []
    more += ["--token-file", os.path.abspath(arguments.token_file)] if arguments.token_file else []
    if not os.access(APP_PYTHON, os.X_OK):
        sys.exit("%s: cvflow's Python is not there any more; install the package again" % APP_PYTHON)
    command = [APP_PYTHON, "-P", "-m", "cvflow_tui.backend.runtime.runner", "--spec", SPEC, "--port", str(arguments.port)]
    os.execv(APP_PYTHON, command + more)


if __name__ == "__main__":
    main()
'''


def file_name(solver: str) -> str:
    """The runner file of a solver."""
    return f"runner_{solver}.py"


def write_runner(staged: Path, spec: RunSpec) -> dict[str, str]:
    """Write a solver's runner file and, beside it, its specification (which holds no token: the control routes stay closed).

    Returns both names with their sha256.
    """
    file = file_name(spec.solver)
    spec_file = Path(file).with_suffix(".json").name
    spec.save(staged / spec_file)
    text = _TEMPLATE.format(name=spec.name, file=file, python=sys.executable, spec=spec_file, description=f"Serve {spec.name}.")
    (staged / file).write_text(text, "utf-8")
    return {name: hashlib.sha256((staged / name).read_bytes()).hexdigest() for name in (file, spec_file)}
