"""What another version of a package changes, told before it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cvflow_tui.backend.packages.describe import SKIPPED
from cvflow_tui.backend.packages.lock import LOCK, digests
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.pip_config import hide_credentials
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.resolution import Resolution
from cvflow_tui.backend.packages.sources import Fetched
from cvflow_tui.backend.packages.toml_file import LOCK_LIMIT, read_toml
from cvflow_tui.backend.packages.weights import Weight
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import Changes, Differences, DistributionChange
from cvflow_tui.model.text import one_line


def changes_between(
    record: Record, old: Package, weights: list[Weight], new: Package, fetched: Fetched, resolution: Resolution | None
) -> Changes:
    """From what is installed to what was fetched, and to what its environment would hold."""
    commits = (record.commit, fetched.commit) if record.commit and fetched.commit and record.commit != fetched.commit else None
    return Changes(
        version=record.version,
        commits=commits,
        files=differences(_files_before(record, old), _files(new)),
        requirements=differences(_requirements(old), _requirements(new)),
        weights=differences(
            {weight.name: weight.sha256 for weight in weights},
            {model.name: model.sha256 or _unknown(weights, model.name) for model in new.models},
        ),
        solvers=differences(
            {solver.name: (solver.class_path, solver.task) for solver in old.solvers},
            {solver.name: (solver.class_path, solver.task) for solver in new.solvers},
        ),
        parameters=differences(_parameters(old), _parameters(new)),
        distributions=_distributions(record, resolution) if resolution is not None else (),
    )


def _distributions(record: Record, resolution: Resolution) -> tuple[DistributionChange, ...]:
    """What of an environment is another than in the lock of what is installed. Nothing where that cannot be read."""
    try:
        told = read_toml(record.path / LOCK, limit=LOCK_LIMIT).get("distributions", ())
        before = {str(each["name"]): _version(str(each.get("version", "")), each.get("url")) for each in told}
    except (PackageError, KeyError, TypeError, AttributeError):
        return ()
    after = {pin.name: _version(pin.version, pin.url) for pin in resolution.pins}
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return tuple(DistributionChange(name, before.get(name), after.get(name)) for name in names)


def _version(version: str, url: Any) -> str:
    return one_line(hide_credentials(str(url)) if url else version, 200)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Differences:
    """Names that came, went, or stand for something else now."""
    return Differences(
        added=_names(after.keys() - before.keys()),
        removed=_names(before.keys() - after.keys()),
        changed=_names(name for name in before.keys() & after.keys() if before[name] != after[name]),
    )


def _names(names: Any) -> tuple[str, ...]:
    return tuple(sorted(one_line(str(name), 120) for name in names))


def _unknown(weights: list[Weight], name: str) -> str | None:
    """A weight without a digest is the same until it has come."""
    return next((weight.sha256 for weight in weights if weight.name == name), None)


def _files_before(record: Record, old: Package) -> dict[str, str]:
    """The author's files as they were installed; cvflow's own beside them are not among them."""
    if record.editable is None:
        try:
            return _without_weights(dict(read_toml(record.path / LOCK, limit=LOCK_LIMIT)["files"]), old)
        except (PackageError, KeyError, TypeError, ValueError):
            return {}
    return _files(old)


def _files(package: Package) -> dict[str, str]:
    found = {name: digest for name, digest in digests(package.root) if not SKIPPED & set(Path(name).parts)}
    return _without_weights(found, package)


def _without_weights(files: dict[str, str], package: Package) -> dict[str, str]:
    placed = package.weight_files
    return {name: digest for name, digest in files.items() if name not in placed}


def _requirements(package: Package) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in package.requirements:
        try:
            found[canonicalize_name(Requirement(line).name)] = line
        except InvalidRequirement:
            found[line] = line
    return found


def _parameters(package: Package) -> dict[str, tuple[str, str]]:
    return {
        f"{solver.name}.{parameter.name}": (parameter.type, repr(parameter.default))
        for solver in package.solvers
        for parameter in solver.parameters
    }
