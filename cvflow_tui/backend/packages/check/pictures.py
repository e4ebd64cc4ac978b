"""The picture that a check infers on: the author's, the package's own, or one that is drawn."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cvflow_tui.backend.packages.package import Package
from cvflow_tui.model.errors import NotFoundError, UsageError
from cvflow_tui.model.geometry import Size
from cvflow_tui.model.text import one_line

OWN = ("tests/picture.*", "picture.*", "example.*", "examples/*")
"""Where a package may keep a picture of its own, the first that is there counts."""
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


def choose(package: Package, asked: str | None, work: Path) -> tuple[Path, Size, str]:
    """A copy of the picture in `work`, its displayed size, and what to call it.

    Raises NotFoundError or UsageError for an asked picture that is not there or can't be read.
    """
    origin = _asked(asked) if asked else _own(package.root)
    copy = work / f"picture{origin.suffix.lower() if origin else '.png'}"
    if origin is None:
        _draw(copy)
        return copy, _size(copy, copy), "a drawn picture"
    try:
        shutil.copyfile(origin, copy)
    except FileNotFoundError:
        raise NotFoundError(f"{origin}: there is no such file") from None
    except OSError as error:
        raise UsageError(f"{origin} can't be read: {error.strerror or error}") from error
    return copy, _size(copy, origin), str(origin) if asked else f"{origin.relative_to(package.root)} of the package"


def _asked(text: str) -> Path:
    try:
        path = Path(text).expanduser()
        path.exists()
        if b"\0" in os.fsencode(path):
            raise ValueError("it has a NUL in it")
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL in it, the home of nobody
        raise UsageError(f"{one_line(text, 100)!r} is no picture's path: {one_line(str(error), 100)}") from error
    return path


def _own(root: Path) -> Path | None:
    for pattern in OWN:
        for file in sorted(root.glob(pattern)):
            if file.suffix.lower() in SUFFIXES and file.is_file():
                return file
    return None


def _size(path: Path, shown: Path) -> Size:
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(path) as picture:
            return Size(*PIL.ImageOps.exif_transpose(picture).size)
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise UsageError(f"{shown} can't be read as a picture: {error}") from error


def _draw(path: Path) -> None:
    """Shapes on a shaded ground: something for most solvers to look at, nothing that they must find."""
    import PIL.Image
    import PIL.ImageDraw

    ground = PIL.Image.linear_gradient("L").resize((640, 480)).convert("RGB")
    pen = PIL.ImageDraw.Draw(ground)
    pen.ellipse((60, 90, 260, 290), (200, 30, 30))
    pen.rectangle((340, 60, 560, 200), (40, 80, 200))
    pen.polygon([(420, 420), (520, 260), (600, 430)], (40, 150, 50))
    pen.text((80, 360), "cvflow check 0123", (255, 255, 255), font_size=36)
    ground.save(path)
