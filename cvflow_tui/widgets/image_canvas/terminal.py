"""What the terminal says of itself without being asked in-band: the shape of a cell and the colours it takes."""

from __future__ import annotations

import os
import sys

from cvflow_tui.widgets.image_canvas.colors import Depth
from cvflow_tui.widgets.image_canvas.viewport import DEFAULT_ASPECT

_PLAUSIBLE = (0.3, 0.9)
"""Widths of a cell over its height that exist; some terminals report nonsense for the pixel size."""


def plausible_aspect(width: float, height: float) -> float | None:
    """Width over height of a cell, or None where the numbers can't be those of a cell."""
    if width <= 0 or height <= 0:
        return None
    aspect = width / height
    return aspect if _PLAUSIBLE[0] <= aspect <= _PLAUSIBLE[1] else None


def cell_aspect() -> float:
    """Width of a cell over its height, from the window's size in pixels where the terminal tells it; else 1:2."""
    try:
        import fcntl
        import struct
        import termios
    except ImportError:  # not a Unix
        return DEFAULT_ASPECT
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            if stream is None or not stream.isatty():
                continue
            rows, columns, width, height = struct.unpack("HHHH", fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, b"\0" * 8))
        except (OSError, ValueError):
            continue  # a closed stream tells nothing; the next one may
        if rows and columns:
            return plausible_aspect(width / columns, height / rows) or DEFAULT_ASPECT
    return DEFAULT_ASPECT


def color_depth() -> Depth:
    """The colours of the terminal that this process writes to, from its environment."""
    if os.environ.get("NO_COLOR") is not None:
        return Depth.NONE
    if os.environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return Depth.TRUE
    term = os.environ.get("TERM", "").strip().lower()
    if term in ("", "dumb", "unknown"):
        return Depth.NONE
    if term.endswith("-direct") or term in ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm"):
        return Depth.TRUE
    return Depth.PALETTE if "256" in term or term.startswith(("xterm", "screen", "tmux")) else Depth.STANDARD


def depth_of(color_system: str | None) -> Depth:
    """The depth for the name of a Rich colour system."""
    return {"truecolor": Depth.TRUE, "256": Depth.PALETTE, "standard": Depth.STANDARD, "windows": Depth.STANDARD}.get(
        color_system or "", Depth.NONE
    )
