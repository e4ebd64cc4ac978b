"""cvflow.Image: every kind of picture becomes RGB as displayed, or one line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cvflow
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

RAMP = np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("L", "png"),
        ("LA", "png"),
        ("RGB", "png"),
        ("RGBA", "png"),
        ("P", "gif"),
        ("CMYK", "jpg"),
        ("CMYK", "tiff"),
        ("I", "tiff"),
        ("F", "tiff"),
    ],
)
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"ramp.{suffix}"
    PIL.Image.fromarray(RAMP).convert(mode).save(path)
    array = cvflow.Image(path).array()
    assert array.shape == (48, 64, 3)
    assert array.dtype == np.uint8
    assert int(np.abs(array.astype(int) - RAMP[:, :, None]).max()) <= 3


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    PIL.Image.fromarray(RAMP.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert int(np.abs(cvflow.Image(tmp_path / "deep.png").array()[:, :, 0].astype(int) - RAMP).max()) <= 1


def test_transparency_shows_white(tmp_path: Path) -> None:
    PIL.Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert cvflow.Image(tmp_path / "clear.png").array().min() == 255
    PIL.Image.new("P", (4, 4), 0).save(tmp_path / "clear.gif", transparency=0)
    assert cvflow.Image(tmp_path / "clear.gif").array().min() == 255


def test_one_pixel(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    assert cvflow.Image(tmp_path / "dot.png").array().tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_exif_says(tmp_path: Path, orientation: int) -> None:
    """Against Pillow's own transposition, in pixels and in size."""
    from PIL import ImageOps

    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(RAMP).convert("RGB").save(tmp_path / "turned.png", exif=exif)
    with PIL.Image.open(tmp_path / "turned.png") as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    image = cvflow.Image(tmp_path / "turned.png")
    assert image.size == (expected.shape[1], expected.shape[0])
    assert np.array_equal(image.array(), expected)


def test_shrunk_decoding_covers_what_was_asked_after_the_turn(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.new("RGB", (1600, 400)).save(tmp_path / "wide.jpg", exif=exif)
    image = cvflow.Image(tmp_path / "wide.jpg")
    shrunk = image.open(at_least=(100, 800))
    assert image.size == (400, 1600)
    assert shrunk.size == (200, 800)


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(12_000, 10_001), (60_000, 60_000), (2_000_000_000, 2_000_000_000)])
def test_bombs_are_refused_before_decoding(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "bomb.png").write_bytes(_png(width, height))
    with pytest.raises(cvflow.InputError, match=r"bomb\.png") as caught:
        cvflow.Image(tmp_path / "bomb.png", name="bomb.png").open()
    assert "\n" not in str(caught.value)


def test_truncated_text_and_missing_files_get_one_line(tmp_path: Path) -> None:
    encoded = io.BytesIO()
    PIL.Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)).save(encoded, "jpeg")
    (tmp_path / "cut.jpg").write_bytes(encoded.getvalue()[:4000])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").touch()
    for name, word in [
        ("cut.jpg", "truncated"),
        ("text.jpg", "no picture"),
        ("empty.png", "no picture"),
        ("none.png", "not there"),
        (".", "read"),
    ]:
        with pytest.raises(cvflow.InputError, match=word) as caught:
            cvflow.Image(tmp_path / name).open()
        assert "\n" not in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(
    suffix=st.sampled_from(["png", "jpeg", "gif", "tiff", "bmp", "webp"]), place=st.floats(0, 1), length=st.integers(1, 40), data=st.data()
)
def test_damage_anywhere_is_an_input_error_or_a_picture(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, place: float, length: int, data: st.DataObject
) -> None:
    """Whatever bytes are overwritten: RGB pixels, or InputError, and nothing else."""
    encoded = io.BytesIO()
    PIL.Image.fromarray(RAMP).convert("RGB").save(encoded, suffix)
    damaged = bytearray(encoded.getvalue())
    start = int(place * (len(damaged) - 1))
    damaged[start : start + length] = data.draw(st.binary(min_size=length, max_size=length))
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    path.write_bytes(bytes(damaged))
    try:
        array = cvflow.Image(path).array()
    except cvflow.InputError as error:
        assert "\n" not in str(error)
    else:
        assert array.ndim == 3
        assert array.shape[2] == 3
