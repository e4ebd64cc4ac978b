"""`Bundle`: facts about a package, as the attributes of a class."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Dict, List


class Bundle:
    """Subclass it and write the package's facts down as class attributes; `Solver.set_bundle` has them told by `GET /`."""

    __SOLVERS__: ClassVar[List[Any]] = []

    def add_solver(self, solver: Any) -> None:
        """Remember a solver that belongs to this bundle."""
        self.__SOLVERS__.append(solver)

    @classmethod
    def members(cls) -> Dict[str, Any]:
        """The attributes that JSON can say, by name; those that begin with two underscores stay inside."""
        names = [name for name in dir(cls) if not name.startswith("__")]
        return {name: getattr(cls, name) for name in names if is_jsonable(getattr(cls, name))}


def is_jsonable(value: Any) -> bool:
    """Whether JSON can say a value."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
