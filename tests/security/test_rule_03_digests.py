"""Rule 3, digests: whoever sends one (a manifest, a lock, an index, a caller), it is matched before it becomes a path or an argument."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.downloads.wanted import Wanted
from cvflow_tui.backend.packages.pip_config import PipConfig
from cvflow_tui.backend.packages.pypi import find_archive, parse_member
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.weights import WeightStore
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, PackageError
from tests.packages.parts import FileServer, payload, sha256, weight, write_package

HOSTILE = ["../../../etc/passwd", "A" * 64, "g" * 64, "sha256:" + "a" * 64, "", "a" * 63, "a" * 65, "a" * 64 + "\n", "..", "a/" + "b" * 62]


@pytest.mark.parametrize("digest", HOSTILE)
def test_the_store_takes_nothing_else_for_a_path(tmp_path: Path, digest: str) -> None:
    store = WeightStore(tmp_path / "weights")
    (tmp_path / "file").write_bytes(b"x")
    for work in (lambda: store.path(digest), lambda: store.has(digest), lambda: store.adopt(tmp_path / "file", digest)):
        with pytest.raises(PackageError, match="is no sha256: it names no weight"):
            work()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "wheels") == ["file"]


@given(st.text(), st.none() | st.text())
def test_a_download_lies_under_a_name_of_ours_whatever_its_address(url: str, digest: str | None) -> None:
    key = Wanted(url.encode("utf-8", "replace").decode(), None if digest is None else digest.encode("utf-8", "replace").decode(), "x").key
    assert len(key) == 40 and set(key) <= set("0123456789abcdef")


@pytest.mark.parametrize("digest", HOSTILE)
def test_an_index_that_sends_another_thing_for_a_digest_has_sent_none(tmp_path: Path, trusted: FileServer, digest: str) -> None:
    listed = {"filename": "n-1.0.tar.gz", "url": "x/n-1.0.tar.gz", "hashes": {"sha256": digest}}
    trusted.add("simple/n/index.html", json.dumps({"files": [listed]}).encode())
    trusted.types["/simple/n/"] = "application/vnd.pypi.simple.v1+json"
    found = find_archive(parse_member("pypi:n==1.0#x", "w"), PipConfig(f"{trusted.url}/simple"), Downloads(tmp_path / "d"))
    assert found.sha256 is None


@pytest.mark.parametrize("digest", HOSTILE)
def test_a_lock_is_a_strangers_until_it_is_read(service: PackageService, home: Home, tmp_path: Path, digest: str) -> None:
    data = payload(1000)
    (tmp_path / "w").write_bytes(data)
    root = write_package(tmp_path / "p", more=weight("n.onnx", (tmp_path / "w").as_uri(), sha256(data)))
    service.install(str(root), Progress())
    lock = home.packages / "local/p/1.0.0/cvflow.lock"
    lock.write_text(lock.read_text().replace(sha256(data), digest.replace("\n", "\\n")))
    from cvflow_tui.model.packages import InstallRequest

    with pytest.raises(CvflowError):
        service.install(InstallRequest("local/p", locked=True), Progress())
    found = service.storage.verify("p", Progress())
    assert [(each.path, each.kind) for each in found.findings] == [("cvflow.lock", "damaged")]
    assert sorted(path.name for path in home.weights.iterdir()) == [sha256(data)]
