"""The annotate place: the picture to the last cell, its objects, and what the model makes of them."""

from cvflow_tui.screens.annotate.screen import AnnotateScreen

__all__ = ["AnnotateScreen"]
