"""What the cells show against the picture itself, and against chafa with the same glyphs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cvflow_tui.widgets.image_canvas.colors import Depth
from cvflow_tui.widgets.image_canvas.headless import render_to_ansi
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture

from .ansi import psnr, to_pixels
from .conftest import SHARED

COLUMNS, ROWS = 90, 45
# Sextants are 2 x 3; the upper and lower half are not among them, the left and right half are.
CHAFA_SYMBOLS = {"half": "space+solid+vhalf", "quadrant": "space+solid+half+quad", "sextant": "space+solid+sextant+258c+2590"}


def _photos(astronaut: NDArray[np.uint8], coffee: NDArray[np.uint8]) -> list[Image.Image]:
    photos = [Image.fromarray(astronaut), Image.fromarray(coffee).crop((100, 0, 500, 400))]
    for path in sorted((SHARED / "raccoon/images").glob("*.jpg"))[:2] if SHARED.exists() else []:
        with Image.open(path) as image:
            side = min(image.size)
            photos.append(image.convert("RGB").crop((0, 0, side, side)))
    return [photo.resize((2160, 2160), Image.Resampling.BICUBIC) for photo in photos]


def _score(text: str, photo: Image.Image) -> float:
    shown = to_pixels(text, COLUMNS, ROWS)
    return psnr(shown, np.asarray(photo.resize((shown.shape[1], shown.shape[0]), Image.Resampling.BOX)))


def _ours(path: Path, glyphs: str) -> str:
    return render_to_ansi(CanvasPicture.load(path), (), COLUMNS, ROWS, glyphs, depth=Depth.TRUE, aspect=0.5)


@pytest.fixture(scope="module")
def photos(
    tmp_path_factory: pytest.TempPathFactory, astronaut: NDArray[np.uint8], coffee: NDArray[np.uint8]
) -> list[tuple[Path, Image.Image]]:
    folder = tmp_path_factory.mktemp("quality")
    kept = []
    for number, photo in enumerate(_photos(astronaut, coffee)):
        photo.save(folder / f"{number}.jpg", quality=92)
        kept.append((folder / f"{number}.jpg", photo))
    return kept


def test_finer_glyphs_show_more(photos: list[tuple[Path, Image.Image]]) -> None:
    for path, photo in photos:
        half, quadrant, sextant, octant = (_score(_ours(path, glyphs), photo) for glyphs in ("half", "quadrant", "sextant", "octant"))
        assert half < quadrant < sextant < octant
        # The steps that were measured on other photographs (.6, .7 and .5 dB), less the .3 dB by which pictures differ.
        assert quadrant - half > 0.2
        assert sextant - quadrant > 0.2
        assert octant - sextant > 0.1


def test_half_blocks_are_as_good_as_half_blocks_can_be(photos: list[tuple[Path, Image.Image]]) -> None:
    for path, photo in photos:
        means = photo.resize((COLUMNS, ROWS * 2), Image.Resampling.BOX)
        best = psnr(
            np.asarray(means.resize((1080, 1080), Image.Resampling.NEAREST)), np.asarray(photo.resize((1080, 1080), Image.Resampling.BOX))
        )
        assert _score(_ours(path, "half"), photo) > best - 0.05


@pytest.mark.skipif(shutil.which("chafa") is None, reason="chafa is not installed: nothing to compare with")
@pytest.mark.parametrize("glyphs", list(CHAFA_SYMBOLS))
def test_no_worse_than_chafa_with_the_same_glyphs(photos: list[tuple[Path, Image.Image]], glyphs: str) -> None:
    for path, photo in photos:
        command = ["chafa", "--format", "symbols", "-c", "full", "-w", "9", "--stretch", "--animate", "off"]
        command += ["--symbols", CHAFA_SYMBOLS[glyphs], "--size", f"{COLUMNS}x{ROWS}", str(path)]
        theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert theirs.count("\n") >= ROWS - 1
        assert _score(_ours(path, glyphs), photo) >= _score(theirs, photo)


def test_fewer_colours_still_show_the_picture(photos: list[tuple[Path, Image.Image]]) -> None:
    path, photo = photos[0]
    full = _score(_ours(path, "quadrant"), photo)
    reduced = render_to_ansi(CanvasPicture.load(path), (), COLUMNS, ROWS, "quadrant", depth=Depth.REDUCED, aspect=0.5)
    assert full - 0.5 < _score(reduced, photo) < full


def test_without_colour_the_ramp_follows_the_light(photos: list[tuple[Path, Image.Image]]) -> None:
    path, photo = photos[0]
    text = render_to_ansi(CanvasPicture.load(path), (), COLUMNS, ROWS, depth=Depth.NONE, aspect=0.5)
    assert "\x1b" not in text
    assert text.isascii()
    from cvflow_tui.widgets.image_canvas.glyphs import ASCII_RAMP

    steps = np.array([[ASCII_RAMP.index(character) for character in line] for line in text.splitlines()])
    light = np.asarray(photo.convert("L").resize((COLUMNS, ROWS), Image.Resampling.BOX), np.float64)
    assert np.corrcoef(steps.ravel(), light.ravel())[0, 1] > 0.97
