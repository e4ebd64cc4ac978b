"""Real photographs for the canvas: scikit-image's astronaut and coffee, and the shared pictures where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from numpy.typing import NDArray
from PIL import Image

from cvflow_tui.widgets.image_canvas.picture import CanvasPicture

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"


def _photograph(name: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(Path(str(skimage.__file__)).parent / "data" / f"{name}.png"))


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """512 x 512."""
    return _photograph("astronaut")


@pytest.fixture(scope="session")
def coffee() -> NDArray[np.uint8]:
    """600 x 400."""
    return _photograph("coffee")


@pytest.fixture(scope="session")
def photo_path(tmp_path_factory: pytest.TempPathFactory, coffee: NDArray[np.uint8]) -> Path:
    path = tmp_path_factory.mktemp("photos") / "coffee.jpg"
    Image.fromarray(coffee).save(path, quality=92)
    return path


@pytest.fixture(scope="session")
def photo(photo_path: Path) -> CanvasPicture:
    return CanvasPicture.load(photo_path)


@pytest.fixture(scope="session")
def big_path(tmp_path_factory: pytest.TempPathFactory, astronaut: NDArray[np.uint8]) -> Path:
    """A 12-megapixel JPEG."""
    path = tmp_path_factory.mktemp("big") / "astronaut-12mp.jpg"
    Image.fromarray(astronaut).resize((3500, 3500), Image.Resampling.BICUBIC).save(path, quality=90)
    return path
