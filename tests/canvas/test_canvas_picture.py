from __future__ import annotations

import io
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.widgets.image_canvas import picture as module
from cvflow_tui.widgets.image_canvas.orientation import displayed_size, stored_box
from cvflow_tui.widgets.image_canvas.picture import KEPT_PIXELS, CanvasPicture, PictureError

REPOSITORY = Path(__file__).resolve().parents[2]


def _encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _whole(picture: CanvasPicture, width: int, height: int) -> NDArray[np.uint8]:
    return picture.sample(Box(0, 0, picture.size.width, picture.size.height), width, height)


def test_a_picture_is_what_it_was(coffee: NDArray[np.uint8]) -> None:
    picture = CanvasPicture.load(_encoded(Image.fromarray(coffee)))
    assert picture.size == Size(600, 400)
    assert np.array_equal(_whole(picture, 600, 400), coffee)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_when_looking_and_when_looking_closely(
    orientation: int, coffee: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_PIXELS", 20_000)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _encoded(Image.fromarray(coffee), "JPEG", quality=95, exif=exif)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    picture = CanvasPicture.load(data)
    assert (picture.size.width, picture.size.height) == shown.size
    coarse = np.abs(_whole(picture, 40, 40).astype(int) - np.asarray(shown.resize((40, 40), Image.Resampling.BOX)))
    assert coarse.mean() < 6
    box = Box(37, 91, 101, 140)
    assert picture.wants_detail(box, 64)
    picture.load_detail(box, 64)
    assert not picture.wants_detail(box, 64)
    assert np.array_equal(picture.sample(box, 64, 49), np.asarray(shown.crop((37, 91, 101, 140))))


@given(st.integers(1, 8), st.integers(1, 40), st.integers(1, 40), st.data())
def test_a_displayed_box_is_found_in_the_stored_pixels(orientation: int, width: int, height: int, data: st.DataObject) -> None:
    stored = Image.fromarray(np.arange(width * height * 3, dtype=np.uint32).astype(np.uint8).reshape(height, width, 3))
    exif = stored.getexif()
    exif[0x0112] = orientation
    shown = ImageOps.exif_transpose(stored)
    size = displayed_size(Size(width, height), orientation)
    assert (size.width, size.height) == shown.size
    x0, y0 = data.draw(st.integers(0, size.width - 1)), data.draw(st.integers(0, size.height - 1))
    box = Box(x0, y0, data.draw(st.integers(x0 + 1, size.width)), data.draw(st.integers(y0 + 1, size.height)))
    part = stored.crop(stored_box(box, Size(width, height), orientation).corners)
    part.getexif()[0x0112] = orientation
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(part)), np.asarray(shown.crop(box.corners)))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_the_smallest_pictures_work(size: tuple[int, int]) -> None:
    picture = CanvasPicture.load(_encoded(Image.new("RGB", size, (10, 200, 30))))
    drawn = _whole(picture, 20, 7)
    assert drawn.shape == (7, 20, 3)
    assert np.all(drawn == (10, 200, 30))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "I"])
def test_every_mode_becomes_rgb(mode: str, coffee: NDArray[np.uint8]) -> None:
    grey = Image.fromarray(coffee).convert("L")
    if mode in ("F", "I", "I;16"):
        values = np.asarray(grey, np.float32) * 100
        image = Image.fromarray(values.astype({"F": np.float32, "I": np.int32, "I;16": np.uint16}[mode]))
    else:
        image = Image.fromarray(coffee).convert(mode)
    picture = CanvasPicture.load(_encoded(image, "TIFF"))
    drawn = _whole(picture, 60, 40)
    assert drawn.dtype == np.uint8
    assert drawn.std() > 20, "it is not one flat colour"


@given(st.integers(0, 3000))
@settings(max_examples=40)
def test_a_cut_file_gives_one_line_and_never_anything_else(keep: int) -> None:
    pattern = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for kind in ("JPEG", "PNG"):
        data = _encoded(Image.fromarray(pattern), kind)[:keep]
        try:
            CanvasPicture.load(data, "holiday.jpg")
        except PictureError as error:
            assert "\n" not in error.message
            assert error.message.startswith("holiday.jpg: ")


