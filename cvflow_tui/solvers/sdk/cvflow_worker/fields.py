"""The fields that an original solver reads from its dictionary: passed on as text, and told as far as its source shows them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, Callable, Dict, List, Optional

OWN = frozenset({"input_file_path", "delete_after_process"})
"""Fields that belong to the protocol, not to a solver."""

_MISSING = object()


class Fields:
    """Stands where `Parameters` stands for a solver of ours; `position` is the dictionary's place among infer's arguments."""

    def __init__(self, method: Callable[..., Any], position: Optional[int]) -> None:
        self._known = {} if position is None else _read(method, position)

    def describe(self) -> List[Dict[str, Any]]:
        """What the `ready` frame says of them."""
        return [
            {"name": name, "type": "str", "default": None if default is _MISSING else default, "required": default is _MISSING}
            for name, default in self._known.items()
        ]

    def convert(self, given: Dict[str, Any]) -> Dict[str, Any]:
        """What a client sent, as the text that a form would have held."""
        return {name: _text(value) for name, value in given.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and value:  # given more than once: the last counts, as in their servers
        return _text(value[-1])
    return value if isinstance(value, str) else str(value)


def _read(method: Callable[..., Any], position: int) -> Dict[str, Any]:
    """Field -> its default as text (or None), or _MISSING for one that must be sent. Empty where the source can't be read."""
    try:
        (function,) = ast.parse(textwrap.dedent(inspect.getsource(method))).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return {}
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return {}
    names = [argument.arg for argument in function.args.args]
    return fields_of(function, names[position] if position < 0 else names[position + 1])


def fields_of(function: ast.AST, name: str) -> Dict[str, Any]:
    """The keys with which a function reads the dictionary `name`."""
    found: Dict[str, Any] = {}
    optional: Dict[str, Any] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is(node.value, name):
            if (key := _word(node.slice)) is not None:
                found.setdefault(key, _MISSING)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is(node.func.value, name):
            if node.func.attr in ("get", "pop") and node.args and (key := _word(node.args[0])) is not None:
                default = node.args[1] if len(node.args) > 1 else None
                optional[key] = _text(default.value) if isinstance(default, ast.Constant) and default.value is not None else None
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)) and _is(node.comparators[0], name):
            optional.setdefault(_word(node.left) or "", None)
    return {key: value for key, value in {**found, **optional}.items() if key and key not in OWN}


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _word(node: ast.AST) -> Optional[str]:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
