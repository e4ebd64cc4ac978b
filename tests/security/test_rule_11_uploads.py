"""Rule 11: what is sent is bounded, streamed to files of our own names, and looked at before it is decoded."""

from __future__ import annotations

import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Reply, Site, make_picture, multipart, until
from tests.runtime.test_batch import send

MIB = 1 << 20


@pytest.fixture(scope="module")
def reader(shared_site: Site, spec_of: Callable[..., RunSpec]) -> Client:
    return shared_site.start(spec_of("Reader"))


def chunked(size: int) -> Iterator[bytes]:
    piece = b"\xff" * MIB
    for _ in range(size // MIB):
        yield piece


def form_of(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
FILE = b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


@pytest.mark.parametrize("path", ["/infer", "/jobs/large", "/v2/models/reader/infer", "/predict", "/setup"])
def test_a_body_beyond_its_limit_ends_with_413_told_or_not(reader: Client, path: str) -> None:
    kind = "application/octet-stream" if path in ("/infer", "/jobs/large") else "application/json"
    method = "PUT" if path == "/jobs/large" else "POST"
    told = reader.send(method, path, b"", {"Content-Type": kind, "Content-Length": str(1 << 30)})
    assert told.status == 413
    try:
        assert reader.send(method, path, chunked(100 * MIB), {"Content-Type": kind}).status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it did not wait for the rest
    assert reader.infer(make_picture()).status == 200


@pytest.mark.parametrize("path", ["/infer", "/batch"])
def test_parts_headers_and_fields_of_a_form_are_bounded(reader: Client, path: str) -> None:
    def status(body: bytes) -> Reply:
        return reader.send("POST", path, body, FORM)

    field = b'Content-Disposition: form-data; name="f%d"\r\n\r\nx'
    assert status(form_of(*(field % number for number in range(300)))).status == 413
    assert status(form_of(b'Content-Disposition: form-data; name="a"\r\nX-Long: ' + b"x" * 9000 + b"\r\n\r\n1")).status in (400, 413)
    assert status(form_of(b'Content-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 70_000)).status == 413
    assert status(form_of(b"\r\nno name")).status == 400
    assert status(b"--b\r\n" + b"x" * 100_000).status in (400, 413)


def test_the_name_a_client_gives_its_file_is_not_used(reader: Client, picture: bytes) -> None:
    for name in ("../../../tmp/owned.jpg", "/etc/cron.d/x", "a\\..\\b.jpg", "-rf", "x" * 3000):
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        assert reader.send("POST", "/infer", form_of(head + picture), FORM).status == 200


# -- bombs


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*more: bytes, size: tuple[int, int] = (4, 4)) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    rows = zlib.compress((b"\0" + b"\x80" * size[0]) * size[1]) if size[0] * size[1] < 1000 else b""
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zeros(size: int) -> bytes:
    return zlib.compress(b"\0" * size, 9)


BOMBS = {
    "a large picture": png(size=(20_000, 20_000)),
    "a line of pixels": png(size=(100_000_000, 1)),
    "a column of pixels": png(size=(1, 100_000_000)),
    "a colour profile that inflates": png(chunk(b"iCCP", b"p\0\0" + zeros(200 * MIB))),
    "a text that inflates": png(chunk(b"zTXt", b"Comment\0\0" + zeros(200 * MIB))),
    "an international text that inflates": png(chunk(b"iTXt", b"Comment\0\1\0en\0" + b"k" * 400 + b"\0" + zeros(200 * MIB))),
    "many small texts that inflate": png(*[chunk(b"zTXt", b"c\0\0" + zeros(5 * MIB))] * 40),
    "an animation of many frames": png(chunk(b"acTL", struct.pack(">II", 1_000_000, 0)), size=(1000, 1000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_png_that_is_far_larger_inside_than_out_is_refused(reader: Client, name: str) -> None:
    assert len(BOMBS[name]) < MIB
    reply = reader.infer(BOMBS[name])
    assert (reply.status, reply.json["code"]) == (413, "usage"), reply.body


def test_the_longest_side_is_told(reader: Client) -> None:
    assert "100000000 x 1 pixels; at most 1048576 on a side are taken" in reader.infer(png(size=(100_000_000, 1))).json["error"]
    assert reader.infer(png(size=(900, 1))).json["caption"] == "900x1"


def test_ordinary_texts_and_profiles_are_taken(reader: Client) -> None:
    good = png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"hello")), chunk(b"iTXt", b"Comment\0\0\0\0\0hello"))
    assert reader.infer(good).json["caption"] == "4x4"


def frames(kind: str, count: int, size: tuple[int, int], **options: object) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    pictures = [Image.new("L", size, number % 250) for number in range(count)]
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"), [("GIF", {"optimize": False}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})]
)
def test_all_frames_together_count(reader: Client, kind: str, options: dict[str, object]) -> None:
    assert reader.infer(frames(kind, 3, (40, 30), **options)).json["caption"] == "40x30"
    reply = reader.infer(frames(kind, 23, (3000, 3000), **options))
    assert (reply.status, "frames" in reply.json["error"]) == (413, True), reply.body


def test_a_webp_that_claims_to_be_huge_is_refused_by_its_header(reader: Client) -> None:
    body = struct.pack("<4sIB3x", b"VP8X", 10, 0) + (16383).to_bytes(3, "little") * 2
    reply = reader.infer(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)
    assert reply.status == 413


def test_a_gif_of_endless_frames_is_refused(reader: Client) -> None:
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    gif = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + frame * 100_000 + b";"
    assert reader.infer(gif).status == 413


# -- those who are slow, and those who are many


def connect(client: Client, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", client.port), 30)
    connection.sendall(data)
    return connection


def test_many_who_send_slowly_keep_nobody_else_from_an_answer(reader: Client, picture: bytes) -> None:
    head = b"POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\nstart"
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(connect(reader, head))
        assert reader.infer(picture).status == 200
        assert send(reader, ("file", "a.jpg", picture)).status == 200


def test_more_than_may_wait_are_told_when_to_come_back(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    client = site.start(spec_of("Slow"))
    small = make_picture(8, 8)
    client.infer(small, "?seconds=0.1")
    request = b"POST /infer?seconds=%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    with ExitStack() as stack:
        for number in range(256):
            seconds = b"3" if number < 2 else b"0"
            stack.enter_context(connect(client, request % (seconds, len(small)) + small))
        until(lambda: client.status()["waiting"] == 256)
        reply = client.infer(small)
        assert (reply.status, reply.json["code"]) == (503, "remote")
        assert 1 <= int(reply.headers["retry-after"]) <= 60
        assert send(client, ("file", "a.jpg", small)).status == 503
        assert client.send("PUT", "/jobs/one-more", small, {"Content-Type": "image/jpeg"}).status == 503
    # All of them leave: what waited is not worked on.
    until(lambda: client.status()["waiting"] == 0, 8)
    metrics = client.send("GET", "/metrics").body.decode()
    assert 'cvflow_pictures_total{solver="tests/demo/slow",variant=""} 3' in metrics


@pytest.mark.slow
def test_who_says_nothing_is_let_go(reader: Client) -> None:
    """Headers that do not come to their end, a body that does not come: each ends on its own."""
    began = time.monotonic()
    with ExitStack() as stack:
        silent = stack.enter_context(connect(reader, b""))
        half = stack.enter_context(connect(reader, b"GET / HTTP/1.1\r\nHost: loc"))
        body = stack.enter_context(connect(reader, b"POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"))
        assert body.recv(100).startswith(b"HTTP/1.1 408 ")
        while time.monotonic() - began < 18:
            half.sendall(b"a")
            time.sleep(1)
        assert silent.recv(10) == b""
        assert half.recv(10) == b""


def test_a_form_of_a_file_and_a_raw_body_are_the_same_picture(reader: Client, picture: bytes) -> None:
    kind, body = multipart(picture)
    assert reader.send("POST", "/infer", body, {"Content-Type": kind}).json == reader.infer(picture).json
