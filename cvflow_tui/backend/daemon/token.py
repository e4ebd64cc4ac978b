"""The word that opens the daemon."""

from __future__ import annotations

import secrets

from cvflow_tui.backend.private_file import write_private
from cvflow_tui.home import Home


def ensure_token(home: Home) -> str:
    """The home's token, made on first use: 256 random bits in a file only the user may read."""
    try:
        token = home.token_file.read_text("ascii").strip()
    except FileNotFoundError:
        token = ""
    if len(token) < 32:
        token = secrets.token_urlsafe(32)
        write_private(home.token_file, token)
    home.token_file.chmod(0o600)
    return token
