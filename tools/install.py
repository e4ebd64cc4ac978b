"""Install this checkout, editable, with its extras, into the environment whose Python runs this: `python tools/install.py demo dev`.

With uv, which takes a tenth of pip's time, told what pip is told (its configuration files and variables); with pip where uv is not to be
had or does not manage. Nothing but the standard library is here yet.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"


def main(extras: list[str]) -> int:
    """Install; returns the exit status of who did it."""
    what = ["--quiet", "--constraint", str(CONSTRAINTS), "--editable", f"{ROOT}[{','.join(extras)}]"]
    pip = [sys.executable, "-m", "pip", "install"]
    pinned = next(line for line in CONSTRAINTS.read_text("utf-8").split() if line.startswith("uv=="))
    if subprocess.run([*pip, "--quiet", pinned], check=False).returncode == 0:
        told = runpy.run_path(str(ROOT / "cvflow_tui/backend/packages/pip_config.py"))
        config = told["read_pip_config"](os.environ)
        variables = {**told["way_variables"](config), **os.environ, **told["index_variables"](config)}
        uv = [sys.executable, "-m", "uv", "--no-config", "pip", "install", "--python", sys.executable, *told["index_arguments"](config)]
        if subprocess.run([*uv, *what], check=False, env=variables).returncode == 0:
            return 0
    sys.stderr.write("uv did not install it; pip does\n")
    return subprocess.run([*pip, "--no-compile", *what], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
