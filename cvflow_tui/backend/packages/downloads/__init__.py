"""Files over https: streamed, in parts where that pays, verified, resumed after whatever ended the last attempt."""

from cvflow_tui.backend.packages.downloads.downloads import Downloads
from cvflow_tui.backend.packages.downloads.leftovers import KEPT_SECONDS, sweep
from cvflow_tui.backend.packages.downloads.received import CHUNK, Received, file_path, wrong_digest

__all__ = ["CHUNK", "KEPT_SECONDS", "Downloads", "Received", "file_path", "sweep", "wrong_digest"]
