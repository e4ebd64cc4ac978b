"""The Open Inference Protocol against a live runner: replies as the specification writes them, byte for byte where it does."""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
from collections.abc import Callable
from typing import Any

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Reply, Site, make_picture, until, workers

Specs = Callable[..., RunSpec]
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def echo(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Echo"))


@pytest.fixture(scope="module")
def reader(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Reader"))


def image(*pictures: bytes) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", "shape": [len(pictures)], "data": [base64.b64encode(one).decode() for one in pictures]}


def ask(client: Client, body: Any, model: str = "echo", **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.send("POST", f"/v2/models/{model}/infer", data, {**JSON, **named})


def binary(head: Any, *tensors: bytes) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(head).encode()
    return text + b"".join(tensors), {"Content_Type": "application/octet-stream", "Inference_Header_Content_Length": str(len(text))}


def elements(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def test_server_and_health(echo: Client) -> None:
    told = echo.send("GET", "/v2").json
    assert (told["name"], told["extensions"]) == ("cvflow", ["binary_tensor_data"])
    assert isinstance(told["version"], str)
    assert echo.send("GET", "/v2/health/live").json == {"live": True}
    assert echo.send("GET", "/v2/health/ready").json == {"live": True, "ready": True}
    assert echo.send("GET", "/v2/models/echo/ready").json == {"name": "echo", "ready": True}
    index = echo.send("POST", "/v2/repository/index", b'{"ready": true}', JSON)
    assert index.json == [{"name": "echo", "version": "1.2.3", "state": "READY", "reason": ""}]
    assert echo.send("POST", "/v2/repository/index").status == 200


def test_what_is_not_ready_says_so_with_its_status(site: Site, spec_of: Specs) -> None:
    client = site.start(spec_of("SlowStart"))
    (worker,) = workers(client.status()["id"])
    os.kill(worker, signal.SIGKILL)
    until(lambda: client.send("GET", "/v2/health/ready").status == 503)  # for two seconds: it backs off, then loads
    assert client.send("GET", "/v2/health/ready").json == {"live": False, "ready": False}
    assert client.send("GET", "/v2/health/live").status == 200
    assert client.send("GET", "/v2/models/slowstart/ready").status == 503
    assert ask(client, {"inputs": [image(make_picture())]}, "slowstart").status == 503
    assert client.send("POST", "/v2/repository/index", b'{"ready": true}', JSON).json == []
    (entry,) = client.send("POST", "/v2/repository/index", b"{}", JSON).json
    assert entry["state"] in ("UNAVAILABLE", "LOADING")
    assert "SIGKILL" in entry["reason"]


@pytest.mark.parametrize("path", ["/v2/models/echo", "/v2/models/echo/versions/1.2.3"])
def test_metadata_names_each_parameter_as_an_input(echo: Client, path: str) -> None:
    told = echo.send("GET", path).json
    assert {**told, "inputs": [], "outputs": []} == {
        "name": "echo",
        "versions": ["1.2.3"],
        "platform": "cvflow_python",
        "inputs": [],
        "outputs": [],
    }
    assert [(one["name"], one["datatype"], one["shape"]) for one in told["inputs"]] == [
        *(("image", "BYTES", [-1]), ("threshold", "FP64", [1]), ("count", "INT64", [1])),
        *(("fast", "BOOL", [1]), ("name", "BYTES", [1]), ("top", "INT64", [1])),
    ]
    assert told["inputs"][0]["parameters"] == {"content_type": "base64"}
    assert [(one["name"], one["datatype"], one["shape"]) for one in told["outputs"]] == [("result", "BYTES", [-1])]


@pytest.mark.parametrize(
    "path", ["/v2/models/other", "/v2/models/echo/versions/9", "/v2/models/other/ready", "/v2/models/echo/versions/9/ready"]
)
def test_an_unknown_model_or_version_is_a_404_with_error(echo: Client, path: str) -> None:
    reply = echo.send("GET", path)
    assert (reply.status, isinstance(reply.json["error"], str)) == (404, True)
    assert echo.send("POST", f"{path.removesuffix('/ready')}/infer", b"{}", JSON).status == 404


def test_json_in_json_out(echo: Client, picture: bytes) -> None:
    inputs = [
        image(picture),
        {"name": "threshold", "datatype": "FP32", "shape": [1], "data": [0.25]},
        {"name": "count", "datatype": "UINT8", "shape": [1, 1], "data": [[2]]},
        {"name": "fast", "datatype": "BOOL", "shape": [1], "data": [True]},
        {"name": "name", "datatype": "BYTES", "shape": [1], "data": ["dög"]},
    ]
    reply = ask(echo, {"id": "42", "inputs": inputs, "outputs": [{"name": "result"}]})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    told = reply.json
    (output,) = told.pop("outputs")
    assert told == {"model_name": "echo", "model_version": "1.2.3", "id": "42"}
    (text,) = output.pop("data")
    assert output == {"name": "result", "datatype": "BYTES", "shape": [1]}
    result = json.loads(text)
    assert result["objects"] == [{"label": "dög", "score": 0.25, "box": [0, 0, 1, None]}] * 2
    assert result["fast"] is True
    assert result["image"] == {"width": 64, "height": 48}


def test_no_id_no_id(echo: Client, picture: bytes) -> None:
    assert "id" not in ask(echo, {"inputs": [image(picture)]}).json


def test_a_batch_keeps_its_order_and_takes_a_value_a_picture(echo: Client, reader: Client) -> None:
    pictures = [make_picture(width, 9) for width in range(20, 40)]
    told = ask(reader, {"inputs": [image(*pictures)]}, "reader").json["outputs"][0]
    assert told["shape"] == [20]
    assert [json.loads(text)["caption"] for text in told["data"]] == [f"{width}x9" for width in range(20, 40)]
    names = {"name": "name", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
    told = ask(echo, {"inputs": [image(*pictures[:2]), names]}).json["outputs"][0]
    assert [json.loads(text)["objects"][0]["label"] for text in told["data"]] == ["a", "b"]


def test_binary_in_binary_out(echo: Client, picture: bytes) -> None:
    data, name = elements(picture), elements("dög".encode())
    head = {
        "id": "7",
        "inputs": [
            {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(data)}},
            {"name": "threshold", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}},
            {"name": "count", "datatype": "INT32", "shape": [1], "data": [1]},
            {"name": "fast", "datatype": "BOOL", "shape": [1], "parameters": {"binary_data_size": 1}},
            {"name": "name", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(name)}},
        ],
        "outputs": [{"name": "result", "parameters": {"binary_data": True}}],
    }
    body, headers = binary(head, data, struct.pack("<d", 0.125), b"\x01", name)
    reply = ask(echo, body, **headers)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/octet-stream")
    length = int(reply.headers["inference-header-content-length"])
    told, rest = json.loads(reply.body[:length]), reply.body[length:]
    size = told["outputs"][0].pop("parameters")["binary_data_size"]
    assert told == {
        "model_name": "echo",
        "model_version": "1.2.3",
        "id": "7",
        "outputs": [{"name": "result", "datatype": "BYTES", "shape": [1]}],
    }
    assert (len(rest), int(reply.headers["content-length"])) == (size, length + size)
    assert struct.unpack_from("<I", rest) == (size - 4,)
    result = json.loads(rest[4:])
    assert result["objects"] == [{"label": "dög", "score": 0.125, "box": [0, 0, 1, None]}]
    assert result["fast"] is True


@pytest.mark.parametrize(
    ("whole", "one", "is_binary"), [(True, None, True), (True, False, False), (False, True, True), (None, None, False), (None, True, True)]
)
def test_an_output_overrides_the_request(echo: Client, picture: bytes, whole: bool | None, one: bool | None, is_binary: bool) -> None:
    output: dict[str, Any] = {"name": "result"} | ({} if one is None else {"parameters": {"binary_data": one}})
    request = {"inputs": [image(picture)], "outputs": [output]} | ({} if whole is None else {"parameters": {"binary_data_output": whole}})
    assert ("inference-header-content-length" in ask(echo, request).headers) is is_binary


def test_a_binary_body_cut_anywhere_gives_the_same(reader: Client) -> None:
    pictures = [make_picture(20, 9, quality=20), make_picture(21, 9, quality=20)]
    data = elements(*pictures)
    head = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(data)}}]}
    body, headers = binary(head, data)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    for cut in range(1, len(body), 53):
        pieces = iter([body[:cut], body[cut:]])
        reply = reader.send("POST", "/v2/models/reader/infer", pieces, named)
        assert [json.loads(text)["caption"] for text in reply.json["outputs"][0]["data"]] == ["20x9", "21x9"], cut


