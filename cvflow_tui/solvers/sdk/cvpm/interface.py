"""Shapes in which solvers of the first generation hand results on."""

from __future__ import annotations

from typing import Any, Dict


class BaseInterface:
    """A named result; `data` is what is handed on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._data: Dict[str, Any] = {}

    @property
    def data(self) -> Dict[str, Any]:
        """The result."""
        return self._data


class ObjectDetectionInterface(BaseInterface):
    """Objects by the columns and rows where they begin and stop."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.data["data"] = []

    def validate(self) -> None:
        """Raise ValueError for an object that stops before it begins."""
        for each in self.data["data"]:
            if each["x_stop"] < each["x_start"] or each["y_stop"] < each["y_start"]:
                raise ValueError(f"{each['name']!r} stops before it begins: {each}")

    def addObjectCoordinates(self, x_start: float, x_stop: float, y_start: float, y_stop: float, name: str) -> None:  # noqa: N802
        """Add an object."""
        self.data["data"].append({"x_start": x_start, "x_stop": x_stop, "y_start": y_start, "y_stop": y_stop, "name": name})


class ImageSegmentationInterface(BaseInterface):
    """A map of the picture's pixels."""


class ImageProcessingInterface(BaseInterface):
    """A picture made of a picture."""
