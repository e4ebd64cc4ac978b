"""`Solver`: the base class of the first generation's solvers, `infer(self, image_file, config)`."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any, Dict, Mapping, Optional, Tuple, Type, Union

from cvpm.bundle import Bundle
from cvpm.server import run_server


class Solver:
    """Weights are in place before it is made, so a constructor has nothing to fetch; `toml_file` is taken and not read.

    The attributes are the class's first: published solvers exist that never call `super().__init__`.
    """

    bundle: Optional[Type[Bundle]] = None
    _isReady = False  # noqa: N815 - the original's spelling
    _enable_train = False
    _hyperparameters: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, toml_file: Optional[str] = None) -> None:
        self._isReady = False
        self.bundle = None
        self._enable_train = False
        self._hyperparameters = {}

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

    @property
    def help_message(self) -> Union[str, Tuple[str, int]]:
        """The bundle's attributes as JSON."""
        return json.dumps(self.bundle.members() if self.bundle is not None else {})

    def set_ready(self) -> None:
        """Say that the solver can be asked."""
        self._isReady = True

    def set_bundle(self, bundle: Type[Bundle]) -> None:
        """Say which facts `GET /` tells; what is no Bundle is left alone."""
        if isinstance(bundle, type) and issubclass(bundle, Bundle):
            self.bundle = bundle
            bundle.__SOLVERS__.append(self)

    def infer(self, image_file: str, config: Dict[str, str]) -> Any:
        """Answer for a picture; `config` holds the form's other fields, as text."""
        # No ABC: it would refuse to make published solvers that only learn, or that set `infer` on themselves.
        raise NotImplementedError(f"{type(self).__name__} has no infer of its own")

    def start(self, port: Optional[int] = None) -> None:
        """What runner files called to serve; here cvflow's runner does that."""
        run_server(self, port)
