"""`Solver`: the base class of the second generation's solvers, `infer(self, data)`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Dict, Mapping, Optional

from mlpm.app import AidServer, aidserver
from mlpm.server import run_server


class Solver:
    """`infer(self, data)` is handed the form's fields as text; the path of an upload is `data["input_file_path"]`.

    The attributes are the class's first: published solvers exist that never call `super().__init__`.
    """

    bundle: Any = None
    server: AidServer = aidserver
    _isReady = False  # noqa: N815 - the original's spelling
    _enable_train = False
    _hyperparameters: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, pretrained_toml: Optional[str] = None) -> None:
        self._isReady = False
        self.bundle = None
        self._hyperparameters = {}
        self._enable_train = callable(getattr(type(self), "train", None))

    @property
    def enable_train(self) -> bool:
        """Whether `train` may be called."""
        return self._enable_train

    @property
    def is_ready(self) -> bool:
        """Whether the constructor said so; cvflow takes a solver as ready once its constructor has returned."""
        return self._isReady

    @property
    def hyperparamters(self) -> Mapping[str, Any]:
        """What `train` may be told (the name is spelt as the original spelt it)."""
        return self._hyperparameters

    def ready(self) -> None:
        """Say that the solver can be asked."""
        self._isReady = True

    def infer(self, data: Dict[str, str]) -> Any:
        """Answer for the fields of a form."""
        # No ABC: it would refuse to make published solvers that only learn, or that set `infer` on themselves.
        raise NotImplementedError(f"{type(self).__name__} has no infer of its own")

    def start(self, port: Optional[int] = None) -> None:
        """What runner files called to serve; here cvflow's runner does that."""
        run_server(self, port)