BYTES_1 = {"name": "image", "datatype": "BYTES", "shape": [1]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"[]", "JSON object"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"inputs": [NaN]}', "no JSON"),
        ({}, "inputs"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": [1]}, "inputs"),
        ({"inputs": [{**BYTES_1, "name": "x", "data": ["a"]}]}, "'image'"),
        ({"inputs": [{**BYTES_1, "data": ["no base64!"]}]}, "base64"),
        ({"inputs": [{**BYTES_1, "data": ["aGVsbG8="]}]}, "can't be read"),
        ({"inputs": [{**BYTES_1, "data": []}]}, "0 elements"),
        ({"inputs": [{**BYTES_1, "shape": [-1], "data": ["a"]}]}, "shape"),
        ({"inputs": [{**BYTES_1, "shape": [10**9], "data": ["a"]}]}, "shape"),
        ({"inputs": [{**BYTES_1, "shape": [True], "data": ["a"]}]}, "shape"),
        ({"inputs": [{**BYTES_1, "shape": [65], "data": ["a"] * 65}]}, "at most 64"),
        ({"inputs": [{**BYTES_1, "datatype": "FP32", "data": [1.0]}]}, "'image' of BYTES"),
        ({"inputs": [{**BYTES_1, "datatype": "COMPLEX", "data": [1.0]}]}, "COMPLEX"),
        ({"inputs": [BYTES_1]}, "either data or binary_data_size"),
        ({"inputs": [{**BYTES_1, "data": "a"}]}, "data must be a list"),
        ({"inputs": [{**BYTES_1, "parameters": []}]}, "parameters"),
        ({"inputs": [{**BYTES_1, "parameters": {"binary_data_size": 5}}]}, "Inference-Header-Content-Length"),
    ],
)
def test_a_request_that_is_none_is_a_400_with_error(echo: Client, body: Any, words: str) -> None:
    reply = ask(echo, body)
    assert (reply.status, words in reply.json["error"]) == (400, True), reply.body


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"name": "threshold", "datatype": "FP64", "shape": [1], "data": ["high"]}, "no FP64"),
        ({"name": "threshold", "datatype": "FP64", "shape": [3], "data": [1, 2, 3]}, "one a picture"),
        ({"name": "count", "datatype": "INT8", "shape": [1], "data": [128]}, "no INT8"),
        ({"name": "count", "datatype": "FP64", "shape": [1], "data": [1.5]}, "'count'"),
        ({"name": "size", "datatype": "INT8", "shape": [1], "data": [1]}, "unknown parameter 'size'"),
        ({"name": "image", "datatype": "BYTES", "shape": [1], "data": ["aa"]}, "same name"),
    ],
)
def test_an_input_that_does_not_fit_is_named(echo: Client, picture: bytes, extra: Any, words: str) -> None:
    reply = ask(echo, {"inputs": [image(picture), extra]})
    assert (reply.status, words in reply.json["error"]) == (400, True), reply.body


