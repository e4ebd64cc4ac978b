"""Where packages come from: one file a protocol, one interface for all."""

from cvflow_tui.backend.packages.sources.base import Fetched, Source
from cvflow_tui.backend.packages.sources.parse import parse_source

__all__ = ["Fetched", "Source", "parse_source"]
