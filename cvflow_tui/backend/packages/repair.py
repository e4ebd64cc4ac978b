"""Mending what packages were really published with. Each mend is told as a warning; `--strict` refuses a package that needs one.

Nothing in the package's folder is changed: what is mended here is mended again whenever the folder is read.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cvflow_tui.backend.packages.signature import has_class, solver_classes, source_of
from cvflow_tui.model.text import one_line

DEPTH = 4
"""How deep in a package a solver's file is looked for."""

LOOKED_AT = 2000
"""Files that are looked at."""

_SKIPPED = frozenset({"__pycache__", "node_modules", "pretrained", "venv", "env"})
_DOTTED = re.compile(r"[A-Za-z_][\w.-]*\.[A-Za-z_]\w*", re.ASCII)


def repair_manifest(tables: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A manifest's tables with what can be mended without guessing mended, and what was. The tables handed in stay as they are."""
    repairs: list[str] = []
    mended = dict(tables)
    if isinstance(package := mended.get("package"), dict):
        mended["package"] = _named(package, "package.name", repairs)
    solvers = mended.get("solvers")
    if isinstance(solvers, dict):
        repairs.append("[solvers] is one table: read as the only [[solvers]]")
        solvers = [solvers]
    if isinstance(solvers, list):
        mended["solvers"] = [_solver(solver, f"solvers[{index}]", repairs) for index, solver in enumerate(solvers)]
    if isinstance(mended.get("models"), list):
        mended["models"] = repair_weights(mended["models"], repairs)
    return mended, repairs


def repair_weights(models: list[Any], repairs: list[str]) -> list[Any]:
    """`[[models]]` with a name each: one that has none, or another's, or no file's, is called as its URL's last part."""
    names = Counter(str(model.get("name", "")).lower() for model in models if isinstance(model, dict))
    return [_weight(model, names, repairs) for model in models]


def repair_class(root: Path, class_path: str, *, alone: bool = False) -> tuple[str, str | None]:
    """Where a solver's class really is, and what was wrong; as it is written where that is right, or nothing better is found.

    `alone`: the package has no other solver, so that the only class of one in all its code is meant.
    """
    if has_class(root, class_path):
        return class_path, None
    *module, name = class_path.split("/")
    found = _module(root, module)
    mended = _class_in(root, found, name) or _class_beside(root, found, name) or (_only_class(root) if alone else None)
    if mended is None:
        return class_path, None
    return mended, f"class {one_line(class_path, 80)!r} is not there: took {one_line(mended, 80)}"


def _named(table: dict[str, Any], where: str, repairs: list[str]) -> dict[str, Any]:
    name = table.get("name")
    if not isinstance(name, str):
        return table
    mended = re.sub(r"[^A-Za-z0-9._-]+", "-", name.strip()).lstrip("._-").rstrip("-")
    if mended == name or not mended:
        return table
    repairs.append(f"{where}: {one_line(name, 60)!r} is not a name: read as {mended!r}")
    return {**table, "name": mended}


def _solver(solver: Any, where: str, repairs: list[str]) -> Any:
    if not isinstance(solver, dict):
        return solver
    solver = _named(solver, f"{where}.name", repairs)
    path = solver.get("class")
    if not isinstance(path, str):
        return solver
    mended = path.strip().strip("/").replace("\\", "/").replace(".py/", "/")
    if "/" not in mended and _DOTTED.fullmatch(mended):
        mended = mended.replace(".", "/")
    if mended == path:
        return solver
    repairs.append(f"{where}.class: {one_line(path, 60)!r} is not written folder/file/Class: read as {one_line(mended, 60)!r}")
    return {**solver, "class": mended}


def _weight(model: Any, names: Counter[str], repairs: list[str]) -> Any:
    if not isinstance(model, dict) or not isinstance(model.get("url"), str):
        return model
    name, last = model.get("name"), last_part(model["url"])
    if not last or (isinstance(name, str) and name and "/" not in name and "\\" not in name and names[name.lower()] == 1):
        return model
    if name == last:
        return model
    told = f"{one_line(str(name), 60)!r} is no name of its own" if name else "a weight has no name"
    repairs.append(f"{told}: called {one_line(last, 60)!r}, as the file that its url names")
    return {**model, "name": last}


def last_part(url: str) -> str:
    """The file that a URL names: what the original packages called a weight on disk."""
    name = urlsplit(url).path.replace("\\", "/").rpartition("/")[2]
    return "" if name in (".", "..") or not name.isprintable() else name


def _module(root: Path, written: list[str]) -> list[str]:
    """The module's parts as they are on disk: as written, with `_` for `-`, or in the only folder that holds the file."""
    if source_of(root.joinpath(*written)):
        return written
    underscored = [part.replace("-", "_") for part in written]
    if source_of(root.joinpath(*underscored)):
        return underscored
    names = {f"{written[-1]}.py".lower(), f"{underscored[-1]}.py".lower()}
    holding = [file for file in _sources(root) if file.name.lower() in names]
    return [*holding[0].parent.parts, holding[0].stem] if len(holding) == 1 else underscored


def _class_in(root: Path, module: list[str], name: str) -> str | None:
    """The class in a module: the one that is written, one that is written almost so, or the only solver."""
    file = source_of(root.joinpath(*module))
    if file is None:
        return None
    if has_class(root, "/".join([*module, name])):
        return "/".join([*module, name])
    there = solver_classes(file)
    alike = [each for each in there if _alike(each, name)] or there
    return "/".join([*module, alike[0]]) if len(alike) == 1 else None


def _class_beside(root: Path, module: list[str], name: str) -> str | None:
    """The class in another file of the module's folder: the only one of that name, or the only solver there."""
    folder = root.joinpath(*module[:-1])
    files = sorted(folder.glob("*.py")) if len(module) > 1 and folder.is_dir() else []
    there = [(file, each) for file in files for each in solver_classes(file)]
    alike = [pair for pair in there if _alike(pair[1], name)] or there
    if len(alike) != 1:
        return None
    file, found = alike[0]
    return "/".join([*module[:-1], file.stem, found])


def _only_class(root: Path) -> str | None:
    """The class of a solver in a package whose code has no other."""
    there = [(file, each) for file in _sources(root) for each in solver_classes(root / file)]
    if len(there) != 1:
        return None
    file, found = there[0]
    return "/".join([*file.with_suffix("").parts, found])


def _alike(one: str, other: str) -> bool:
    """Whether two class names differ in capitals or in a `Solver` at their end alone."""
    return one.lower().removesuffix("solver") == other.lower().removesuffix("solver")


def _sources(root: Path) -> Iterator[Path]:
    """The package's Python files, relative to its folder, those of tests and tools left out."""
    seen = 0
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith(".") and name.isidentifier())
        if len(here.parts) >= DEPTH:
            folders.clear()
        for name in sorted(files):
            seen += 1
            if seen > LOOKED_AT:
                return
            if name.endswith(".py"):
                yield here / name
