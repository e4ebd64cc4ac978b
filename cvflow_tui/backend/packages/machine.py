"""What this machine has: GPUs, and the system's shared libraries that well-known wheels do not bring along."""

from __future__ import annotations

import ctypes.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from cvflow_tui.model.text import one_line

_GPU_SECONDS = 5.0

_NEEDED: dict[str, tuple[tuple[str, ...], str]] = {
    "opencv-python": (("GL", "glib-2.0"), "install libgl1 and libglib2.0-0, or add --with opencv-python-headless, which does without"),
    "opencv-contrib-python": (
        ("GL", "glib-2.0"),
        "install libgl1 and libglib2.0-0, or add --with opencv-contrib-python-headless, which does without",
    ),
    "soundfile": (("sndfile",), "install libsndfile1"),
    "python-magic": (("magic",), "install libmagic1"),
    "pyzbar": (("zbar",), "install libzbar0"),
    "weasyprint": (("pango-1.0",), "install libpango-1.0-0"),
    "cairosvg": (("cairo",), "install libcairo2"),
    "cairocffi": (("cairo",), "install libcairo2"),
    "pyvips": (("vips",), "install libvips42"),
    "wand": (("MagickWand-6.Q16", "MagickWand-7.Q16HDRI"), "install libmagickwand-dev"),
    "pyturbojpeg": (("turbojpeg",), "install libturbojpeg0"),
    "openslide-python": (("openslide",), "install libopenslide0"),
    "geos": (("geos_c",), "install libgeos-c1v5"),
}
"""Distribution → the libraries that its wheel loads and does not hold, and how to come by them."""

_ANY = frozenset({"wand"})
"""Of these, one of the libraries is enough."""


def gpu_names() -> list[str]:
    """The NVIDIA GPUs that the driver shows; none where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_SECONDS, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return []
    return [one_line(line) for line in done.stdout.splitlines() if line.strip()]


def missing_libraries(distributions: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(distribution, libraries of the system that it needs and that are not here, mend), for those that are known to need some."""
    if not sys.platform.startswith("linux"):
        return
    for name in distributions:
        needed, mend = _NEEDED.get(canonicalize_name(name), ((), ""))
        absent = tuple(f"lib{each}" for each in needed if not has_library(each))
        if absent and not (canonicalize_name(name) in _ANY and len(absent) < len(needed)):
            yield name, absent, mend


def without(name: str) -> str | None:
    """A distribution that does the same without those libraries; None where there is none."""
    return f"{canonicalize_name(name)}-headless" if canonicalize_name(name) in ("opencv-python", "opencv-contrib-python") else None


def has_library(name: str) -> bool:
    """Whether the system's loader finds `libNAME.so`."""
    if ctypes.util.find_library(name):
        return True
    folders = [
        Path(root, folder) for root in ("/lib", "/usr/lib", "/usr/local/lib") for folder in ("", "x86_64-linux-gnu", "aarch64-linux-gnu")
    ]
    return any(next(folder.glob(f"lib{name}.so*"), None) is not None for folder in folders if folder.is_dir())
