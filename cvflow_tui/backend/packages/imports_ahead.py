"""Which imports of a package's code nothing will answer: told before anything is downloaded, from its text alone.

Only the import itself, which an installation tries, is sure. So what is found here refuses nothing: a distribution may bring modules
that are called otherwise than it is.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from cvflow_tui.backend.packages.distributions import distribution_of, is_known, known_mend
from cvflow_tui.backend.packages.forgotten import Imported, imports_of
from cvflow_tui.backend.packages.import_check import SDK
from cvflow_tui.backend.packages.interpreters import Interpreter
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.requirements import family
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import one_line

_GONE = {
    12: ("asynchat", "asyncore", "distutils", "imp", "smtpd"),
    13: (
        *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib"),
        *("ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
    ),
}
"""Minor version of Python 3 → what its standard library does not have any more."""

_GONE_WITH = {name: minor for minor, names in _GONE.items() for name in names}


def import_findings(package: Package, interpreter: Interpreter, pins: Collection[str], folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """The imports of a package's solvers that neither it, nor its requirements, nor the standard library provide.

    `pins` are the names of all distributions that its environment holds, `folders` where their files are, if they are there already.
    """
    families = {family(name) for name in pins}
    sure = bool(folders) or not families  # else one that is still to come may bring what is called otherwise than it
    for module in imports_of(package.root, [solver.class_path for solver in package.solvers]):
        if not (_is_ours(module.top) or _is_there(module.top, folders) or _is_named(module.top, families)):
            yield from _finding(module, interpreter, families, host=package.environment == "host", sure=sure)


def _finding(module: Imported, interpreter: Interpreter, families: Collection[str], *, host: bool, sure: bool) -> Iterator[Finding]:
    """What is to be said of one import, if anything. `sure`: no requirement brings it, for all that there will be is known."""
    top, here = one_line(module.top, 60), f"{one_line(str(module.file), 80)} imports"
    if top in sys.stdlib_module_names or top in _GONE_WITH:
        major, minor = map(int, interpreter.version.split(".")[:2])
        brought = top == "distutils" and "setuptools" in families
        if (gone := _GONE_WITH.get(top)) is not None and (major, minor) >= (3, gone) and not brought:
            option = known_mend(f"No module named '{top}'") or Mend(python=f"3.{gone - 1}")
            yield _fails(f"{here} {top}, which Python {major}.{minor} does not have any more", f"add {option.words}", option)
        return
    if host:
        yield _fails(f"{here} {top}, which the app's own Python does not have", "ask its author")
        return
    for name, distribution in sorted(_wanted(module).items()):
        if distribution is None:
            what = f"{here} {one_line(name, 60)}, which is no part of the package, and of no distribution that is known"
            yield _fails(what, "ask its author")
        elif family(distribution) in families:
            continue
        elif is_known(name):
            option = Mend((distribution,))
            yield _fails(f"{here} {one_line(name, 60)}, and no requirement brings it", f"add {option.words}", option)
        else:
            mend = f"add --with {shlex.quote(one_line(distribution, 60))} (a guess by its name: look at it first)"
            what = f"{here} {one_line(name, 60)}, and no requirement {'brings' if sure else 'is known to bring'} it"
            yield Finding(
                "imports", what, mend if sure else f"if none does, {mend}", blocks=False, fails=sure, mends=(Mend((distribution,)),)
            )


def _fails(what: str, mend: str, option: Mend | None = None) -> Finding:
    """Nothing is refused because of it, and yet the installation will hardly succeed."""
    return Finding("imports", what, mend, blocks=False, fails=True, mends=(option,) if option else ())


def _wanted(module: Imported) -> dict[str, str | None]:
    """Module → the distribution that is likely to bring it. Some share their first name: `google.protobuf` says more than `google`."""
    known = {name for told in module.names if (name := ".".join(told.split(".")[:2])) != module.top and is_known(name)}
    if is_known(module.top) or not known:
        return {module.top: distribution_of(module.top)}
    return {name: distribution_of(name) for name in known}


def _is_ours(top: str) -> bool:
    """Whether the worker has it beside the package: the sdk, and what stands in for what old packages ask for."""
    return any((folder / name).exists() for folder in (SDK, SDK / "fallback") for name in (top, f"{top}.py"))


def _is_there(top: str, folders: Sequence[Path]) -> bool:
    """Whether a file of that name lies where the environment's distributions do. Looks, and imports nothing."""
    try:
        return bool(folders) and PathFinder.find_spec(top, [str(folder) for folder in folders]) is not None
    except (ImportError, ValueError):
        return False


def _is_named(top: str, families: Collection[str]) -> bool:
    """Whether a distribution is called like the module: `supervision`, `python-frobnicate`, `frobnicate-cpu`.

    Of a module that is in our list we know better; else whoever is called like it brings it, more often than not.
    """
    name = family(top)
    if is_known(top):
        return name in families
    return any(name == each or each.startswith(f"{name}-") or each.endswith(f"-{name}") or each == f"py{name}" for each in families)
