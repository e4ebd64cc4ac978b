"""Bodies are taken as JSON tells them: `"1"` is no number, `"yes"` no switch, and what no text can hold is no text."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

UNREADABLE = "unreadable"
"""Type of the validation error whose message tells already which field it is about."""
LARGEST = 1 << 63
"""Whole numbers stay below it, on either side of zero: the database and the system hold no larger ones."""

_BROKEN = re.compile("[\0\ud800-\udfff]")
_TEXT = "Input should be text without null characters and halves of characters"


class AsJson:
    """Metadata of a body's type (`kind`, where that is more than the type alone).

    FastAPI hands on the Python that JSON became, from which pydantic reads `1` for true and `"5"` for 5; told to be strict, it reads no
    tuple from a list. So the JSON itself is read, strictly.
    """

    def __init__(self, kind: Any = None) -> None:
        self._kind = kind

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's own schema, behind a strict reading."""
        kind = source if self._kind is None else self._kind
        adapter: list[TypeAdapter[Any]] = []

        def read(told: Any) -> Any:
            if not adapter:  # not before: the type may not be complete when a route is declared
                adapter.append(TypeAdapter(kind))
            try:
                if (fault := _unholdable(told)) is not None:
                    raise _unreadable(*fault)
                return adapter[0].validate_json(json.dumps(told), strict=True)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False, include_context=False)[0]
                raise _unreadable(".".join(str(part) for part in first["loc"]), first["msg"]) from None
            except RecursionError:
                raise _unreadable("", "Input should not be nested that deeply") from None

        return core_schema.no_info_before_validator_function(read, handler(source))


def _unreadable(where: str, what: str) -> PydanticCustomError:
    return PydanticCustomError(UNREADABLE, "{told}", {"told": f"{where or 'body'}: {what}"})


def _unholdable(told: Any, where: str = "") -> tuple[str, str] | None:
    """Where something stands that Python reads in JSON and nothing behind the API can hold, and what it is."""
    if isinstance(told, str):
        return (where, _TEXT) if _BROKEN.search(told) else None
    if isinstance(told, float):
        return None if math.isfinite(told) else (where, "Input should be a finite number")
    if isinstance(told, int):
        return None if -LARGEST <= told < LARGEST else (where, "Input should be a whole number of at most 64 bits")
    if isinstance(told, dict):
        if any(_BROKEN.search(key) for key in told):
            return where, f"{_TEXT}, its fields' names too"
        items = [(str(key), value) for key, value in told.items()]
    elif isinstance(told, list):
        items = [(str(number), value) for number, value in enumerate(told)]
    else:
        return None
    return next((fault for name, value in items if (fault := _unholdable(value, f"{where}.{name}" if where else name))), None)
