"""Weights: relative, file:, and https: over real TLS, cut off, resumed, verified, kept once."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages import disk
from cvflow_tui.backend.packages.downloads import KEPT_SECONDS, Downloads, sweep
from cvflow_tui.backend.packages.downloads.bodies import RECEIVED
from cvflow_tui.backend.packages.downloads.wanted import Wanted
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.weights import WeightFetcher, WeightStore
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError

from .parts import FileServer, Watching, payload, sha256, weight, write_package

DATA = payload(3_000_000)


@pytest.fixture
def downloads(tmp_path: Path, trusted: FileServer) -> Downloads:
    """Of whoever trusts the server."""
    return Downloads(tmp_path / "downloads")


@pytest.fixture
def fetcher(tmp_path: Path, downloads: Downloads) -> WeightFetcher:
    (tmp_path / "store").mkdir()
    return WeightFetcher(WeightStore(tmp_path / "store"), downloads)


def package(tmp_path: Path, *tables: str) -> Package:
    number = len(list(tmp_path.glob("package-*")))
    return load_package(write_package(tmp_path / f"package-{number}", more="".join(tables)))


def left(downloads: Downloads) -> list[str]:
    return sorted(path.name for path in downloads.folder.iterdir()) if downloads.folder.exists() else []


def test_relative_and_file_weights(tmp_path: Path, fetcher: WeightFetcher) -> None:
    (tmp_path / "else where.bin").write_bytes(DATA)
    url = (tmp_path / "else where.bin").as_uri()
    made = package(
        tmp_path, weight("a.bin", "nets/a.bin", sha256(b"a")), weight("b.bin", "pretrained/b.bin"), weight("c.bin", url, sha256(DATA))
    )
    for name, data in (("nets/a.bin", b"a"), ("pretrained/b.bin", b"b")):
        (made.root / name).parent.mkdir(exist_ok=True)
        (made.root / name).write_bytes(data)
    placed = fetcher.place(made, tmp_path / "work", Progress())
    assert [(weight.name, weight.sha256, weight.size) for weight in placed] == [
        ("a.bin", sha256(b"a"), 1),
        ("b.bin", sha256(b"b"), 1),
        ("c.bin", sha256(DATA), len(DATA)),
    ]
    assert [(made.root / "pretrained" / name).read_bytes() for name in ("a.bin", "b.bin", "c.bin")] == [b"a", b"b", DATA]
    assert (made.root / "pretrained/a.bin").samefile(made.root / "nets/a.bin")


def test_https_with_a_certificate_that_the_environment_trusts(
    tmp_path: Path, fetcher: WeightFetcher, downloads: Downloads, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvflow_tui.backend.packages.meter.INTERVAL", 0.0)
    url = trusted.add("net.onnx", DATA)
    made, progress = package(tmp_path, weight("n.onnx", url, sha256(DATA))), Watching()
    fetcher.place(made, tmp_path / "work", progress)
    assert (made.root / "pretrained/n.onnx").read_bytes() == DATA
    assert progress.steps == ["downloading n.onnx"]
    amounts = [done for _, done, _ in progress.reports]
    assert amounts == sorted(amounts) and amounts[-1] == len(DATA) and len(amounts) > len(DATA) // RECEIVED
    assert {total for _, _, total in progress.reports[:1]} == {len(DATA)}
    assert left(downloads) == []


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path, https: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    fetcher = WeightFetcher(WeightStore(tmp_path / "store"), Downloads(tmp_path / "downloads"))
    made = package(tmp_path, weight("n", https.add("n", DATA)))
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        fetcher.place(made, tmp_path / "work", Progress())
    assert https.gets("n") == []


def test_pips_certificate_serves_where_the_environment_has_none(
    tmp_path: Path, https: FileServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PIP_CERT", str(certificate[0]))
    downloads = Downloads(tmp_path / "d")
    assert downloads.get(https.add("n", DATA), None, "n", tmp_path / "got", Progress()).sha256 == sha256(DATA)


def test_a_connection_that_is_cut_goes_on_where_it_was(tmp_path: Path, fetcher: WeightFetcher, trusted: FileServer) -> None:
    url = trusted.add("n", DATA)
    trusted.cut_after = [1_000_000, 700_000]
    made = package(tmp_path, weight("n", url, sha256(DATA)))
    fetcher.place(made, tmp_path / "work", Progress())
    assert (made.root / "pretrained/n").read_bytes() == DATA
    asked = [headers.get("range") for headers in trusted.gets("n")]
    assert asked[0] is None and len(asked) == 3
    starts = [int(str(value).removeprefix("bytes=").removesuffix("-")) for value in asked[1:]]
    assert 0 < starts[0] <= 1_000_000 < starts[1] <= 1_700_000
    assert all("if-range" in headers for headers in trusted.gets("n")[1:])


def test_a_later_attempt_goes_on_with_what_an_earlier_one_got(
    tmp_path: Path, downloads: Downloads, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvflow_tui.backend.packages.downloads.fetching.RETRIES", 0)
    url = trusted.add("n", DATA)
    trusted.cut_after = [1_500_000, 0]
    with pytest.raises(RemoteError, match=r"https://127\.0\.0\.1:\d+/n cannot be fetched"):
        downloads.get(url, sha256(DATA), "n", tmp_path / "got", Progress())
    assert not (tmp_path / "got").exists() and any(name.endswith(".part") for name in left(downloads))
    progress = Watching()
    # Another object with the same folder, as after a restart of the daemon.
    Downloads(downloads.folder).get(url, sha256(DATA), "n", tmp_path / "got", progress)
    assert (tmp_path / "got").read_bytes() == DATA
    assert progress.reports[0][1] >= 1_400_000


def test_a_server_that_ignores_ranges_sends_the_file_again(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    trusted.ignore_ranges = True
    trusted.cut_after = [2_000_000]
    got = downloads.get(trusted.add("n", DATA), sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA and got.size == len(DATA)


@pytest.mark.parametrize("digest_known", [True, False])
def test_a_file_that_changed_between_two_attempts_is_not_mixed(
    tmp_path: Path, downloads: Downloads, trusted: FileServer, digest_known: bool
) -> None:
    new = payload(3_000_000, seed=2)
    url = trusted.add("n", DATA)
    trusted.cut_after = [1_000_000]
    trusted.on_request = lambda number: trusted.add("n", new) if number == 2 else None
    downloads.get(url, sha256(new) if digest_known else None, "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == new


def test_a_stale_piece_is_thrown_away_once_the_digest_shows_it(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    url = trusted.add("n", DATA)
    downloads.folder.mkdir()
    key = Wanted(url, sha256(DATA), "n").key
    (downloads.folder / f"{key}.part").write_bytes(b"x" * 500_000)
    downloads.get(url, sha256(DATA), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == DATA
    assert [headers.get("range") for headers in trusted.gets("n")] == ["bytes=500000-", None]


@pytest.mark.parametrize("kind", ["https", "file", "relative"])
def test_the_wrong_digest_names_weight_and_both_digests_and_keeps_nothing(
    tmp_path: Path, fetcher: WeightFetcher, downloads: Downloads, trusted: FileServer, kind: str
) -> None:
    wanted = sha256(b"something else")
    (tmp_path / "w").write_bytes(DATA)
    url = {"https": trusted.add("n", DATA), "file": (tmp_path / "w").as_uri(), "relative": "README.md"}[kind]
    made = package(tmp_path, weight("net.bin", url, wanted))
    got = sha256((made.root / "README.md").read_bytes()) if kind == "relative" else sha256(DATA)
    with pytest.raises(PackageError, match=rf"^net\.bin: sha256 is {got} and should be {wanted}; nothing was kept"):
        fetcher.place(made, tmp_path / "work", Progress())
    assert left(downloads) == [] and list((tmp_path / "store").iterdir()) == []
    assert not (made.root / "pretrained").exists()


def test_called_off_in_the_middle_the_next_attempt_goes_on(
    tmp_path: Path, fetcher: WeightFetcher, downloads: Downloads, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvflow_tui.backend.packages.meter.INTERVAL", 0.0)
    first, second = trusted.add("one", b"first"), trusted.add("two", DATA)
    made = package(tmp_path, weight("one", first), weight("two", second))
    progress = Watching("downloading two", after=1_000_000)
    with pytest.raises(Cancelled):
        fetcher.place(made, tmp_path / "work", progress)
    assert 1_000_000 <= progress.reports[-1][1] < len(DATA)
    fetcher.place(made, tmp_path / "again", Progress())
    [_, again] = trusted.gets("two")
    assert int(again["range"].removeprefix("bytes=").removesuffix("-")) >= 1_000_000 and len(trusted.gets("one")) == 1
    assert (made.root / "pretrained/two").read_bytes() == DATA and left(downloads) == []


def test_called_off_while_the_server_says_nothing(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    trusted.stall.set()
    progress = Progress()
    timer = threading.Timer(0.6, progress.cancelled.set)
    timer.start()
    with pytest.raises(Cancelled):  # long before the 30 s that a silent server is given
        downloads.get(trusted.add("n", DATA), None, "n", tmp_path / "got", progress)
    timer.join()


def test_http_is_refused_but_for_this_machine(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    with pytest.raises(RefusedError, match=r"http://192\.0\.2\.1/n is not https: .*; use https:"):
        downloads.get("http://192.0.2.1/n", None, "n", tmp_path / "got", Progress())
    plain = FileServer(tmp_path / "plain", None)
    with plain.running():
        url = plain.add("n", DATA)
        assert downloads.get(url, None, "n", tmp_path / "got", Progress()).sha256 == sha256(DATA)
        trusted.redirects["/away"] = "http://192.0.2.1/n"
        with pytest.raises(RefusedError, match="is not https"):
            downloads.get(f"{trusted.url}/away", None, "n", tmp_path / "got", Progress())


def test_a_redirect_is_followed(tmp_path: Path, downloads: Downloads, trusted: FileServer) -> None:
    trusted.redirects["/latest"] = trusted.add("n", DATA)
    assert downloads.get(f"{trusted.url}/latest", None, "n", tmp_path / "got", Progress()).size == len(DATA)


def test_a_missing_file_is_said_at_once(tmp_path: Path, fetcher: WeightFetcher, trusted: FileServer) -> None:
    with pytest.raises(RemoteError, match=r"^n: https://.*/gone answered 404"):
        fetcher.place(package(tmp_path, weight("n", f"{trusted.url}/gone")), tmp_path / "work", Progress())
    assert len(trusted.gets("gone")) == 1
    with pytest.raises(PackageError, match=r"^n: there is no file 'gone' in the package"):
        fetcher.place(package(tmp_path, weight("n", "gone")), tmp_path / "work", Progress())
    with pytest.raises(PackageError, match=r"^n: '\.\./x' leads out of the package"):
        fetcher.place(package(tmp_path, weight("n", "../x")), tmp_path / "work", Progress())
    with pytest.raises(PackageError, match=r"^n: /nowhere/x cannot be read: No such file"):
        fetcher.place(package(tmp_path, weight("n", "file:///nowhere/x")), tmp_path / "work", Progress())
    with pytest.raises(PackageError, match=r"^n: 'ftp://h/x' is no address of a weight"):
        fetcher.place(package(tmp_path, weight("n", "ftp://h/x")), tmp_path / "work", Progress())


def test_what_the_store_has_is_not_fetched_again(tmp_path: Path, fetcher: WeightFetcher, trusted: FileServer) -> None:
    url = trusted.add("n", DATA)
    made = package(tmp_path, weight("n", url, sha256(DATA)))
    fetcher.place(made, tmp_path / "work", Progress())
    store = WeightStore(tmp_path / "store")
    store.adopt(made.root / "pretrained/n", sha256(DATA))
    other = package(tmp_path, weight("other", url, sha256(DATA)))
    assert fetcher.missing_bytes(other) == 0
    fetcher.place(other, tmp_path / "work2", Progress())
    assert (other.root / "pretrained/other").samefile(made.root / "pretrained/n")
    assert len(trusted.gets("n")) == 1
    assert store.sweep(set()) == len(DATA) and not store.has(sha256(DATA))
    assert (made.root / "pretrained/n").read_bytes() == DATA


def test_an_original_package_finds_its_weight_under_the_last_part_of_the_url(
    tmp_path: Path, fetcher: WeightFetcher, trusted: FileServer
) -> None:
    root = write_package(tmp_path / "p")
    (root / "pretrained.toml").write_text(weight("My Net", trusted.add("a/net.pth", DATA)))
    fetcher.place(load_package(root), tmp_path / "work", Progress())
    assert (root / "pretrained/net.pth").samefile(root / "pretrained/My Net")


def test_sizes_are_asked_of_the_server(tmp_path: Path, fetcher: WeightFetcher, trusted: FileServer) -> None:
    made = package(tmp_path, weight("n", trusted.add("n", DATA)), weight("m", trusted.add("m", b"m")))
    assert fetcher.missing_bytes(made) == len(DATA) + 1
    assert trusted.gets("n") == []
    assert fetcher.missing_bytes(package(tmp_path, weight("n", f"{trusted.url}/none"))) is None


def test_old_pieces_are_swept_and_young_ones_kept(tmp_path: Path) -> None:
    (tmp_path / "old.part").write_text("x")
    (tmp_path / "new.part").write_text("x")
    now = (tmp_path / "new.part").stat().st_mtime
    os.utime(tmp_path / "old.part", (now - KEPT_SECONDS - 1,) * 2)

    def there() -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir() if path.is_file())

    assert sweep(tmp_path, now, up=100.0) == 0 and there() == ["new.part", "old.part", "old.stale"]
    assert sweep(tmp_path, now, up=3000.0) == 0 and there() == ["new.part", "old.part", "old.stale"]
    assert sweep(tmp_path, now, up=4000.0) > 0 and there() == ["new.part"]


@pytest.mark.parametrize("jump", [-10 * KEPT_SECONDS, 10 * KEPT_SECONDS])
def test_a_clock_that_jumps_takes_no_download_away(tmp_path: Path, jump: float) -> None:
    """At the start of a machine whose clock has lost its time, and after it has been put right."""
    (tmp_path / "cut.part").write_text("x")
    now = (tmp_path / "cut.part").stat().st_mtime
    assert sweep(tmp_path, now + jump, up=10.0) == 0
    assert sweep(tmp_path, now + 60, up=70.0) == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["cut.part"], "and nothing is remembered against it"
    assert sweep(tmp_path, now + jump, up=90000.0) == 0


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB, where the machine lets us mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("this user cannot mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk_is_noticed_before_a_byte_is_fetched(tmp_path: Path, small_disk: Path, trusted: FileServer) -> None:
    downloads = Downloads(small_disk / "d")
    with pytest.raises(RefusedError, match=r"^no disk space: net needs 3\.0 MB, and .* has (1\.9|2\.0) MB free"):
        downloads.get(trusted.add("n", DATA), sha256(DATA), "net", small_disk / "got", Progress())
    assert sum(path.stat().st_size for path in small_disk.rglob("*") if path.is_file()) < 100


def test_a_disk_that_fills_up_meanwhile(tmp_path: Path, small_disk: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system says "no space" in the middle of a write: the same error, and what arrived waits for more room."""
    monkeypatch.setattr(disk, "free_bytes", lambda path: 10**12)
    (small_disk / "store").mkdir()
    fetcher = WeightFetcher(WeightStore(small_disk / "store"), Downloads(small_disk / "d"))
    made = package(tmp_path, weight("net", trusted.add("n", DATA), sha256(DATA)))
    with pytest.raises(RefusedError, match=r"^no disk space: net needs 3\.0 MB"):
        fetcher.place(made, small_disk / "work", Progress())
    assert not (made.root / "pretrained").exists() and any(name.endswith(".part") for name in left(Downloads(small_disk / "d")))


