"""Small helpers that packages of the second generation use."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from cvpm.server import get_available_port, str2bool

from mlpm.response import json_resp

__all__ = ["get_available_port", "process_unready_requests", "str2bool"]


def process_unready_requests(solver: Any) -> Optional[Tuple[str, int]]:
    """The refusal for a solver that is not ready; None for one that is."""
    if solver.is_ready:
        return None
    return json_resp({"error": "Solver is not ready yet, please wait patiently...", "code": "500"}, 500)