def test_errors_say_what_is_wrong(tmp_path: Path, photo_path: Path) -> None:
    with pytest.raises(PictureError, match=r"coffee\.jpg: the file is cut off: copy it again"):
        CanvasPicture.load(photo_path.read_bytes()[:20_000], "coffee.jpg")
    with pytest.raises(PictureError, match=r"notes\.jpg: this is no picture"):
        CanvasPicture.load(b"these are no pixels", "notes.jpg")
    with pytest.raises(PictureError, match=r"gone\.jpg: the file is not there"):
        CanvasPicture.load(tmp_path / "gone.jpg")
    with pytest.raises(PictureError, match=re.escape("evil\ufffd name: this is no picture")):
        CanvasPicture.load(b"", "evil\x00\x1b[0m\nname")


def test_too_many_pixels_are_refused_before_one_is_decoded() -> None:
    head = _encoded(Image.new("L", (64, 64)), "PNG")
    wide = head[:16] + (9000).to_bytes(4, "big") * 2 + head[24:]
    wide = wide[:29] + zlib.crc32(wide[12:29]).to_bytes(4, "big") + wide[33:]
    with pytest.raises(PictureError, match=r"81 megapixels are too many for PNG .at most 50.*JPEG"):
        CanvasPicture.load(wide, "scan.png")
    jpeg = bytearray(_encoded(Image.new("L", (64, 64)), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = (15_000).to_bytes(2, "big") * 2
    with pytest.raises(PictureError, match=r"225 megapixels are too many for JPEG .at most 200"):
        CanvasPicture.load(bytes(jpeg), "scan.jpg")


@pytest.mark.slow
def test_a_100_megapixel_jpeg_opens_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "wide.jpg"
    Image.effect_noise((1200, 840), 60).resize((12_000, 8_400), Image.Resampling.NEAREST).convert("RGB").save(path, quality=50)
    script = """
import resource, sys
from pathlib import Path
from cvflow_tui.model.geometry import Box
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
picture = CanvasPicture.load(Path(sys.argv[1]))
opened = peak()
picture.load_detail(Box(6000, 4000, 6300, 4200), 300)
print(picture.size.width, picture.sample(Box(6000, 4000, 6300, 4200), 300, 200).std() > 5, opened - before, peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    width, varied, opened, looked = done.stdout.split()
    assert (width, varied) == ("12000", "True")
    # Decoded whole it would take 400 MB; opening decodes an eighth of each side, looking closely half of each.
    assert int(opened) < 60_000
    assert int(looked) < 200_000


def test_a_12_megapixel_picture_is_kept_small_and_still_sharp_when_looked_at_closely(big_path: Path) -> None:
    picture = CanvasPicture.load(big_path)
    assert picture.size == Size(3500, 3500)
    assert picture.kept_bytes < KEPT_PIXELS * 4 * 1.2 * 1.34
    box = Box(1500, 700, 1700, 800)
    assert picture.wants_detail(box, 200)
    picture.load_detail(box, 200)
    with Image.open(big_path) as image:
        assert np.array_equal(picture.sample(box, 200, 100), np.asarray(image.crop((1500, 700, 1700, 800))))
    assert picture.kept_bytes < 2 * KEPT_PIXELS * 4 * 1.34
    # A small pan stays within what was decoded; the other end of the picture doesn't.
    assert not picture.wants_detail(box.moved(40, 20), 200)
    assert picture.wants_detail(box.moved(1500, 2000), 200)


def test_a_file_that_went_away_says_so_when_looked_at_closely(tmp_path: Path, big_path: Path) -> None:
    path = tmp_path / "here.jpg"
    path.write_bytes(big_path.read_bytes())
    picture = CanvasPicture.load(path)
    path.unlink()
    with pytest.raises(PictureError, match=r"here\.jpg: the file is not there"):
        picture.load_detail(Box(0, 0, 100, 100), 200)
    assert _whole(picture, 10, 10).shape == (10, 10, 3)
