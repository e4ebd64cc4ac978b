"""What the user brings to a package that its author forgot or the years took away: weights; and whether repairs are welcome."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from cvflow_tui.backend.packages.manifest import ModelTable
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.repair import last_part
from cvflow_tui.model.errors import CvflowError, PackageError, UsageError
from cvflow_tui.model.packages import InstallRequest
from cvflow_tui.model.text import one_line

FORMS = "NAME=FILE, NAME=https:…, NAME=pypi:… or a folder of weights"


def as_asked(package: Package, request: InstallRequest) -> Package:
    """The package with the weights that the user has. Raises PackageError where it needed repairs and the user wants none."""
    if request.strict and package.repairs:
        raise PackageError(f"{package.ref} needs repairs, and --strict refuses them: {'; '.join(package.repairs)}")
    models = list(package.models)
    for told in request.weights:
        _supply(models, told)
    return replace(package, models=tuple(models))


def missing_weight(error: CvflowError, model: ModelTable, source: str) -> CvflowError:
    """The error for a weight that does not come, with the command that installs the package with a file that the user has."""
    command = f"cvflow install {shlex.quote(source)} --weights {shlex.quote(one_line(model.name))}=FILE"
    return type(error)(f"{error.message}; if you have the file: {command}", detail=error.detail)


def _supply(models: list[ModelTable], told: str) -> None:
    name, equals, value = told.partition("=")
    folder = Path(told)
    if folder.is_absolute() and folder.is_dir():
        _supply_folder(models, folder)
        return
    if not equals or not name or not value:
        raise UsageError(f"--weights {one_line(told, 80)!r}: there is no such folder; give {FORMS}")
    found = next((index for index, model in enumerate(models) if _is_called(model, name)), None)
    if found is None:
        models.append(_new(name, _url(value)))
    else:
        models[found] = models[found].model_copy(update={"url": _url(value), "size": None})


def _supply_folder(models: list[ModelTable], folder: Path) -> None:
    there = {file.name.lower(): file for file in sorted(folder.iterdir()) if file.is_file()}
    taken = 0
    for index, model in enumerate(models):
        names = [name.lower() for name in (model.file, model.name, last_part(model.url)) if name]
        file = next((there[name] for name in names if name in there), None)
        if file is not None:
            models[index] = model.model_copy(update={"url": file.as_uri(), "size": None})
            taken += 1
    if not taken:
        wanted = ", ".join(one_line(model.file or model.name) for model in models) or "it names none"
        raise UsageError(f"--weights {folder}: none of the package's weights is in this folder ({wanted})")


def _is_called(model: ModelTable, name: str) -> bool:
    return name.lower() in {each.lower() for each in (model.name, model.file, last_part(model.url)) if each}


def _url(value: str) -> str:
    if value.startswith(("https:", "http:", "pypi:", "file:")):
        return value
    path = Path(value)
    if not path.is_absolute() or not path.is_file():
        raise UsageError(f"--weights: there is no file {one_line(value, 100)!r}; give {FORMS}")
    return path.as_uri()


def _new(name: str, url: str) -> ModelTable:
    """A weight that the package does not declare."""
    try:
        return ModelTable(name=name, url=url)
    except ValidationError as error:
        raise UsageError(f"--weights {one_line(name, 60)!r} is not a file name: give {FORMS}") from error
