"""`python -m cvflow_tui.backend.runtime.runner --spec FILE (--fd N | --port N)`: serve one solver until told to stop."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.runtime.confine import no_new_privileges
from cvflow_tui.backend.runtime.devices import NoDevice
from cvflow_tui.backend.runtime.orphans import ORPHANS
from cvflow_tui.backend.runtime.ports import agreed_address, is_loopback, listen
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import Spawned, spawn
from cvflow_tui.leaving import leave
from cvflow_tui.model.errors import CvflowError, RefusedError

SHORTEST_TOKEN = 16


def main(arguments: list[str] | None = None) -> int:
    """Bind the port, start the worker, then (and only then) import what speaks HTTP. Returns the exit status."""
    options = _options(arguments)
    try:
        spec = RunSpec.load(options.spec)
        if options.fd is None:
            agreed_address(options.host, options.i_know)
            if not is_loopback(options.host):
                spec = replace(spec, token=_token(options.token_file))
        return run(spec, fd=options.fd, port=options.port, host=options.host, log=options.log, scratch=options.scratch)
    except CvflowError as error:
        sys.stderr.write(f"cvflow: {error.message}\n")
        return error.exit_code


def _token(file: Path | None) -> str:
    """The word that opens a port which other machines can reach. Raises RefusedError without a good one."""
    try:
        token = file.read_text("utf-8").strip() if file is not None else ""
    except OSError as error:
        raise RefusedError(f"{file} can't be read: {error.strerror}") from error
    if len(token) < SHORTEST_TOKEN:
        raise RefusedError(f"other machines may ask only with a token: --token-file FILE with {SHORTEST_TOKEN} characters or more")
    return token


def run(
    spec: RunSpec,
    *,
    fd: int | None = None,
    port: int | None = None,
    host: str = "127.0.0.1",
    log: Path | None = None,
    scratch: Path | None = None,
) -> int:
    """Serve `spec` on an inherited listening socket, or by hand on `host:port` (prints the URL once the solver is ready).

    Raises RefusedError where the port is taken. Returns the exit status: 0 when it was told to stop, 6 when the solver failed.
    """
    listening = _inherited(fd) if fd is not None else listen(port, host)
    os.umask(0o077)
    no_new_privileges()
    ORPHANS.adopt()
    if fd is not None and os.getsid(0) != os.getpid():
        os.setsid()
    spawned: Spawned | None
    try:
        spawned = spawn(spec)
    except (OSError, NoDevice):
        spawned = None  # the lane tries again and tells why
    from cvflow_tui.backend.runtime.runner.process import run_service

    return run_service(spec, listening, spawned, log=log, scratch=scratch, by_hand=fd is None)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cvflow-runner", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="the specification of what to serve")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--fd", type=int, help="an inherited socket that listens already")
    where.add_argument("--port", type=int, help="the port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--i-know", action="store_true", help="listen where other machines can reach it")
    parser.add_argument("--token-file", type=Path, help="the token that every request must bear then")
    parser.add_argument("--log", type=Path, help="the log file; without it the log goes to stderr")
    parser.add_argument("--scratch", type=Path, help="where uploads go that do not fit into shared memory")
    return parser.parse_args(arguments)


def _inherited(fd: int) -> socket.socket:
    listening = socket.socket(fileno=fd)
    listening.set_inheritable(False)
    return listening


if __name__ == "__main__":
    leave(main())
