"""The room that a home folder takes: told, freed, verified."""

from cvflow_tui.backend.packages.storage.storage import Storage

__all__ = ["Storage"]