def test_all_weights_together_must_fit_before_the_first_byte(small_disk: Path, tmp_path: Path, trusted: FileServer) -> None:
    """Each of them alone would fit."""
    (small_disk / "store").mkdir()
    (small_disk / "d").mkdir()
    fetcher = WeightFetcher(WeightStore(small_disk / "store"), Downloads(small_disk / "d"))
    tables = [weight(name, trusted.add(name, payload(900_000, seed)), None) for seed, name in enumerate(("a", "b", "c"))]
    with pytest.raises(RefusedError, match=r"^no disk space: bringing the 3 weights of .* needs 2\.7 MB, and .* has (1\.9|2\.0) MB"):
        fetcher.place(package(tmp_path, *tables), small_disk / "work", Progress())
    assert [name for name in ("a", "b", "c") if trusted.gets(name)] == []
    fetcher.place(package(tmp_path, *tables[:2]), small_disk / "work", Progress())


def test_a_mirror_of_the_manifest_delivers_what_the_first_address_does_not(
    tmp_path: Path, fetcher: WeightFetcher, trusted: FileServer
) -> None:
    table = weight("n", f"{trusted.url}/gone", sha256(DATA)) + f'mirrors = ["{trusted.url}/away", "{trusted.add("n", DATA)}"]\n'
    made = package(tmp_path, table)
    assert fetcher.missing_bytes(made) == len(DATA)
    fetcher.place(made, tmp_path / "work", Progress())
    assert (made.root / "pretrained/n").read_bytes() == DATA
    bad = package(tmp_path, weight("n", f"{trusted.url}/gone") + 'mirrors = ["pretrained/n"]\n')
    with pytest.raises(PackageError, match=r"^n: 'pretrained/n' is no address of a weight: use https: or file:"):
        fetcher.place(bad, tmp_path / "work", Progress())
