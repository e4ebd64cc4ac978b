"""The original `cvpm` server (Flask on gevent) with the benchmark's model: `python server.py PORT`.

It is started as `cvpm.server.run_server` starts it, but on loopback instead of every interface and without gevent's access log.
"""

import sys
from pathlib import Path
from typing import Any

import gevent.pywsgi  # type: ignore[import-untyped]
from bench_model import look
from cvpm.server import server  # type: ignore[import-not-found]
from cvpm.solver import Solver  # type: ignore[import-not-found]


class Bench(Solver):  # type: ignore[misc]
    """The plain model, in the call shape of the first generation."""

    def __init__(self, toml_file: str | None = None) -> None:
        super().__init__(toml_file)
        self.set_ready()

    def infer(self, image_file: str, config: dict[str, str]) -> dict[str, Any]:
        """One picture."""
        return look(image_file)


if __name__ == "__main__":
    pretrained = Path("pretrained/pretrained.toml")  # the constructor insists on it
    pretrained.parent.mkdir(exist_ok=True)
    pretrained.touch()
    with server.app_context():
        server.solver = Bench()
    gevent.pywsgi.WSGIServer(("127.0.0.1", int(sys.argv[1])), server, log=None).serve_forever()
