"""The word that opens the daemon."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

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


def write_private(path: Path, text: str) -> None:
    """Write a file that only the user may read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
