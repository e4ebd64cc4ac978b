"""How well and how fast `cvflow/nanodet` learns: rounds of growing size on real annotations, a fifth of each set held out.

    python benchmarks/finetune.py [--sets bccd raccoon] [--counts 5 10 25 50 100] [--seeds 0 1] [--warm] [--json FILE]

Reads `../shared/data/{bccd,raccoon}`; features are cached in a temporary folder, as a project's cache would hold them. `--warm` goes on
from the checkpoint of the round before, as a project does; without it every round starts anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cvflow_tui/solvers/nanodet"
DATA = ROOT / "../shared/data"
sys.path[:0] = [str(ROOT), str(ROOT / "cvflow_tui/solvers/sdk"), str(PACKAGE)]

import cvflow  # noqa: E402

from benchmarks.detector import average_precision  # noqa: E402

SETS = {"bccd": ("bccd/BCCD/Annotations", "bccd/BCCD/JPEGImages"), "raccoon": ("raccoon/annotations", "raccoon/images")}
SIDES = ("xmin", "ymin", "xmax", "ymax")
FLOOR = {
    "bccd": {5: (0.204, 0.448), 10: (0.219, 0.488), 25: (0.267, 0.587), 50: (0.299, 0.653), 100: (0.317, 0.677), 1000: (0.330, 0.708)},
    "raccoon": {5: (0.350, 0.644), 10: (0.349, 0.655), 25: (0.378, 0.697), 50: (0.360, 0.752), 100: (0.418, 0.804), 1000: (0.399, 0.798)},
}
"""AP and AP50 of a plain head on the same features, by annotated pictures: what fine-tuning must beat."""


@dataclass(frozen=True)
class Outcome:
    """One round: accuracy on the held-out fifth, and seconds."""

    ap: float
    ap50: float
    train_seconds: float
    infer_seconds: float


def read_set(name: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Labels and dataset items (path, sha256, width, height, objects) of a Pascal VOC set, in the order of their names."""
    annotations, pictures = (DATA / folder for folder in SETS[name])
    items = []
    for file in sorted(annotations.glob("*.xml")):
        path = pictures / f"{file.stem}.jpg"
        width, height = cvflow.Image(path).size
        objects = [
            {
                "label": found.findtext("name"),
                "box": [float(found.findtext(f"bndbox/{side}") or 0) for side in SIDES],
            }
            for found in ET.parse(file).getroot().iter("object")
        ]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        items.append({"path": str(path), "sha256": digest, "width": width, "height": height, "objects": objects})
    return sorted({told["label"] for item in items for told in item["objects"]}), items


def split(count: int, seed: int) -> tuple[list[int], list[int]]:
    """Places held out (a fifth) and the others, in the order in which they are annotated."""
    order = np.random.default_rng(seed).permutation(count).tolist()
    return order[: count // 5], order[count // 5 :]


def solver(checkpoint: Path | None, threads: int = 2) -> Any:
    """The package's solver, with a checkpoint or without."""
    from nanodet.solver import NanoDetSolver

    weights = {"nanodet-m-416.onnx": PACKAGE / "pretrained/nanodet-m-416.onnx"}
    labels = (PACKAGE / "nanodet/coco.txt").read_text("utf-8").split("\n")[:80]
    cvflow.configure(root=PACKAGE, labels=labels, weights=weights, checkpoint=checkpoint, threads=threads, task="object-detection")
    return NanoDetSolver()


def dataset(folder: Path, labels: list[str], items: list[dict[str, Any]], cache: Path) -> cvflow.Dataset:
    """A dataset folder as a project's round writes it, read back."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"labels": labels, "cache": str(cache), "items": [{**item, "split": "train"} for item in items]}
    (folder / "dataset.json").write_text(json.dumps(told), "utf-8")
    return cvflow.Dataset.load(folder)


def one_round(folder: Path, labels: list[str], taught: list[dict[str, Any]], held: list[dict[str, Any]], base: Path | None) -> Outcome:
    """Learn from `taught` (features are cached first, unmeasured), measure on `held`; the checkpoint stays as `folder/checkpoint`."""
    from nanodet.views import ViewCache

    lesson = dataset(folder, labels, taught, folder.parent / "cache")
    learner = solver(base)
    cache = ViewCache(lesson.cache / "nanodet-m-416", learner._network)
    cache.fill(cache.missing(lesson.items), lambda _: None)
    start = time.perf_counter()
    learner.train(lesson, folder / "checkpoint", lambda done, total, **metrics: None)
    trained = time.perf_counter()
    learned = solver(folder / "checkpoint")
    results = [learned.infer(cvflow.Image(item["path"]), threshold=0.05) for item in held]
    ended = time.perf_counter()
    ap, ap50 = average_precision(labels, held, results)
    return Outcome(ap, ap50, trained - start, ended - trained)


def measure(name: str, counts: list[int], seeds: list[int], warm: bool) -> dict[int, list[Outcome]]:
    """All rounds of a set: outcomes by number of annotated pictures, one a seed."""
    labels, items = read_set(name)
    outcomes: dict[int, list[Outcome]] = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in seeds:
            held, others = split(len(items), seed)
            base: Path | None = None
            for count in counts:
                folder = Path(temporary) / f"{seed}-{count}"
                taught = [items[place] for place in others[:count]]
                outcomes[count].append(one_round(folder, labels, taught, [items[place] for place in held], base))
                base = folder / "checkpoint" if warm else None
    return outcomes


def main() -> int:
    """Measure and print the table; 0 unless BCCD's bar (AP50 >= .55 after 25 pictures) was measured and missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--counts", nargs="+", type=int, default=[5, 10, 25, 50, 100, 1000])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    passed, told = True, {}
    print("set      pictures |  floor AP / AP50 |  ours AP / AP50  | learning, evaluation (s)")
    for name in asked.sets:
        for count, outcomes in measure(name, asked.counts, asked.seeds, asked.warm).items():
            ap, ap50, learning, evaluation = (
                statistics.mean(getattr(outcome, field) for outcome in outcomes)
                for field in ("ap", "ap50", "train_seconds", "infer_seconds")
            )
            size = str(count) if count < 1000 else "all"
            floor = "{:.3f} / {:.3f}".format(*FLOOR[name][count]) if count in FLOOR[name] else "-"
            print(
                f"{name:8} {size:>8} | {floor:>16} | {ap:8.3f} / {ap50:.3f} | {learning:8.1f} {evaluation:8.1f}",
                flush=True,
            )
            told[f"{name}-{count}"] = {"ap": ap, "ap50": ap50, "train_seconds": learning, "infer_seconds": evaluation}
            passed &= not (name == "bccd" and count == 25) or ap50 >= 0.55
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
