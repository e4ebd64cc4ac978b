"""Puts the daemon's API together: guard, errors, routes."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import FastAPI

from cvflow_tui import __version__
from cvflow_tui.backend.api import authoring, daemon, errors, hub, jobs, packages, projects, settings, solvers, storage
from cvflow_tui.backend.api.document import DescribedApi
from cvflow_tui.backend.api.guard import Guard
from cvflow_tui.backend.api.routes import PREFIX
from cvflow_tui.backend.api.services import Services


def build_api(services: Services, token: str, hosts: Collection[str]) -> FastAPI:
    """The daemon's ASGI application.

    `token` opens it (bearer); `hosts` are the names a `Host` header may give (without port).
    """
    app = DescribedApi(
        title="cvflow daemon",
        version=__version__,
        description="Packages, solvers, projects and what is worked on, of one home folder.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        redirect_slashes=False,  # a path that is not in the document is not there
    )
    app.state.services = services
    errors.install(app)
    for resource in (daemon, hub, packages, authoring, jobs, settings, solvers, storage, projects):
        app.router.routes.extend(resource.router.routes)
    app.add_middleware(Guard, token=token, hosts=frozenset(hosts))
    return app
