"""Type hints as JSON Schema, and the bounds that `Annotated` puts on a value."""

from __future__ import annotations

import enum
import re
import typing
from typing import Any, Callable, Dict, List, Sequence

_PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string"}
_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}
"""Attributes of what `annotated-types` and `pydantic` put into `Annotated`; none of them is imported."""
_ITEMS = {"minLength": "minItems", "maxLength": "maxItems"}


def schema_of(hint: Any, bounds: Dict[str, Any]) -> Dict[str, Any]:
    """A hint (without its None) as a schema; an empty one where the hint says nothing that JSON could."""
    schema = _schema(hint)
    is_list = schema.get("type") == "array"
    return {**schema, **{_ITEMS.get(name, name) if is_list else name: value for name, value in bounds.items()}}


def _schema(hint: Any) -> Dict[str, Any]:
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return _choices(list(inner))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _choices([member.value for member in hint])
    if hint in (list, tuple) or origin in (list, tuple, typing.List):
        items = [each for each in inner if each is not Ellipsis]
        if origin is tuple and len(items) > 1 and Ellipsis not in inner:
            return {"type": "array", "prefixItems": [_schema(each) for each in items], "minItems": len(items), "maxItems": len(items)}
        return {"type": "array", "items": _schema(items[0]) if items else {}}
    if hint is dict or origin is dict:
        return {"type": "object"}
    return {}


def _choices(values: List[Any]) -> Dict[str, Any]:
    kinds = {_PLAIN.get(type(value)) for value in values}
    kind = kinds.pop() if len(kinds) == 1 else None
    return {"enum": values, **({"type": kind} if kind else {})}


def bounds_of(metadata: Sequence[Any]) -> Dict[str, Any]:
    """What `Annotated` says of a value's size, by the names of JSON Schema; plain texts describe the parameter."""
    found: Dict[str, Any] = {}
    for item in metadata:
        if isinstance(item, str):
            found["description"] = item
            continue
        for part in (item, *(getattr(item, "metadata", None) or ())):
            for attribute, name in _BOUNDS.items():
                value = getattr(part, attribute, None)
                if isinstance(value, (int, float, str)) and not isinstance(value, bool):
                    found[name] = value
            if isinstance(text := getattr(part, "description", None), str):
                found["description"] = text
    return found


def broken_bound(value: Any, bounds: Dict[str, Any]) -> str:
    """The bound that a value breaks, in words; empty where it breaks none."""
    size = len(value) if isinstance(value, (str, list, tuple)) else None
    checks: Dict[str, Callable[[Any], Any]] = {
        "minimum": lambda bound: value < bound and f"at least {bound}",
        "exclusiveMinimum": lambda bound: value <= bound and f"more than {bound}",
        "maximum": lambda bound: value > bound and f"at most {bound}",
        "exclusiveMaximum": lambda bound: value >= bound and f"less than {bound}",
        "multipleOf": lambda bound: abs(value / bound - round(value / bound)) > 1e-9 and f"a multiple of {bound}",
        "minLength": lambda bound: size is not None and size < bound and f"at least {bound} long",
        "maxLength": lambda bound: size is not None and size > bound and f"at most {bound} long",
        "pattern": lambda bound: isinstance(value, str) and not re.search(bound, value) and f"text that fits {bound}",
    }
    for name, bound in bounds.items():
        if name in checks:
            try:
                if told := checks[name](bound):
                    return str(told)
            except (TypeError, ZeroDivisionError):
                continue  # a bound that is none for such a value
    return ""
