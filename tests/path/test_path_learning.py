"""The numbers of the bundled detector, through its port: COCO as shipped, and blood cells after 25 annotated pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from PIL import Image

from cvflow_tui.backend.client import DaemonClient, find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.jobs import JobState
from cvflow_tui.model.projects import Draw, PictureState, ProjectSettings, RoundState, SetState
from cvflow_tui.model.results import DetectedObject
from tests.path.conftest import DATA, Cvflow

pytestmark = pytest.mark.slow

Truth = dict[str, list[tuple[str, Box]]]


def evaluate(truth: Truth, found: dict[str, tuple[DetectedObject, ...]]) -> tuple[float, float]:
    """COCO's AP and AP50 over all pictures, detection-free ones included."""
    names = sorted({label for objects in truth.values() for label, _ in objects})
    ids = {name: number for number, name in enumerate(sorted(truth), 1)}
    annotations = [
        {"id": number, "image_id": ids[name], "category_id": names.index(label) + 1, "bbox": xywh(box), "area": box.area, "iscrowd": 0}
        for number, (name, label, box) in enumerate(((n, lab, b) for n, objects in truth.items() for lab, b in objects), 1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    reference = COCO({"images": [{"id": number} for number in ids.values()], "annotations": annotations, "categories": categories})
    results = [
        {"image_id": ids[name], "category_id": names.index(thing.label) + 1, "bbox": xywh(thing.box), "score": thing.score}
        for name, objects in found.items()
        for thing in objects
        if thing.box is not None and thing.label in names
    ]
    evaluation = COCOeval_faster(reference, reference.loadRes(results), "bbox", print_function=lambda *_: None)
    evaluation.run()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def xywh(box: Box) -> list[float]:
    return [box.x0, box.y0, box.width, box.height]


def client_of(cvflow: Cvflow) -> DaemonClient:
    address = find_daemon(Home(cvflow.home))
    assert address is not None
    return DaemonClient.at(address)


def coco_truth(labels: list[str]) -> dict[Path, list[tuple[str, Box]]]:
    truth = {}
    for picture in sorted((DATA / "coco128/images/val2017").glob("*.jpg")):
        width, height = Image.open(picture).size
        lines = (DATA / "coco128/object_detection/labels/val2017" / f"{picture.stem}.txt").read_text().splitlines()
        truth[picture] = [(labels[int(line.split()[0])], from_yolo(np.array(line.split()[1:], float), width, height)) for line in lines]
    return truth


def from_yolo(values: np.ndarray, width: int, height: int) -> Box:
    x, y, w, h = values * [width, height, width, height]
    return Box(x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def voc_truth(name: str) -> list[tuple[str, Box]]:
    """The objects of a micrograph; a box without area (there is one) is nobody's."""
    objects = ET.parse(DATA / "bccd/BCCD/Annotations" / f"{name}.xml").getroot().iter("object")
    boxes = [(thing.findtext("name", ""), Box(*(float(thing.findtext(f"bndbox/{side}", "0")) for side in SIDES))) for thing in objects]
    return [(label, box) for label, box in boxes if box.area > 0]


SIDES = ("xmin", "ymin", "xmax", "ymax")


@pytest.mark.skipif(not (DATA / "coco128").is_dir(), reason="the annotated pictures of coco128 are not here")
def test_nanodet_on_coco_through_its_port(cvflow: Cvflow) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    cvflow.ok("start", "nanodet")

    async def detect() -> tuple[float, float]:
        async with client_of(cvflow) as client:
            (solver,) = await client.solvers()
            labels = list((await client.package("nanodet")).solvers[0].labels)
            truth = coco_truth(labels)
            found = {picture.name: (await client.infer(solver, picture, {"threshold": 0.05})).objects for picture in truth}
            return evaluate({picture.name: objects for picture, objects in truth.items()}, found)

    ap, ap50 = asyncio.run(detect())
    assert ap >= 0.28
    assert ap50 >= 0.43


@pytest.mark.skipif(not (DATA / "bccd").is_dir(), reason="the annotated pictures of bccd are not here")
@pytest.mark.timeout(600)
def test_blood_cells_after_25_annotated_pictures(cvflow: Cvflow) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    names = [path.stem for path in sorted((DATA / "bccd/BCCD/JPEGImages").glob("*.jpg"))]
    order = [names[index] for index in np.random.default_rng(0).permutation(len(names))]
    held_out, taught = order[: len(order) // 5], order[len(order) // 5 :][:25]

    def picture(name: str) -> Path:
        return (DATA / "bccd/BCCD/JPEGImages" / f"{name}.jpg").resolve()

    async def annotate_and_measure() -> tuple[float, float]:
        async with client_of(cvflow) as client:
            solver = str(await client.resolve("nanodet"))
            settings = ProjectSettings(solver=solver, round_every=25)
            await client.create_project("cells", [str(picture(name)) for name in taught], ["RBC", "WBC", "Platelets"], settings=settings)
            started = None
            for position in range(1, 26):
                view = await client.open_picture("cells", position)
                for label, box in voc_truth(Path(view.picture.name).stem):
                    await client.act("cells", view.picture.id, Draw(label, box))
                started = (await client.act("cells", view.picture.id, SetState(PictureState.ANNOTATED))).round_started or started
            assert started is not None, "the 25th annotated picture sets a round off"
            async for job in client.follow(started):
                last = job
            assert last.state is JobState.DONE, last.error
            status = await client.project("cells")
            assert status.rounds[-1].state is RoundState.PROMOTED
            (running,) = await client.solvers()
            found = {name: (await client.infer(running, picture(name), {"threshold": 0.05}, variant="cells")).objects for name in held_out}
            return evaluate({name: voc_truth(name) for name in held_out}, found)

    _, ap50 = asyncio.run(annotate_and_measure())
    assert ap50 >= 0.55
