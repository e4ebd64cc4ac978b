"""The call shapes of the original packages: told from a solver's class and signature, and called.

`infer(self, image_file, config)` (2018-2020) is handed a path and a dictionary of text, `infer(self, data)` (2020-2022) one
dictionary with the path in `data["input_file_path"]`.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional

from cvflow_worker.cleaning import clean
from cvflow_worker.faults import BadParameter, MissingField
from cvflow_worker.fields import Fields
from cvflow_worker.magic import suffix_of

BASES = {"cvpm": "cvpm.solver", "mlpm": "mlpm.solver"}
"""Generation -> the module of its base class."""

PATH_AND_FIELDS = "infer(image_file, config)"
PATH = "infer(image_file)"
FIELDS = "infer(data)"

FILE_KEY = "input_file_path"
_CONFIG_NAMES = frozenset({"config", "configs", "configuration", "cfg", "conf"})
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Original:
    """Calls a solver of the original generations."""

    def __init__(self, solver: Any, generation: str, shape: str) -> None:
        self.generation = generation
        self._infer: Callable[..., Any] = solver.infer
        self._shape = shape
        self.parameters = Fields(solver.infer, None if shape == PATH else -1 if shape == FIELDS else 1)

    def call(self, file: str, values: Dict[str, Any]) -> Any:
        """The solver's answer for a picture; an empty file stands for a form that held none."""
        if self._shape == FIELDS and FILE_KEY in values:
            raise BadParameter(
                f"{FILE_KEY} is not the sender's to say: it would name a file of this machine; send the picture as the part 'file'"
            )
        if os.stat(file).st_size == 0:  # noqa: PTH116 - once a request
            if self._shape != FIELDS:
                raise BadParameter("no file part!")
            return self._infer(Given(values))
        with named(file) as path:
            if self._shape == FIELDS:
                return self._infer(Given({**values, FILE_KEY: path}))
            return self._infer(path) if self._shape == PATH else self._infer(path, Given(values))


class Given(Dict[str, Any]):
    """A form's fields. One that is asked for and was not sent is the sender's fault, not the solver's."""

    def __missing__(self, key: str) -> Any:
        """Raise the KeyError that a solver may expect."""
        raise MissingField(key)


def generation_of(kind: type) -> str:
    """`cvpm` or `mlpm` for a class that derives from that generation's Solver, else empty."""
    for generation, module in BASES.items():
        base = getattr(sys.modules.get(module), "Solver", None)
        if isinstance(base, type) and issubclass(kind, base):
            return generation
    return ""


def original_of(solver: Any) -> Optional[Original]:
    """How to call a solver in an original shape; None for one of ours.

    The base class decides; without one, the names and hints of the arguments. Raises TypeError for an original with neither shape.
    """
    generation = generation_of(type(solver))
    arguments = [argument for argument in inspect.signature(solver.infer).parameters.values() if argument.kind in _POSITIONAL]
    if generation:
        return Original(solver, generation, _shape(generation, arguments))
    declared = getattr(sys.modules.get("cvflow"), "Solver", None)
    if isinstance(declared, type) and isinstance(solver, declared):
        return None
    required = [argument for argument in arguments if argument.default is argument.empty]
    if len(required) == 2 == len(arguments) and _is_fields(required[1], _CONFIG_NAMES):
        return Original(solver, "cvpm", PATH_AND_FIELDS)
    if len(required) == 1 == len(arguments) and _is_fields(required[0], frozenset({"data"})):
        return Original(solver, "mlpm", FIELDS)
    return None


def _shape(generation: str, arguments: List[inspect.Parameter]) -> str:
    required = sum(argument.default is argument.empty for argument in arguments)
    if not arguments or required > 2:
        raise TypeError(f"infer takes {required} arguments: that is neither {PATH_AND_FIELDS} nor {FIELDS}")
    if len(arguments) >= 2:
        return PATH_AND_FIELDS
    return FIELDS if generation == "mlpm" or arguments[0].name == "data" else PATH


def _is_fields(argument: inspect.Parameter, names: frozenset[str]) -> bool:
    """Whether an argument is meant for the form's fields: its hint says dict, or without one its name does."""
    if argument.annotation is argument.empty:
        return argument.name in names
    return "dict" in str(argument.annotation).lower() or "mapping" in str(argument.annotation).lower()


def attributes_of(solver: Any, root: str) -> Optional[Dict[str, Any]]:
    """What a solver's bundle says of its package; paths as seen from the package's folder. None for one without a bundle."""
    members = getattr(getattr(solver, "bundle", None), "members", None)
    if not callable(members):
        return None
    told = clean(members())
    return {name: _relative(value, root) for name, value in told.items()} if isinstance(told, dict) else None


def _relative(value: Any, root: str) -> Any:
    if isinstance(value, list):
        return [_relative(item, root) for item in value]
    if isinstance(value, dict):
        return {name: _relative(item, root) for name, item in value.items()}
    if isinstance(value, str) and value.startswith(os.path.join(root, "")):  # noqa: PTH118 - text, not a place
        return os.path.relpath(value, root)
    return value


@contextlib.contextmanager
def named(file: str) -> Iterator[str]:
    """The upload under a name whose ending tells what it is: published solvers go by it. Gone afterwards."""
    suffix = suffix_of(file)
    if not suffix:
        yield file
        return
    try:
        os.link(file, file + suffix)
    except OSError:  # a file system without links
        yield file
        return
    try:
        yield file + suffix
    finally:
        with contextlib.suppress(FileNotFoundError):  # the solver may have moved it
            os.unlink(file + suffix)  # noqa: PTH108 - text all the way
