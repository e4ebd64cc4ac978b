"""The original `mlpm` server (Quart) with the benchmark's model, laid out as its generated runner files are.

`python -m gunicorn server:aidserver -k uvicorn.workers.UvicornWorker -b 127.0.0.1:PORT`, as its Docker images do.
"""

from typing import Any

from bench_model import look
from mlpm.server import aidserver  # type: ignore[import-not-found]
from mlpm.solver import Solver  # type: ignore[import-not-found]


class Bench(Solver):  # type: ignore[misc]
    """The plain model, in the call shape of the second generation."""

    def __init__(self, toml_file: str | None = None) -> None:
        super().__init__(toml_file)
        self.ready()

    def infer(self, data: dict[str, str]) -> dict[str, Any]:
        """One picture."""
        return look(data["input_file_path"])


aidserver.solver = Bench()
