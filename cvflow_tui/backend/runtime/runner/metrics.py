"""`GET /metrics`: Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from cvflow_tui.backend.runtime.runner.lane import Lane
from cvflow_tui.backend.runtime.runner.service import Service
from cvflow_tui.backend.runtime.runner.stats import BATCHES, BUCKETS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Samples = Iterable[tuple[Mapping[str, object], float]]


def metrics(service: Service) -> str:
    """All of them."""
    stats, (cpu, memory) = service.stats, service.usage()
    solver = {"solver": service.spec.name}
    lanes = {"": service.main, **service.variants}

    def one(value: float) -> Samples:
        return [(solver, value)]

    def each(value: Mapping[str, float]) -> Samples:
        return [({**solver, "variant": name}, count) for name, count in value.items()]

    answers = [
        ({**solver, "protocol": protocol, "variant": variant, "status": status}, count)
        for (protocol, variant, status), count in sorted(stats.answers.items())
    ]
    families = [
        _family("cvflow_requests_total", "counter", "Requests answered", one(stats.requests)),
        _family("cvflow_errors_total", "counter", "Requests that ended with a status of 500 or more", one(stats.errors)),
        _family("cvflow_responses_total", "counter", "Requests answered, by protocol, variant and status", answers),
        _family("cvflow_receiving", "gauge", "Requests under way, from their first byte to their reply", one(service.receiving)),
        _family("cvflow_waiting", "gauge", "Pictures that wait or are worked on", each(_each(lanes, lambda lane: lane.waiting))),
        _family("cvflow_queue_limit", "gauge", "Pictures of a variant that may wait; the next gets a 503", one(service.limits.queue)),
        _family(
            "cvflow_pictures_total", "counter", "Pictures that workers were sent", each(_each(lanes, lambda lane: lane.calls.pictures))
        ),
        _family(
            "cvflow_worker_restarts_total", "counter", "Times a worker was started again", each(_each(lanes, lambda lane: lane.restarts))
        ),
        _family("cvflow_replicas", "gauge", "Workers there should be", each(_each(lanes, lambda lane: len(lane.replicas)))),
        _family("cvflow_replicas_ready", "gauge", "Workers that take pictures", each(_each(lanes, _ready))),
        _family("cvflow_up", "gauge", "1 while the solver takes requests", one(int(service.state in ("ready", "busy")))),
        _family("cvflow_uptime_seconds", "gauge", "Seconds since the runner began", one(round(service.uptime, 3))),
        _family("cvflow_cpu_percent", "gauge", "Per cent of one core, runner and workers", one(cpu)),
        _family("cvflow_resident_bytes", "gauge", "Resident memory, runner and workers", one(memory)),
        _histogram(
            "cvflow_request_seconds",
            "Time from a request's first byte to its reply, one picture a request, of those that were not refused",
            [(solver, BUCKETS, stats.buckets, stats.timed, round(stats.seconds, 6))],
        ),
        _histogram(
            "cvflow_batch_pictures",
            "Pictures a worker was handed at a time",
            [
                ({**solver, "variant": name}, BATCHES, lane.calls.sizes, lane.calls.calls, lane.calls.pictures)
                for name, lane in lanes.items()
            ],
        ),
    ]
    return "\n".join(line for family in families for line in family) + "\n"


def _each(lanes: Mapping[str, Lane], value: Callable[[Lane], float]) -> dict[str, float]:
    return {name: value(lane) for name, lane in lanes.items()}


def _ready(lane: Lane) -> int:
    return sum(replica.takes_calls for replica in lane.replicas)


def _family(name: str, kind: str, text: str, samples: Samples) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    return [*lines, *(f"{name}{_labels(labels)} {value}" for labels, value in samples)]


def _histogram(
    name: str, text: str, series: Iterable[tuple[Mapping[str, object], Sequence[float], Sequence[int], int, float]]
) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
    for labels, edges, counts, total, whole in series:
        for edge, below in zip(edges, accumulate(counts), strict=True):
            lines.append(f"{name}_bucket{_labels({**labels, 'le': edge})} {below}")
        lines.append(f"{name}_bucket{_labels({**labels, 'le': '+Inf'})} {total}")
        lines += [f"{name}_sum{_labels(labels)} {whole}", f"{name}_count{_labels(labels)} {total}"]
    return lines


def _labels(labels: Mapping[str, object]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
