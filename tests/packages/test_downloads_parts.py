"""Large files over several connections, and servers that do not keep their word. Real https; only the pieces are made small."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.downloads import Downloads, bodies
from cvflow_tui.backend.packages.downloads.bodies import ReadInto
from cvflow_tui.backend.packages.downloads.calling_off import Shutter
from cvflow_tui.backend.packages.downloads.journal import read_journal
from cvflow_tui.backend.packages.downloads.pieces import CONNECTIONS, PIECE, PIECES, piece_size
from cvflow_tui.backend.packages.downloads.wanted import Wanted
from cvflow_tui.model.errors import PackageError, RemoteError

from .parts import FileServer, Watching, payload, sha256

DATA = payload(3_000_001)
STEP = 256 << 10
STARTS = range(0, len(DATA), STEP)
ROOM = "cvflow_tui.backend.packages.downloads"


@pytest.fixture
def downloads(tmp_path: Path, trusted: FileServer) -> Downloads:
    """Of whoever trusts the server."""
    return Downloads(tmp_path / "downloads")


@pytest.fixture
def parted(trusted: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """A server that offers ranges; a file of a megabyte is large, every connection slow, a piece has 256 kB."""
    trusted.offers_ranges = True
    monkeypatch.setattr(f"{ROOM}.transfer.LOOK_SECONDS", 0.0)
    monkeypatch.setattr(f"{ROOM}.transfer.FAST", 1 << 60)
    monkeypatch.setattr(f"{ROOM}.transfer.PARALLEL_FROM", 1_000_000)
    monkeypatch.setattr(f"{ROOM}.pieces.piece_size", lambda size: STEP)
    return trusted


def ranges(server: FileServer) -> list[tuple[int, int]]:
    """First and last byte of every range that was asked for."""
    asked = [headers["range"].removeprefix("bytes=").split("-") for headers in server.gets("n") if "range" in headers]
    return [(int(first), int(last) if last else -1) for first, last in asked]


@pytest.mark.parametrize("digest", [sha256(DATA), None])
def test_a_large_file_comes_in_pieces_over_several_connections(
    tmp_path: Path, downloads: Downloads, parted: FileServer, digest: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvflow_tui.backend.packages.meter.INTERVAL", 0.0)
    parted.slowness = 0.01
    progress = Watching()
    got = downloads.get(parted.add("n", DATA), digest, "n", tmp_path / "got", progress)
    assert (tmp_path / "got").read_bytes() == DATA and got.sha256 == sha256(DATA) and got.size == len(DATA)
    assert sorted(ranges(parted)) == [(start, min(start + STEP, len(DATA)) - 1) for start in STARTS]
    assert len({headers["if-range"] for headers in parted.gets("n")[1:]}) == 1
    amounts = [done for _, done, _ in progress.reports]
    assert amounts == sorted(amounts) and amounts[-1] == len(DATA)
    assert sorted(path.suffix for path in downloads.folder.iterdir()) == [""]


def test_a_fast_connection_brings_a_large_file_alone(
    tmp_path: Path, downloads: Downloads, parted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{ROOM}.transfer.FAST", 0)
    got = downloads.get(parted.add("n", DATA), sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA and got.size == len(DATA)
    assert len(parted.gets("n")) == 1


@pytest.mark.parametrize("cut", [False, True])
def test_what_a_slow_connection_brought_before_it_was_found_slow_is_not_fetched_again(
    tmp_path: Path, downloads: Downloads, parted: FileServer, monkeypatch: pytest.MonkeyPatch, cut: bool
) -> None:
    """Also where it is one that goes on with what another has brought."""
    monkeypatch.setattr(f"{ROOM}.transfer.LOOK_SECONDS", 0.3)
    parted.cut_after = [600_000] if cut else []
    slow = 2 if cut else 1
    parted.on_request = lambda number: setattr(parted, "slowness", 0.03 if number == slow else 0.0)
    url = parted.add("n", DATA)
    progress = Watching()
    downloads.get(url, sha256(DATA), "n", tmp_path / "got", progress)
    assert (tmp_path / "got").read_bytes() == DATA
    pieces = [(first, last) for first, last in ranges(parted) if last != -1]
    fetched = sum(last + 1 - first for first, last in pieces)
    assert len(pieces) > 1 and min(pieces)[0] > (600_000 if cut else 0) and fetched == len(DATA) - min(pieces)[0]
    begun = [done for step, done, total in progress.reports if total == len(DATA)]
    assert begun[-1] == min(pieces)[0], "the pieces go on where the one connection was"


def test_pieces_are_few_and_large() -> None:
    assert piece_size(64 << 20) == PIECE
    assert piece_size(100 << 30) % (1 << 20) == 0 and (100 << 30) / piece_size(100 << 30) <= PIECES


@pytest.mark.parametrize("why", ["small", "no ranges", "nothing tells one file from another", "encoded"])
def test_a_file_comes_over_one_connection_where_parts_are_not_sure(
    tmp_path: Path, downloads: Downloads, parted: FileServer, why: str
) -> None:
    data = DATA[:900_000] if why == "small" else DATA
    parted.offers_ranges = why != "no ranges"
    parted.has_tag = why != "nothing tells one file from another"
    parted.headers = {"Content-Encoding": "gzip"} if why == "encoded" else {}
    digest = sha256(data) if why == "encoded" else None
    downloads.get(parted.add("n", data), digest, "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == data and len(parted.gets("n")) == 1


def test_a_known_digest_allows_parts_without_a_validator(tmp_path: Path, downloads: Downloads, parted: FileServer) -> None:
    parted.has_tag = False
    downloads.get(parted.add("n", DATA), sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA and len(ranges(parted)) == len(STARTS)


def test_pieces_that_are_cut_off_go_on_where_they_were(tmp_path: Path, downloads: Downloads, parted: FileServer) -> None:
    url = parted.add("n", DATA)
    parted.cut_after = [len(DATA), 100_000, 0, 200_000, 50_000, 0, 0]
    downloads.get(url, sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA
    assert len(ranges(parted)) > len(STARTS) and any(first % STEP for first, _ in ranges(parted))


@pytest.mark.parametrize("digest", [True, False])
def test_a_file_that_changes_while_its_pieces_come_is_not_mixed(
    tmp_path: Path, downloads: Downloads, parted: FileServer, digest: bool
) -> None:
    new = payload(3_000_001, seed=2)
    url = parted.add("n", DATA)
    parted.on_request = lambda number: parted.add("n", new) if number == 6 else None
    downloads.get(url, sha256(new) if digest else None, "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == new


@pytest.mark.parametrize("large", [True, False])
def test_a_server_that_sends_ranges_of_another_file_without_being_asked_to_is_noticed(
    tmp_path: Path, downloads: Downloads, parted: FileServer, large: bool
) -> None:
    """It does not look at If-Range; only the ETag of what it sends tells, for no digest is known."""
    new = payload(3_000_001, seed=2)
    parted.offers_ranges, parted.ignore_if_range = large, True
    url = parted.add("n", DATA)
    parted.cut_after = [] if large else [1_000_000]
    changes = 6 if large else 2
    parted.on_request = lambda number: parted.add("n", new) if number == changes else None
    downloads.get(url, None, "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == new


@pytest.mark.parametrize("lie", ["ignores ranges", "another range", "encodes pieces"])
def test_a_server_that_offers_ranges_and_does_not_send_them_is_asked_for_the_whole(
    tmp_path: Path, downloads: Downloads, parted: FileServer, lie: str
) -> None:
    url = parted.add("n", DATA)
    if lie == "ignores ranges":
        parted.ignore_ranges = True
    elif lie == "another range":
        parted.shift = 7
    else:
        parted.on_request = lambda number: parted.headers.update({"Content-Encoding": "gzip"} if number > 1 else {})
    downloads.get(url, sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA


def test_a_server_that_encodes_is_not_believed_without_a_digest(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    trusted.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(RemoteError, match=r"^n: .* sends it compressed though it was asked not to: a sha256 would tell"):
        downloads.get(trusted.add("n", DATA), None, "n", tmp_path / "got", Progress())


def test_a_server_that_promises_more_than_it_has_is_given_up(
    tmp_path: Path, downloads: Downloads, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{ROOM}.fetching.RETRIES", 2)
    url = trusted.add("n", DATA[:10_000])
    trusted.headers = {"Content-Length": "20000", "Connection": "close"}
    with pytest.raises(RemoteError, match="cannot be fetched"):
        downloads.get(url, sha256(DATA), "n", tmp_path / "got", Progress())
    assert len(trusted.gets("n")) <= 8


def test_a_server_that_promises_less_than_it_has(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    trusted.headers = {"Content-Length": "10000", "Connection": "close"}
    with pytest.raises(PackageError, match=r"^n: sha256 is .* and should be .*; nothing was kept"):
        downloads.get(trusted.add("n", DATA), sha256(DATA), "n", tmp_path / "got", Progress())
    assert list(downloads.folder.iterdir()) == []


@pytest.mark.parametrize("large", [False, True])
def test_a_server_that_stalls_is_left_for_a_new_connection(
    tmp_path: Path, downloads: Downloads, parted: FileServer, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    monkeypatch.setattr(f"{ROOM}.fetching.STALL_SECONDS", 0.5)
    parted.offers_ranges = large
    url, stalled = parted.add("n", DATA), 2 if large else 1

    def stall(number: int) -> None:
        (parted.stall.set if number == stalled else parted.stall.clear)()

    parted.on_request = stall
    parted.on_request(0)
    if large:
        parted.on_request = lambda number: parted.stall.set() if number == 2 else parted.stall.clear() if number > 6 else None
    downloads.get(url, sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA
    assert len(parted.gets("n")) > (1 + len(STARTS) if large else 1)


def test_called_off_in_the_middle_of_the_pieces_every_thread_ends(tmp_path: Path, downloads: Downloads, parted: FileServer) -> None:
    parted.slowness = 0.05
    with pytest.raises(Cancelled):  # once more has come than the pieces under way can hold: one of them, at least, is whole
        downloads.get(parted.add("n", DATA), sha256(DATA), "n", tmp_path / "got", Watching("", after=CONNECTIONS * STEP))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("download-")]
    parted.slowness = 0.0
    before = len(parted.requests)
    downloads.get(f"{parted.url}/n", sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA and len(parted.requests) - before < len(STARTS)


@pytest.mark.parametrize("large", [False, True])
def test_what_is_kept_of_a_called_off_download_is_what_the_server_sent(
    tmp_path: Path, downloads: Downloads, parted: FileServer, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """More has come over the network than was read when the connection is shut: none of its ciphertext may be taken for the file."""
    parted.offers_ranges = large
    progress, shut, shutting = Progress(), threading.Event(), Shutter.shut

    def shut_now(self: Shutter) -> None:
        shutting(self)
        shut.set()

    def body_of(reply: httpx.Response) -> ReadInto:
        read, reads = bodies.body_of(reply), itertools.count(1)

        def read_into(buffer: memoryview) -> int:
            if next(reads) == 2:
                time.sleep(0.3)  # until the network's buffers are full
                progress.cancelled.set()
                shut.wait(10)
            return read(buffer)

        return read_into

    monkeypatch.setattr(Shutter, "shut", shut_now)
    for room in ("pieces", "transfer"):
        monkeypatch.setattr(f"{ROOM}.{room}.body_of", body_of)
    with pytest.raises(Cancelled):
        downloads.get(parted.add("n", DATA), sha256(DATA), "n", tmp_path / "got", progress)
    (part,) = (tmp_path / "downloads").glob("*.part")
    journal, kept = read_journal(part, digest_known=True), part.read_bytes()
    assert journal is not None and journal.is_parallel is large
    pieces = journal.pieces or {0: len(kept)}
    assert sum(pieces.values()) > 0
    for start, done in pieces.items():
        assert kept[start : start + done] == DATA[start : start + done], f"{done} bytes from {start} on"


# -- kills

CHILD = """
import sys
from pathlib import Path
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads import Downloads, pieces, transfer
folder, url, digest, into = sys.argv[1:]
transfer.PARALLEL_FROM, transfer.LOOK_SECONDS, transfer.FAST = 1_000_000, 0.0, 1 << 60
pieces.piece_size = lambda size: 262144
pieces._JOURNAL_SECONDS = 0.05
Downloads(Path(folder)).get(url, digest or None, "n", Path(into), Progress())
"""


def begin(downloads: Downloads, url: str, digest: str, into: Path) -> subprocess.Popen[bytes]:
    """A download in a process of its own."""
    command = [sys.executable, "-c", CHILD, str(downloads.folder), url, digest, str(into)]
    return subprocess.Popen(command, cwd=Path(__file__).resolve().parents[2])


def journalled(downloads: Downloads) -> int:
    """Bytes that a journal says are there."""
    found = list(downloads.folder.glob("*.json")) if downloads.folder.is_dir() else []
    pieces = json.loads(found[0].read_text())["pieces"] if found else None
    return sum(done for _, done in pieces or ())


def split(downloads: Downloads) -> tuple[set[tuple[int, int]], set[int]]:
    """By the journal: the ranges that are missing, and the numbers of the pieces that are whole."""
    missing, whole = set(), set()
    for start, done in json.loads(next(downloads.folder.glob("*.json")).read_text())["pieces"]:
        end = min(start + STEP, len(DATA))
        missing |= {(start + done, end - 1)} if start + done < end else set()
        whole |= set() if start + done < end else {start // STEP}
    return missing, whole


@pytest.mark.slow
@pytest.mark.parametrize("digest", [sha256(DATA), ""])
def test_a_killed_download_goes_on_with_the_pieces_it_had(tmp_path: Path, downloads: Downloads, parted: FileServer, digest: str) -> None:
    parted.slowness = 0.08
    url = parted.add("n", DATA)
    process = begin(downloads, url, digest, tmp_path / "got")
    deadline = time.monotonic() + 30
    while journalled(downloads) < 1_000_000 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    had, missing, whole = journalled(downloads), *split(downloads)
    assert 1_000_000 <= had < len(DATA) and not (tmp_path / "got").exists()
    parted.slowness, parted.requests[:] = 0.0, []
    progress = Watching()
    downloads.get(url, digest or None, "n", tmp_path / "got", progress)
    assert (tmp_path / "got").read_bytes() == DATA
    assert progress.reports[0][1] == had
    # What the killed one had asked for last may be noted only now: those ranges are of pieces that are not whole.
    assert missing <= set(ranges(parted)) and not {first // STEP for first, _ in ranges(parted)} & whole


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back_is_gone_on_with(
    tmp_path: Path, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{ROOM}.transfer.PARALLEL_FROM", 1_000_000)
    monkeypatch.setattr(f"{ROOM}.transfer.LOOK_SECONDS", 0.0)
    (tmp_path / "file").write_bytes(DATA * 10)
    from benchmarks.install import SERVER

    slow = SERVER.replace("last + 1 - first)\n    def", "min(65536, last + 1 - first)); __import__('time').sleep(0.02)\n    def")
    assert slow != SERVER
    port, digest = "0", sha256(DATA * 10)
    servers = []

    def serve(text: str) -> str:
        process = subprocess.Popen(
            [sys.executable, "-c", text.replace('("127.0.0.1", 0)', f'("127.0.0.1", {port})'), str(tmp_path / "file")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        servers.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    port = serve(slow)
    progress = Watching()
    result: list[object] = []
    thread = threading.Thread(
        target=lambda: result.append(downloads.get(f"http://127.0.0.1:{port}/file", digest, "n", tmp_path / "got", progress))
    )
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while (not progress.reports or progress.reports[-1][1] < 3_000_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(servers[0].pid, signal.SIGKILL)
        servers[0].wait()
        assert serve(SERVER) == port
        thread.join(60)
        assert result and (tmp_path / "got").read_bytes() == DATA * 10
    finally:
        progress.cancelled.set()
        thread.join(10)
        for process in servers:
            process.kill()
            process.wait()


def test_a_journal_of_an_earlier_start_of_the_machine_counts_only_with_a_digest(
    tmp_path: Path, downloads: Downloads, parted: FileServer
) -> None:
    """What a power cut leaves of a file may be holes: without a digest nobody would notice."""
    for digest in (None, sha256(DATA)):
        url = parted.add("n", DATA)
        wanted = Wanted(url, digest, "n")
        downloads.folder.mkdir(exist_ok=True)
        (downloads.folder / f"{wanted.key}.part").write_bytes(b"\0" * len(DATA))
        pieces = [[start, min(STEP, len(DATA) - start)] for start in STARTS]
        from cvflow_tui.backend.packages.downloads.journal import origin_of

        told = {"origin": origin_of(url), "validator": '"x"', "size": len(DATA), "boot": "another", "pieces": pieces}
        (downloads.folder / f"{wanted.key}.json").write_text(json.dumps(told))
        got = downloads.get(url, digest, "n", tmp_path / f"got-{digest}", Progress())
        assert got.sha256 == sha256(DATA) and (tmp_path / f"got-{digest}").read_bytes() == DATA


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pieces": 3}', '{"origin":"x","validator":null,"size":9,"boot":"b","pieces":[[5,2]]}'])
def test_a_damaged_journal_is_no_obstacle(tmp_path: Path, downloads: Downloads, parted: FileServer, text: str) -> None:
    url = parted.add("n", DATA)
    downloads.folder.mkdir()
    key = Wanted(url, sha256(DATA), "n").key
    (downloads.folder / f"{key}.part").write_bytes(b"x" * 1000)
    (downloads.folder / f"{key}.json").write_text(text)
    downloads.get(url, sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA


# -- mirrors


def test_mirrors_are_tried_in_their_order(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    trusted.add("good", DATA)
    mirrors = [f"{trusted.url}/gone", f"{trusted.url}/good", f"{trusted.url}/never"]
    got = downloads.get(f"{trusted.url}/first", None, "n", tmp_path / "got", Progress(), mirrors=mirrors)
    assert got.sha256 == sha256(DATA)
    assert [path for _, path, _ in trusted.requests] == ["/first", "/gone", "/good"]
    with pytest.raises(RemoteError, match=r"/first answered 404.*; .*/gone answered 404"):
        downloads.get(f"{trusted.url}/first", "0" * 64, "n", tmp_path / "none", Progress(), mirrors=mirrors[:1])


@pytest.mark.parametrize("digest", [True, False])
def test_a_mirror_goes_on_with_what_another_began_only_where_the_digest_is_known(
    tmp_path: Path, downloads: Downloads, trusted: FileServer, monkeypatch: pytest.MonkeyPatch, digest: bool
) -> None:
    monkeypatch.setattr(f"{ROOM}.fetching.RETRIES", 0)
    first, second = trusted.add("first", DATA), trusted.add("second", DATA)
    trusted.cut_after = [1_500_000, 0]
    downloads.get(first, sha256(DATA) if digest else None, "n", tmp_path / "got", Progress(), mirrors=[second])
    assert (tmp_path / "got").read_bytes() == DATA
    headers = trusted.gets("second")[0]
    assert ("range" in headers) is digest and "if-range" not in headers


def test_a_mirror_with_another_file_is_passed_by_and_told(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    bad, good = trusted.add("bad", b"other"), trusted.add("good", DATA)
    downloads.get(bad, sha256(DATA), "n", tmp_path / "got", Progress(), mirrors=[good])
    assert (tmp_path / "got").read_bytes() == DATA
    downloads.forget(bad, sha256(DATA))
    with pytest.raises(PackageError, match=rf"sha256 is {sha256(b'other')} and should be {sha256(DATA)}.*; .*/none answered 404"):
        downloads.get(bad, sha256(DATA), "n", tmp_path / "none", Progress(), mirrors=[f"{trusted.url}/none"])
