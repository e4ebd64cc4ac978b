"""Packages of both generations, installed from git as they are, asked every request that the originals documented."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import closing
from pathlib import Path

import pytest

from cvflow_tui.backend.packages.package import load_package
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.home import Home
from cvflow_tui.model.solvers import SolverState
from tests.originals.conftest import Install, Serve
from tests.originals.published import cvpm_package, mlpm_package
from tests.packages.parts import write_wheel
from tests.runtime.helpers import Client, make_picture, multipart, until

PICTURE = make_picture()


def form(client: Client, path: str, body: bytes | None, **fields: str) -> tuple[int, dict[str, str], object]:
    kind, sent = multipart(body, **fields)
    reply = client.send("POST", path, sent, {"Content-Type": kind})
    return reply.status, reply.headers, reply.json


@pytest.mark.slow
def test_the_first_generation_answers_every_documented_request(tmp_path: Path, install: Install, serve: Serve) -> None:
    ref = install(cvpm_package(tmp_path / "Byte_Counter"))
    assert ref.endswith("/byte_counter")
    client = serve(ref, "CountSolver")

    status, headers, told = form(client, "/infer", PICTURE, mode="facts", delete_after_process="false")
    assert status == 200 and headers["content-type"] == "application/json" and headers["x-cvflow-upload"] == "deleted"
    assert told == {
        "size": len(PICTURE),
        "word": "weighty",
        "ending": ".jpg",
        "config": {"mode": "facts", "delete_after_process": "false"},
        "types": ["str"],
        "here": True,
        "kept": False,
    }
    # Without delete_after_process the original computed the result and threw it away.
    assert form(client, "/infer", PICTURE, mode="boxes", times="2")[::2] == (200, [[1, 30, 20, 5]] * 2)
    assert form(client, "/infer", None, mode="boxes")[::2] == (400, {"error": "no file part!", "code": "400"})
    status, _, told = form(client, "/infer", PICTURE, mode="fail")
    assert status == 500 and told == {"error": "RuntimeError: no such luck", "code": "500"}
    status, _, told = form(client, "/infer", PICTURE)
    assert status == 400 and told == {"error": "the solver needs a field 'mode', which was not sent", "code": "400"}
    raw = client.infer(PICTURE, "?mode=boxes")
    assert raw.status == 200 and raw.json == [[1, 30, 20, 5]]

    about = client.send("GET", "/").json
    assert about["ENABLE_TRAIN"] is False and about["TABLE_LOCATION"] == "pretrained/table.dat" and "NOT_JSON" not in about
    assert about["attributes"]["SOLVERS"] == [] and about["solver"] == "CountSolver" and about["state"] == "ready"
    assert [(each["name"], each["required"]) for each in about["parameters"]] == [("mode", True), ("times", False)]
    status_told = client.status()
    assert len(status_told["memory"]) == 7 and all(isinstance(value, int) for value in status_told["memory"])
    assert isinstance(status_told["cpu_percent"], float) and isinstance(status_told["id"], int)
    assert client.send("GET", "/infer").status == 405
    assert client.send("GET", "/exit").status == 403
    assert client.infer(PICTURE, "?mode=boxes").status == 200, "nobody ended it"


@pytest.mark.slow
def test_the_second_generation_answers_every_documented_request(tmp_path: Path, install: Install, serve: Serve) -> None:
    ref = install(mlpm_package(tmp_path / "echo"))
    assert ref == "aidmodels/echo"
    client = serve(ref, "EchoSolver")

    status, headers, told = form(client, "/infer", PICTURE, text="louder")
    assert status == 200 and headers["content-type"] == "application/json"
    assert told == {"upper": "LOUDER", "size": len(PICTURE), "keys": ["input_file_path", "text"]}
    assert form(client, "/infer", None, text="alone")[::2] == (200, {"upper": "ALONE", "size": None, "keys": ["text"]})
    coded = client.send("POST", "/infer", "text=a%20b&more=1", {"Content-Type": "application/x-www-form-urlencoded"})
    assert coded.status == 200 and coded.json == {"upper": "A B", "size": None, "keys": ["more", "text"]}
    status, _, told = form(client, "/infer", None, input_file_path="/etc/passwd")
    assert status == 400 and "is not the sender's to say" in str(told)
    assert form(client, "/infer", PICTURE, input_file_path="/etc/passwd")[0] == 400
    assert form(client, "/infer", None, text="fail")[::2] == (500, {"error": "ValueError: not this one", "code": "500"})
    document = client.send("GET", "/").json
    assert document["info"]["title"] == "AID Solver API" and "/infer" in document["paths"] and document["solver"] == "EchoSolver"
    assert form(client, "/change", None)[::2] == (404, {"error": "not supported!", "code": "404"})
    assert client.send("GET", "/nowhere").json["code"] == "not_found"


@pytest.mark.slow
def test_a_batch_of_rows_becomes_a_csv_to_fetch(tmp_path: Path, install: Install, serve: Serve) -> None:
    client = serve(install(mlpm_package(tmp_path / "echo")), "EchoSolver")
    boundary = "----rows"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="rows.csv"\r\nContent-Type: text/csv\r\n\r\n'
        f"text,note\r\none,=1+1\r\ntwo,plain\r\n\r\n--{boundary}--\r\n"
    )
    reply = client.send("POST", "/batch", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert reply.status == 200, reply.body
    filename = reply.json["filename"]
    assert filename.endswith(".csv")
    fetched = client.send("GET", f"/static/{filename}")
    lines = fetched.body.decode().splitlines()
    assert fetched.status == 200 and lines[0].startswith("text,note,upper")
    assert lines[1].startswith("one,'=1+1,ONE") and lines[2].startswith("two,plain,TWO")


@pytest.mark.slow
def test_the_headers_and_the_body_leave_in_one_write(tmp_path: Path, install: Install, serve: Serve) -> None:
    """The original waited 40 ms for each reply: two writes, and a peer that delays its acknowledgement of the first."""
    client = serve(install(cvpm_package(tmp_path / "Byte_Counter")), "CountSolver")
    kind, body = multipart(PICTURE, mode="boxes")
    head = f"POST /infer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", client.port), timeout=30)) as connection:
        for _ in range(5):
            before = segments(connection)
            connection.sendall(head.encode() + body)
            reply = connection.recv(1 << 16)
            assert json.loads(reply.partition(b"\r\n\r\n")[2]) == [[1, 30, 20, 5]]
            assert segments(connection) - before == 1


def segments(connection: socket.socket) -> int:
    """How many pieces with data in them the kernel has received (`tcpi_data_segs_in`): one for each write of a short reply."""
    return int(struct.unpack_from("I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160), 152)[0])


@pytest.mark.slow
def test_two_uploads_of_one_name_never_meet(tmp_path: Path, install: Install, serve: Serve, home: Home) -> None:
    """The originals kept uploads under the client's name: 487 of 612 replies were errors."""
    from concurrent.futures import ThreadPoolExecutor

    client = serve(install(cvpm_package(tmp_path / "Byte_Counter")), "CountSolver")
    pictures = [make_picture(40 + number, 30) for number in range(16)]

    def ask(picture: bytes) -> object:
        status, _, told = form(client, "/infer", picture, mode="facts", delete_after_process="true")
        assert status == 200 and isinstance(told, dict)
        return told["size"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, pictures * 4)) == [len(picture) for picture in pictures * 4]


