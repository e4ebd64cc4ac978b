"""The OpenAPI document of a live runner, and the runner held to it by schemathesis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site

Specs = Callable[..., RunSpec]
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def typed(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Typed"))


@pytest.fixture(scope="module")
def document(typed: Client) -> dict[str, Any]:
    told: dict[str, Any] = typed.send("GET", "/openapi.json").json
    return told


@pytest.fixture(scope="module")
def api(typed: Client) -> Iterator[Any]:
    yield schemathesis.openapi.from_url(f"http://127.0.0.1:{typed.port}/openapi.json")


def test_it_is_an_openapi_document(document: dict[str, Any]) -> None:
    validate(document)
    assert document["info"]["description"].startswith("Sees what it is told to see.")


def test_parameters_are_typed_by_the_hints(typed: Client, document: dict[str, Any]) -> None:
    found = {item["name"]: item["schema"] for item in document["paths"]["/infer"]["post"]["parameters"] if item["in"] == "query"}
    assert found == {
        "mode": {"enum": ["fast", "good"], "type": "string", "default": "fast"},
        "threshold": {"type": "number", "minimum": 0, "maximum": 1, "description": "The least sure", "default": 0.5},
        "top": {"type": ["integer", "null"], "default": None},
        "labels": {"type": "array", "items": {"type": "string"}, "default": []},
        "sizes": {"type": "array", "items": {"type": "integer"}, "default": []},
        "colour": {"enum": ["red", "green"], "type": "string", "default": "red"},
        "deep": {"type": "boolean", "default": False},
    }
    form = document["paths"]["/infer"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["mode"] == found["mode"]
    assert {item["name"]: item["schema"] for item in typed.send("GET", "/").json["parameters"]} == found


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", {"mode": "fast", "labels": [], "sizes": [], "top": None, "colour": "RED"}),
        (
            "?mode=good&labels=a,b&sizes=[1,2]&top=3&colour=green",
            {"mode": "good", "labels": ["a", "b"], "sizes": [1, 2], "top": 3, "colour": "GREEN"},
        ),
    ],
)
def test_values_come_as_the_hints_say(typed: Client, picture: bytes, query: str, told: dict[str, Any]) -> None:
    reply = typed.infer(picture, query)
    assert reply.status == 200, reply.body
    assert {name: reply.json[name] for name in told} == told


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?mode=slow", "'mode'"),
        ("?threshold=1.5", "at most 1"),
        ("?threshold=-.1", "at least 0"),
        ("?sizes=1,x", "'sizes'"),
        ("?sizes={}", "'sizes'"),
        ("?colour=blue", "'colour'"),
    ],
)
def test_values_that_do_not_fit_are_refused(typed: Client, picture: bytes, query: str, words: str) -> None:
    reply = typed.infer(picture, query)
    assert (reply.status, words in reply.json["error"]) == (400, True), reply.body


schema = schemathesis.pytest.from_fixture("api")


@pytest.mark.slow
@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_runner_answers_as_it_says(case: Any) -> None:
    """No status, type or shape of reply that is not in the document, and no failure of ours: 503 and 504 are promised, 500 is not."""
    reply = case.call(timeout=20)
    checks = CHECKS if reply.status_code in (503, 504) else [*CHECKS, not_a_server_error]
    case.validate_response(reply, checks=checks)
