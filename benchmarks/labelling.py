"""`cvflow label` against a bare loop over the same solver in one process, on the same pictures.

Run: make bench-labelling. The bare loop has the model on all cores and decodes one picture after the other, as a script would.
Rounds are interleaved; the median ratio of pictures a second is printed. The start of the command and the writing of the file count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cvflow_tui/solvers/nanodet"
PICTURES = ROOT / "../shared/data/coco128/images/val2017"
BARE = f"""
import sys, time, os
sys.path[:0] = [{str(ROOT / "cvflow_tui/solvers/sdk")!r}, {str(PACKAGE)!r}]
import cvflow
from pathlib import Path
weights = {{"nanodet-m-416.onnx": Path({str(PACKAGE / "pretrained/nanodet-m-416.onnx")!r})}}
labels = Path({str(PACKAGE / "nanodet/coco.txt")!r}).read_text().split("\\n")[:80]
cvflow.configure(root=Path("."), labels=labels, weights=weights, checkpoint=None, threads=os.cpu_count(), task="object-detection")
from nanodet.solver import NanoDetSolver
solver = NanoDetSolver()
pictures = sorted(Path(sys.argv[1]).glob("*.jpg"))
began = time.perf_counter()
found = sum(len(solver.infer(cvflow.Image(picture))["objects"]) for picture in pictures)
print(len(pictures) / (time.perf_counter() - began))
"""


def bare() -> float:
    """Pictures a second of a plain loop."""
    return float(subprocess.run([sys.executable, "-c", BARE, str(PICTURES)], check=True, capture_output=True, text=True).stdout)


def ours(environment: dict[str, str], out: Path) -> float:
    """Pictures a second of the whole command, its start included."""
    out.unlink(missing_ok=True)
    began = time.perf_counter()
    command = [sys.executable, "-m", "cvflow_tui", "label", str(PICTURES), "--solver", "nanodet", "--out", str(out), "--quiet"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return len(list(PICTURES.glob("*.jpg"))) / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not PICTURES.is_dir():
        sys.exit("the pictures of coco128 are not here")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CVFLOW_HOME": f"{folder}/home"}
        cvflow = [sys.executable, "-m", "cvflow_tui"]
        times = []
        for command in (["install", "nanodet", "--yes"], ["start", "nanodet"]):
            began = time.perf_counter()
            subprocess.run([*cvflow, *command], env=environment, check=True, capture_output=True)
            times.append(time.perf_counter() - began)
        try:
            ours(environment, Path(folder) / "out.json")
            pairs = [(bare(), ours(environment, Path(folder) / "out.json")) for _ in range(rounds)]
        finally:
            subprocess.run([*cvflow, "daemon", "stop", "--solvers"], env=environment, check=True, capture_output=True)
    plain, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for other, mine in pairs)
    print(f"install nanodet, first daemon start included: {times[0]:.2f} s; start nanodet: {times[1]:.2f} s")
    print(f"bare loop {plain:.1f} pictures/s, cvflow label {whole:.1f} pictures/s, ratio {ratio:.2f}   (bar: 0.9)")


if __name__ == "__main__":
    main()
