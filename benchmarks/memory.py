"""What the whole app holds: its embedded daemon and a 12-megapixel picture open in Annotate, on a terminal of 160 x 45.

Run: make bench-memory. The app is opened twice on the same project: the first time the daemon reads the picture's digest too.
Exits 1 where the bar is missed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import skimage.data
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.terminal import Terminal

BAR = 110
CVFLOW = [sys.executable, "-m", "cvflow_tui"]


def resident(arguments: list[str], environment: dict[str, str], word: str) -> float:
    """Megabytes of the app once it has settled."""
    with Terminal([*CVFLOW, "app", *arguments], environment, 160, 45) as terminal:
        terminal.wait_for(word, 60)
        terminal.pump(6)
        found = psutil.Process(terminal.pid).memory_info().rss / 1e6
        terminal.kill(signal.SIGTERM)
        terminal.wait_exit()
        return found


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CVFLOW_HOME": f"{folder}/home"}
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        photo = Image.fromarray(skimage.data.coffee())  # type: ignore[no-untyped-call]
        path = pictures / "12mp.jpg"
        photo.resize((4608, 2592), Image.Resampling.BICUBIC, box=(0, 31, 600, 369)).save(path, quality=90)
        make = [*CVFLOW, "project", "new", "big", str(pictures), "--labels", "cup,spoon"]
        subprocess.run(make, env=environment, check=True, capture_output=True)
        subprocess.run([*CVFLOW, "daemon", "stop"], env=environment, check=True, capture_output=True)
        print(f"idle on the hub               {resident([], environment, 'licence'):6.1f} MB")
        print(f"12-megapixel JPEG of {path.stat().st_size / 1e6:.1f} MB open in Annotate")
        opened = [resident(["--project", "big"], environment, "zoom 1.0") for _ in range(2)]
        print(f"  first time, and again      {opened[0]:7.1f} {opened[1]:7.1f} MB   (bar: {BAR})")
    sys.exit(1 if max(opened) > BAR else 0)


if __name__ == "__main__":
    main()
