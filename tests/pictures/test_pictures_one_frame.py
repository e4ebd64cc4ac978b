"""Every room sees a picture in the same frame: turned as its EXIF says, whatever the file format."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import cvflow_tui
from cvflow_tui.backend.pictures.header import read_header
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture

ORIENTATION = 0x0112
RED, BLUE = (255, 0, 0), (0, 0, 255)


def load_sdk() -> ModuleType:
    """The sdk, as a worker finds it: on its path."""
    folder = Path(cvflow_tui.__file__).parent / "solvers" / "sdk" / "cvflow"
    spec = importlib.util.spec_from_file_location("cvflow", folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("cvflow", module)
    spec.loader.exec_module(module)
    return module


def upright() -> Image.Image:
    """40 x 24 as displayed: red at the top left, blue at the bottom right, white between."""
    pixels = np.full((24, 40, 3), 255, np.uint8)
    pixels[:12, :12], pixels[12:, 28:] = RED, BLUE
    return Image.fromarray(pixels)


STORED = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}
"""How a camera with that orientation would have stored the upright picture."""


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
def test_all_rooms_agree(tmp_path: Path, kind: str, orientation: int) -> None:
    picture = upright()
    for turn in STORED[orientation]:
        picture = picture.transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"picture.{kind}"
    picture.save(path, exif=exif, quality=95)

    header = read_header(path)
    assert (header.width, header.height) == (40, 24), header.error
    image = load_sdk().Image(path)
    assert image.size == (40, 24)
    seen = image.array()
    canvas = CanvasPicture.load(path)
    assert (canvas.size.width, canvas.size.height) == (40, 24)
    assert seen.shape == (24, 40, 3)
    for x, y, color in ((5, 5, RED), (35, 19, BLUE), (35, 5, (255, 255, 255)), (5, 19, (255, 255, 255))):
        assert np.abs(seen[y, x].astype(int) - color).max() < 60, (x, y)