@pytest.mark.parametrize(
    "change",
    [{"outputs": [{"name": "other"}]}, {"outputs": {}, "id": 4}, {"outputs": [{"name": "result", "parameters": {"binary_data": 1}}]}],
)
def test_outputs_and_id_that_make_no_sense(echo: Client, picture: bytes, change: Any) -> None:
    assert ask(echo, {"inputs": [image(picture)], **change}).status == 400


@pytest.mark.parametrize(
    ("size", "data"),
    [
        (10, elements(b"abcdef") + b"more"),
        (9, elements(b"abcdef")),
        (11, elements(b"abcdef")),
        (10, b"\xff\xff\xff\x00abcdef"),
        (4, b"\xff\xff\xff\xff"),
        (0, b""),
    ],
)
def test_binary_data_that_lies_about_its_size_is_refused(echo: Client, size: int, data: bytes) -> None:
    body, headers = binary({"inputs": [{**BYTES_1, "parameters": {"binary_data_size": size}}]}, data)
    assert ask(echo, body, **headers).status in (400, 413)


@pytest.mark.parametrize("length", ["-1", "x", "99999999999", "0", "7"])
def test_a_header_length_that_lies_is_refused(echo: Client, length: str) -> None:
    assert ask(echo, b'{"inputs": []}', Inference_Header_Content_Length=length).status == 400


def test_the_first_bad_picture_is_named_and_ends_the_request(reader: Client, picture: bytes) -> None:
    reply = ask(reader, {"inputs": [image(picture, make_picture(200, 200)[:500], picture)]}, "reader")
    assert (reply.status, reply.json["error"].startswith("image[1]: ")) == (400, True)


def test_compressed_and_foreign_bodies_are_refused(echo: Client) -> None:
    assert ask(echo, b"x", Content_Encoding="gzip").status == 415
    assert ask(echo, b"{}", Content_Type="text/plain").status == 415


def test_tritons_timeout_is_a_deadline(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    seconds = {"name": "seconds", "datatype": "FP64", "shape": [1], "data": [1.0]}
    assert ask(client, {"inputs": [image(picture), seconds], "parameters": {"timeout": 100_000}}, "slow").status == 504
