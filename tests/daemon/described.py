"""A live daemon with a few real things in it, and requests aimed at them that do no harm to the machine of whoever runs the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from cvflow_tui.backend.client import DaemonClient, find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.projects import ProjectSettings
from tests.originals.legacy import Legacy, serving
from tests.packages.parts import write_package
from tests.runtime.helpers import Client, make_picture

Schema = dict[str, Any]

SOURCE = '''
class Solver:
    """Sees one box."""

    def infer(self, image, threshold: float = 0.3):
        return {"objects": [{"label": "box", "score": 0.9, "box": [1, 2, 30, 40]}]}
'''


@dataclass(frozen=True)
class Site:
    """Where the daemon listens, and the folder that holds its home and everything that it may be told to touch."""

    root: Path
    url: str
    token: str
    job: str
    legacy: Legacy

    @property
    def client(self) -> Client:
        """What speaks to it, with the token."""
        return Client(int(self.url.rpartition(":")[2]), headers={"Authorization": f"Bearer {self.token}"})

    def document(self) -> Schema:
        """What it tells of itself."""
        told: Schema = self.client.send("GET", "/api/v1/openapi.json").json
        return told


@contextmanager
def furnished(root: Path) -> Iterator[Site]:
    """A daemon of its own process with an installed package, a running solver, a project of a few pictures, and a job that has ended."""
    (root / "pictures").mkdir(parents=True)
    for number in range(4):
        (root / "pictures" / f"{number}.jpg").write_bytes(make_picture())
    for name in ("tiny", "spare"):
        write_package(root / name, vendor="tests", source=SOURCE)
    with serving(root / "home") as legacy:
        address = find_daemon(Home(root / "home"))
        assert address is not None
        client = DaemonClient.at(address)
        job = asyncio.run(_furnish(client, root))
        yield Site(root, address.url, address.token, job, legacy)


async def _furnish(client: DaemonClient, root: Path) -> str:
    async with client:
        job = await client.install(str(root / "tiny"))
        *_, ended = [each async for each in client.follow(job.id)]
        assert ended.error is None, ended
        await client.start_solver("tests/tiny/detect")
        await client.change_settings("tests/tiny/detect", {"keep_alive": "1h"})
        await client.set_variable("tests/tiny", "A_WORD", "said")
        await client.create_project("boxes", [str(root / "pictures")], ["box", "dog"], settings=ProjectSettings("tests/tiny/detect"))
        await client.create_project("spare", [str(root / "pictures")], ["box"])
        await client.open_picture("boxes")
        return job.id


def aimed(case: Any, root: Path, job: str) -> None:
    """Give what was made up names that there are, so that it reaches more than "there is no such thing", and keep it within `root`.

    Every other time only, and never where the case is broken on purpose: but no path of it leads out of `root` then either.
    """
    if not case.meta or case.meta.generation.mode.is_positive:
        chance = Random(f"{case.path_parameters}{case.query}{case.body}")  # the same case is aimed alike whenever it is tried again
        for values in (case.path_parameters, case.query):
            for name in values or {}:
                values[name] = _aim(chance, case.operation.label, name, values[name], job)
        if isinstance(case.body, dict):
            case.body = {name: _aim_field(chance, case.operation.label, name, value, root) for name, value in case.body.items()}
    if isinstance(case.body, dict):
        case.body = {name: _inside(value, root) if name in PATHS else value for name, value in case.body.items()}


NAMES: dict[str, list[Any]] = {
    "vendor": ["tests"],
    "package": ["tiny"],
    "solver": ["detect", "Detect"],
    "picture": [1, 2],
    "ref": ["tests/tiny", "tiny"],
}
FIELDS: dict[str, list[Any]] = {
    "ref": ["tests/tiny", "tests/tiny/detect"],
    "label": ["box", "dog"],
    "solver": ["tests/tiny/detect", None],
    "suggestion": [1, 2],
    "annotation": [1, 2],
    "position": [1, 2, None],
    "box": [{"x0": 1.0, "y0": 2.0, "x1": 20.0, "y1": 30.0}],
    "format": ["coco"],
    "port": [None],
    "requirements": [[]],
    "allow_build": [[]],
    "scripts": [[]],
    "weights": [[]],
    "python": [None],
}
FILES: dict[str, list[Any]] = {
    "source": ["tiny", "spare"],
    "folder": ["new/a", "new/b", "tiny"],
    "out": ["out.json", "nowhere/out.json"],
    "picture": ["pictures/0.jpg"],
}
PATHS = {"source", "folder", "out", "picture", "pictures", "python", "weights", "requirements", "allow_build", "local_files"}
"""Fields that lead to files, or to what is fetched."""
SPARE = {"DELETE /api/v1/projects/{name}": "spare", "POST /api/v1/packages/remove": "tests/spare"}
"""What is removed is what the others do not need."""


def _aim(chance: Random, route: str, name: str, value: Any, job: str) -> Any:
    if name == "wait":
        return 0.05 if isinstance(value, float | int) and value > 0.05 else value
    if chance.random() < 0.3 and route not in SPARE:
        return value
    if name == "name":
        return SPARE.get(route, "tiny" if route.endswith("/resolve") else "boxes")
    if name == "job_id":
        return job
    if name == "ref" and "/hub/" in route:
        return "nanodet"
    return chance.choice(NAMES.get(name, [value]))


def _aim_field(chance: Random, route: str, name: str, value: Any, root: Path) -> Any:
    if name == "pictures":
        return [f"{root}/{chance.choice(['pictures', 'pictures/0.jpg', 'nothing'])}" for _ in value]
    if route in SPARE and name == "ref":
        return SPARE[route]
    if chance.random() < 0.3:
        return value
    if name in FILES:
        return f"{root}/{chance.choice(FILES[name])}"
    return chance.choice(FIELDS.get(name, [value]))


def _inside(value: Any, root: Path) -> Any:
    if isinstance(value, list):
        return [_inside(item, root) for item in value]
    if isinstance(value, dict):
        return {name: _inside(item, root) for name, item in value.items()}
    if not isinstance(value, str) or (value.startswith(f"{root}/") and ".." not in value) or value.isalnum():
        return value
    return f"{root}/wild/{value.replace('/', '-').replace('.', '-')}"
