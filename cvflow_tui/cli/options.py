"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

HUSHED = "cvflow.quiet"
"""Where a command's context holds that it makes no remarks."""

F = TypeVar("F", bound=Callable[..., object])


def json_option(command: F) -> F:
    """`--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help='Print JSON on stdout; errors too, as {"error", "code"}.')(command)


def quiet_option(command: F) -> F:
    """`--quiet`."""
    return click.option("-q", "--quiet", is_flag=True, help="Say nothing but what was asked for: no progress, no remarks.")(command)


def hush_option(command: F) -> F:
    """`--quiet` of a command that only tells: `remark` (`output.py`) knows of it."""
    words = "Say nothing but what was asked for: no remarks."
    return click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_hush, help=words)(command)


def _hush(context: click.Context, _option: click.Parameter, quiet: bool) -> None:
    context.meta[HUSHED] = quiet


def yes_option(command: F) -> F:
    """`--yes`."""
    return click.option("-y", "--yes", is_flag=True, help="Do it without asking.")(command)


def agreed(question: str, yes: bool) -> None:
    """Ask on the terminal unless `yes`. Raises RefusedError if the answer is no, or nobody is there to ask."""
    import sys

    from cvflow_tui.model.errors import RefusedError

    if yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError("there is no terminal to ask at: say --yes")
    with _signals_as_ever():
        sure = click.confirm(question, default=True, err=True)
    if not sure:
        raise RefusedError("nothing was done")


@contextmanager
def _signals_as_ever() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM end whoever is being asked: an event loop would note them, and wait for the answer."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
