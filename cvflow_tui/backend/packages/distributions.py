"""Which distribution brings a module: what authors of vision packages forget to list, by the name under which they import it."""

from __future__ import annotations

import functools
from pathlib import Path

from cvflow_tui.model.mending import Mend

_TABLE = Path(__file__).with_name("distributions.txt")
_NONE = "-"

_MENDS: tuple[tuple[str, Mend], ...] = (
    ("libGL.so", Mend(requirements=("opencv-python-headless",))),
    ("libgthread-2.0.so", Mend(requirements=("opencv-python-headless",))),
    ("compiled using NumPy 1.x", Mend(requirements=("numpy<2",))),
    ("numpy.core.multiarray failed to import", Mend(requirements=("numpy<2",))),
    ("_ARRAY_API not found", Mend(requirements=("numpy<2",))),
    ("numpy.dtype size changed", Mend(requirements=("numpy<2",))),
    ("module 'numpy' has no attribute", Mend(requirements=("numpy<1.24",))),
    ("module 'PIL.Image' has no attribute", Mend(requirements=("pillow<10",))),
    ("cannot import name 'PILLOW_VERSION'", Mend(requirements=("pillow<7",))),
    ("No module named 'distutils'", Mend(requirements=("setuptools",))),
    ("No module named 'imp'", Mend(python="3.11")),
    ("cannot import name 'Mapping' from 'collections'", Mend(python="3.9")),
    ("cannot import name 'Iterable' from 'collections'", Mend(python="3.9")),
    ("module 'collections' has no attribute", Mend(python="3.9")),
    ("No module named 'keras.engine'", Mend(requirements=("keras<3",))),
    ("No module named 'sklearn.externals", Mend(requirements=("scikit-learn<0.23",))),
    ("No module named 'skimage.measure.simple_metrics'", Mend(requirements=("scikit-image<0.18",))),
    ("No module named 'torchvision.models.utils'", Mend(requirements=("torchvision<0.13",))),
    ("Descriptors cannot be created directly", Mend(requirements=("protobuf<3.21",))),
)
"""What an error says → the option of `install` that may mend it: what was renamed or left out since the package was written."""


def distribution_of(module: str) -> str | None:
    """The distribution that is likely to bring a module; None where nobody but its author knows.

    A module that is in no list is taken to be called as its distribution is, which holds for most.
    """
    top = module.partition(".")[0]
    known = _known().get(module) or _known().get(top) or _known().get(top.lower())
    if known is not None:
        return None if known == _NONE else known
    return None if top.startswith("_") else top.lower().replace("_", "-")


def is_known(module: str) -> bool:
    """Whether the module is in the list: any other answer of `distribution_of` is a guess that a user should look at first."""
    return module in _known() or module.partition(".")[0] in _known()


def known_mend(error: str) -> Mend | None:
    """The option of `install` for an error that many packages of their time end with; None for any other."""
    return next((option for words, option in _MENDS if words in error), None)


@functools.cache
def _known() -> dict[str, str]:
    lines = _TABLE.read_text("utf-8").splitlines()
    return {line.split()[0]: line.split()[1] for line in lines if line and not line.startswith("#")}
