"""What somebody gets who installs cvflow from an index: all of the product and nothing beside it."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_product_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hatchling.build import build_wheel

    listed = subprocess.run(["git", "ls-files", "-z", "cvflow_tui"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout: which files are the product's is not known")
    monkeypatch.chdir(ROOT)
    with zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path))) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found - set(listed.stdout.split("\0")) == set()
    assert {name for name in listed.stdout.split("\0") if name} - found == set()
