"""Small helpers that packages of the first generation use. numpy and Pillow are the package's own, imported when needed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cvpm.server import get_available_port, str2bool

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PUBLIC", "Downloader", "get_available_port", "load_image_file", "save_image", "str2bool"]

WEIGHTS = "pretrained"
PUBLIC = "temp/public"
"""Where files wait that `GET /static/NAME` serves, seen from the package's folder."""


def load_image_file(file: Any, mode: str = "RGB") -> np.ndarray[Any, Any]:
    """A picture as an array [height, width, channels], turned as its EXIF says, in a Pillow mode (None: as it is)."""
    import numpy as np
    import PIL.Image
    import PIL.ImageOps
    from cvflow.image import FORMATS

    with PIL.Image.open(file) as opened:
        if opened.format not in FORMATS:
            raise ValueError("the picture is of a format that can't be read here")
        picture = PIL.ImageOps.exif_transpose(opened) or opened
        return np.array(picture.convert(mode) if mode else picture)


def save_image(filename: str, target_name: str) -> str:
    """Move a picture that the solver made to where `GET /static/NAME` serves it; the name it has there."""
    name = target_name.replace("\\", "/").rpartition("/")[2]
    if not name or name.startswith("."):
        raise ValueError(f"{target_name!r} is no name for a file")
    folder = Path(PUBLIC)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(filename, folder / name)
    return name


class Downloader:
    """Finds what the installation has put into place. It never downloads: a solver that starts needs no network."""

    def download(self, url: str, target: str) -> int:
        """Have the file that the last part of `url` names in the folder `target`; its size in bytes.

        Raises FileNotFoundError for a file that the installation did not bring, and says how to bring it.
        """
        name = urlsplit(url).path.rpartition("/")[2]
        wanted, kept = Path(target) / name, Path(WEIGHTS) / name
        if not wanted.is_file():
            if not kept.is_file():
                raise FileNotFoundError(f"the weight {name} is not in {WEIGHTS}/: install the package again with --weights {name}=FILE")
            wanted.parent.mkdir(parents=True, exist_ok=True)
            _share(kept, wanted)
        return wanted.stat().st_size


def _share(kept: Path, wanted: Path) -> None:
    try:
        os.link(kept, wanted)
    except OSError:  # another file system, or one without links
        shutil.copyfile(kept, wanted)
