"""The words of the product as types: frozen, pure, importing nothing but the standard library.

`model.packages` and the like may also be reached as attributes, and are imported when they are: a command that lists packages does not wait
for the types of projects.
"""

from importlib import import_module
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
