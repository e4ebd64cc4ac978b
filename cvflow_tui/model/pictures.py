"""Which pictures are read, and what is said of one that cannot be shown: the same wherever it is looked at."""

from __future__ import annotations

from typing import Final

NO_PICTURE: Final = "this is no picture that can be read"
"""The file's content is of no format that is known."""

CUT_OFF: Final = "the file is cut off: copy it again"
"""The file ends before its picture does."""

FORMATS: Final = frozenset({"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"})
"""What is read, in Pillow's words. Its other readers have few users and many mistakes, and that of EPS hands the file to Ghostscript."""
