"""POST /infer against a live runner."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.runner.scratch import Scratch
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site, make_picture, multipart

Specs = Callable[..., RunSpec]


@pytest.fixture(scope="module")
def echo(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Echo"))


@pytest.fixture(scope="module")
def reader(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Reader"))


def test_raw_body_gives_the_completed_result(echo: Client, picture: bytes) -> None:
    reply = echo.infer(picture, "?threshold=.25&name=d%C3%B6g&count=2&fast=yes&top=3")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    told = reply.json
    assert told["task"] == "object-detection"
    assert told["model"] == {"package": "tests/demo", "version": "1.2.3", "checkpoint": None}
    assert told["image"] == {"width": 64, "height": 48}
    assert told["objects"] == [{"label": "dög", "score": 0.25, "box": [0, 0, 1, None]}] * 2
    assert (told["fast"], told["top"]) == (True, 3)


def test_form_gives_the_same(echo: Client, picture: bytes) -> None:
    reply = echo.form(picture, threshold="0.25", name="dog")
    assert reply.status == 200
    assert reply.json["objects"] == [{"label": "dog", "score": 0.25, "box": [0, 0, 1, None]}]


def test_form_split_at_every_place_gives_the_same(echo: Client) -> None:
    kind, body = multipart(make_picture(4, 4, quality=20), name="dog", threshold="0.5")
    for cut in range(1, len(body), 97):

        def chunks(cut: int = cut) -> object:
            yield body[:cut]
            yield body[cut:]

        reply = echo.send("POST", "/infer", chunks(), {"Content-Type": kind})
        assert reply.json["objects"][0]["label"] == "dog", cut


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?thresold=.3", ["unknown parameter 'thresold'", "threshold (float)", "count (int)", "fast (bool)", "name (str)"]),
        ("?threshold=high", ["'threshold'", "a number", "'high'"]),
        ("?threshold=nan", ["'threshold'", "a number"]),
        ("?count=1.5", ["'count'", "whole number"]),
        ("?fast=perhaps", ["'fast'", "true or false"]),
    ],
)
def test_a_wrong_parameter_is_named(echo: Client, picture: bytes, query: str, words: list[str]) -> None:
    reply = echo.infer(picture, query)
    assert reply.status == 400
    assert reply.json["code"] == "usage"
    for word in words:
        assert word in reply.json["error"]
    assert "\n" not in reply.json["error"]


def test_a_list_is_given_as_often_as_it_has_members(shared_site: Site, spec_of: Specs, picture: bytes) -> None:
    """So OpenAPI means a list in a query, and so do forms; what is no list is not given twice."""
    typed = shared_site.start(spec_of("Typed"))
    for query in ("?labels=a&labels=b,c", "?labels=a&labels=b%2Cc", '?labels=["a","b,c"]'):
        assert typed.infer(picture, query).json["labels"] == ["a", "b,c"]
    assert typed.infer(picture, "?sizes=1&sizes=2").json["sizes"] == [1, 2]
    assert typed.infer(picture, "?labels=a,b").json["labels"] == ["a", "b"]
    kind, body = multipart(picture, labels="c", sizes="3")
    boundary = kind.partition("boundary=")[2].encode()
    more = b"".join(b'--%s\r\nContent-Disposition: form-data; name="labels"\r\n\r\n%s\r\n' % (boundary, name) for name in (b"a", b"b"))
    assert typed.send("POST", "/infer", more + body, {"Content-Type": kind}).json["labels"] == ["a", "b", "c"]
    for query, word in (("?top=1&top=2", "a whole number"), ("?mode=fast&mode=good", "'mode'"), ("?threshold=.1&threshold=.2", "a number")):
        reply = typed.infer(picture, query)
        assert reply.status == 400 and word in reply.json["error"]


def test_a_text_that_is_given_twice_is_refused(echo: Client, picture: bytes) -> None:
    reply = echo.infer(picture, "?name=a&name=b")
    assert reply.status == 400 and "parameter 'name' must be text" in reply.json["error"]


def test_a_failure_that_cannot_be_told_is_one(site: Site, spec_of: Specs, picture: bytes) -> None:
    mute = site.start(spec_of("Speechless"))
    for _ in range(2):
        reply = mute.infer(picture)
        assert reply.status == 500 and reply.json["error"].endswith("Mute: its message cannot be told: RuntimeError")
    assert mute.status()["restarts"] == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_every_usual_format_is_read(reader: Client, kind: str) -> None:
    reply = reader.infer(make_picture(40, 30, kind))
    assert reply.json["caption"] == "40x30"
    assert reply.json["image"] == {"width": 40, "height": 30}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_size_is_that_of_the_turned_picture(reader: Client, kind: str) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    reply = reader.infer(make_picture(40, 30, kind, exif=exif))
    assert reply.json["caption"] == "30x40"
    assert reply.json["image"] == {"width": 30, "height": 40}


@pytest.mark.parametrize(
    "body", [b"no picture at all", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"\xff\xd8" + b"\xff\xe0\xff\xff" * 50]
)
def test_what_is_no_picture_is_a_400_in_one_line(reader: Client, body: bytes) -> None:
    reply = reader.infer(body)
    assert reply.status == 400
    assert set(reply.json) == {"error", "code"}
    assert "picture" in reply.json["error"]


def test_a_truncated_picture_is_a_400_that_tells_no_path(reader: Client) -> None:
    whole = make_picture(200, 200)
    reply = reader.infer(whole[: len(whole) // 2])
    assert reply.status == 400
    assert "truncated" in reply.json["error"]
    assert "/" not in reply.json["error"]


def test_an_empty_body_and_a_form_without_file(reader: Client) -> None:
    assert reader.infer(b"").json == {"error": "the picture is empty", "code": "usage"}
    reply = reader.form(None, threshold="1")
    assert (reply.status, reply.json["error"]) == (400, "the form has no part named 'file'")


def test_a_broken_form_is_a_400(reader: Client, picture: bytes) -> None:
    kind, body = multipart(picture)
    assert reader.send("POST", "/infer", body[:-30], {"Content-Type": kind}).status == 400
    assert reader.send("POST", "/infer", body, {"Content-Type": "multipart/form-data"}).status == 400
    assert reader.send("POST", "/infer", b"garbage", {"Content-Type": kind}).status == 400
    assert reader.send("POST", "/infer", b"{}", {"Content-Type": "application/json"}).status == 415


def test_a_body_beyond_the_limit_is_a_413(reader: Client) -> None:
    with socket.create_connection(("127.0.0.1", reader.port), timeout=20) as connection:
        head = "POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 99999999999\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_decompression_bomb_is_a_413_before_it_is_decoded(reader: Client) -> None:
    header = struct.pack(">II5B", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    reply = reader.infer(bomb)
    assert reply.status == 413
    assert "100000 x 100000" in reply.json["error"]


def test_a_solver_that_raises_is_a_500_with_the_last_line(shared_site: Site, spec_of: Specs, picture: bytes) -> None:
    client = shared_site.start(spec_of("Fails"))
    reply = client.infer(picture)
    assert reply.status == 500
    assert reply.json == {"error": "RuntimeError: no luck with the picture", "code": "package"}
    log = shared_site.supervisor.log("tests/demo/fails").text
    assert "Traceback" in log
    assert client.status()["errors"] == 1


def test_uploads_are_private_and_gone_afterwards(shared_site: Site, spec_of: Specs, picture: bytes) -> None:
    client = shared_site.start(spec_of("Slow"))
    pid = client.status()["id"]
    asking = threading.Thread(target=client.infer, args=(picture, "?seconds=0.6"))
    asking.start()
    seen: list[tuple[int, int, str]] = []
    while asking.is_alive() and not seen:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = link.readlink()
            except OSError:
                continue
            if target.parent.name.startswith("cvflow-") and target.is_file():
                seen.append((target.stat().st_mode & 0o777, target.parent.stat().st_mode & 0o777, str(target)))
    asking.join()
    assert seen
    assert seen[0][:2] == (0o600, 0o700)
    assert not Path(seen[0][2]).exists()


def test_a_batch_is_made_of_what_waits_and_one_bad_picture_spoils_no_other(shared_site: Site, spec_of: Specs) -> None:
    client = shared_site.start(spec_of("Batched", batch=8))
    sizes = [10, 11, 12, 3, 13, 14, 15, 16]
    replies: dict[int, tuple[int, dict[str, object]]] = {}

    def ask(size: int) -> None:
        reply = client.infer(make_picture(size, size))
        replies[size] = (reply.status, reply.json)

    threads = [threading.Thread(target=ask, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replies.pop(3) == (400, {"error": "three by three is not for me", "code": "usage"})
    assert {size: told["caption"] for size, (status, told) in replies.items() if status == 200} == {
        size: str(size) for size in sizes if size != 3
    }

    replies.clear()
    threads = [threading.Thread(target=ask, args=(size,)) for size in range(20, 32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = [told["together"] for _, told in replies.values()]
    assert max(int(str(count)) for count in together) > 1


def test_a_solver_that_says_so_is_asked_several_things_at_once(shared_site: Site, spec_of: Specs, picture: bytes) -> None:
    import time

    client = shared_site.start(spec_of("Crew"))
    began = time.monotonic()
    threads = [threading.Thread(target=client.infer, args=(picture,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 0.75  # one after the other they take 0.8 s at least
    assert client.status()["requests"] == 4


def test_what_the_runner_says_of_itself(echo: Client, picture: bytes) -> None:
    about = echo.send("GET", "/").json
    assert (about["package"], about["solver"], about["task"], about["state"]) == ("tests/demo", "echo", "object-detection", "ready")
    assert {item["name"]: item["type"] for item in about["parameters"]} == {
        "threshold": "float",
        "count": "int",
        "fast": "bool",
        "name": "str",
        "top": "int",
    }
    document = echo.send("GET", "/openapi.json").json
    schemas = {item["name"]: item["schema"] for item in document["paths"]["/infer"]["post"]["parameters"]}
    assert schemas["threshold"] == {"type": "number", "default": 0.5}
    assert schemas["fast"] == {"type": "boolean", "default": False}
    before = echo.status()["requests"]
    for _ in range(5):
        echo.infer(picture)
    status = echo.status()
    assert status["requests"] == before + 5
    assert len(status["memory"]) == 7
    assert 0 < status["p50"] <= status["p95"]
    assert status["rss"] > 20_000_000
    assert f'cvflow_requests_total{{solver="tests/demo/echo"}} {before + 5}' in echo.send("GET", "/metrics").body.decode()


def test_unknown_paths_and_methods_have_our_shape(echo: Client) -> None:
    assert echo.send("GET", "/nothing").status == 404
    reply = echo.send("GET", "/infer")
    assert reply.status == 405
    assert set(json.loads(reply.body)) == {"error", "code"}


def test_a_second_smaller_picture_is_read_to_its_own_end(reader: Client) -> None:
    """Files are used again: nothing of an earlier, larger picture may show."""
    large, small = make_picture(300, 200), make_picture(31, 17, "PNG")
    for _ in range(3):
        assert reader.infer(large).json["caption"] == "300x200"
        assert reader.infer(small).json["caption"] == "31x17"
        assert reader.infer(small[:-40]).status == 400


def test_files_are_used_again_under_new_names_and_soon_removed(tmp_path: Path) -> None:
    asyncio.run(use_files(tmp_path))


async def use_files(tmp_path: Path) -> None:
    # ruff: noqa: ASYNC240 - nothing else runs on this loop
    scratch = Scratch(tmp_path)
    seen, inodes = [], []
    for number in range(4):
        with scratch.file(5, 100) as upload:
            await upload.write(b"%d---" % number + b"-" * (4 - number))
            upload.complete()
            seen.append(upload.path)
            inodes.append(Path(upload.path).stat().st_ino)
            assert Path(upload.path).read_bytes() == b"%d---" % number + b"-" * (4 - number)
            if number == 1:
                shutil.move(upload.path, tmp_path / "taken")
        assert not Path(upload.path).exists()
    assert len(set(seen)) == 4
    assert inodes[0] == inodes[1]
    assert inodes[2] == inodes[3]
    assert (tmp_path / "taken").read_bytes() == b"1------"
    folder = Path(seen[0]).parent
    for _ in range(100):
        if not list(folder.iterdir()):
            break
        await asyncio.sleep(0.05)
    assert list(folder.iterdir()) == []
    scratch.close()
    assert not folder.exists()


def test_without_room_in_memory_uploads_go_to_the_disk_and_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cvflow_tui.backend.runtime.runner import scratch as module

    monkeypatch.setattr(module, "SHARED_MEMORY", tmp_path / "absent")
    scratch = module.Scratch(tmp_path / "disk")
    with scratch.file(10, 100) as upload:
        asyncio.run(upload.write(b"picture"))
        upload.complete()
        path = Path(upload.path)
        assert path.read_bytes() == b"picture"
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert path.is_relative_to(tmp_path / "disk")
    assert not path.exists()
    scratch.close()


def test_what_killed_runners_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    import os

    from cvflow_tui.backend.runtime.runner.scratch import Folder, sweep

    living = Folder(tmp_path)
    left = tmp_path / "cvflow-left"
    left.mkdir()
    (left / "1").write_bytes(b"a picture")
    for folder in (living.path, left):
        os.utime(folder, (0, 0))
    sweep(tmp_path)
    assert living.path.exists()
    assert not left.exists()
    living.close()
