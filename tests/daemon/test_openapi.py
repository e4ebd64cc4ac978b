"""The daemon's OpenAPI document, and a live daemon held to it by schemathesis: nothing it is sent makes it fail, hang or end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from cvflow_tui.backend.api import build_api
from cvflow_tui.backend.client import DaemonClient
from cvflow_tui.model.errors import BY_CODE
from tests.daemon.described import Site, aimed, furnished
from tests.runtime.helpers import Client

CHECKS = [
    allow_header_conformance,
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
]
METHODS = ("get", "put", "post", "delete", "patch")
EXAMPLES = 3
"""Cases of each route. While working: hundreds, and other seeds."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    services: Any = None  # it is told without asking any room
    return build_api(services, "t" * 43, {"127.0.0.1"}).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, found[method]) for path, found in document["paths"].items() for method in METHODS if method in found]


def test_it_is_an_openapi_document(document: dict[str, Any]) -> None:
    validate(document)
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_route_tells_what_it_answers_and_how_it_fails(document: dict[str, Any]) -> None:
    assert len(operations(document)) > 45
    for method, path, operation in operations(document):
        replies, route = operation["responses"], f"{method} {path}"
        (done,) = [status for status in replies if status.startswith("2")]
        (reply,) = replies[done]["content"].values()
        assert reply["schema"], route
        assert {"401", "403", "405", "413", "500"} <= replies.keys(), route
        assert {"400", "415", "422"} <= replies.keys() or "requestBody" not in operation, route
        assert "422" in replies or not operation.get("parameters"), route
        assert "404" in replies or "{" not in path or path.endswith(("/log", "/log/search")), route
        for status in replies.keys() - {done}:
            (told,) = replies[status]["content"].items()
            assert told == ("application/json", {"schema": {"$ref": "#/components/schemas/ErrorReply"}}), f"{route} {status}"


def test_errors_are_what_the_client_reads(document: dict[str, Any]) -> None:
    error = document["components"]["schemas"]["ErrorReply"]
    assert error["required"] == ["error", "code"]
    assert set(error["properties"]["code"]["enum"]) == set(BY_CODE)
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()


def test_what_stands_in_a_path_or_a_query_is_bounded(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            kinds = [kind for kind in parameter["schema"].get("anyOf", [parameter["schema"]]) if kind.get("type") != "null"]
            for kind in kinds:
                bounds = {"pattern", "maxLength", "enum", "$ref", "maximum", "exclusiveMaximum"}
                assert bounds & kind.keys() or kind.get("type") == "boolean" or parameter["name"] == "since", (
                    f"{method} {path} {parameter['name']}"
                )


def test_the_kind_of_an_act_must_be_told(document: dict[str, Any]) -> None:
    for act in ("Accept", "Draw", "SetState"):
        assert "kind" in document["components"]["schemas"][act]["required"]


def test_the_client_and_the_document_know_the_same_routes(document: dict[str, Any]) -> None:
    others = {"at", "begin_with", "close", "follow", "infer"}
    """What a client does beside asking a route of the daemon."""
    assert others <= vars(DaemonClient).keys()
    methods = [name for name in vars(DaemonClient) if not name.startswith("_") and name not in others]
    assert len(methods) == len(operations(document)), "a method each"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with furnished(tmp_path_factory.mktemp("openapi") / "site") as site:
        yield site


@pytest.fixture(scope="module")
def api(site: Site) -> Any:
    told = site.document()
    del told["paths"]["/api/v1/shutdown"]  # it would end the daemon in the middle; test_lifetime.py asks for it
    schema = schemathesis.openapi.from_dict(told)
    # What a schema allows may still make no sense here (a name, a folder), be a package's fault, or lead to nobody.
    schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "401", "403", "404", "409", "422", "424", "502"]
    return schema


schema = schemathesis.pytest.from_fixture("api")


@pytest.mark.slow
@schema.parametrize()
@seed(20)
@settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_the_daemon_answers_as_it_says(case: Any, site: Site) -> None:
    """No status, type, header or shape that is not in the document; 502 is promised, 500 is not."""
    aimed(case, site.root, site.job)
    headers = {"Authorization": f"Bearer {site.token}"}
    reply = case.call(base_url=site.url, headers=headers, timeout=20)
    checks = CHECKS if reply.status_code == 502 else [*CHECKS, not_a_server_error]
    case.validate_response(reply, checks=checks, headers=headers)


@pytest.mark.slow
def test_no_route_is_open_without_the_token(site: Site, document: dict[str, Any]) -> None:
    for method, path, _ in operations(document):
        filled = re.sub(r"\{picture\}", "1", re.sub(r"\{(?!picture)\w+\}", "x", path))
        for word in ("", "Bearer x", f"Basic {site.token}"):
            assert Client(site.client.port).send(method.upper(), filled, headers={"Authorization": word}).status == 401, f"{method} {path}"


@pytest.mark.slow
def test_afterwards_all_is_as_it_was(site: Site) -> None:
    """The daemon lives, its log tells of no failure, its solver can be asked, and nothing was written beside its home."""
    assert site.client.send("GET", "/api/v1/status").json["pid"] == site.legacy.process.pid
    site.client.send("POST", "/api/v1/solvers/tests/tiny/detect/start", "{}", {"Content-Type": "application/json"})
    solvers = site.client.send("GET", "/api/v1/solvers").json
    assert [(solver["package"], solver["state"]) for solver in solvers] == [("tests/tiny", "ready")]
    log = (site.root / "home" / "logs" / "daemon.log").read_text()
    assert "Traceback" not in log
    assert {path.name for path in site.root.iterdir()} <= {"home", "pictures", "tiny", "spare", "new", "out.json", "nowhere", "wild"}
    assert len(list((site.root / "pictures").iterdir())) == 4
