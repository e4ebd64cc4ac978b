"""What a runner says of itself: `/`."""

from __future__ import annotations

from typing import Any

from cvflow_tui.backend.runtime.runner.document import parameter_schema
from cvflow_tui.backend.runtime.runner.service import Service


def about(service: Service) -> dict[str, Any]:
    """`GET /`."""
    spec, ready = service.spec, service.main.ready
    return {
        "package": spec.package,
        "version": spec.version,
        "solver": spec.solver,
        "task": spec.task,
        "state": str(service.state),
        "parameters": [
            {"name": item.name, "type": item.type, "default": item.default, "required": item.required, "schema": parameter_schema(item)}
            for item in ready.parameters
        ],
        "labels": list(spec.labels or ready.labels),
        "trainable": ready.trainable,
    }
