"""A package of our own, a home with its supervisor, and a client that speaks plain HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cvflow_tui.backend.runtime.sessions import session
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home

SOLVERS = '''
"""Small solvers, each with one habit."""

import enum
import os
import sys
import time
from pathlib import Path
from typing import Annotated, List, Literal, Optional

import cvflow


class Echo:
    """Answers with what it was asked."""

    def infer(self, image, threshold: float = 0.5, count: int = 1, fast: bool = False, name: str = "cat", top: Optional[int] = None):
        objects = [{"label": name, "score": threshold, "box": (0, 0, 1, float("nan"))} for _ in range(count)]
        return {"objects": objects, "fast": fast, "top": top, "pid": os.getpid()}


class Reader:
    """Decodes the picture."""

    def infer(self, image):
        width, height = image.open().size
        return {"caption": f"{width}x{height}"}


class Digest:
    """Tells which bytes it was handed."""

    concurrency = 4

    def infer(self, image):
        import hashlib

        return {"caption": hashlib.sha256(Path(image.path).read_bytes()).hexdigest(), "word": "\\u00e9\\ud800"}


class Fails:
    """Raises in infer."""

    def infer(self, image):
        raise RuntimeError(f"no luck with {image.path}")


class Broken:
    """Raises in its constructor."""

    def __init__(self):
        print("about to fail")
        raise ValueError("the weights are for\\nanother model")


class Chatty:
    """Prints what a terminal must not see."""

    def __init__(self):
        print("\\x1b[31mred\\x1b[0m \\x1b]0;owned\\x07title \\x9b2Jclear")
        sys.stdout.write("10%\\r20%\\r100%\\n")
        print("<b>markup stays text</b>", file=sys.stderr)

    def infer(self, image):
        print("asked")
        return {"caption": "ok"}


class Slow:
    """Takes its time."""

    def infer(self, image, seconds: float = 0.2):
        time.sleep(seconds)
        return {"caption": "slept"}


class Shapes:
    """Sees a dog and a cat in every picture, in every way there is."""

    def infer(self, image):
        dog = {"label": "dog", "score": 0.9, "box": [20, 20, 100, 80], "polygons": [[20, 20, 100, 20, 100, 80]], "text": "REX"}
        runs = [30 * 100 + 10, 10] + [90, 10] * 29 + [140 * 100 - 20 + 100]
        cat = {"label": "cat", "score": 0.3, "box": [0, 0, 10, 10], "mask": {"size": [100, 200], "counts": runs}}
        cat["keypoints"] = [[50, 50, 2], [60, 60, 0]]
        classes = [{"label": "outdoor", "score": 0.7}, {"label": "indoor", "score": 0.6}]
        return {"objects": [dog, cat], "classes": classes, "caption": "a dog and a cat"}


class AtLeast:
    """Stands for what annotated-types or pydantic would put there."""

    def __init__(self, ge, le):
        self.ge, self.le = ge, le


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Typed:
    """Has parameters of every kind."""

    def infer(
        self,
        image,
        mode: Literal["fast", "good"] = "fast",
        threshold: Annotated[float, AtLeast(0, 1), "The least sure"] = 0.5,
        top: Optional[int] = None,
        labels: List[str] = (),
        sizes: "list[int]" = (),
        colour: Colour = Colour.RED,
        deep: bool = False,
    ):
        """Sees what it is told to see.

        And says so.
        """
        return {"objects": [], "mode": mode, "labels": list(labels), "sizes": list(sizes), "top": top, "colour": colour.name}


class Speechless:
    """Fails, and its failure cannot say how."""

    def infer(self, image):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError

        raise Mute


class Late:
    """Opens the picture, takes its time, then reads it; tells what it read the last time."""

    before = ""

    def infer(self, image, seconds: float = 0.2):
        from PIL import Image

        with open(image.path, "rb") as file:
            time.sleep(seconds)
            caption = "%dx%d" % Image.open(file).size
        before, self.before = self.before, caption
        return {"caption": caption, "before": before}


class SlowStart:
    """Takes its time to start."""

    def __init__(self):
        time.sleep(1.0)

    def infer(self, image):
        return {"caption": "ok"}


class Parent:
    """Starts a process of its own."""

    def __init__(self):
        import subprocess

        self.child = subprocess.Popen(["sleep", "1000"])

    def infer(self, image):
        return {"caption": str(self.child.pid)}


class Batched:
    """Takes pictures together; one of them may be bad."""

    def infer(self, image):
        return self.infer_batch([image])[0]

    def infer_batch(self, images):
        time.sleep(0.05)
        for image in images:
            if image.open().size == (3, 3):
                raise cvflow.InputError("three by three is not for me")
        return [{"caption": f"{image.open().size[0]}", "together": len(images)} for image in images]


class Crew:
    """May be asked several things at once."""

    concurrency = 4

    def infer(self, image, seconds: float = 0.2):
        time.sleep(seconds)
        return {"caption": "ok"}


class Learner(cvflow.Solver):
    """Remembers a word."""

    def __init__(self):
        self.word = self.checkpoint.read_text() if self.checkpoint else "plain"
        if self.word == "rotten":
            raise ValueError("a rotten checkpoint")

    def infer(self, image, seconds: float = 0.0):
        time.sleep(seconds)
        return {"caption": self.word}

    def train(self, dataset, checkpoint, report, word: str = "learned", steps: int = 3, seconds: float = 0.0, fail: bool = False):
        for step in range(steps):
            report(step, steps, loss=1.0 / (step + 1))
            time.sleep(seconds)
        checkpoint.write_text(word)
        if fail:
            raise RuntimeError("diverged")
        return {"pictures": len(dataset.items), "niceness": os.nice(0), "ap": float("nan")}
'''


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Speaks to one port."""

    port: int
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def infer(self, picture: bytes, query: str = "", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", "/infer" + query, picture, {"Content-Type": "image/jpeg", **named})

    def form(self, picture: bytes | None, **fields: str) -> Reply:
        kind, body = multipart(picture, **fields)
        return self.send("POST", "/infer", body, {"Content-Type": kind})

    def control(self, method: str, path: str, told: Any = None) -> Reply:
        body = None if told is None else json.dumps(told)
        return self.send(method, path, body, {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = self.send("GET", "/_status").json
        return told


def multipart(picture: bytes | None, **fields: str) -> tuple[str, bytes]:
    boundary = "----a-boundary"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    if picture is not None:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="../../x.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        parts.append(head.encode() + picture + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(parts) + f"--{boundary}--\r\n".encode()


def make_picture(width: int = 64, height: int = 48, kind: str = "JPEG", **options: Any) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(file, kind, **options)
    return file.getvalue()


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The condition's first true value; fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def workers(runner: int) -> list[int]:
    return sorted(session(runner) - {runner})


@dataclass
class Site:
    """A home with its supervisor."""

    home: Home
    supervisor: Supervisor

    def client(self, name: str) -> Client:
        endpoint = self.supervisor.endpoint(name)
        assert endpoint is not None
        return Client(int(endpoint[0].rpartition(":")[2]), endpoint[1])

    def start(self, spec: RunSpec) -> Client:
        self.supervisor.start(spec)
        return self.client(spec.name)


def open_site(root: Path) -> Site:
    home = Home(root)
    home.make()
    return Site(home, Supervisor(home, open_state(home)))


def close_site(site: Site) -> None:
    site.supervisor.stop_all()
    site.supervisor.close()


@contextmanager
def holder(port: int) -> Iterator[None]:
    """Somebody else at a port."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield
