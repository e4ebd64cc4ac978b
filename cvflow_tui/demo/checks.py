"""What the unattended demo does not take on trust: the exported file, the process that is gone, the port that is free."""

from __future__ import annotations

import contextlib
import io
import socket
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from cvflow_tui.demo.pictures import Photograph
from cvflow_tui.demo.report import Measures
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.geometry import Box


def require(holds: bool, otherwise: str) -> None:
    """Raise CvflowError with `otherwise` unless it holds."""
    if not holds:
        raise CvflowError(otherwise)


def check_coco(path: Path, photographs: Sequence[Photograph]) -> Measures:
    """Load the export as its readers do and compare it with the truth. Raises CvflowError for any difference."""
    reader = "pycocotools" if find_spec("pycocotools") else "faster_coco_eval"
    if reader == "pycocotools":
        from pycocotools.coco import COCO
    else:
        from faster_coco_eval import COCO
    with contextlib.redirect_stdout(io.StringIO()):  # both report their progress by print
        coco = COCO(str(path))
    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    images = {Path(image["file_name"]).name: image for image in coco.loadImgs(coco.getImgIds())}
    for each in photographs:
        image = images.get(each.path.name)
        require(image is not None, f"{path.name} leaves {each.path.name} out")
        assert image is not None
        held = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
        _same_boxes(each, [(names[one["category_id"]], one["bbox"]) for one in held])
    count = len(coco.getAnnIds())
    return {"reader": reader, "pictures": len(images), "annotations": count, "categories": len(names), "bytes": path.stat().st_size}


def _same_boxes(photograph: Photograph, held: list[tuple[str, list[float]]]) -> None:
    wanted, found = Counter(thing.label for thing in photograph.things), Counter(label for label, _ in held)
    require(wanted == found, f"{photograph.path.name} is exported with {dict(found)} instead of {dict(wanted)}")
    for thing in photograph.things:
        boxes = [Box(x, y, x + width, y + height) for label, (x, y, width, height) in held if label == thing.label]
        best = max(box.iou(thing.box) for box in boxes)
        require(best >= 0.75, f"{photograph.path.name}: the {thing.label} at {thing.box.corners} is exported elsewhere")


def is_gone(pid: int) -> bool:
    """Whether no live process has this pid."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def is_free(url: str) -> bool:
    """Whether nobody answers at the port of this URL, and it can be bound again."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    family = socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as one:
        # as servers do: a connection in TIME_WAIT does not make a port taken
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((parts.hostname, parts.port))
        except OSError:
            return False
    return True


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where it is not there."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file() and not each.is_symlink())
