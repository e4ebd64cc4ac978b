"""Rule 12: pictures are handed over as private files with names nobody can guess, name, or learn."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.conftest import package, picture, site, spec_of
from tests.runtime.helpers import Site, until

__all__ = ["package", "picture", "site", "spec_of"]

Specs = Callable[..., RunSpec]
PLACES = (Path("/dev/shm"), Path("/tmp"))


def folders(site: Site, pid: int) -> list[Path]:
    return [path for place in (*PLACES, site.home.runs) for path in place.glob(f"cvflow-{pid}-*")]


def test_they_are_private_and_their_names_random(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    other = site.start(spec_of("Echo"))
    pids = [each.status()["id"] for each in (client, other)]
    asking = threading.Thread(target=lambda: client.infer(picture, "?seconds=2"))
    asking.start()
    until(lambda: client.status()["state"] == "busy")
    (folder,) = folders(site, pids[0])
    assert folder.stat().st_mode & 0o777 == 0o700
    files = list(folder.iterdir())
    assert files and all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    assert all(path.stat().st_uid == os.getuid() for path in files)
    (second,) = folders(site, pids[1])
    words = [path.name.rpartition("-")[2] for path in (folder, second)]
    assert words[0] != words[1] and min(map(len, words)) >= 8, words
    asking.join(30)


def test_errors_never_name_them(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Fails"))
    reply = client.infer(picture)
    assert (reply.status, reply.json["error"]) == (500, "RuntimeError: no luck with the picture")
    assert b"/dev/shm" not in reply.body and b"cvflow-" not in reply.body


def test_a_client_names_no_file(site: Site, spec_of: Specs, picture: bytes) -> None:
    """The name it gives, in a form or a parameter, is nobody's path."""
    client = site.start(spec_of("Digest"))
    secret = site.home.root / "secret"
    secret.write_text("not yours")
    before = sorted(str(path) for path in site.home.root.rglob("*"))
    assert client.form(picture).status == 200
    for query in (f"?file={secret}", f"?path={secret}", f"?input_file_path={secret}", f"?files={secret}"):
        assert client.infer(picture, query).status == 400
    assert sorted(str(path) for path in site.home.root.rglob("*")) == before
