"""An idle connection outlives the time that clients' pools keep one: nobody sends into a closing door."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cvflow_tui.backend.daemon import EmbeddedDaemon
from cvflow_tui.home import Home
from tests.support.idle import ask_twice_on_one_connection


@pytest.mark.slow
def test_the_daemon_keeps_an_idle_connection_open(tmp_path: Path) -> None:
    daemon = EmbeddedDaemon(Home(tmp_path / "home"))
    daemon.start()
    try:
        ask_twice_on_one_connection(urlsplit(daemon.url).port or 0, "/api/v1/status", {"Authorization": f"Bearer {daemon.token}"})
    finally:
        daemon.stop()
