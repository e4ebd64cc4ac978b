"""`/status`, `/system`, `/repos`, `/repo/meta`, `/repo/env`: the original's view of what is installed."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from cvflow_tui import __version__
from cvflow_tui.backend.api import settings
from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.backend.packages.describe import files_size
from cvflow_tui.backend.packages.manifest import find_manifest
from cvflow_tui.model.errors import BY_CODE, CvflowError, RefusedError, UsageError
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.packages import InstallRequest, PackageDetail
from cvflow_tui.model.text import clean

router = APIRouter()

POLL_SECONDS = 20.0
TEXT_LIMIT = 256 << 10


@dataclass(frozen=True, slots=True)
class Repository:
    """What to install; `type` is `git`."""

    url: str
    type: str = "git"


@dataclass(frozen=True, slots=True)
class Pair:
    """An environment variable, in the original's spelling."""

    Key: str
    Value: str = field(default="", repr=False)


@router.get("/status")
def status() -> dict[str, str]:
    """That the daemon runs."""
    return {"daemon": "running"}


@router.get("/system")
def system() -> dict[str, Any]:
    """The machine."""
    import psutil

    memory = psutil.virtual_memory()
    return {
        "os": platform.system(),
        "arch": platform.machine(),
        "cpu": os.cpu_count(),
        "memory": {"total": memory.total, "available": memory.available},
        "python": platform.python_version(),
        "version": __version__,
    }


@router.get("/repos")
def repositories(rooms: Rooms) -> list[dict[str, str]]:
    """What is installed, as the original's `config.toml` listed it."""
    ports = {solver.package: str(solver.port or "") for solver in rooms.supervisor.solvers() if solver.state.is_live}
    details = [rooms.packages.detail(package.ref) for package in rooms.packages.installed()]
    return [
        {
            "Name": detail.summary.name,
            "LocalFolder": detail.path or "",
            "Vendor": detail.summary.vendor,
            "Port": ports.get(detail.summary.ref, ""),
            "Origin": detail.summary.source,
        }
        for detail in details
    ]


@router.post("/repos")
def install(rooms: Rooms, body: Repository) -> dict[str, str]:
    """Install from git; the reply comes when it is done, or says why not."""
    if body.type != "git":
        raise _bad(f"type {body.type!r} is not served: it is 'git'")
    request = InstallRequest(body.url if body.url.startswith("git+") else f"git+{body.url}")
    job: Job | None = rooms.jobs.start("install", request.source, lambda progress: rooms.packages.install(request, progress))
    while job is not None and not job.state.is_over:
        job = rooms.jobs.wait(job.id, job.revision, POLL_SECONDS)
    if job is None:
        raise RefusedError("the daemon is ending")
    if job.state is not JobState.DONE:
        raise BY_CODE.get(job.code or "", CvflowError)(job.error or "the installation was called off", detail=job.detail)
    return {"code": "success"}


@router.get("/repo/meta/{vendor}/{name}")
def meta(rooms: Rooms, vendor: str, name: str) -> dict[str, Any]:
    """A package's files as text, and its size in megabytes."""
    detail = rooms.packages.detail(f"{vendor}/{name}")
    root = Path(detail.path or "")
    manifest = find_manifest(root)
    return {
        "Config": _text(manifest) if manifest else "",
        "Dependency": _text(root / "requirements.txt"),
        "DiskSize": round(files_size(root) / 1e6, 3),
        "Readme": detail.readme,
    }


@router.get("/repo/env/{vendor}/{name}")
def variables(rooms: Rooms, vendor: str, name: str) -> list[dict[str, str]]:
    """The variables of this package and no other; that they are set, not what they hold."""
    detail = _package(rooms, vendor, name)
    return [{"Key": each.name, "Value": "(set)"} for each in settings.variables(rooms, detail.summary.ref)]


@router.post("/repo/envs/{vendor}/{name}")
def set_variable(rooms: Rooms, vendor: str, name: str, body: Pair) -> dict[str, str]:
    """Set a variable of a package; its solvers have it from their next start on."""
    detail = _package(rooms, vendor, name)
    settings.set_variable(rooms, settings.VariableBody(detail.summary.ref, body.Key, body.Value))
    return {"code": "success"}


def _package(rooms: Rooms, vendor: str, name: str) -> PackageDetail:
    return rooms.packages.detail(f"{vendor}/{name}")


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return clean(file.read(TEXT_LIMIT).decode("utf-8", "replace"))


class _BadType(UsageError):
    """400, as the original answered."""

    status = 400


def _bad(message: str) -> CvflowError:
    return _BadType(message)
