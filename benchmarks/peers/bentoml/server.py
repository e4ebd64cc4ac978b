"""BentoML with the benchmark's model: one worker that may run 16 calls at once; no access log, metrics or traces.

`python -m bentoml serve server:Bench --host 127.0.0.1 --port PORT`. A form at /infer, a raw body at /raw.
"""

from pathlib import Path
from typing import Any

import bentoml  # type: ignore[import-not-found]
from bench_model import look


@bentoml.service(
    workers=1,
    threads=16,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Bench:
    """The plain model."""

    @bentoml.api(route="/infer")  # type: ignore[untyped-decorator]
    def infer(self, file: Path) -> dict[str, Any]:
        """The part `file` of a form."""
        return look(file)

    @bentoml.api(route="/raw")  # type: ignore[untyped-decorator]
    def raw(self, image: Path, /) -> dict[str, Any]:
        """A raw body."""
        return look(image)
