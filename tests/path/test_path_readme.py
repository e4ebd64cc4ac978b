"""The README's commands work as printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_path_without_the_app_works_as_printed(cvflow: Cvflow, tmp_path: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    (path,) = [block for block in blocks if "cvflow demo --pictures" in block]
    lines = [line for line in path.splitlines() if not line.startswith("export PATH")]
    environment = {**cvflow.environment, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = "\n".join(["set -euxo pipefail", *lines])
    done = subprocess.run(["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(json.loads((tmp_path / "suggestions.json").read_text())["images"]) == 10
    assert cvflow.processes() == []


def test_every_file_the_readme_points_at_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text("utf-8")):
        assert (README.parent / target).exists(), target