@pytest.mark.slow
def test_an_adapter_lets_an_original_suggest(tmp_path: Path, install: Install, serve: Serve, service: PackageService) -> None:
    manifest = (
        '[package]\nname = "Byte_Counter"\n[[solvers]]\nname = "CountSolver"\nclass = "byte_counter/solver/CountSolver"\n'
        'task = "object-detection"\nlabels = ["face"]\nresult = "top-right-bottom-left"\n'
    )
    root = cvpm_package(tmp_path / "Byte_Counter", **{"cvpm.toml": manifest})
    ref = install(root)
    assert service.detail(ref).solvers[0].result == "top-right-bottom-left"
    told = serve(ref, "CountSolver").infer(PICTURE, "?mode=boxes").json
    assert told["objects"] == [{"label": "face", "box": [5.0, 1.0, 30.0, 20.0]}]
    assert told["image"] == {"width": 64, "height": 48} and told["task"] == "object-detection"


TRAINS = """
import json
from cvpm.solver import Solver


class CountSolver(Solver):
    def __init__(self, toml_file=None):
        super().__init__(toml_file)
        self._enable_train = True
        self._hyperparameters = {"epochs": 3}
        self.set_ready()

    def infer(self, image_file, config):
        return None

    def train(self, datapath, hyperparameters, config):
        print("training on", datapath)
        return {"rows": len(open(datapath).readlines()), "epochs": hyperparameters["epochs"], "mine": config["mine"]}
"""


@pytest.mark.slow
def test_train_in_the_shapes_of_the_originals(tmp_path: Path, install: Install, serve: Serve) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("a\nb\n")
    client = serve(install(cvpm_package(tmp_path / "learner", **{"byte_counter/solver.py": TRAINS})), "CountSolver")
    assert client.send("GET", "/train").json["hyperparamters"] == {"epochs": 3}
    told = {"datapath": str(rows), "hyperparameters": {"epochs": 2}, "config": {"mine": 1}}
    assert client.send("POST", "/train", json.dumps(told)).status == 403, "whoever trains needs the control token"
    begun = client.control("POST", "/train", told).json
    assert begun == {"id": begun["id"], "result": True, "code": "200"}
    job = until(lambda: (found := client.control("GET", f"/train/{begun['id']}").json)["state"] != "running" and found)
    assert job["state"] == "done" and job["metrics"] == {"rows": 2, "epochs": 2, "mine": 1}
    gone = client.control("POST", "/train", told | {"datapath": str(tmp_path / "none")})
    assert gone.status == 400 and gone.json["code"] == "400"
    assert client.status()["trainable"] is False, "the annotation room's rounds need another train"


