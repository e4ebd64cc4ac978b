"""What is said of a picture that cannot be shown: the same words where its header is looked at and where it is decoded."""

from __future__ import annotations

from typing import Final

NO_PICTURE: Final = "this is no picture that can be read"
"""The file's content is of no format that is known."""

CUT_OFF: Final = "the file is cut off: copy it again"
"""The file ends before its picture does."""
