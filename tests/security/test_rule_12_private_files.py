"""Rule 12: pictures are handed over as files of random places, 0600, that no reply names and no client can name."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.runner.scratch import SHARED_MEMORY, Scratch
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site, make_picture, until
from tests.runtime.test_batch import send


@pytest.fixture(scope="module")
def fails(shared_site: Site, spec_of: Callable[..., RunSpec]) -> Client:
    return shared_site.start(spec_of("Fails"))


def test_folders_and_files_are_private_and_their_names_cannot_be_guessed(tmp_path: Path) -> None:
    asyncio.run(look_at_two(tmp_path))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def look_at_two(folder: Path) -> None:
    one, other = Scratch(folder), Scratch(folder)
    try:
        with one.file(10, 10) as first, other.file(10, 10) as second:
            for upload in (first, second):
                path = Path(upload.path)
                assert mode(path) == 0o600
                assert mode(path.parent) == 0o700
            assert Path(first.path).parent != Path(second.path).parent
    finally:
        one.close()
        other.close()


def places(client: Client) -> list[str]:
    return ["/dev/shm", "/tmp", f"cvflow-{client.status()['id']}"]


def test_no_protocol_tells_where_a_picture_is(fails: Client, picture: bytes) -> None:
    """The solver's own exception names the file; its sender never hears it."""
    task: dict[str, object] = {"tasks": [{"data": {"i": "data:image/jpeg;base64," + base64.b64encode(picture).decode()}}]}
    task |= {"label_config": '<View><Image name="a" value="$i"/><Choices name="c" toName="a"><Choice value="x"/></Choices></View>'}
    tensor = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(picture).decode()]}]}
    json_kind = {"Content-Type": "application/json"}
    job = fails.infer(picture, Prefer="respond-async").headers["location"]
    until(lambda: fails.send("GET", job).json["state"] == "failed")
    replies = [
        fails.infer(picture),
        fails.form(picture),
        send(fails, ("file", "a.jpg", picture), ("file", "b.jpg", picture)),
        send(fails, ("file", "a.csv", "image\na.jpg\n"), ("p", "a.jpg", picture), Accept="text/csv"),
        fails.send("GET", job),
        fails.send("GET", f"{job}/result"),
        fails.send("POST", "/v2/models/fails/infer", json.dumps(tensor), json_kind),
        fails.send("POST", "/predict", json.dumps(task), json_kind),
        fails.send("GET", "/_status"),
        fails.send("GET", "/metrics"),
        fails.send("GET", "/"),
    ]
    for reply in replies:
        text = reply.body.decode() + str(reply.headers)
        assert not [place for place in places(fails) if place in text], text
    assert sum(b"no luck with the picture" in reply.body for reply in replies) == 8


@pytest.mark.parametrize("name", ["shared_memory_region", "shared_memory_offset", "shared_memory_byte_size"])
def test_no_request_names_a_region(fails: Client, name: str) -> None:
    parameters = {"shared_memory_region": "r", "shared_memory_byte_size": 4, name: "../../dev/shm/x"}
    for tensor in ({"name": "image", "datatype": "BYTES", "shape": [1], "parameters": parameters},):
        body = json.dumps({"inputs": [tensor]})
        reply = fails.send("POST", "/v2/models/fails/infer", body, {"Content-Type": "application/json"})
        assert (reply.status, "shared_memory_region is not served" in reply.json["error"]) == (400, True)
    output = {"inputs": [], "outputs": [{"name": "result", "parameters": parameters}]}
    assert fails.send("POST", "/v2/models/fails/infer", json.dumps(output), {"Content-Type": "application/json"}).status == 400
    assert fails.send("POST", "/v2/systemsharedmemory/region/x/register", b"{}", {"Content-Type": "application/json"}).status == 404


@pytest.mark.parametrize("field", ["file", "files", "path", "input_file_path", "image"])
def test_no_field_names_a_file(shared_site: Site, spec_of: Callable[..., RunSpec], field: str) -> None:
    client = shared_site.start(spec_of("Reader"))
    assert client.infer(make_picture(), f"?{field}=/etc/hostname").status == 400
    assert client.form(None, **{field: "/etc/hostname"}).status == 400


def test_nothing_is_left_in_shared_memory(fails: Client, picture: bytes) -> None:
    folder = next(SHARED_MEMORY.glob(f"cvflow-{fails.status()['id']}-*"))
    fails.infer(picture)
    until(lambda: not list(folder.iterdir()))
