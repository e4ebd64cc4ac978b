"""Who may speak to the original routes: the API's doors, and a token that clients of that time can send too."""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.datastructures import Headers

from cvflow_tui.backend.api.guard import Guard
from cvflow_tui.backend.api.legacy.proxy import PREFIX


class LegacyGuard(Guard):
    """Takes the token as `Authorization: Bearer` or as the password of `http://cvflow:TOKEN@HOST:PORT/` (Basic)."""

    def _knows_token(self, headers: Headers) -> bool:
        return super()._knows_token(headers) or hmac.compare_digest(_password(headers.get("authorization", "")), self._token)

    def _body_refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        # What goes to a solver is the solver's to judge: its runner has limits of its own.
        return None if path.startswith(PREFIX) else super()._body_refusal(path, headers)


def _password(authorization: str) -> bytes:
    kind, _, told = authorization.partition(" ")
    if kind.lower() != "basic":
        return b""
    try:
        return base64.b64decode(told.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
