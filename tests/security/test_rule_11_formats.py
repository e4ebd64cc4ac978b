"""Rule 11: a picture is of a format that people send. Pillow knows forty; that of EPS has Ghostscript run what the sender wrote."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import PIL.Image
import pytest

from cvflow_tui.backend.pictures.header import read_header
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.geometry import Size
from cvflow_tui.model.pictures import FORMATS, NO_PICTURE
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture, PictureError
from tests.runtime.helpers import Site

SDK = Path(__file__).resolve().parents[2] / "cvflow_tui/solvers/sdk"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(hello) show\n%%EOF\n"
OTHERS = ("DDS", "ICNS", "IM", "PCX", "SGI", "TGA", "XBM")


def of_format(name: str) -> bytes:
    if name == "EPS":
        return EPS
    file = io.BytesIO()
    PIL.Image.new("1" if name == "XBM" else "RGB", (16, 16)).save(file, name)
    return file.getvalue()


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(SDK))
    yield


@pytest.mark.parametrize("name", ["EPS", *OTHERS])
def test_a_rare_format_is_no_picture_to_anybody(name: str, tmp_path: Path, sdk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decodes one fails the test."""
    from cvflow.errors import InputError
    from cvflow.image import Image

    path = tmp_path / "picture.png"
    path.write_bytes(of_format(name))
    with PIL.Image.open(path) as opened:
        decoder = type(opened)

    def decoded(*_: object, **__: object) -> None:
        raise AssertionError(f"{name} was decoded")

    monkeypatch.setattr(decoder, "load", decoded)
    with pytest.raises(InputError, match="of a format that can't be read here"):
        Image(path).open()
    assert read_header(path).error == f"picture.png: {NO_PICTURE}"
    with pytest.raises(PictureError, match=NO_PICTURE):
        CanvasPicture.load(path)


def test_a_runner_takes_none_whatever_it_is_called(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    client = site.start(spec_of("Slow"))
    for name in ("EPS", *OTHERS):
        reply = client.send("POST", "/infer", of_format(name), {"Content-Type": "image/png"})
        assert (reply.status, reply.json["error"]) == (400, "the picture can't be read: this is no picture format we know"), name


def test_all_who_read_pictures_read_the_same(sdk: None, tmp_path: Path) -> None:
    from cvflow.image import FORMATS as IN_WORKERS
    from cvflow.image import Image

    assert IN_WORKERS == FORMATS
    PIL.Image.init()
    for name in sorted(FORMATS - {"MPO"}):
        if name in PIL.Image.SAVE:
            (tmp_path / "one").write_bytes(of_format(name))
            assert Image(tmp_path / "one").open().size == (16, 16), name
            assert CanvasPicture.load(tmp_path / "one").size == Size(16, 16), name