@pytest.mark.slow
def test_whoever_has_the_token_ends_it_for_good(tmp_path: Path, install: Install, serve: Serve, supervisor: Supervisor) -> None:
    client = serve(install(cvpm_package(tmp_path / "counter")), "CountSolver")
    assert client.control("GET", "/exit").json == {"state": "stopped"}
    until(lambda: supervisor.solvers()[0].state is SolverState.FAILED)
    assert supervisor.solvers()[0].error == "it was told to stop over its own port"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_solver_that_does_not_train_says_so(tmp_path: Path, install: Install, serve: Serve, method: str) -> None:
    reply = serve(install(cvpm_package(tmp_path / "counter")), "CountSolver").send(method, "/train")
    assert reply.status == 404 and reply.json == {"error": "not supported!", "code": "404"}


SAVES = """
from cvpm.solver import Solver
from cvpm.utility import save_image


class CountSolver(Solver):
    def infer(self, image_file, config):
        open("made.txt", "w").write("made of " + config["of"])
        return {"file": save_image("made.txt", config["as"])}
"""


@pytest.mark.slow
def test_a_picture_that_a_solver_made_is_fetched_by_its_plain_name(tmp_path: Path, install: Install, serve: Serve) -> None:
    client = serve(install(cvpm_package(tmp_path / "maker", **{"byte_counter/solver.py": SAVES})), "CountSolver")
    status, _, told = form(client, "/infer", PICTURE, of="clay", **{"as": "pot.html"})
    assert (status, told) == (200, {"file": "pot.html"})
    fetched = client.send("GET", "/static/pot.html")
    assert fetched.body == b"made of clay" and fetched.headers["content-security-policy"] == "sandbox"
    for name in ("../cvpm.toml", "..%2f..%2fcvpm.toml", "%2e%2e/cvpm.toml", "..%5ccvpm.toml", ".hidden", "nothing.txt", "pot.html/x"):
        assert client.send("GET", f"/static/{name}").status == 404


LOADS = """
from cvpm.solver import Solver
from cvpm.utility import load_image_file


class CountSolver(Solver):
    def infer(self, image_file, config):
        import tqdm
        return {"size": load_image_file(image_file)["size"], "bar": tqdm.BAR}
"""


@pytest.mark.slow
def test_what_the_published_cvpm_brought_is_there(tmp_path: Path, install: Install, serve: Serve, pip_of_the_test: Path) -> None:
    """Nobody wrote numpy down: whoever installed cvpm had it. It is imported where it is used, long after the installation."""
    write_wheel(pip_of_the_test, "numpy", "1.0", {"numpy.py": b"def array(picture): return {'size': picture.size}\n"})
    picture = b"import contextlib\nclass P:\n    size = [9, 7]\n    format = 'PNG'\n    def convert(self, mode): return self\n"
    picture += b"def open(file): return contextlib.nullcontext(P())\n"
    files = {"PIL/__init__.py": b"", "PIL/Image.py": picture, "PIL/ImageOps.py": b"def exif_transpose(picture): return picture\n"}
    write_wheel(pip_of_the_test, "pillow", "1.0", files)
    write_wheel(pip_of_the_test, "tqdm", "1.0", {"tqdm.py": b"BAR = 'here'\n"})
    ref = install(cvpm_package(tmp_path / "loads", **{"byte_counter/solver.py": LOADS}))
    status, _, told = form(serve(ref, "CountSolver"), "/infer", PICTURE)
    assert (status, told) == (200, {"size": [9, 7], "bar": "here"})


@pytest.mark.parametrize(
    ("imports", "requirements", "found"),
    [
        ("import os", "", {}),
        ("def f():\n    import numpy as np\n    from requests.adapters import HTTPAdapter", "", {"cvpm": ("numpy", "requests")}),
        ("try:\n    import toml\nexcept ImportError:\n    toml = None", "", {"cvpm": ("toml",)}),
        ("import numpy, PIL.Image", "Pillow==9.0\nnumpy<2\n", {}),
        ("import cv2, sklearn", "", {}),
        ("import mlpm.solver, numpy, werkzeug", "", {"cvpm": ("numpy",), "mlpm": ("werkzeug",)}),
    ],
)
def test_only_what_is_used_of_it_and_not_written_down(
    tmp_path: Path, imports: str, requirements: str, found: dict[str, tuple[str, ...]]
) -> None:
    source = f"{imports}\nfrom cvpm.solver import Solver\nclass CountSolver(Solver):\n    def infer(self, image_file, config): ...\n"
    root = cvpm_package(tmp_path / "p", **{"byte_counter/solver.py": source, "requirements.txt": f"cvpm\n{requirements}"})
    package = load_package(root)
    told = [line for line in package.warnings if "brought" in line]
    assert told == [f"its code imports {', '.join(names)}, which the published {who} brought: required" for who, names in found.items()]
    assert package.requirements[len(requirements.split()) :] == tuple(name for names in found.values() for name in names)
    ours = f"{imports}\nimport cvflow\nclass CountSolver(cvflow.Solver):\n    def infer(self, image): ...\n"
    (root / "byte_counter/solver.py").write_text(ours)
    assert len(load_package(root).requirements) == len(requirements.split()), "packages of ours write down what they need"
