"""SQLite in WAL mode: numbered migrations, one writer at a time."""

from cvflow_tui.backend.store.ballast import Ballast
from cvflow_tui.backend.store.database import Database
from cvflow_tui.backend.store.state import open_state

__all__ = ["Ballast", "Database", "open_state"]
