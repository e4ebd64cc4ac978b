"""The parameters that a method takes beside its fixed arguments: read from its signature, converted by its hints."""

from __future__ import annotations

import enum
import inspect
import json
import math
import typing
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from cvflow_worker.cleaning import clean
from cvflow_worker.faults import BadParameter
from cvflow_worker.schemas import bounds_of, broken_bound, schema_of

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
_PLAIN = (bool, int, float, str)


class Parameter(NamedTuple):
    """One keyword of a method. `hint` is bool, int, float, str, or whatever else its annotation says."""

    name: str
    hint: Any
    optional: bool
    default: Any
    required: bool
    bounds: Dict[str, Any]
    """What `Annotated` says of its values, by the names of JSON Schema."""

    @property
    def type_name(self) -> str:
        """The hint as a word for people and for OpenAPI."""
        return self.hint.__name__ if isinstance(self.hint, type) else str(self.hint).replace("typing.", "")

    @property
    def _wanted(self) -> str:
        """What would fit, in words for whoever asks a server and may never have seen Python."""
        if typing.get_origin(self.hint) is typing.Literal:
            return "one of " + ", ".join(str(choice) for choice in typing.get_args(self.hint))
        if isinstance(self.hint, type) and issubclass(self.hint, enum.Enum):
            return "one of " + ", ".join(str(member.value) for member in self.hint)
        return _article(self.type_name)

    def describe(self) -> Dict[str, Any]:
        """What the `ready` frame says of it."""
        try:
            default = clean(self.default)
        except TypeError:
            default = str(self.default)
        schema = schema_of(self.hint, self.bounds)
        if self.optional and "type" in schema:
            schema["type"] = [schema["type"], "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        return {"name": self.name, "type": self.type_name, "default": default, "required": self.required, "schema": schema}

    def convert(self, value: Any) -> Any:
        """The value as the hint wants it. Raises BadParameter naming what would fit."""
        if self.optional and (value is None or value in ("", "null", "none")):
            return None
        try:
            converted = _convert(self.hint, value)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise BadParameter(f"parameter {self.name!r} must be {self._wanted}, not {str(value)[:60]!r}") from None
        if told := broken_bound(converted, self.bounds):
            raise BadParameter(f"parameter {self.name!r} must be {told}, not {str(value)[:60]!r}")
        return converted


class Parameters:
    """All keywords of `method` after its first `skip` arguments."""

    def __init__(self, method: Callable[..., Any], skip: int) -> None:
        self.known: Dict[str, Parameter] = {}
        self.open = False
        hints = _hints(method)
        for position, argument in enumerate(inspect.signature(method).parameters.values()):
            if argument.kind is argument.VAR_KEYWORD:
                self.open = True
            elif position >= skip and argument.kind in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
                self.known[argument.name] = _parameter(argument, hints.get(argument.name, argument.empty))

    def describe(self) -> List[Dict[str, Any]]:
        """What the `ready` frame says of them."""
        return [parameter.describe() for parameter in self.known.values()]

    def convert(self, given: Dict[str, Any]) -> Dict[str, Any]:
        """Keyword arguments from what a client sent. Raises BadParameter for an unknown, a missing or an unfitting one."""
        values = {}
        for name, value in given.items():
            if name in self.known:
                values[name] = self.known[name].convert(value)
            elif self.open:
                values[name] = value
            else:
                raise BadParameter(f"unknown parameter {name[:60]!r}; {self._known_ones()}")
        missing = [name for name, parameter in self.known.items() if parameter.required and name not in values]
        if missing:
            raise BadParameter(f"missing parameter {missing[0]!r}; {self._known_ones()}")
        return values

    def _known_ones(self) -> str:
        if not self.known:
            return "this solver takes none"
        return "known: " + ", ".join(f"{parameter.name} ({parameter.type_name})" for parameter in self.known.values())


def _hints(method: Callable[..., Any]) -> Dict[str, Any]:
    try:
        return typing.get_type_hints(method, include_extras=True)
    except Exception:  # an annotation may name anything, even what does not exist; its text is then all we have
        return dict(getattr(method, "__annotations__", {}))


def _parameter(argument: inspect.Parameter, hint: Any) -> Parameter:
    required = argument.default is argument.empty
    default = None if required else argument.default
    optional = default is None and not required
    hint, bounds = _plain(hint)
    if hint is argument.empty:
        hint = type(default) if isinstance(default, _PLAIN) else str
    others = [member for member in typing.get_args(hint) if member is not type(None)]
    if type(None) in typing.get_args(hint):
        optional = True
        hint, more = _plain(others[0]) if len(others) == 1 else (hint, {})
        bounds = {**bounds, **more}
    if isinstance(hint, str):  # an annotation that could not be resolved
        hint = {kind.__name__: kind for kind in _PLAIN}.get(hint, hint)
    return Parameter(argument.name, hint, optional, default, required, bounds)


def _plain(hint: Any) -> Tuple[Any, Dict[str, Any]]:
    """A hint without its `Annotated`, and what that says."""
    metadata = getattr(hint, "__metadata__", None)
    return (hint, {}) if metadata is None else (hint.__origin__, bounds_of(metadata))


def _convert(hint: Any, value: Any) -> Any:
    if hint is bool:
        return _bool(value)
    if hint is int:
        if isinstance(value, (bool, float)):
            raise ValueError
        return int(_number(value))
    if hint is float:
        number = float(_number(value))
        if isinstance(value, bool) or not math.isfinite(number):
            raise ValueError
        return number
    if typing.get_origin(hint) is typing.Literal:
        return {str(choice): choice for choice in typing.get_args(hint)}[str(value)]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {str(member.value): member for member in hint}[str(value)]
    if hint in (list, tuple) or typing.get_origin(hint) in (list, tuple):
        return _list(hint, value)
    if hint is str:
        if isinstance(value, (list, dict)):  # a field that was given twice, too
            raise TypeError
        return value if isinstance(value, str) else str(value)
    return _other(value)


def _number(value: Any) -> Any:
    """Python reads `1_0` and digits of every script; a request's numbers are written in plain ones."""
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        raise ValueError
    return value


def _list(hint: Any, value: Any) -> Any:
    """A JSON list, or in a query values between commas."""
    if isinstance(value, str):
        value = json.loads(value) if value.lstrip().startswith("[") else [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list):
        raise TypeError
    origin = typing.get_origin(hint) or hint
    kinds = [kind for kind in typing.get_args(hint) if kind is not Ellipsis]
    if origin is tuple and len(kinds) > 1 and Ellipsis not in typing.get_args(hint):
        if len(kinds) != len(value):
            raise ValueError
        return tuple(_convert(kind, item) for kind, item in zip(kinds, value))  # noqa: B905 - as many were just counted; 3.9 has no strict
    return origin(_convert(kinds[0], item) if kinds else item for item in value)


def _bool(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def _other(value: Any) -> Any:
    """Lists and the like come as JSON; what is none stays the text it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _article(word: str) -> str:
    return {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}.get(word, word)
