"""The bundled packages and the module their authors import, put on the path as a worker would put them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOLVERS = ROOT / "cvflow_tui/solvers"
DATA = ROOT / "../shared/data"
for folder in (SOLVERS / "nanodet", SOLVERS / "sdk"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    """Leave no context of one test to the next."""
    import cvflow

    yield
    cvflow.configure(root=Path.cwd())


@pytest.fixture
def nanodet() -> Callable[[Path | None], Any]:
    """Makes the solver, with a checkpoint or without."""

    def make(checkpoint: Path | None = None) -> Any:
        import cvflow
        from nanodet.solver import NanoDetSolver, coco_labels

        cvflow.configure(
            root=SOLVERS / "nanodet",
            labels=coco_labels(),
            weights={"nanodet-m-416.onnx": SOLVERS / "nanodet/pretrained/nanodet-m-416.onnx"},
            checkpoint=checkpoint,
            threads=2,
            task="object-detection",
            package="cvflow/nanodet",
            version="1.0.0",
        )
        return NanoDetSolver()

    return make


@pytest.fixture
def photograph() -> Path:
    """A real photograph with a person in it (skimage's astronaut)."""
    skimage = pytest.importorskip("skimage", reason="the demo extra is not installed")
    return Path(skimage.__file__).parent / "data/astronaut.png"


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Any]:
    """Writes a dataset folder from (path, [(label, box)]) pairs and reads it back; the cache is shared within a test."""

    def write(labels: list[str], pictures: list[tuple[Path, list[tuple[str, list[float]]]]], name: str = "dataset") -> Any:
        import cvflow

        items = []
        for path, objects in pictures:
            told = [{"label": label, "box": box} for label, box in objects]
            items.append({"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "objects": told})
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "dataset.json").write_text(json.dumps({"labels": labels, "cache": str(tmp_path / "cache"), "items": items}), "utf-8")
        return cvflow.Dataset.load(folder)

    return write
