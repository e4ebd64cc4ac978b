"""Pictures as they come: turned, cut off, tiny, huge, and no pictures at all."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.pictures.header import Header, read_header
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Draw, PictureState, SetState

ENDINGS = ["jpg", "png", "bmp", "webp", "tif", "gif"]


def _noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.effect_noise((width, height), 80).convert("RGB")


def _grey_png(path: Path, width: int, height: int) -> None:
    """A 1-bit PNG, whole, written row by row: small, whatever its size in pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


@pytest.mark.parametrize("ending", ENDINGS)
def test_size_and_digest_of_every_format(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    _noise().save(path)
    assert read_header(path) == Header(64, 48, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 48)), (3, (64, 48)), (6, (48, 64)), (8, (48, 64))])
def test_the_size_is_that_of_the_picture_as_displayed(tmp_path: Path, ending: str, orientation: int, size: tuple[int, int]) -> None:
    path, exif = tmp_path / f"a.{ending}", Image.Exif()
    exif[0x0112] = orientation
    _noise().save(path, exif=exif)
    found = read_header(path)
    assert (found.width, found.height) == size
    assert found.error is None


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_picture_that_is_cut_off_is_an_error_and_no_exception(tmp_path: Path, ending: str, share: float) -> None:
    path = tmp_path / f"a.{ending}"
    _noise().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    found = read_header(path)
    assert found.width is None
    assert found.error is not None
    assert "a." + ending in found.error
    assert "\n" not in found.error


def test_a_thumbnail_with_an_end_of_its_own_does_not_hide_a_cut(tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    _noise(16, 16).save(thumbnail, "JPEG")
    whole = io.BytesIO()
    _noise().save(whole, "JPEG")
    data = whole.getvalue()
    app = b"\xff\xe5" + struct.pack(">H", 2 + len(thumbnail.getvalue())) + thumbnail.getvalue()
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + app + data[2:])
    assert read_header(path).error is None
    path.write_bytes((data[:2] + app + data[2:])[:-400])
    assert "cut off" in (read_header(path).error or "")


def test_one_pixel_and_a_hundred_megapixels_are_pictures(tmp_path: Path) -> None:
    Image.new("L", (1, 1)).save(tmp_path / "one.png")
    found = read_header(tmp_path / "one.png")
    assert (found.width, found.height, found.error) == (1, 1, None)
    _grey_png(tmp_path / "large.png", 10_000, 10_000)
    found = read_header(tmp_path / "large.png")
    assert (found.width, found.height, found.error) == (10_000, 10_000, None)


@pytest.mark.parametrize("size", [(20_000, 10_001), (60_000, 60_000)])
def test_more_than_200_megapixels_are_refused_in_silence(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "huge.png"
    _grey_png(path, size[0], 1)
    data = bytearray(path.read_bytes())
    data[20:24] = struct.pack(">I", size[1])
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)
    code = "import sys; from pathlib import Path; from cvflow_tui.backend.pictures.header import read_header as read"
    run = [sys.executable, "-W", "default", "-c", f"{code}; print(read(Path(sys.argv[1])).error)", str(path)]
    told = subprocess.run(run, capture_output=True, text=True, check=True)
    assert "megapixels" in told.stdout
    assert told.stderr == ""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(ENDINGS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12), st.integers(0, 4000))
def test_damaged_bytes_never_raise(tmp_path: Path, ending: str, changes: list[tuple[int, int]], keep: int) -> None:
    whole = tmp_path / f"whole.{ending}"
    if not whole.exists():
        Image.linear_gradient("L").resize((40, 30)).save(whole)
    data = bytearray(whole.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path / f"damaged.{ending}"
    path.write_bytes(bytes(data[:keep]))
    found = read_header(path)
    assert (found.error is None) == (found.width is not None)


def test_an_unreadable_picture_can_be_opened_and_skipped_and_nothing_else(start: Callable[[], ProjectService], tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"no picture")
    service = start()
    service.create("p", [str(folder)], ["a"])
    view = service.open("p", 1)
    assert "a.jpg" in (view.picture.error or "")
    for act in (Draw("a", Box(0, 0, 5, 5)), SetState(PictureState.CONFIRMED_EMPTY)):
        with pytest.raises(RefusedError, match="can't be read"):
            service.act("p", 1, act)
    assert service.act("p", 1, SetState(PictureState.SKIPPED)).view.picture.state is PictureState.SKIPPED
    _noise().save(folder / "a.jpg")
    again = service.open("p", 1).picture
    assert (again.error, again.width) == (None, 64)
    (folder / "a.jpg").unlink()
    assert "No such file" in (service.open("p", 1).picture.error or "")
