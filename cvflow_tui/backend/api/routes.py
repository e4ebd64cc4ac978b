"""Where the daemon's routes lie."""

from __future__ import annotations

from fastapi import APIRouter

PREFIX = "/api/v1"


def routes(tag: str, prefix: str = "") -> APIRouter:
    """A resource's router, its paths in full: included in another with a prefix, FastAPI would build every route a second time, which is a
    fifth of what a daemon's start costs.
    """
    return APIRouter(prefix=f"{PREFIX}{prefix}", tags=[tag])
