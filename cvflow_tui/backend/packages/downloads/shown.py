"""Addresses as they may be shown and logged: without user name, password, and whatever a query may sign."""

from __future__ import annotations

import re

from cvflow_tui.backend.packages.pip_config import hide_credentials
from cvflow_tui.model.text import one_line

_QUERY = re.compile(r"\?[^#]*")


def shown_url(url: str, limit: int = 120) -> str:
    """The address for people. A query may be a signature that opens the file, so it is left out."""
    return hide_credentials(one_line(_QUERY.sub("?…", url), limit))
