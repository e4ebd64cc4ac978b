"""What packages use of setuptools' `pkg_resources`, for environments that have none: today's do not.

It lies behind everything else on the path: where the environment has the real one, that one is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Dict, Iterable, List, Optional, Tuple, Union

__all__ = [
    "DistributionNotFound",
    "ResolutionError",
    "declare_namespace",
    "get_distribution",
    "iter_entry_points",
    "parse_version",
    "require",
    "resource_exists",
    "resource_filename",
    "resource_isdir",
    "resource_listdir",
    "resource_stream",
    "resource_string",
]


class ResolutionError(Exception):
    """A distribution is not as it was asked for."""


class DistributionNotFound(ResolutionError):
    """A distribution is not installed."""


class VersionConflict(ResolutionError):
    """A distribution is installed in another version."""


class Distribution:
    """An installed distribution."""

    def __init__(self, found: metadata.Distribution) -> None:
        self._found = found
        self.project_name: str = found.metadata["Name"]
        self.key = self.project_name.lower()
        self.version: str = found.version
        self.location = str(found.locate_file(""))

    @property
    def parsed_version(self) -> Tuple[Any, ...]:
        """The version, comparable."""
        return parse_version(self.version)

    def requires(self, extras: Iterable[str] = ()) -> List[str]:
        """What it needs, as its metadata says."""
        return list(self._found.requires or ())

    def __str__(self) -> str:
        return f"{self.project_name} {self.version}"


def resource_filename(package_or_requirement: Any, resource_name: str) -> str:
    """The path of a file beside a module; it need not exist (and may lead out of the module's folder, as published packages do)."""
    return os.path.normpath(_folder(package_or_requirement) / resource_name)  # not resolved: links stay links


def resource_exists(package_or_requirement: Any, resource_name: str) -> bool:
    """Whether there is such a file or folder."""
    return Path(resource_filename(package_or_requirement, resource_name)).exists()


def resource_isdir(package_or_requirement: Any, resource_name: str) -> bool:
    """Whether there is such a folder."""
    return Path(resource_filename(package_or_requirement, resource_name)).is_dir()


def resource_listdir(package_or_requirement: Any, resource_name: str) -> List[str]:
    """The names in a folder."""
    return [entry.name for entry in Path(resource_filename(package_or_requirement, resource_name)).iterdir()]


def resource_string(package_or_requirement: Any, resource_name: str) -> bytes:
    """The bytes of a file."""
    with resource_stream(package_or_requirement, resource_name) as file:
        return file.read()


def resource_stream(package_or_requirement: Any, resource_name: str) -> IO[bytes]:
    """A file, open for reading."""
    return Path(resource_filename(package_or_requirement, resource_name)).open("rb")


def get_distribution(dist: Union[str, Distribution]) -> Distribution:
    """An installed distribution by its name; a version that is asked for with it is not checked. Raises DistributionNotFound."""
    if isinstance(dist, Distribution):
        return dist
    name = re.split(r"[\s<>=!~;\[]", dist.strip(), maxsplit=1)[0]
    try:
        return Distribution(metadata.distribution(name))
    except metadata.PackageNotFoundError:
        raise DistributionNotFound(f"The {name!r} distribution was not found") from None


def require(*requirements: str) -> List[Distribution]:
    """The distributions that are named. Raises DistributionNotFound."""
    return [get_distribution(requirement) for requirement in requirements]


def iter_entry_points(group: str, name: Optional[str] = None) -> List[metadata.EntryPoint]:
    """The entry points of a group."""
    every: Any = metadata.entry_points()
    found = every.select(group=group) if hasattr(every, "select") else every.get(group, ())
    return [point for point in found if name is None or point.name == name]


def parse_version(version: str) -> Tuple[Any, ...]:
    """A version that compares as versions do: numbers by value, and what comes before a release before it."""
    order: Dict[str, int] = {"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "c": -1, "rc": -1, "post": 1}
    found = re.match(r"v?([\d.]*)(.*)", version.strip().lower().partition("+")[0])
    numbers, rest = found.groups() if found else ("", "")
    release = [int(number) for number in numbers.split(".") if number]
    while release and release[-1] == 0:
        release.pop()
    words = [(order.get(word, 0), int(number or 0)) for word, number in re.findall(r"([a-z]+)[.\-_]?(\d*)", rest)]
    return tuple(release), (*words, (0, 0))


def declare_namespace(packageName: str) -> None:  # noqa: N803 - the original's spelling
    """Nothing: folders without an `__init__.py` are namespaces by themselves, and one with it finds its own modules."""


def _folder(package: Any) -> Path:
    """The folder of a module, a package, or the distribution of that name."""
    name = package if isinstance(package, str) else str(getattr(package, "__name__", package))
    module = importlib.import_module(name)
    file = getattr(module, "__file__", None)
    if file:
        return Path(file).absolute().parent
    folders = list(getattr(module, "__path__", ()))
    if folders:
        return Path(folders[0]).absolute()
    return Path.cwd()
