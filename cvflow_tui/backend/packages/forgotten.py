"""What the author forgot: every module that a solver imports and its environment does not have, with the command that adds it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.distributions import distribution_of, is_known, known_mend
from cvflow_tui.backend.packages.own_code import import_environment, run_own_code
from cvflow_tui.backend.packages.source_tree import parse
from cvflow_tui.model.install_words import write_line
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.packages import InstallRequest

_ABSENT = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_SECONDS = 60.0
_FILES = 500
"""Files of a package that are read at most."""

_NEED = {"cvpm.utility.load_image_file": ("PIL.Image", "numpy")}
"""What cvflow brings itself, and what that imports of others' once it is called."""

_CODE = """\
import sys
del sys.path[0]
import importlib.util
sys.path[:0] = sys.argv[1:3]
sys.path.append(sys.argv[1] + "/fallback")
for name in sys.argv[3:]:
    try:
        there = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        there = False
    if not there:
        print(name)
"""


def mend(
    error: str,
    root: Path,
    class_paths: Sequence[str],
    python: Path,
    sdk: Path,
    progress: Progress,
    request: InstallRequest | None,
    work: Path,
) -> tuple[str, Mend | None] | None:
    """What a user can do about an import that failed, as a sentence with the command, and as options; None where nothing is known.

    `error` is the whole traceback, `request` what the user installs and how, `work` the folder of the install.
    """
    absent = _ABSENT.search(error.rstrip().rpartition("\n")[2])
    if (option := known_mend(error)) is not None:
        return f"try: {_command(request, option)}", option
    if absent is None:
        return None
    named = absent[1].partition(".")[0]
    wrong = next((path for path in class_paths if path.split("/")[0] == named), None)
    if wrong is not None and not (root / named).exists() and not (root / f"{named}.py").exists():
        # No distribution is looked for by that name: whoever has it would be asked in.
        return f"there is no {wrong.rpartition('/')[0]}.py in the package: its manifest names a class that is not there", None
    modules = dict.fromkeys([absent[1], *(each for each in _not_there(root, class_paths, python, sdk, progress, work) if each != named)])
    found = {module: distribution for module in modules if (distribution := distribution_of(module)) is not None}
    if absent[1] not in found:
        return f"{named} is no part of the package, and no distribution that is known: ask its author", None
    option = Mend(tuple(dict.fromkeys(found.values())))
    told = f"try: {_command(request, option)}"
    guessed = [distribution for module, distribution in found.items() if not is_known(module)]
    return told + (f" ({', '.join(guessed)} is a guess by its name: look at it first)" if guessed else ""), option


@dataclass(frozen=True, slots=True)
class Imported:
    """A module that is somebody else's, as the package's code asks for it."""

    top: str
    """The first of its names: `google` of `google.protobuf.message`."""
    names: frozenset[str]
    """All of them in full."""
    file: Path
    """The first file that imports it, relative to the package."""


def imported(root: Path, class_paths: Sequence[str], *, everywhere: bool = False) -> list[str]:
    """The first names of what `imports_of` finds."""
    return [module.top for module in imports_of(root, class_paths, everywhere=everywhere)]


def imports_of(root: Path, class_paths: Sequence[str], *, everywhere: bool = False) -> list[Imported]:
    """The modules that are surely imported when the solvers' classes are, and that are not the package's own, sorted.

    Imports in functions, and those that a `try` around them makes optional, count only with `everywhere`.
    """
    waiting = [Path(root, *class_path.split("/")[:-1]).with_suffix(".py") for class_path in class_paths]
    seen: set[Path] = set()
    names: dict[str, set[str]] = {}
    files: dict[str, Path] = {}
    while waiting and len(seen) < _FILES:
        file = waiting.pop()
        if file in seen or not file.is_file() or not file.resolve().is_relative_to(root.resolve()):
            continue
        seen.add(file)
        for name, level in _with_needs(_imports(file, everywhere)):
            own = _own_files(root, file, name, level)
            waiting += own
            if not own and not level:
                top = name.partition(".")[0]
                names.setdefault(top, set()).add(name)
                files.setdefault(top, Path(os.path.relpath(file, root)))
    return [Imported(top, frozenset(names[top]), files[top]) for top in sorted(names)]


def _not_there(root: Path, class_paths: Sequence[str], python: Path, sdk: Path, progress: Progress, work: Path) -> list[str]:
    names = imported(root, class_paths)
    if not names:
        return []
    command = [str(python), "-B", "-c", _CODE, str(sdk), str(root), *names]
    # Looking for a module imports the packages it lies in.
    env = import_environment()
    status, output = run_own_code(command, work=work, progress=progress, seconds=_SECONDS, cwd=root, env=env)
    return output.split() if status == 0 else []


def _imports(file: Path, everywhere: bool) -> Iterator[tuple[str, int]]:
    """(module, level) of the imports of a file that run when it is imported, or of all."""
    tree = parse(file)
    waiting: list[ast.AST] = [] if tree is None else list(ast.walk(tree)) if everywhere else list(tree.body)
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, ast.Import):
            yield from ((alias.name, 0) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield statement.module or "", statement.level
            yield from ((f"{statement.module or ''}.{alias.name}".strip("."), statement.level) for alias in statement.names)
        elif isinstance(statement, ast.ClassDef | ast.With) and not everywhere:
            waiting += statement.body


def _with_needs(names: Iterator[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    for name, level in names:
        yield name, level
        if not level:
            yield from ((needed, 0) for needed in _NEED.get(name, ()))


def _own_files(root: Path, file: Path, module: str, level: int) -> list[Path]:
    """The package's own files that importing a module reads; none for somebody else's module."""
    base = root
    if level:
        base = file.parent
        for _ in range(level - 1):
            base = base.parent
    if not module:
        return [base / "__init__.py"] if (base / "__init__.py").is_file() else []
    parts = module.split(".")
    for count in range(len(parts), 0, -1):  # what stands last may be a name in a module, and no module
        path = base.joinpath(*parts[:count])
        if own := [each for each in (path.with_name(f"{path.name}.py"), path / "__init__.py") if each.is_file()]:
            return own
    return [file] if (base / parts[0]).is_dir() else []  # a folder of the package, whatever is in it


def _command(request: InstallRequest | None, option: Mend) -> str:
    """The whole of it: whoever types that has lost nothing of what was typed before."""
    return f"cvflow install {write_line(request, option) if request is not None else f'SOURCE {option.words}'}"
