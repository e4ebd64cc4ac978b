"""The program: reads the command line, runs one command, turns whatever ends it into one line and an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import click

from cvflow_tui.cli.root import cvflow
from cvflow_tui.cli.session import Session
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import clean, one_line

INTERRUPTED = 130
"""128 + SIGINT: what a shell gives a program that Ctrl-C ended."""
PIPE_CLOSED = 141
"""128 + SIGPIPE: whoever read our output has gone."""


def main(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    """Run one command and return its exit code (see `model.errors`; 130 for Ctrl-C, 141 for a closed pipe).

    `session` says how the daemon is reached; tests hand in one of their own.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    session = session or Session()
    if instruction := os.environ.get("_CVFLOW_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(cvflow, {}, "cvflow", "_CVFLOW_COMPLETE", instruction)
    try:
        code = _run(arguments, session)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return PIPE_CLOSED
    return code


def _run(arguments: list[str], session: Session) -> int:
    as_json = "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)
    try:
        with cvflow.make_context("cvflow", arguments, obj=session) as context:
            cvflow.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError):
        click.echo("cvflow: interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        return _tell(_usage_line(error), "usage", error.exit_code, as_json)
    except CvflowError as error:
        more = " (the rest: cvflow --debug …)" if error.detail and not session.debug else ""
        return _tell(f"{one_line(error.message, 460)}{more}", error.code, error.exit_code, as_json, error.detail if session.debug else None)
    except BrokenPipeError:
        raise
    except Exception as error:
        if session.debug:
            raise
        line = f"{type(error).__name__}: {error} (see more with: cvflow --debug …)"
        return _tell(line, CvflowError.code, CvflowError.exit_code, as_json)
    return 0


def _tell(message: str, code: str, exit_code: int, as_json: bool, detail: str | None = None) -> int:
    line = one_line(message, 500)
    click.echo(f"cvflow: {line}", err=True)
    if detail:
        click.echo(clean(detail), err=True)
    if as_json:
        click.echo(json.dumps({"error": line, "code": code}))
    return exit_code


def _usage_line(error: click.ClickException) -> str:
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message.rstrip('.')}; see: {context.command_path if context else 'cvflow'} --help"


def _silence() -> None:
    # The interpreter flushes stdout once more at its end and would complain of the closed pipe.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
