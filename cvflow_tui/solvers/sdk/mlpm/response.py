"""`json_resp`: a reply as the original's handlers returned it."""

from __future__ import annotations

import json
from typing import Any, Tuple


def json_resp(data: Any, status: int = 200) -> Tuple[str, int]:
    """A value as JSON text, and a status."""
    return json.dumps(data), status
