"""POST /batch against a live runner."""

from __future__ import annotations

import base64
import csv
import http.client
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.runtime.runner.protocols.cells import cell, read_rows, write_rows
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Reply, Site, make_picture, until, workers

Specs = Callable[..., RunSpec]


@pytest.fixture(scope="module")
def reader(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Reader"))


@pytest.fixture(scope="module")
def echo(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Echo"))


def parts(*given: tuple[str, str | None, bytes | str], end: bool = True) -> Iterator[bytes]:
    """Parts as (name, file name, content)."""
    for name, filename, content in given:
        file = f'; filename="{filename}"' if filename is not None else ""
        yield f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        yield content if isinstance(content, bytes) else content.encode()
        yield b"\r\n"
    if end:
        yield b"--b--\r\n"


def send(client: Client, *given: tuple[str, str | None, bytes | str], **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.send("POST", "/batch", b"".join(parts(*given)), {"Content-Type": "multipart/form-data; boundary=b", **named})


def lines_of(reply: Reply) -> list[dict[str, Any]]:
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-ndjson"), reply.body
    return [json.loads(line) for line in reply.body.splitlines()]


def test_pictures_are_answered_in_order_and_a_bad_one_is_one_bad_line(reader: Client) -> None:
    given: list[tuple[str, str | None, bytes]] = [("file", f"{width}.jpg", make_picture(width, 5)) for width in range(1, 41)]
    given[7] = ("file", "bad.jpg", b"this is no picture")
    given[9] = ("file", "half.jpg", make_picture(200, 200)[:400])
    told = lines_of(send(reader, *given))
    assert [line["index"] for line in told] == list(range(40))
    assert [line["name"] for line in told] == [name for _, name, _ in given]
    assert [line["result"]["caption"] for line in told if "result" in line] == [
        f"{width}x5" for width in range(1, 41) if width not in (8, 10)
    ]
    assert (told[7]["code"], told[7]["status"]) == ("usage", 400)
    assert (told[9]["code"], told[9]["status"]) == ("usage", 400)


def test_fields_before_the_pictures_hold_for_all(echo: Client, picture: bytes) -> None:
    told = lines_of(send(echo, ("name", None, "dog"), ("a", "1.jpg", picture), ("b", "2.jpg", picture)))
    assert [line["result"]["objects"][0]["label"] for line in told] == ["dog", "dog"]
    told = lines_of(send(echo, ("a", "1.jpg", picture), ("name", None, "dog")))
    assert told[0]["result"]["objects"][0]["label"] == "cat"
    assert (told[1]["index"], told[1]["status"]) == (None, 400)
    assert "fields come first" in told[1]["error"]


def test_a_wrong_parameter_is_told_on_each_line(echo: Client, picture: bytes) -> None:
    told = lines_of(send(echo, ("threshold", None, "high"), ("file", "1.jpg", picture)))
    assert (told[0]["status"], "'threshold'" in told[0]["error"]) == (400, True)


def test_answers_come_while_the_rest_is_being_sent(reader: Client, picture: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", reader.port, timeout=30)
    try:
        connection.putrequest("POST", "/batch")
        connection.putheader("Content-Type", "multipart/form-data; boundary=b")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()

        def chunk(data: bytes) -> None:
            connection.send(b"%x\r\n%s\r\n" % (len(data), data))

        chunk(b"".join(parts(("file", "1.jpg", picture), end=False)) + b"--b\r\n")
        reply = connection.getresponse()
        first = json.loads(reply.readline())
        assert (first["index"], first["result"]["caption"]) == (0, "64x48")
        chunk(b'Content-Disposition: form-data; name="file"; filename="2.jpg"\r\n\r\n' + picture + b"\r\n--b--\r\n")
        connection.send(b"0\r\n\r\n")
        assert json.loads(reply.readline())["name"] == "2.jpg"
        assert reply.read() == b""
    finally:
        connection.close()


def test_a_client_that_reads_only_after_it_has_sent_all_is_answered_in_full(shared_site: Site, spec_of: Specs) -> None:
    client = shared_site.start(spec_of("Digest"))
    picture = make_picture(400, 300, "PNG")
    told = lines_of(send(client, *[("file", f"{number}.png", picture) for number in range(200)]))
    assert len(told) == 200
    assert len({line["result"]["caption"] for line in told}) == 1


def test_a_client_that_leaves_takes_its_pictures_back(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    body = b"".join(parts(("seconds", None, "0.3"), *[("file", f"{number}.jpg", picture) for number in range(30)]))
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    connection.request("POST", "/batch", body, {"Content-Type": "multipart/form-data; boundary=b"})
    connection.getresponse().readline()
    connection.close()
    until(lambda: client.status()["waiting"] == 0 and client.status()["state"] == "ready", 5)
    assert client.infer(picture, "?seconds=0").status == 200


def test_nothing_to_answer_is_said(reader: Client) -> None:
    reply = send(reader, ("threshold", None, "1"))
    assert (reply.status, reply.json["error"]) == (400, "no file part!")
    reply = reader.send("POST", "/batch", b"{}", {"Content-Type": "application/json"})
    assert reply.status == 415


def test_csv_rows_become_questions_and_the_file_can_be_fetched(echo: Client, picture: bytes) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    table = f'image,name,threshold\r\na.jpg,dog,.25\r\n"{url}",=cmd(),.5\r\nb.jpg,cat,.5\r\na.jpg,cat,high\r\n'
    reply = send(echo, ("file", "rows.csv", table), ("p", "a.jpg", picture))
    assert reply.status == 200
    assert list(reply.json) == ["filename"]
    assert reply.json["filename"].endswith(".csv")
    fetched = echo.send("GET", f"/static/{reply.json['filename']}")
    assert (fetched.status, fetched.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(fetched.body.decode())))
    assert [row["image"] for row in rows] == ["a.jpg", "data:…", "b.jpg", "a.jpg"]
    assert json.loads(rows[0]["objects"])[0]["label"] == "dog"
    assert rows[1]["name"] == "'=cmd()"
    assert "no part whose file name is 'b.jpg'" in rows[2]["error"]
    assert "'threshold'" in rows[3]["error"]


@pytest.mark.parametrize(("accept", "kind"), [("text/csv", "text/csv; charset=utf-8"), ("application/x-ndjson", "application/x-ndjson")])
def test_csv_is_answered_in_the_kind_that_is_accepted(echo: Client, picture: bytes, accept: str, kind: str) -> None:
    reply = send(echo, ("file", "rows.csv", "image,name\na.jpg,dog\n"), ("p", "a.jpg", picture), Accept=accept)
    assert (reply.status, reply.headers["content-type"]) == (200, kind)
    assert b"dog" in reply.body


def test_rows_may_be_the_whole_body(echo: Client, picture: bytes) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    rows = [
        {"image": url, "name": "dog", "threshold": 0.25},
        {"image": url, "name": None},
        {"image": "a.jpg"},
        {"name": "\ud800", "image": url},
    ]
    body = "\n\n".join(map(json.dumps, rows)).encode()
    told = lines_of(echo.send("POST", "/batch?name=bird", body, {"Content-Type": "application/x-ndjson"}))
    assert [line["result"]["objects"][0]["label"] for line in told[:2]] == ["dog", "bird"]
    assert "no part whose file name is 'a.jpg'" in told[2]["error"]
    assert len(told) == 4
    table = f'image,name\r\n"{url}",dog\r\n'
    reply = echo.send("POST", "/batch", table.encode(), {"Content-Type": "text/csv; charset=utf-8"})
    assert (reply.status, reply.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    (row,) = csv.DictReader(io.StringIO(reply.body.decode()))
    assert json.loads(row["objects"])[0]["label"] == "dog"
    headers = {"Content-Type": "text/csv", "Accept": "application/x-ndjson", "Prefer": "respond-async"}
    reply = echo.send("POST", "/batch", table.encode(), headers)
    assert reply.status == 202
    until(lambda: echo.send("GET", f"/jobs/{reply.json['id']}").json["state"] == "done")
    assert len(lines_of(echo.send("GET", f"/jobs/{reply.json['id']}/result"))) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"{}\n{", "line 2 is no JSON"), (b"[]", "line 1 is no object"), (b"\xff", "line 1 is no JSON"), (b"[" * 100_000, "line 1")],
)
def test_lines_that_are_none_are_a_400(echo: Client, body: bytes, said: str) -> None:
    reply = echo.send("POST", "/batch", body, {"Content-Type": "application/x-ndjson"})
    assert (reply.status, said in reply.json["error"]) == (400, True), reply.body


@pytest.mark.parametrize("path", ["/etc/hostname", "../a.jpg", "file:///etc/hostname"])
def test_a_cell_never_names_a_file_of_this_machine(echo: Client, path: str) -> None:
    reply = send(echo, ("file", "rows.csv", f"image\n{path}\n"), Accept="application/x-ndjson")
    assert lines_of(reply)[0]["status"] == 400


@pytest.mark.parametrize("table", [b"", b"a,a\n1,2\n", b"a\n1,2\n", b'a\n"1', b"\xff\xfe\x00"])
def test_a_csv_that_is_none_is_a_400(echo: Client, table: bytes) -> None:
    reply = send(echo, ("file", "rows.csv", table))
    assert reply.status == 400, reply.body
    assert "CSV" in reply.json["error"]


def test_a_worker_that_dies_in_a_batch_costs_lines_and_not_the_reply(site: Site, spec_of: Specs, picture: bytes) -> None:
    import os
    import signal

    client = site.start(spec_of("Slow"))
    (worker,) = workers(client.status()["id"])
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    body = b"".join(parts(("seconds", None, "0.2"), *[("file", f"{number}.jpg", picture) for number in range(5)]))
    connection.request("POST", "/batch", body, {"Content-Type": "multipart/form-data; boundary=b"})
    reply = connection.getresponse()
    first = json.loads(reply.readline())
    os.kill(worker, signal.SIGKILL)
    rest = [json.loads(line) for line in reply.read().splitlines()]
    connection.close()
    assert "result" in first
    assert [line["index"] for line in rest] == [1, 2, 3, 4]
    assert {line["status"] for line in rest if "error" in line} == {503}


def test_nothing_of_a_batch_stays_behind(shared_site: Site, echo: Client, picture: bytes) -> None:
    (folder,) = Path("/dev/shm").glob(f"cvflow-{echo.status()['id']}-*")
    send(echo, ("file", "rows.csv", "image\na.jpg\n"), ("p", "a.jpg", picture), ("q", "a.jpg", picture))
    send(echo, *[("file", "x.jpg", picture)] * 40)
    until(lambda: not list(folder.iterdir()))


def test_cells() -> None:
    assert [cell(value) for value in ("=1+1", "+a", "-a", "@a", "\tx", "\rx", "-1.5", "+2e3", "a=", None, -1.5, [1], True)] == [
        *("'=1+1", "'+a", "'-a", "'@a", "'\tx", "'\rx", "-1.5", "+2e3", "a=", "", "-1.5", "[1]", "true"),
    ]
    assert read_rows(write_rows([{"a": "x,y", "b": 'q"\n'}, {"c": 1}]), 10) == [
        {"a": "x,y", "b": 'q"\n', "c": ""},
        {"a": "", "b": "", "c": "1"},
    ]
