"""EXIF orientation: the way from pixels as stored in a file to pixels as displayed, and back."""

from __future__ import annotations

from PIL import Image

from cvflow_tui.model.geometry import Box, Size

_TAG = 0x0112
_OPERATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1 to 8 that is left to apply; 1 where it is missing or means nothing."""
    if image.format == "TIFF":
        return 1  # Pillow turns TIFF files by itself, size and pixels
    value = image.getexif().get(_TAG, 1)
    return value if value in _OPERATIONS else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image as displayed."""
    return image.transpose(_OPERATIONS[orientation]) if orientation in _OPERATIONS else image


def displayed_size(stored: Size, orientation: int) -> Size:
    """Size after rotation."""
    return Size(stored.height, stored.width) if orientation >= 5 else stored


def stored_box(box: Box, stored: Size, orientation: int) -> Box:
    """A box of the displayed picture in pixels of the stored one, whose size is given."""
    x0, y0, x1, y1 = box.corners
    if orientation >= 5:
        x0, y0, x1, y1 = y0, x0, y1, x1
    # By now the axes are the stored ones; what remains is which of them run backwards.
    if orientation in (2, 3, 7, 8):
        x0, x1 = stored.width - x1, stored.width - x0
    if orientation in (3, 4, 6, 7):
        y0, y1 = stored.height - y1, stored.height - y0
    return Box(x0, y0, x1, y1)
