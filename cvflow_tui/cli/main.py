"""The program: reads the command line, runs one command, turns whatever ends it into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cvflow_tui.cli.outcome import tell, tell_error
from cvflow_tui.cli.root import cvflow
from cvflow_tui.cli.session import Session, Terminated
from cvflow_tui.model.errors import CvflowError

INTERRUPTED = 130
"""128 + SIGINT: what a shell gives a program that Ctrl-C ended."""
TERMINATED = 143
"""128 + SIGTERM."""
PIPE_CLOSED = 141
"""128 + SIGPIPE: whoever read our output has gone."""


def main(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    """Run one command and return its exit code (see `model.errors`; 130 for Ctrl-C, 143 for SIGTERM, 141 for a closed pipe).

    `session` says how the daemon is reached; tests hand in one of their own.
    """
    _open_streams()
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
    except OSError as error:
        _silence()
        return tell_error(CvflowError(f"the output could not be written: {error.strerror}"))
    return code


def _run(arguments: list[str], session: Session) -> int:
    as_json = "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)
    try:
        with cvflow.make_context("cvflow", arguments, obj=session) as context:
            cvflow.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt, EOFError) as end:
        click.echo("cvflow: interrupted", err=True)
        return TERMINATED if isinstance(end, Terminated) else INTERRUPTED
    except click.ClickException as error:
        return tell(_usage_line(error), "usage", error.exit_code, as_json)
    except CvflowError as error:
        return tell_error(error, as_json, session.debug)
    except BrokenPipeError:
        raise
    except Exception as error:
        if session.debug:
            raise
        from cvflow_tui.model.space import is_full, no_space

        if is_full(error):
            if isinstance(error, OSError) and error.filename is None:
                raise  # what we write to without a name are the standard streams
            return tell_error(no_space(getattr(error, "filename", None) or "what is written to"), as_json, session.debug)
        line = f"{type(error).__name__}: {error} (see more with: cvflow --debug …)"
        return tell(line, CvflowError.code, CvflowError.exit_code, as_json)
    return 0


def _usage_line(error: click.ClickException) -> str:
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message.rstrip('.')}; see: {context.command_path if context else 'cvflow'} --help"


def _open_streams() -> None:
    """Where we were started with a standard stream closed, give it a reader or a sink of nothing: other files must not take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open as long as the program runs


def _silence() -> None:
    # The interpreter flushes stdout once more at its end and would complain of the closed pipe.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
