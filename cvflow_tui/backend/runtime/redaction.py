"""Keeps secrets out of what is written and told: each known value is replaced before anybody sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

SHORTEST = 4
"""Characters below which a value is no secret: it would be found in half of all words."""
MASK = "(redacted)"


class Redactor:
    """Replaces the values it was given, also as they look quoted for JSON, Python or a URL; of values of several lines, each line."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        found: set[str] = set()
        for value in values:
            for piece in {value, *value.splitlines()}:
                stripped = piece.strip()
                if len(stripped) >= SHORTEST:
                    found |= {piece, stripped, json.dumps(stripped)[1:-1], repr(stripped)[1:-1], quote(stripped, safe="")}
        # Longest first: a value that holds another must not be left in pieces.
        self._texts = sorted((text for text in found if text.strip()), key=len, reverse=True)
        self._bytes = [text.encode("utf-8", "surrogatepass") for text in self._texts]
        self.longest = max((len(data) for data in self._bytes), default=0)
        """Bytes of the longest form: so much of an unfinished line may be the beginning of a value."""

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def data(self, data: bytes) -> bytes:
        """The bytes without them."""
        for secret in self._bytes:
            if secret in data:
                data = data.replace(secret, MASK.encode())
        return data
