"""Who may speak to the daemon, tried against the whole application over its transport."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cvflow_tui.backend.api import Services, build_api
from cvflow_tui.backend.api.guard import BODY_LIMIT
from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.backend.daemon.compose import Rooms
from cvflow_tui.backend.daemon.hosts import LOOPBACK, allowed_hosts
from cvflow_tui.backend.daemon.lock import HomeLock
from cvflow_tui.backend.daemon.token import ensure_token
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.daemon import DaemonStatus
from cvflow_tui.model.errors import NotFoundError, RefusedError, RemoteError, UsageError

TOKEN = "t" * 43
Ask = Callable[..., httpx.Response]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[httpx.ASGITransport]:
    home = Home(tmp_path / "home")
    home.make()
    rooms = Rooms(home, open_state(home))
    services = Services(
        packages=rooms.packages,
        supervisor=rooms.supervisor,
        upgrader=rooms.upgrader,
        projects=rooms.projects,
        learning=rooms.learning,
        jobs=rooms.jobs,
        status=lambda: DaemonStatus("http://127.0.0.1:1", 1, "0", str(home.root)),
        shutdown=lambda _: None,
    )
    yield httpx.ASGITransport(build_api(services, TOKEN, LOOPBACK), raise_app_exceptions=False)
    rooms.close()


@pytest.fixture
def ask(app: httpx.ASGITransport) -> Ask:
    def send(method: str = "GET", path: str = "/status", **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
            async with httpx.AsyncClient(transport=app, base_url="http://127.0.0.1:9/api/v1") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(once())

    return send


def test_the_token_opens(ask: Ask) -> None:
    assert ask().status_code == 200


@pytest.mark.parametrize("word", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"])
def test_any_other_word_does_not(ask: Ask, word: str) -> None:
    reply = ask(headers={"Authorization": word.encode("latin-1")})
    assert reply.status_code == 401
    assert TOKEN not in reply.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "169.254.169.254", "", "[::2]:80"])
def test_a_foreign_host_is_refused(ask: Ask, host: str) -> None:
    assert ask(headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:8", "[::1]:8"])
def test_loopback_by_any_name_is_served(ask: Ask, host: str) -> None:
    assert ask(headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_web_pages_are_refused_with_every_method(ask: Ask, method: str, headers: dict[str, str]) -> None:
    reply = ask(method, "/projects", headers=headers)
    assert reply.status_code == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_forms_are_no_json(ask: Ask) -> None:
    assert ask("POST", "/shutdown", data={"stop_solvers": "1"}).status_code == 415


def test_bodies_are_bounded(ask: Ask) -> None:
    big = ask("POST", "/projects", content=b" " * (BODY_LIMIT + 1), headers={"Content-Type": "application/json"})
    assert big.status_code == 413


def test_unknown_routes_and_bad_fields_answer_in_our_words(ask: Ask) -> None:
    missing = ask(path="/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    bad = ask("POST", "/projects", json={"name": "x"})
    assert (bad.status_code, bad.json()["code"]) == (422, "usage")
    assert "pictures" in bad.json()["error"]
    escape = ask("POST", "/projects/x/pictures/1/acts", json={"kind": "explode"})
    assert escape.status_code == 422


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..%2fetc", "a%5cb", "%00"])
def test_project_names_are_no_paths(ask: Ask, name: str) -> None:
    assert ask(path=f"/projects/{name}/pictures").status_code in (404, 422)


def test_the_client_raises_what_the_daemon_raised(app: httpx.ASGITransport) -> None:
    async def run() -> None:
        async with DaemonClient("http://127.0.0.1:9", TOKEN, app) as client:
            assert await client.packages() == []
            assert {package.name for package in await client.hub_packages()} >= {"nanodet", "face_utility"}
            with pytest.raises(NotFoundError, match="nowhere"):
                await client.project("nowhere")
            with pytest.raises(NotFoundError, match="nobody"):
                await client.start_solver("nobody")
            with pytest.raises(UsageError):
                await client.create_project("x", [], ["a"])

    asyncio.run(run())


def test_a_daemon_that_is_not_there() -> None:
    async def run() -> None:
        async with DaemonClient("http://127.0.0.1:9", TOKEN) as client:
            with pytest.raises(RemoteError, match="cannot be reached"):
                await client.status()

    asyncio.run(run())


def test_the_token_is_private_and_lasting(tmp_path: Path) -> None:
    home = Home(tmp_path)
    token = ensure_token(home)
    assert len(token) >= 43
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600
    home.token_file.chmod(0o644)
    assert ensure_token(home) == token
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600


def test_one_lock_a_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = HomeLock(home)
    with pytest.raises(RefusedError, match="already serves"):
        HomeLock(home)
    first.release()
    HomeLock(home).release()


def test_hosts_of_a_wider_binding_are_this_machines_own() -> None:
    hosts = allowed_hosts("0.0.0.0")
    assert hosts >= LOOPBACK
    assert "evil.example" not in hosts
