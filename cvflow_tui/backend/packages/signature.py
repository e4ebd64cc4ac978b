"""What a solver's class offers, read from its source without running a line of it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvflow_tui.backend.packages.originals import Method, fields_of, generation_of, shape_of
from cvflow_tui.backend.packages.source_tree import parse, spelled
from cvflow_tui.model.packages import Parameter
from cvflow_tui.model.text import one_line

_DEPTH = 8
"""How many base classes are followed."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of `infer` beside the picture, whether there is a `train`, and how an original solver is called."""

    parameters: tuple[Parameter, ...] = ()
    trainable: bool = False
    shape: str = ""


@dataclass(slots=True)
class _Class:
    """A class as its source declares it, inherited methods included as far as the package itself defines them."""

    methods: dict[str, Method] = field(default_factory=dict)
    generation: str = ""
    """Whose base class it derives from in the end."""


def read_signature(root: Path, class_path: str) -> Signature:
    """Read a solver's class `folder/file/Class`; empty where the source cannot be found or parsed (the import check tells why)."""
    *module, name = class_path.split("/")
    found = _class(root, root.joinpath(*module), name, _DEPTH) or _Class()
    infer = found.methods.get("infer")
    if infer is None:
        return Signature((), "train" in found.methods)
    if shape := shape_of(infer, found.generation):
        return Signature(fields_of(infer, shape), False, shape)
    return Signature(_parameters(infer), "train" in found.methods)


def has_class(root: Path, class_path: str) -> bool:
    """Whether the source of `folder/file/Class` defines or imports such a class."""
    *module, name = class_path.split("/")
    return _class(root, root.joinpath(*module), name, _DEPTH) is not None


def source_of(module: Path) -> Path | None:
    """The file of a module: `NAME.py`, or a folder's `__init__.py`."""
    return next((path for path in (module.with_name(f"{module.name}.py"), module / "__init__.py") if path.is_file()), None)


def solver_classes(file: Path) -> list[str]:
    """The classes of a file that look like solvers: those whose base is called `…Solver`, else those with an `infer`."""
    tree = parse(file)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)] if tree else []
    answering = [node for node in classes if any(isinstance(each, Method) and each.name == "infer" for each in node.body)]
    derived = [node for node in answering if any(spelled(base).endswith("Solver") for base in node.bases)]
    return [node.name for node in derived or answering]


def _class(root: Path, module: Path, name: str, depth: int) -> _Class | None:
    file = source_of(module)
    tree = parse(file) if file is not None else None
    if file is None or tree is None or depth == 0:
        return None
    definition = next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name), None)
    if definition is None:
        return _imported(root, file, tree, name, depth)
    found = _Class()
    for base in reversed(definition.bases):
        if isinstance(base, ast.Name) and base.id != name and (parent := _class(root, module, base.id, depth - 1)) is not None:
            found.methods |= parent.methods
            found.generation = parent.generation or found.generation
        elif isinstance(base, ast.Attribute):
            found.generation = generation_of(spelled(base)) or found.generation
    found.methods |= {node.name: node for node in definition.body if isinstance(node, Method)}
    return found


def _imported(root: Path, file: Path, tree: ast.Module, name: str, depth: int) -> _Class | None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) != name:
                continue
            if not node.level and (generation := generation_of(node.module or "")):
                return _Class(generation=generation)
            folder = file.parents[node.level - 1] if node.level else root
            module = folder.joinpath(*(node.module or "").split(".")) if node.module else folder
            return _class(root, module, alias.name, depth - 1) if module.is_relative_to(root) else None
    return None


def _parameters(infer: Method) -> tuple[Parameter, ...]:
    """Every named argument after `self` and the picture."""
    arguments = infer.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = list(zip(positional, defaults, strict=True))[2:]
    pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    return tuple(_parameter(argument, default) for argument, default in pairs)


def _parameter(argument: ast.arg, default: ast.expr | None) -> Parameter:
    value = _literal(default) if default is not None else None
    if argument.annotation is not None:
        kind = _annotation(argument.annotation)
    else:
        kind = type(value).__name__ if isinstance(value, bool | int | float | str) else "str"
    return Parameter(name=argument.arg, type=kind, default=value, required=default is None)


def _annotation(node: ast.expr) -> str:
    """A type hint as text; one that is written as text already, without its quotes."""
    return one_line(node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else spelled(node), 80)


def _literal(node: ast.expr) -> Any:
    """The default's value where it is a plain one, else its source text."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return one_line(spelled(node), 80)
    return value if value is None or isinstance(value, bool | int | float | str | list) else one_line(repr(value), 80)
