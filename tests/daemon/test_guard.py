"""Who may speak to the daemon, tried against the whole application over its transport."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cvflow_tui.backend.api import Services, build_api, guard
from cvflow_tui.backend.api.errors import ErrorResponse
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
from tests.runtime.helpers import make_picture

TOKEN = "t" * 43
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.ASGITransport]:
    home = Home(tmp_path_factory.mktemp("guard") / "home")
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


@pytest.fixture(scope="module")
def ask(app: httpx.ASGITransport) -> Ask:
    def send(method: str = "GET", path: str = "/status", **options: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            more = options.pop("headers", {})
            headers = (
                [("Authorization", f"Bearer {TOKEN}"), *more] if isinstance(more, list) else {"Authorization": f"Bearer {TOKEN}", **more}
            )
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


def test_a_request_that_names_two_hosts_is_refused(ask: Ask) -> None:
    assert ask(headers=[("Host", "127.0.0.1"), ("Host", "evil.example")]).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:8", "[::1]:8"])
def test_loopback_by_any_name_is_served(ask: Ask, host: str) -> None:
    assert ask(headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8888"},  # a page of another server of this machine
        {"Origin": "http://localhost"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_web_pages_are_refused_with_every_method(ask: Ask, method: str, headers: dict[str, str]) -> None:
    reply = ask(method, "/projects", headers=headers)
    assert reply.status_code == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_page_of_the_daemons_own_address_is_none_of_another_site(ask: Ask) -> None:
    assert ask(headers={"Origin": "http://127.0.0.1:9", "Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_body_that_does_not_come_is_not_waited_for(app: httpx.ASGITransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    sent: list[Any] = []
    told = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Any:
        return next(told, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"host": "127.0.0.1", "authorization": f"Bearer {TOKEN}", "content-type": "application/json", "content-length": "9"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/shutdown",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(asyncio.wait_for(app.app(scope, receive, send), 10))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["error"] == "the body did not come in 0.05 s"


def test_forms_are_no_json(ask: Ask) -> None:
    assert ask("POST", "/shutdown", data={"stop_solvers": "1"}).status_code == 415


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/json5", None])
def test_no_method_takes_another_kind_of_body(ask: Ask, method: str, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    assert ask(method, "/variables", content=b'{"ref": "x", "name": "A"}', headers=headers).status_code == 415


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"])
def test_json_is_json_however_it_is_written(ask: Ask, kind: str) -> None:
    assert ask("DELETE", "/variables", content=b'{"ref": "nobody", "name": "A"}', headers={"Content-Type": kind}).status_code == 404


def test_a_refusal_says_which_door_there_is(ask: Ask) -> None:
    assert ask(headers={"Authorization": ""}).headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/status", "GET"),
        ("/projects", "GET, POST"),
        ("/projects/x", "DELETE, GET"),
        ("/variables", "DELETE, GET, PUT"),
        ("/solvers/a/b/c/settings", "GET, PATCH"),
    ],
)
def test_a_method_that_is_not_taken_is_told_those_that_are(ask: Ask, path: str, allowed: str) -> None:
    for method in ("OPTIONS", "TRACE", "POST" if "POST" not in allowed else "PATCH"):
        reply = ask(method, path)
        assert (reply.status_code, reply.headers["Allow"], reply.json()["code"]) == (405, allowed, "usage")


def test_bodies_are_bounded(ask: Ask) -> None:
    big = ask("POST", "/projects", content=b" " * (BODY_LIMIT + 1), headers={"Content-Type": "application/json"})
    assert big.status_code == 413


def test_unknown_routes_and_bad_fields_answer_in_our_words(ask: Ask) -> None:
    missing = ask(path="/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    bad = ask("POST", "/projects", json={"name": "x"})
    assert (bad.status_code, bad.json()["code"]) == (422, "usage")
    assert "pictures" in bad.json()["error"]
    assert ask(path="/projects/").status_code == 404, "and leads nowhere else"
    escape = ask("POST", "/projects/x/pictures/1/acts", json={"kind": "explode"})
    assert escape.status_code == 422


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "the body is no JSON"),
        (b"\xff\xfe\xfa", "the body is no JSON that can be read"),
        pytest.param(b"[" * 100_000, "the body is no JSON that can be read", id="endless"),
        pytest.param(b"[" * 900 + b"]" * 900, "body: ", id="deep"),
        pytest.param(b'{"stop_solvers": ' + b"9" * 5000 + b"}", "the body is no JSON that can be read", id="long number"),
        (b'{"stop_solvers": 1}', "stop_solvers: "),
        (b'{"stop_solvers": "yes"}', "stop_solvers: "),
        (b'{"stop_solvers": NaN}', "stop_solvers: "),
        (b'{"stop_solvers": "\\ud800"}', "stop_solvers: "),
        (b'{"\\udfff": 1}', "body: "),
        (b"[]", "body: "),
        (b"null", "body: "),
        (b'"x"', "body: "),
    ],
)
def test_a_body_is_what_json_tells(ask: Ask, body: bytes, words: str) -> None:
    reply = ask("POST", "/shutdown", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code in (400, 422), reply.json()["code"]) == (True, "usage"), reply.text
    assert words in reply.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "accept", "suggestion": "1"},
        {"kind": "accept", "suggestion": 1 << 63},
        {"kind": "accept", "suggestion": 1.5},
        {"kind": "draw", "label": "a\0", "box": {"x0": 0, "y0": 0, "x1": 1, "y1": 1}},
        {"kind": "draw", "label": "a", "box": {"x0": 0, "y0": 0, "x1": 1, "y1": float("inf")}},
        {"kind": "accept_rest", "threshold": float("nan")},
        {"kind": "set_state", "state": "gone"},
        {"kind": "\ud800"},
        {},
    ],
)
def test_an_act_is_of_one_kind_and_holds_what_can_be_kept(ask: Ask, body: dict[str, Any]) -> None:
    reply = ask("POST", "/projects/x/pictures/1/acts", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["code"]) == (422, "usage"), reply.text


@pytest.mark.parametrize("path", ["/hub/package?ref={}", "/package?ref={}", "/solvers/resolve?name={}", "/variables?ref={}", "/jobs/{}"])
@pytest.mark.parametrize("name", ["0" * 400, "%C3%A9" * 200, "%00", "..", "%1b[31m", "%ff", "x%0Ay"])
def test_a_name_that_no_file_can_have_is_only_unknown(ask: Ask, path: str, name: str) -> None:
    reply = ask(path=path.format(name))
    assert (reply.status_code in (404, 422), "\x1b" in reply.json()["error"]) == (True, False), reply.text


def test_what_is_no_character_can_still_be_told_of() -> None:
    """A picture's name that is no UTF-8, in an error."""
    name = os.fsdecode(b"a\xff\x1b[31m.jpg")
    body = ErrorResponse(f"{name} is gone\n\tnow", "not_found", 404, detail=f"{name}\n").body
    assert json.loads(bytes(body)) == {"error": "a?.jpg is gone now", "code": "not_found", "detail": "a?.jpg\n"}


def test_what_a_job_works_on_is_text(ask: Ask) -> None:
    for path, field in (("/packages/install", "source"), ("/packages/upgrade", "ref"), ("/packages/check", "source")):
        job = ask("POST", path, json={field: "nothing\x1b]0;owned\x07\x1b[31m\n\u202e"}).json()
        assert job["subject"] == "nothing \ufffd"


def test_an_export_takes_the_place_of_no_device(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(make_picture())
    assert ask("POST", "/projects", json={"name": "out", "pictures": [str(tmp_path)], "labels": ["a"]}).status_code == 201
    os.mkfifo(pipe := tmp_path / "pipe")
    reply = ask("POST", "/projects/out/export", json={"out": str(pipe)})
    assert (reply.status_code, pipe.is_fifo()) == (409, True), reply.text
    assert ask("POST", "/projects/out/export", json={"out": str(tmp_path / "out.json")}).status_code == 200


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
