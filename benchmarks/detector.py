"""Average precision of `cvflow/nanodet` on the 128 pictures of coco128, through the solver's class or a runner's port.

    python benchmarks/detector.py [--url http://127.0.0.1:PORT] [--json FILE]

Reads `../shared/data/coco128`. Exits 0 when AP >= .28 and AP50 >= .43.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cvflow_tui/solvers/nanodet"
COCO128 = ROOT / "../shared/data/coco128"
sys.path[:0] = [str(ROOT), str(ROOT / "cvflow_tui/solvers/sdk"), str(PACKAGE)]

Answer = Mapping[str, Any]


def average_precision(labels: Sequence[str], items: Sequence[Mapping[str, Any]], results: Sequence[Answer]) -> tuple[float, float]:
    """COCO's AP and AP50 of one result a picture; an item tells width, height and objects (label, box x0 y0 x1 y1)."""
    from faster_coco_eval import COCO, COCOeval_faster

    place = {label: number for number, label in enumerate(labels, 1)}
    images = [{"id": number, "width": item["width"], "height": item["height"]} for number, item in enumerate(items)]
    truth: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        for told in item["objects"]:
            box = _coco(told["box"])
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": number,
                    "category_id": place[told["label"]],
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    found = [
        {"image_id": number, "category_id": place[told["label"]], "bbox": _coco(told["box"]), "score": told["score"]}
        for number, result in enumerate(results)
        for told in result["objects"]
    ]
    if not found:
        return 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(
            {"images": images, "annotations": truth, "categories": [{"id": number, "name": label} for label, number in place.items()]}
        )
        evaluation = COCOeval_faster(known, known.loadRes(found), "bbox")
        evaluation.run()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def _coco(box: Sequence[float]) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def read_coco128() -> tuple[list[str], list[dict[str, Any]]]:
    """COCO's labels and the 128 pictures with their true boxes."""
    import cvflow

    labels = (PACKAGE / "nanodet/coco.txt").read_text("utf-8").split("\n")[:80]
    items = []
    for path in sorted((COCO128 / "images/val2017").glob("*.jpg")):
        width, height = cvflow.Image(path).size
        lines = (COCO128 / f"object_detection/labels/val2017/{path.stem}.txt").read_text("utf-8").splitlines()
        items.append(
            {
                "path": str(path),
                "width": width,
                "height": height,
                "objects": [_yolo(line, labels, width, height) for line in lines if line.strip()],
            }
        )
    return labels, items


def _yolo(line: str, labels: Sequence[str], width: int, height: int) -> dict[str, Any]:
    place, x, y, wide, high = (float(word) for word in line.split()[:5])
    box = [(x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height]
    return {"label": labels[int(place)], "box": box}


def through_class() -> Callable[[Path], Answer]:
    """Answers of the solver's class, in this process."""
    import cvflow
    from nanodet.solver import NanoDetSolver

    labels = (PACKAGE / "nanodet/coco.txt").read_text("utf-8").split("\n")[:80]
    weights = {"nanodet-m-416.onnx": PACKAGE / "pretrained/nanodet-m-416.onnx"}
    cvflow.configure(root=PACKAGE, labels=labels, weights=weights, task="object-detection")
    solver = NanoDetSolver()
    return lambda path: solver.infer(cvflow.Image(path), threshold=0.05)


def through_port(url: str) -> Callable[[Path], Answer]:
    """Answers of a running solver."""
    import httpx

    client = httpx.Client(base_url=url, timeout=60)

    def ask(path: Path) -> Answer:
        reply = client.post("/infer", params={"threshold": 0.05}, content=path.read_bytes(), headers={"content-type": "image/jpeg"})
        reply.raise_for_status()
        answer: Answer = reply.json()
        return answer

    return ask


def measure(ask: Callable[[Path], Answer]) -> dict[str, float]:
    """AP, AP50 and the median milliseconds of a picture, one at a time."""
    labels, items = read_coco128()
    results, seconds = [], []
    ask(Path(items[0]["path"]))
    for item in items:
        start = time.perf_counter()
        results.append(ask(Path(item["path"])))
        seconds.append(time.perf_counter() - start)
    ap, ap50 = average_precision(labels, items, results)
    return {"ap": ap, "ap50": ap50, "milliseconds": 1000 * statistics.median(seconds), "pictures": len(items)}


def main() -> int:
    """Measure, print, and say by the exit code whether the bar was held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running detect solver; without it the class is asked in this process")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    told = measure(through_port(asked.url.rstrip("/")) if asked.url else through_class())
    print("AP {ap:.3f} (bar .28)   AP50 {ap50:.3f} (bar .43)   {milliseconds:.1f} ms a picture   {pictures} pictures".format(**told))
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 0 if told["ap"] >= 0.28 and told["ap50"] >= 0.43 else 1


if __name__ == "__main__":
    raise SystemExit(main())
