"""Label Studio's ML-backend calls against a live runner."""

from __future__ import annotations

import base64
import http.server
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from cvflow_tui.backend.runtime.runner.protocols.brush import Runs, encode_brush, runs_of_mask
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Reply, Site, make_picture

Specs = Callable[..., RunSpec]
IMAGE = '<Image name="img" value="$picture"/>'
LABELS = '<Label value="Dog" predicted_values="hound, dog"/><Label value="car"/>'
BOXES = f'<View>{IMAGE}<RectangleLabels name="box" toName="img">{LABELS}</RectangleLabels></View>'


def config(controls: str) -> str:
    return f"<View>{IMAGE}{controls}</View>"


def url(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


def post(client: Client, path: str, told: Any) -> Reply:
    return client.send("POST", path, json.dumps(told), {"Content-Type": "application/json"})


def task(address: str, number: int = 1) -> dict[str, Any]:
    return {"id": number, "data": {"picture": address}}


@pytest.fixture(scope="module")
def shapes(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Shapes"))


def predict(client: Client, controls: str, *, size: tuple[int, int] = (200, 100)) -> list[dict[str, Any]]:
    reply = post(client, "/predict", {"tasks": [task(url(make_picture(*size)))], "label_config": config(controls), "project": "1.2"})
    assert reply.status == 200, reply.body
    (result,) = reply.json["results"]
    assert result["model_version"] == "tests/demo 1.2.3"
    found: list[dict[str, Any]] = result["result"]
    for region in found:
        assert isinstance(region.pop("id"), str)
        assert region.pop("to_name") == "img"
    return found


WHOLE = {"original_width": 200, "original_height": 100, "image_rotation": 0}


def test_health_setup_versions(shapes: Client) -> None:
    assert shapes.send("GET", "/health").json == {"status": "UP", "model_class": "shapes"}
    reply = post(shapes, "/setup", {"project": "7.1", "schema": BOXES, "hostname": "http://x", "access_token": "secret"})
    assert (reply.status, reply.json) == (200, {"model_version": "tests/demo 1.2.3"})
    assert shapes.send("GET", "/versions?project=7.1").json == {"versions": ["tests/demo 1.2.3"]}
    assert "secret" not in shapes.send("GET", "/_status").body.decode()


def test_boxes_in_per_cent_with_the_labels_of_the_config(shapes: Client) -> None:
    labels = '<RectangleLabels name="box" toName="img"><Label value="Dog" predicted_values="hound,dog"/></RectangleLabels>'
    (dog,) = predict(shapes, labels)
    assert dog == {
        "from_name": "box",
        "type": "rectanglelabels",
        "score": 0.9,
        **WHOLE,
        "value": {"x": 10.0, "y": 20.0, "width": 40.0, "height": 60.0, "rotation": 0, "rectanglelabels": ["Dog"]},
    }


def test_what_the_config_has_no_label_for_is_left_out_and_case_is_not_looked_at(shapes: Client) -> None:
    labels = '<RectangleLabels name="box" toName="img"><Label value="CAT"/></RectangleLabels>'
    assert [region["value"]["rectanglelabels"] for region in predict(shapes, labels)] == [["CAT"]]
    assert predict(shapes, '<RectangleLabels name="box" toName="img"><Label value="horse"/></RectangleLabels>') == []


def test_a_threshold_of_the_config_holds(shapes: Client) -> None:
    labels = (
        '<RectangleLabels name="box" toName="img" model_score_threshold="0.5"><Label value="dog"/><Label value="cat"/></RectangleLabels>'
    )
    assert [region["value"]["rectanglelabels"] for region in predict(shapes, labels)] == [["dog"]]


def test_polygons(shapes: Client) -> None:
    (dog,) = predict(shapes, '<PolygonLabels name="poly" toName="img"><Label value="dog"/></PolygonLabels>')
    assert (dog["type"], dog["from_name"]) == ("polygonlabels", "poly")
    assert dog["value"] == {"points": [[10.0, 20.0], [50.0, 20.0], [50.0, 80.0]], "closed": True, "polygonlabels": ["dog"]}


def test_brush(shapes: Client) -> None:
    dog, cat = predict(shapes, '<BrushLabels name="b" toName="img"><Label value="dog"/><Label value="cat"/></BrushLabels>')
    assert (dog["type"], dog["value"]["format"], dog["value"]["brushlabels"]) == ("brushlabels", "rle", ["dog"])
    drawn = decode_brush(dog["value"]["rle"]).reshape(100, 200)
    assert drawn[25, 95] == 255  # in the triangle of its polygon, which has no mask
    assert drawn[75, 25] == 0
    square = decode_brush(cat["value"]["rle"]).reshape(100, 200)
    assert (square[10:20, 30:60] == 255).all()
    assert (square == 255).sum() == 300


def test_key_points(shapes: Client) -> None:
    points = predict(shapes, '<KeyPointLabels name="k" toName="img"><Label value="nose"/><Label value="tail"/></KeyPointLabels>')
    assert [(point["type"], point["value"]["keypointlabels"], point["value"]["x"], point["value"]["y"]) for point in points] == [
        ("keypointlabels", ["nose"], 25.0, 50.0),  # the tail is not to be seen
    ]


def test_choices_and_captions(shapes: Client) -> None:
    (choice,) = predict(shapes, '<Choices name="c" toName="img"><Choice value="Indoor"/><Choice value="outdoor"/></Choices>')
    assert choice == {"from_name": "c", "type": "choices", "score": 0.7, "value": {"choices": ["outdoor"]}}
    (choice,) = predict(
        shapes, '<Choices name="c" toName="img" choice="multiple"><Choice value="indoor"/><Choice value="outdoor"/></Choices>'
    )
    assert choice["value"]["choices"] == ["outdoor", "indoor"]
    (caption,) = predict(shapes, '<TextArea name="t" toName="img"/>')
    assert caption == {"from_name": "t", "type": "textarea", "value": {"text": ["a dog and a cat"]}}


def test_the_text_template_ties_box_label_and_text_to_one_region(shapes: Client) -> None:
    controls = '<Labels name="l" toName="img"><Label value="dog"/></Labels><Rectangle name="r" toName="img"/>'
    controls += '<TextArea name="t" toName="img" perRegion="true"/>'
    reply = post(shapes, "/predict", {"tasks": [task(url(make_picture(200, 100)))], "label_config": config(controls)})
    regions = [region for region in reply.json["results"][0]["result"] if region["score"] == 0.9]
    assert [region["type"] for region in regions] == ["rectangle", "labels", "textarea"]
    assert len({region["id"] for region in regions}) == 1
    assert regions[1]["value"]["labels"] == ["dog"]
    assert regions[2]["value"]["text"] == ["REX"]


def test_tasks_keep_their_order_and_a_bad_one_suggests_nothing_and_says_why(shapes: Client) -> None:
    good = url(make_picture())
    tasks = [task(good), task("data:image/png;base64,AAAA"), {"id": 3, "data": {}}, task(good)]
    reply = post(shapes, "/predict", {"tasks": tasks, "label_config": BOXES})
    results = reply.json["results"]
    assert [len(result["result"]) for result in results] == [1, 0, 0, 1]
    assert "no picture format" in results[1]["error"]
    assert "'picture'" in results[2]["error"]
    reply = post(shapes, "/predict", {"tasks": tasks[1:2], "label_config": BOXES})
    assert reply.status == 400


def test_the_config_and_the_parameters_of_setup_are_remembered(shared_site: Site, spec_of: Specs) -> None:
    client = shared_site.start(spec_of("Echo"))
    tasks = [task(url(make_picture()))]
    assert post(client, "/predict", {"tasks": tasks, "project": "9.7"}).status == 400
    assert post(client, "/setup", {"project": "9.5", "schema": BOXES, "extra_params": '{"count": 2}'}).status == 200
    assert post(client, "/predict", {"tasks": tasks, "project": "9.7"}).status == 200
    assert post(client, "/setup", {"project": "9.5", "schema": BOXES, "extra_params": {"threshold": "high"}}).status == 200
    assert "'threshold'" in post(client, "/predict", {"tasks": tasks, "project": "9.7"}).json["error"]
    assert post(client, "/setup", {"project": "9.5", "schema": BOXES, "extra_params": "[]"}).status == 400


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "tasks"),
        ({"tasks": {}}, "tasks"),
        ({"tasks": [1]}, "tasks"),
        ({"tasks": []}, "label_config"),
        ({"tasks": [], "label_config": "<View>"}, "label_config"),
        ({"tasks": [], "label_config": "<View/>"}, "no control for a picture"),
        ({"tasks": [], "label_config": 3}, "label_config"),
        ({"tasks": [], "label_config": '<!DOCTYPE v [<!ENTITY a "b">]><View>&a;</View>'}, "declarations"),
        ({"tasks": [{}] * 1001, "label_config": BOXES}, "at most 1000"),
    ],
)
def test_a_request_that_is_none_is_refused(shapes: Client, told: Any, words: str) -> None:
    reply = post(shapes, "/predict", told)
    assert (reply.status in (400, 413), words in reply.json["error"]) == (True, True), reply.body


