"""What a solver's class offers, read from its source without running a line of it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvflow_tui.model.packages import Parameter
from cvflow_tui.model.text import one_line

SOURCE_LIMIT = 4 << 20
"""Bytes of a source file that is worth parsing."""

_DEPTH = 8
"""How many base classes are followed."""

Method = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of `infer` beside the picture, and whether there is a `train`."""

    parameters: tuple[Parameter, ...] = ()
    trainable: bool = False


def read_signature(root: Path, class_path: str) -> Signature:
    """Read a solver's class `folder/file/Class`; empty where the source cannot be found or parsed (the import check tells why)."""
    *module, name = class_path.split("/")
    methods = _methods(root, root.joinpath(*module), name, _DEPTH)
    infer = methods.get("infer")
    return Signature(_parameters(infer) if infer else (), "train" in methods)


def _methods(root: Path, module: Path, name: str, depth: int) -> dict[str, Method]:
    """The methods of a class by name, inherited ones included as far as the package itself defines them."""
    file = next((path for path in (module.with_name(f"{module.name}.py"), module / "__init__.py") if path.is_file()), None)
    tree = _parse(file) if file is not None else None
    if file is None or tree is None or depth == 0:
        return {}
    definition = next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name), None)
    if definition is None:
        return _imported(root, file, tree, name, depth)
    found: dict[str, Method] = {}
    for base in reversed(definition.bases):
        if isinstance(base, ast.Name) and base.id != name:
            found |= _methods(root, module, base.id, depth - 1)
    found |= {node.name: node for node in definition.body if isinstance(node, Method)}
    return found


def _imported(root: Path, file: Path, tree: ast.Module, name: str, depth: int) -> dict[str, Method]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) != name:
                continue
            folder = file.parents[node.level - 1] if node.level else root
            module = folder.joinpath(*(node.module or "").split(".")) if node.module else folder
            return _methods(root, module, alias.name, depth - 1) if module.is_relative_to(root) else {}
    return {}


def _parse(file: Path) -> ast.Module | None:
    try:
        if file.stat().st_size > SOURCE_LIMIT:
            return None
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _parameters(infer: Method) -> tuple[Parameter, ...]:
    """Every named argument after `self` and the picture; none for the original shapes `(image_file, config)` and `(data)`."""
    arguments = infer.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = list(zip(positional, defaults, strict=True))[2:]
    if [argument.arg for argument, default in pairs if argument.annotation is None and default is None] == ["config"]:
        return ()
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
    return one_line(node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node), 80)


def _literal(node: ast.expr) -> Any:
    """The default's value where it is a plain one, else its source text."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return one_line(ast.unparse(node), 80)
    return value if value is None or isinstance(value, bool | int | float | str | list) else one_line(repr(value), 80)
