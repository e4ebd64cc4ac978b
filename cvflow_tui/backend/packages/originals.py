"""The original packages' call shapes, told from a solver's source without running a line of it.

The worker decides again once the class is loaded (`cvflow_worker/originals.py`), by the same rules; here it is told beforehand.
"""

from __future__ import annotations

import ast

from cvflow_tui.backend.packages.source_tree import spelled
from cvflow_tui.model.packages import Parameter
from cvflow_tui.model.text import one_line

Method = ast.FunctionDef | ast.AsyncFunctionDef

GENERATIONS = {"cvpm": "cvpm", "mlpm": "mlpm", "mlserve": "mlpm", "cvflow": "ours"}
"""First part of the module that a base class comes from -> whose generation it is."""

PATH_AND_FIELDS = "infer(image_file, config)"
PATH = "infer(image_file)"
FIELDS = "infer(data)"

_CONFIG_NAMES = frozenset({"config", "configs", "configuration", "cfg", "conf"})
_PROTOCOL = frozenset({"input_file_path", "delete_after_process"})


def generation_of(module: str) -> str:
    """`cvpm`, `mlpm` or `ours` for a module that one of these names; else empty."""
    return GENERATIONS.get(module.partition(".")[0], "")


def shape_of(infer: Method, generation: str) -> str:
    """The shape in which an original solver is called; empty for one of ours."""
    if generation == "ours":
        return ""
    arguments = [*infer.args.posonlyargs, *infer.args.args][1:]
    required = len(arguments) - min(len(infer.args.defaults), len(arguments))
    if generation:
        if len(arguments) >= 2:
            return PATH_AND_FIELDS
        named_data = bool(arguments) and arguments[0].arg == "data"
        return FIELDS if generation == "mlpm" or named_data else PATH
    if len(arguments) == required == 2 and _is_fields(arguments[1], _CONFIG_NAMES):
        return PATH_AND_FIELDS
    if len(arguments) == required == 1 and _is_fields(arguments[0], frozenset({"data"})):
        return FIELDS
    return ""


def fields_of(infer: Method, shape: str) -> tuple[Parameter, ...]:
    """The form's fields that an original solver reads, as far as its source shows them; all of them are text."""
    arguments = [*infer.args.posonlyargs, *infer.args.args][1:]
    if shape == PATH or not arguments:
        return ()
    name = arguments[0 if shape == FIELDS else 1].arg
    required: dict[str, Parameter] = {}
    optional: dict[str, Parameter] = {}
    for node in ast.walk(infer):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is(node.value, name):
            if key := _word(node.slice):
                required[key] = Parameter(key, "str", required=True)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is(node.func.value, name):
            if node.func.attr in ("get", "pop") and node.args and (key := _word(node.args[0])):
                optional[key] = Parameter(key, "str", default=_default(node.args[1:]))
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn) and _is(node.comparators[0], name):
            key = _word(node.left)
            optional.setdefault(key, Parameter(key, "str"))
    return tuple(each for key, each in (required | optional).items() if key and key not in _PROTOCOL)


def _is_fields(argument: ast.arg, names: frozenset[str]) -> bool:
    """Whether an argument is meant for the form's fields: its hint says dict, or without one its name does."""
    if argument.annotation is None:
        return argument.arg in names
    hint = spelled(argument.annotation).lower()
    return "dict" in hint or "mapping" in hint


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _word(node: ast.AST) -> str:
    return one_line(node.value, 60) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _default(rest: list[ast.expr]) -> str | None:
    value = rest[0].value if rest and isinstance(rest[0], ast.Constant) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else one_line(str(value), 80)
