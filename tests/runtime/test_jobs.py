"""Answers that come later, against a live runner."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from cvflow_tui.backend.runtime.runner import watch
from cvflow_tui.backend.runtime.runner.app import make_app
from cvflow_tui.backend.runtime.runner.lane import Lane
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.backend.runtime.runner.logfile import LogFile
from cvflow_tui.backend.runtime.runner.scratch import Scratch
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Reply, Site, alive, make_picture, until
from tests.runtime.test_batch import parts

Specs = Callable[..., RunSpec]


@pytest.fixture(scope="module")
def slow(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Slow"))


@pytest.fixture(scope="module")
def reader(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Reader"))


def later(client: Client, picture: bytes, query: str = "", **headers: str) -> Reply:
    return client.infer(picture, query, Prefer="respond-async", **headers)


def ended(client: Client, address: str) -> dict[str, Any]:
    return dict(until(lambda: (told := client.send("GET", f"{address}?wait=5").json)["state"] in ("done", "failed", "cancelled") and told))


def _as_many_wait(client: Client, count: int) -> bool:
    return bool(client.status()["waiting"] == count)


def test_an_answer_that_comes_later(reader: Client, picture: bytes) -> None:
    reply = later(reader, picture)
    assert reply.status == 202
    address = reply.headers["location"]
    assert address == f"/jobs/{reply.json['id']}"
    told = ended(reader, address)
    assert (told["state"], told["kind"], told["done"], told["total"]) == ("done", "infer", 1, 1)
    assert told["result"]["caption"] == "64x48"
    assert reader.send("GET", str(told["result_url"])).json == told["result"]


def test_the_form_too(reader: Client, picture: bytes) -> None:
    body = b"".join(parts(("file", "a.jpg", picture)))
    reply = reader.send(
        "POST", "/infer", body, {"Content-Type": "multipart/form-data; boundary=b", "Prefer": "return=minimal, respond-async"}
    )
    assert reply.status == 202
    assert ended(reader, reply.headers["location"])["state"] == "done"


def test_a_failure_is_told_as_the_request_would_have_been(slow: Client, picture: bytes) -> None:
    assert later(slow, b"no picture").status == 400
    address = later(slow, picture, "?seconds=soon").headers["location"]
    told = ended(slow, address)
    assert (told["state"], told["code"], told["status"]) == ("failed", "usage", 400)
    assert "'seconds'" in str(told["error"])
    reply = slow.send("GET", f"{address}/result")
    assert (reply.status, reply.json["error"]) == (400, told["error"])


def test_a_long_poll_waits_for_something_new(slow: Client, picture: bytes) -> None:
    reply = later(slow, picture, "?seconds=.4")
    address, revision = reply.headers["location"], reply.json["revision"]
    assert slow.send("GET", f"{address}?wait=0.01&newer_than={revision}").json["state"] == "running"
    assert slow.send("GET", f"{address}/result").status == 409
    assert slow.send("GET", f"{address}?wait=20&newer_than={revision}").json["state"] == "done"


def test_the_answer_is_put_under_an_id_of_ones_own_once(slow: Client, picture: bytes) -> None:
    first = slow.send("PUT", "/jobs/my-picture.1?seconds=0.2", picture, {"Content-Type": "image/jpeg"})
    asked = slow.status()["requests"]
    again = slow.send("PUT", "/jobs/my-picture.1?seconds=0.2", picture, {"Content-Type": "image/jpeg"})
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["id"] == "my-picture.1"
    assert ended(slow, "/jobs/my-picture.1")["state"] == "done"
    assert slow.status()["requests"] == asked
    assert slow.send("PUT", "/jobs/my-picture.1", b"anything", {"Content-Type": "image/jpeg"}).json["state"] == "done"
    assert slow.send("DELETE", "/jobs/my-picture.1").status == 200
    assert slow.send("GET", "/jobs/my-picture.1").status == 404


@pytest.mark.parametrize("name", ["..", ".hidden", "a%2fb", "a%5cb", "a%00b", "x" * 65, "%2e%2e%2fetc"])
def test_ids_are_plain_words(slow: Client, picture: bytes, name: str) -> None:
    assert slow.send("PUT", f"/jobs/{name}", picture, {"Content-Type": "image/jpeg"}).status in (400, 404, 405)
    assert slow.send("GET", f"/jobs/{name}").status in (400, 404)


def test_a_picture_that_can_t_be_taken_leaves_no_job(slow: Client) -> None:
    assert slow.send("PUT", "/jobs/bad", b"no picture", {"Content-Type": "image/jpeg"}).status == 400
    assert slow.send("GET", "/jobs/bad").status == 404


def test_what_waits_is_dropped_and_what_runs_is_abandoned_and_said_so(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    addresses = [later(client, picture, "?seconds=.5").headers["location"] for _ in range(4)]
    last = client.send("DELETE", addresses[3]).json
    assert (last["state"], last.get("abandoned")) == ("cancelled", None)
    first = client.send("DELETE", addresses[0]).json
    assert (first["state"], first["abandoned"]) == ("cancelled", True)
    assert client.send("GET", f"{addresses[0]}/result").status == 409
    assert ended(client, addresses[1])["state"] == "done"
    assert ended(client, addresses[2])["state"] == "done"
    metrics = client.send("GET", "/metrics").body.decode()
    # Three calls reached the worker: the last picture never did.
    assert 'cvflow_pictures_total{solver="tests/demo/slow",variant=""} 3' in metrics


@pytest.mark.parametrize("kind", ["infer", "batch"])
def test_a_cancelled_call_that_goes_on_is_cut_short_and_what_waits_is_answered(
    spec_of: Specs, tmp_path: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(watch, "GIVEN_UP_SECONDS", 0.3)
    body, headers = picture, {"Content-Type": "image/jpeg"}
    if kind == "batch":
        body = b"".join(parts(("seconds", None, "100"), *[("file", f"{number}.jpg", picture) for number in range(3)]))
        headers = {"Content-Type": "multipart/form-data; boundary=b"}

    async def told() -> None:
        service = Service(spec_of("Slow"), LogFile(None), Scratch(tmp_path), Limits())
        service.main.open()
        await service.main.settled.wait()
        transport = httpx.ASGITransport(make_app(service, "127.0.0.1"))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
            begun = await client.post(f"/{kind}?seconds=100", content=body, headers={**headers, "Prefer": "respond-async"})
            while not service.main.replicas[0].active:  # noqa: ASYNC110 - a count is no event
                await asyncio.sleep(0.01)
            (first,) = service.main.pids
            other = asyncio.create_task(client.post("/infer?seconds=0", content=picture, headers={"Content-Type": "image/jpeg"}))
            while service.main.waiting < (4 if kind == "batch" else 2):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            last = (await client.delete(begun.headers["location"])).json()
            assert (last["state"], last["abandoned"]) == ("cancelled", True)
            assert ((await other).status_code, (await other).json()["caption"]) == (200, "slept")
            assert service.main.pids != [first] and not alive(first)
            assert (service.main.restarts, service.main.error) == (1, None)
        await service.close()

    asyncio.run(told())


def test_a_cancelled_call_beside_one_that_is_wanted_goes_on(spec_of: Specs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(watch, "GIVEN_UP_SECONDS", 0.1)
    file = tmp_path / "picture"
    file.write_bytes(make_picture())

    async def told() -> None:
        lane = Lane(spec_of("Crew"), LogFile(None), "crew")
        lane.open()
        await lane.settled.wait()
        unwanted = lane.submit(str(file), None, {"seconds": "2.5"})
        wanted = [lane.submit(str(file), None, {"seconds": "2"}) for _ in range(2)]
        lane.give_up(unwanted)
        assert unwanted.cancelled()
        assert [(await reply)["caption"] for reply in wanted] == ["ok", "ok"]
        assert lane.restarts == 0
        await lane.close()

    asyncio.run(told())


def test_events_tell_progress_and_end(slow: Client, picture: bytes) -> None:
    body = b"".join(parts(("seconds", None, "0.1"), *[("file", f"{number}.jpg", picture) for number in range(4)]))
    reply = slow.send("POST", "/batch", body, {"Content-Type": "multipart/form-data; boundary=b", "Prefer": "respond-async"})
    assert reply.status == 202
    events = slow.send("GET", reply.headers["location"], headers={"Accept": "text/event-stream"})
    assert events.headers["content-type"].startswith("text/event-stream")
    told = [dict(line.split(": ", 1) for line in event.splitlines()) for event in events.body.decode().strip().split("\n\n")]
    assert {event["event"] for event in told[:-1]} == {"progress"}
    assert told[-1]["event"] == "done"
    counts = [json.loads(event["data"])["done"] for event in told]
    assert counts == sorted(counts)
    assert counts[-1] == 4
    lines = slow.send("GET", f"{reply.headers['location']}/result")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["index"] for line in lines.body.splitlines()] == [0, 1, 2, 3]


def test_a_batch_can_be_cancelled_and_says_what_went_on(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    body = b"".join(parts(("seconds", None, "0.4"), *[("file", f"{number}.jpg", picture) for number in range(10)]))
    form = {"Content-Type": "multipart/form-data; boundary=b", "Prefer": "respond-async"}
    address = client.send("POST", "/batch", body, form).headers["location"]
    until(lambda: client.send("GET", address).json["done"] >= 1)
    told = client.send("DELETE", address).json
    assert (told["state"], told["abandoned"]) == ("cancelled", True)
    until(lambda: client.status()["waiting"] == 0)
    metrics = client.send("GET", "/metrics").body.decode()
    sent = int(metrics.partition('cvflow_pictures_total{solver="tests/demo/slow",variant=""} ')[2].split("\n")[0])
    assert sent < 6  # of ten: what waited never reached the worker


def test_a_deadline_holds_for_each_picture_of_a_batch(slow: Client, picture: bytes) -> None:
    body = b"".join(parts(("seconds", None, "0.3"), ("file", "a.jpg", picture), ("file", "b.jpg", picture)))
    reply = slow.send("POST", "/batch", body, {"Content-Type": "multipart/form-data; boundary=b", "X-CVFlow-Timeout": "0.45"})
    assert [json.loads(line).get("status", 200) for line in reply.body.splitlines()] == [200, 504]


def test_a_batch_of_rows_later(slow: Client, picture: bytes) -> None:
    body = b"".join(parts(("file", "rows.csv", "image,seconds\na.jpg,0\na.jpg,0.01\n"), ("p", "a.jpg", picture)))
    reply = slow.send("POST", "/batch", body, {"Content-Type": "multipart/form-data; boundary=b", "Prefer": "respond-async"})
    told = ended(slow, reply.headers["location"])
    assert (told["state"], told["total"]) == ("done", 2)
    table = slow.send("GET", f"{reply.headers['location']}/result")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.body.count(b"slept") == 2


def test_a_deadline_ends_the_wait_and_takes_the_picture_back(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    client.infer(picture, "?seconds=0")
    blocking = [threading.Thread(target=client.infer, args=(picture, "?seconds=.6")) for _ in range(2)]
    for thread in blocking:
        thread.start()
    until(lambda: client.status()["waiting"] == 2)
    reply = client.infer(picture, "?seconds=0", X_CVFlow_Timeout="0.1")
    assert (reply.status, reply.json["code"]) == (504, "remote")
    assert "0.1 s" in reply.json["error"]
    reply = client.infer(picture, "?seconds=0", Prefer="wait=0.1")
    assert reply.status == 504
    for thread in blocking:
        thread.join()
    assert client.infer(picture, "?seconds=0", X_CVFlow_Timeout="20").status == 200
    metrics = client.send("GET", "/metrics").body.decode()
    assert 'cvflow_pictures_total{solver="tests/demo/slow",variant=""} 4' in metrics


@pytest.mark.parametrize("told", ["soon", "-1", "0", "nan", "inf", "1e9"])
def test_a_deadline_that_is_none_is_a_400(slow: Client, picture: bytes, told: str) -> None:
    assert slow.infer(picture, X_CVFlow_Timeout=told).status == 400


def test_a_client_that_leaves_takes_its_picture_back(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    connections = []
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        connection.request("POST", "/infer?seconds=.5", picture, {"Content-Type": "image/jpeg"})
        connections.append(connection)
        until(partial(_as_many_wait, client, len(connections)))
    for connection in connections[2:]:
        connection.close()
    time.sleep(0.1)
    assert connections[0].getresponse().status == connections[1].getresponse().status == 200
    until(lambda: client.status()["waiting"] == 0)
    metrics = client.send("GET", "/metrics").body.decode()
    assert 'cvflow_pictures_total{solver="tests/demo/slow",variant=""} 2' in metrics


def test_a_picture_that_was_left_is_not_written_over(site: Site, spec_of: Specs) -> None:
    """A worker may still read it: its file must not become the next picture's."""
    client = site.start(spec_of("Late"))
    assert client.infer(make_picture(8, 8), "?seconds=0").status == 200  # it has imported what it needs
    first = make_picture(30, 20)
    assert client.infer(first, "?seconds=.5", X_CVFlow_Timeout="0.1").status == 504
    reply = client.infer(make_picture(70, 60), "?seconds=0")
    assert reply.json["caption"] == "70x60"
    assert reply.json["before"] == "30x20"
