"""Writing a new package's folder: all of it or nothing."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from string import Template

from cvflow_tui.backend.packages.manifest import MANIFESTS, check_name
from cvflow_tui.backend.packages.template.recipes import RECIPES, Recipe
from cvflow_tui.model.authoring import NewPackage, NewPackageRequest
from cvflow_tui.model.errors import NotFoundError, RefusedError, UsageError
from cvflow_tui.model.results import TASKS
from cvflow_tui.model.text import one_line

FILES = Path(__file__).parent / "files"

_TAKEN = frozenset({"cvflow", "cvflow_worker", "cvpm", "mlpm", "numpy", "pil", "pkg_resources", "tests"})
"""Modules that a package's own must not hide."""


def create_package(request: NewPackageRequest) -> NewPackage:
    """Write a package into the request's folder, which must not be there yet, or be empty.

    Raises UsageError for a name or task that is none, RefusedError where something is there already.
    """
    name, vendor = _name(request.name), _name(request.vendor)
    if request.task not in RECIPES:
        raise UsageError(f"{one_line(request.task, 60)!r} is not a task: use one of {', '.join(TASKS)}")
    folder = _free_folder(request.folder)
    try:
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise RefusedError(f"{folder.parent} cannot be written to: {error.strerror or error}") from error
    try:
        _write(aside, name, vendor, request.task)
        aside.chmod(0o755)
        aside.rename(folder)  # an empty folder gives way, anything else does not
    except OSError as error:
        raise RefusedError(f"{folder} cannot be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return NewPackage(ref=f"{vendor}/{name}", task=request.task, folder=str(folder), files=tuple(files))


def _name(text: str) -> str:
    try:
        return check_name(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _free_folder(text: str) -> Path:
    """The folder to make, once nothing is in the way of it."""
    try:
        folder = Path(text).expanduser()
        if b"\0" in os.fsencode(folder):
            raise ValueError("it has a NUL in it")
        if not folder.is_absolute():
            raise UsageError(f"{one_line(text, 100)} must be an absolute path")
        _refuse_what_is_there(folder)
        if not folder.parent.is_dir():
            raise NotFoundError(f"{folder.parent}: there is no such folder; make it first")
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL in it, the home of nobody
        raise UsageError(f"{one_line(text, 100)!r} is no folder that can be made: {one_line(str(error), 100)}") from error
    return folder


def _refuse_what_is_there(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RefusedError(f"{folder} is there already, and is no folder; choose another with --folder")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if there:
        package = next((name for name in MANIFESTS if name in there), None)
        what = f"holds a package already ({package})" if package else f"is not empty (it has {there[0]})"
        raise RefusedError(f"{folder} {what}; nothing is written over: choose another with --folder")


def _write(root: Path, name: str, vendor: str, task: str) -> None:
    from cvflow_tui.backend.packages.template.pictures import draw

    recipe, module = RECIPES[task], module_name(name)
    told = _told(recipe, name, vendor, task, module)
    texts = {
        "cvpm.toml": "cvpm.toml",
        "requirements.txt": "requirements.txt",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        f"{module}/__init__.py": "init.py",
        f"{module}/solver.py": f"solvers/{task}.py",
        "tests/test_solver.py": "test_solver.py",
    }
    if recipe.blobs:
        texts[f"{module}/blobs.py"] = "solvers/blobs.py"
    for target, origin in texts.items():
        path = root / target
        path.parent.mkdir(exist_ok=True)
        path.write_text(Template((FILES / f"{origin}.txt").read_text("utf-8")).substitute(told), "utf-8")
    if recipe.labels:
        (root / module / "labels.txt").write_text("".join(f"{label}\n" for label in recipe.labels), "utf-8")
    draw(recipe.picture, root / "tests/picture.png")


def _told(recipe: Recipe, name: str, vendor: str, task: str, module: str) -> dict[str, str]:
    return {
        "name": name,
        "vendor": vendor,
        "task": task,
        "module": module,
        "class_name": class_name(name),
        "solver": recipe.solver,
        "tagline": recipe.tagline,
        "description": f"{recipe.tagline}: {recipe.method}.",
        "method": recipe.method,
        "answers": recipe.answers,
        "limits": recipe.limits,
        "parameters": recipe.parameter_table,
        "assertions": recipe.indented_assertions,
        "labels_line": f'labels = "{module}/labels.txt"\n' if recipe.labels else "",
    }


def module_name(name: str) -> str:
    """The folder of a package's code: its name as Python spells one, and none that hides another module."""
    module = re.sub(r"\W+", "_", name, flags=re.ASCII)
    module = module if module.isidentifier() else f"p_{module}"
    return f"{module}_package" if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in _TAKEN else module


def class_name(name: str) -> str:
    """The solver's class: the name's words, each with a capital; a word for it where the name begins with a digit."""
    joined = "".join(word[:1].upper() + word[1:] for word in re.split(r"[\W_]+", name, flags=re.ASCII))
    return joined if joined.isidentifier() and not keyword.iskeyword(joined) else f"Solver{joined}"
