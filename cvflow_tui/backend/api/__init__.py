"""The daemon's routes, one file a resource."""

from cvflow_tui.backend.api.app import build_api
from cvflow_tui.backend.api.services import Services

__all__ = ["Services", "build_api"]