def test_events_are_noticed_and_a_training_is_refused_rather_than_pretended(shapes: Client) -> None:
    reply = post(shapes, "/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": 1}})
    assert (reply.status, reply.json["result"]) == (201, {"trained": False})
    assert post(shapes, "/webhook", {"action": "PROJECT_UPDATED"}).json == {"status": "Unknown event"}
    reply = post(shapes, "/webhook", {"action": "START_TRAINING"})
    assert (reply.status, "cvflow train" in reply.json["error"]) == (409, True)
    assert shapes.send("POST", "/webhook", b"action=START_TRAINING", {"Content-Type": "text/plain"}).status == 415


# -- where pictures come from


@contextmanager
def web(replies: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[tuple[int, list[tuple[str, str | None, str | None]]]]:
    asked: list[tuple[str, str | None, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"], self.headers["Host"]))
            status, headers, body = replies.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *told: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_nothing_is_fetched_from_a_host_that_is_not_listed(shapes: Client) -> None:
    with web({"/a.jpg": (200, {}, make_picture())}) as (port, asked):
        reply = post(shapes, "/predict", {"tasks": [task(f"http://127.0.0.1:{port}/a.jpg")], "label_config": BOXES})
        assert (reply.status, f"allow_hosts=http://127.0.0.1:{port}" in reply.json["error"]) == (403, True)
        assert asked == []


@pytest.mark.parametrize(
    "address",
    ["file:///etc/hostname", "s3://bucket/a.jpg", "//127.0.0.1/a.jpg", "http://", "http://[", "/etc/hostname", "ftp://a/b", "../a.jpg"],
)
def test_other_addresses_are_refused(shapes: Client, address: str) -> None:
    assert post(shapes, "/predict", {"tasks": [task(address)], "label_config": BOXES}).status in (400, 403)


def test_a_listed_host_is_asked_and_its_token_goes_to_it_alone(site: Site, spec_of: Specs) -> None:
    picture = make_picture(200, 100)
    replies = {
        "/data/upload/1/a.jpg": (200, {}, picture),
        "/moved.jpg": (302, {"Location": "http://127.0.0.1:1/"}, b""),
        "/data/upload/big.jpg": (200, {}, b"\xff" * (65 << 20)),
    }
    with web(replies) as (port, asked), web({"/b.jpg": (200, {}, picture)}) as (other, asked_other):
        allowed = (f"http://localhost:{port}", f"http://127.0.0.1:{other}", "http://169.254.169.254")
        site.supervisor.settings.change("tests/demo/shapes", {"allow_hosts": ",".join(allowed)})
        client = site.start(spec_of("Shapes"))
        home = f"http://localhost:{port}"
        post(client, "/setup", {"project": "1", "schema": BOXES, "hostname": home, "access_token": "sesame"})

        def ask(address: str) -> Reply:
            return post(client, "/predict", {"tasks": [task(address)], "project": "1"})

        assert len(ask("/data/upload/1/a.jpg").json["results"][0]["result"]) == 1
        assert asked == [("/data/upload/1/a.jpg", "Token sesame", f"localhost:{port}")]
        assert ask(f"http://127.0.0.1:{other}/b.jpg").status == 200
        assert asked_other == [("/b.jpg", None, f"127.0.0.1:{other}")]
        moved = ask("/moved.jpg")
        assert (moved.status, "302" in moved.json["error"]) == (502, True)
        assert ask("/nothing.jpg").status == 502
        assert ask("/data/upload/big.jpg").status == 413
        assert ask("http://169.254.169.254/latest/meta-data").status == 403
        assert ask(f"http://localhost:{port}@127.0.0.1:{other}/b.jpg").status in (200, 403, 400)
        assert all(token != "Token sesame" for _, token, _ in asked_other)


def test_local_files_come_out_of_the_folder_that_was_given_and_no_other(site: Site, spec_of: Specs, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a b.jpg").write_bytes(make_picture(200, 100))
    (tmp_path / "secret.jpg").write_bytes(make_picture())
    (folder / "way-out.jpg").symlink_to(tmp_path / "secret.jpg")
    site.supervisor.settings.change("tests/demo/shapes", {"local_files": str(folder)})
    client = site.start(spec_of("Shapes"))

    def status(named: str) -> int:
        return post(client, "/predict", {"tasks": [task(f"/data/local-files/?d={named}")], "label_config": BOXES}).status

    assert status("in/a%20b.jpg") == 200
    assert [status(named) for named in ("../secret.jpg", "%2e%2e/secret.jpg", "%252e%252e/secret.jpg", "..%5csecret.jpg")] == [400] * 4
    assert [status(named) for named in (str(tmp_path / "secret.jpg"), "way-out.jpg", "in", "", "%00")] == [400] * 5


def test_without_a_folder_no_file_is_read(shapes: Client) -> None:
    reply = post(shapes, "/predict", {"tasks": [task("/data/local-files/?d=etc/hostname")], "label_config": BOXES})
    assert (reply.status, "local_files" in reply.json["error"]) == (403, True)


# -- the brush's run lengths, read by a decoder written from the format's description


def decode_brush(rle: list[int]) -> Any:
    bits = "".join(f"{byte:08b}" for byte in rle)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        one_value = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if one_value else [take(word) for _ in range(length)]
    return np.array(values, dtype=np.uint8).reshape(-1, 4)[:, 3]


@pytest.mark.parametrize("seed", range(20))
def test_masks_survive_the_way_from_coco_to_the_brush(seed: int) -> None:
    chance = random.Random(seed)
    height, width = chance.randint(1, 60), chance.randint(1, 300)
    mask = np.zeros((height, width), dtype=np.uint8)
    for _ in range(chance.randint(0, 6)):
        top, left = chance.randrange(height), chance.randrange(width)
        mask[top : top + chance.randint(1, 40), left : left + chance.randint(1, 200)] ^= 1
    told = coco.encode(np.asfortranarray(mask))
    counts = told["counts"].decode()
    runs: Runs | None = runs_of_mask({"size": [height, width], "counts": counts})
    assert runs is not None
    assert (decode_brush(encode_brush(runs)).reshape(height, width) == mask * 255).all()


@pytest.mark.parametrize(
    "mask",
    [{}, {"size": [2, 2], "counts": "0"}, {"size": [2, 2], "counts": [5]}, {"size": [2, 2], "counts": "~~"}, {"size": 3, "counts": []}],
)
def test_a_mask_that_is_none_is_left_out(mask: Any) -> None:
    assert runs_of_mask(mask) is None
