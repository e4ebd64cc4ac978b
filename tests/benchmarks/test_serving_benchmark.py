"""The serving benchmark's own promises: errors are no replies, a peer that is not there is told, a missed bar counts."""

import asyncio
import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.serving import peers
from benchmarks.serving.bars import lines_of, missed
from benchmarks.serving.load import SIZE, Ask, load, message, picture
from benchmarks.serving.rounds import RAW, Cell, Found, Sample
from benchmarks.serving.servers import NotRun, free_port, running
from benchmarks.serving.table import bars, processes


@contextmanager
def answering(*replies: bytes) -> Iterator[int]:
    """A server that answers each connection's requests with `replies` in turn, and closes after the last."""
    ready, port = threading.Event(), [0]
    loop = asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(reply)
            await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port[0] = server.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
WRONG = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


def test_the_picture_is_the_reference_one() -> None:
    body = picture()
    assert len(body) == SIZE == 204_406
    assert Image.open(io.BytesIO(body)).size == (1024, 1024)


def test_a_reply_that_is_an_error_is_no_reply() -> None:
    with answering(FINE, WRONG, CHUNKED, LAST) as port:
        loaded = load(port, b"picture", Ask("raw"), 2, 0.3)
    assert loaded.answered >= 3
    assert len(loaded.times) == loaded.answered
    # Each connection brings three good replies and one error; up to one connection a client is cut off by the end.
    assert abs(loaded.failed - loaded.answered / 3) <= 2
    assert 0.1 < loaded.errors < 0.4


def test_a_connection_that_breaks_is_an_error_and_not_the_end() -> None:
    with answering(FINE) as port:  # closes without saying so
        loaded = load(port, b"picture", Ask("raw"), 1, 0.3)
    assert loaded.answered >= 2
    assert loaded.failed >= 1


def test_each_client_uploads_under_its_own_name_unless_asked() -> None:
    assert message(b"x", Ask("form"), 0) != message(b"x", Ask("form"), 1)
    assert message(b"x", Ask("form", same_name=True), 0) == message(b"x", Ask("form", same_name=True), 1)


def found_with(rate: float, other: float) -> Found:
    found = Found(direct=[1.0, 1.0], not_run={"cvpm": "it cannot be installed: no such thing"})
    for server, value in (("ours", rate), ("bare", other)):
        found.samples[Cell(server, "raw", 16, RAW)] = [Sample(value, 1.5, 0.0, 100.0, 0.1, 0.0)] * 2
    for kind in ("raw", "form"):
        found.samples[Cell("ours-1", kind, 1, RAW)] = [Sample(500, 1.9, 0.0, 100.0, 0.1, 0.0)] * 2
        found.samples[Cell("bare-1", kind, 1, RAW)] = [Sample(500, 1.9, 0.0, 100.0, 0.1, 0.0)] * 2
    return found


@pytest.mark.parametrize(("rate", "met"), [(900, True), (800, True), (799, False)])
def test_a_bar_is_met_or_it_is_not(rate: float, met: bool) -> None:
    line = next(line for line in lines_of(found_with(rate, 1000)) if line.what.startswith("raw body, 16 clients: ours / bare"))
    assert line.met is met
    assert (line in missed(lines_of(found_with(rate, 1000)))) is not met


def test_rounds_that_others_disturbed_are_left_out_where_enough_are_calm() -> None:
    found = found_with(900, 1000)
    ours = found.of("ours", "raw", 16)
    found.direct.extend([1.0] * 2)
    for cell, samples in found.samples.items():
        samples.extend(samples[:2])
        found.samples[cell] = samples
    ours[0] = Sample(100, 1.5, 0.0, 100.0, 0.1, 0.5)
    line = lines_of(found)[0]
    assert (line.values, line.calm) == ((0.9, 0.9, 0.9), True)
    ours[1] = ours[0]
    line = lines_of(found)[0]
    assert (line.values, line.calm) == ((0.1, 0.1, 0.9, 0.9), False)


def test_a_peer_that_did_not_run_is_told_with_its_reason_and_its_bar_is_missed() -> None:
    found = found_with(900, 1000)
    lines = lines_of(found)
    cvpm = next(line for line in lines if line.what == "form, 16 clients: ours / original cvpm")
    assert cvpm.met is None
    assert cvpm in missed(lines)
    assert "not run: it cannot be installed: no such thing" in bars(lines)
    assert "not run: it cannot be installed: no such thing" in processes(found)


def test_pins_that_cannot_be_had_are_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    (tmp_path / "cvpm").mkdir()
    (tmp_path / "cvpm/requirements.txt").write_text("cvflow-no-such-package==9.9\n")
    cvpm = next(peer for peer in peers.PEERS if peer.name == "cvpm")
    with pytest.raises(NotRun, match="cannot be installed"):
        peers.python_of(cvpm)
    assert not list((tmp_path / "cache").rglob("whole")), "half an environment would be taken for a whole one"


def test_a_server_that_dies_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no port for me')"]
    with (
        pytest.raises(NotRun, match="status 1: no port for me"),
        running(command, free_port(), "/", cwd=tmp_path, environment={}, log=tmp_path / "log"),
    ):
        pass


def test_every_peer_is_pinned_to_the_last_requirement() -> None:
    for peer in peers.PEERS:
        pins = (peers.FOLDER / peer.name / "requirements.txt").read_text().splitlines()
        lines = [line for line in pins if line and not line.startswith((" ", "#"))]
        assert lines
        assert all("==" in line for line in lines), peer.name
        assert (peers.FOLDER / peer.name / "server.py").is_file()
