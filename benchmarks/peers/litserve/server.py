"""LitServe with the benchmark's model: one worker, `python server.py PORT`. A form at /infer, a raw body at /raw.

`/alone` and `/batched` serve the batchable model, without and with LitServe's batching, each with one worker of its own.
"""

import io
import sys
from typing import Annotated, Any

import litserve  # type: ignore[import-not-found]
from bench_model import look, look_together
from fastapi import Body, Request
from pydantic import AfterValidator


class Form(litserve.LitAPI):  # type: ignore[misc]
    """Takes the part `file` of a form."""

    def setup(self, device: str) -> None:
        """Nothing to load."""

    def decode_request(self, request: Request) -> bytes:
        """The picture."""
        return bytes(request["file"].file.read())  # what LitServe calls a request here is the parsed form

    def predict(self, picture: Any) -> Any:
        """The plain model."""
        return look(picture)

    def encode_response(self, output: Any) -> Any:
        """As it is."""
        return output


class Raw(Form):
    """Takes a raw body. LitServe reads a `Request` as a form or as JSON; FastAPI's own way to bytes is this hint.

    They are handed on as a file: LitServe writes the repr of what it is given into a log line that nobody reads, which for the
    bytes of a picture costs more than all else.
    """

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg"), AfterValidator(io.BytesIO)]) -> Any:  # type: ignore[override]
        """The picture."""
        return request.getvalue()  # type: ignore[attr-defined]


class Alone(Raw):
    """The batchable model, one picture a call."""

    def predict(self, picture: Any) -> Any:
        """One picture."""
        return look_together([picture])[0]


class Batched(Raw):
    """The batchable model, with LitServe's batching."""

    def batch(self, inputs: Any) -> Any:
        """A list is what the model takes."""
        return inputs

    def predict(self, pictures: Any) -> Any:
        """Several pictures."""
        return look_together(pictures)

    def unbatch(self, output: Any) -> Any:
        """A list is what the model gives."""
        return output


if __name__ == "__main__":
    apis = [
        Form(api_path="/infer"),
        Raw(api_path="/raw"),
        Alone(api_path="/alone"),
        Batched(api_path="/batched", max_batch_size=16, batch_timeout=0.003),
    ]
    # fast_queue (ZeroMQ) measured faster than the default queue; one API server, as every other server here has.
    server = litserve.LitServer(apis, accelerator="cpu", workers_per_device=1, fast_queue=True)
    options: dict[str, Any] = {"num_api_servers": 1, "generate_client_file": False, "log_level": "error", "access_log": False}
    server.run(host="127.0.0.1", port=int(sys.argv[1]), **options)
