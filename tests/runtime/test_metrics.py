"""GET /metrics of a live runner, read by Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cvflow_tui.backend.runtime.runner.stats import Stats
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site, make_picture
from tests.runtime.test_batch import send

Key = tuple[str, tuple[tuple[str, str], ...]]


def read(client: Client) -> dict[Key, float]:
    reply = client.send("GET", "/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(reply.body.decode()))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    assert all(family.documentation for family in families)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def value(found: dict[Key, float], name: str, **labels: str) -> float:
    return found[name, tuple(sorted({"solver": "tests/demo/learner", **labels}.items()))]


def test_counts_by_protocol_variant_and_status(site: Site, spec_of: Callable[..., RunSpec], picture: bytes, tmp_path: Path) -> None:
    client = site.start(spec_of("Learner"))
    (tmp_path / "word").write_text("learned")
    client.control("PUT", "/_cvflow/variants/a%22b%5C", {"checkpoint": str(tmp_path / "word")})
    for _ in range(3):
        client.infer(picture)
    client.infer(picture, X_CVFlow_Variant='a"b\\')
    client.infer(picture, X_CVFlow_Variant="made-up")
    client.infer(b"no picture")
    send(client, *[("file", "a.jpg", make_picture())] * 2)
    found = read(client)
    assert value(found, "cvflow_responses_total", protocol="infer", variant="", status="200") == 3
    assert value(found, "cvflow_responses_total", protocol="infer", variant='a"b\\', status="200") == 1
    assert value(found, "cvflow_responses_total", protocol="infer", variant="", status="404") == 1
    assert value(found, "cvflow_responses_total", protocol="infer", variant="", status="400") == 1
    assert value(found, "cvflow_responses_total", protocol="batch", variant="", status="200") == 1
    assert value(found, "cvflow_pictures_total", variant="") == 5
    assert value(found, "cvflow_pictures_total", variant='a"b\\') == 1
    assert value(found, "cvflow_requests_total") == 7
    assert value(found, "cvflow_replicas", variant="") == value(found, "cvflow_replicas_ready", variant="") == 1
    assert (value(found, "cvflow_up"), value(found, "cvflow_waiting", variant="")) == (1, 0)


def test_batch_sizes_and_durations_are_histograms(site: Site, spec_of: Callable[..., RunSpec]) -> None:
    client = site.start(spec_of("Batched", batch=8))
    send(client, *[("file", "a.jpg", make_picture())] * 20)
    client.infer(make_picture())
    found = read(client)
    solver = "tests/demo/batched"

    def of(name: str, **labels: str) -> float:
        return value(found, name, solver=solver, **labels)

    assert of("cvflow_batch_pictures_sum", variant="") == 21
    calls = of("cvflow_batch_pictures_count", variant="")
    assert calls < 12  # they were taken together
    assert of("cvflow_batch_pictures_bucket", variant="", le="8") == of("cvflow_batch_pictures_bucket", variant="", le="+Inf") == calls
    assert of("cvflow_batch_pictures_bucket", variant="", le="1") < calls
    assert of("cvflow_request_seconds_count") == of("cvflow_request_seconds_bucket", le="+Inf") == 1


@pytest.mark.parametrize("status", [400, 404, 413, 415, 422, 503])
def test_what_is_refused_is_counted_and_has_no_time(status: int) -> None:
    """A crowd that is turned away in no time must not make the others look fast."""
    stats = Stats()
    stats.count(0.1, 200, "infer")
    for _ in range(20):
        stats.count(0.0004, status, "infer")
    stats.count(0.3, 500, "infer")
    assert (stats.requests, stats.timed, stats.percentile(0.0), stats.percentile(0.95)) == (22, 2, 100.0, 300.0)
    assert sum(stats.buckets) == 2 and stats.seconds == pytest.approx(0.4)
