"""The original daemon's routes, behind `cvflow daemon run --legacy-api`: the same doors and the same rooms as the API's."""

from cvflow_tui.backend.api.legacy.app import build_legacy

__all__ = ["build_legacy"]
