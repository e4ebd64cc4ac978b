"""The commands that scripts rely on, with the real program: each speaks JSON, with the promised names; the export holds what was drawn."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from pycocotools.coco import COCO

from cvflow_tui.backend.client import DaemonClient, find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import AcceptRest, Draw, PictureState, SetState
from tests.path.conftest import Cvflow

pytestmark = pytest.mark.slow

STARTED = ["package", "solver", "state", "port", "pid", "url"]


def client_of(program: Cvflow) -> DaemonClient:
    address = find_daemon(Home(program.home))
    assert address is not None
    return DaemonClient.at(address)


def test_every_command_of_the_path_speaks_json(cvflow: Cvflow, photographs: Path, tmp_path: Path) -> None:
    coffee, astronaut = str(photographs / "coffee.png"), str(photographs / "astronaut.png")
    assert {"name", "vendor", "version", "tagline", "license"} <= cvflow.json("hub", "search", "nanodet")[0].keys()
    installed = cvflow.json("install", "nanodet", "--yes")["summary"]
    assert (installed["vendor"], installed["name"]) == ("cvflow", "nanodet")
    assert [package["name"] for package in cvflow.json("list")] == ["nanodet"]

    daemon = cvflow.json("daemon", "status")
    assert list(daemon)[:3] == ["url", "pid", "version"]
    assert cvflow.json("ps") == []
    started = cvflow.json("start", "cvflow/nanodet/detect")
    assert list(started) == STARTED
    assert (started["package"], started["solver"], started["state"]) == ("cvflow/nanodet", "detect", "ready")
    assert started["url"] == f"http://127.0.0.1:{started['port']}"
    (running,) = cvflow.json("ps")
    assert {name: running[name] for name in STARTED} == started
    assert {"uptime", "cpu", "rss", "requests"} <= running.keys()
    assert running["rss"] > 10_000_000

    found = cvflow.json("infer", coffee)
    assert {"task", "model", "image", "objects"} <= found.keys()
    assert found["model"] == {"package": "cvflow/nanodet", "version": "1.0.0", "checkpoint": None}
    assert found["image"] == {"width": 600, "height": 400}
    for line in cvflow.ok("logs", "nanodet", "--json").splitlines():
        assert list(json.loads(line)) == ["line"]

    assert cvflow.json("project", "new", "things", coffee, astronaut, "--labels", "person,cup", "--solver", "nanodet")["pictures"] == 2
    assert cvflow.json("project", "status", "things")["project"]["labels"] == ["person", "cup"]
    assert [project["name"] for project in cvflow.json("project", "list")] == ["things"]
    out = str(tmp_path / "x.json")
    assert cvflow.json("project", "export", "things", "--format", "coco", "--out", out)["path"] == out
    assert cvflow.json("label", coffee, "--solver", "nanodet", "--out", str(tmp_path / "l.json"))["labelled"] == 1
    refused = cvflow.run("train", "things", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (4, "refused")

    stopped = cvflow.json("stop", "nanodet")
    assert (stopped["package"], stopped["solver"], stopped["state"], stopped["pid"]) == ("cvflow/nanodet", "detect", "stopped", None)
    assert cvflow.json("remove", "nanodet", "--yes", "--force")["package"] == "cvflow/nanodet"
    assert cvflow.json("daemon", "stop")["pid"] == daemon["pid"]
    gone = cvflow.run("daemon", "status", "--json")
    assert (gone.returncode, json.loads(gone.stdout)["code"]) == (3, "not_found")


def test_the_log_is_followed_until_ctrl_c(cvflow: Cvflow, photographs: Path) -> None:
    cvflow.ok("install", "nanodet", "--yes")
    cvflow.ok("start", "nanodet")
    command = [sys.executable, "-m", "cvflow_tui", "logs", "nanodet", "-f", "-n", "1000"]
    with subprocess.Popen(command, env=cvflow.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        while "is ready" not in (line := following.stdout.readline()):
            assert line, "the log ended"
        cvflow.ok("stop", "nanodet")
        while "has ended" not in (line := following.stdout.readline()):
            assert line, "the log ended"
        following.send_signal(signal.SIGINT)
        _, errors = following.communicate(timeout=20)
    assert following.returncode == 130
    assert errors == "cvflow: interrupted\n"


def test_the_export_holds_what_was_drawn_and_accepted(cvflow: Cvflow, tmp_path: Path) -> None:
    """Pictures of known sizes, one of them turned by its EXIF mark; drawn over the daemon's API, exported by the command."""
    for name, size in (("a.png", (200, 100)), ("b.png", (90, 60))):
        Image.new("RGB", size, "teal").save(tmp_path / name)
    turned = Image.new("RGB", (300, 150))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "c.jpg", exif=exif)
    cvflow.ok("project", "new", "shapes", str(tmp_path), "--labels", "[bold],naïve 犬")

    async def draw() -> None:
        async with client_of(cvflow) as client:
            first, second, third = (await client.pictures("shapes")).pictures
            await client.act("shapes", first.id, Draw("naïve 犬", Box(10.5, 20, 110.5, 70)))
            await client.act("shapes", first.id, Draw("[bold]", Box(0, 0, 200, 100)))
            await client.act("shapes", first.id, SetState(PictureState.ANNOTATED))
            await client.act("shapes", second.id, SetState(PictureState.CONFIRMED_EMPTY))
            await client.act("shapes", third.id, Draw("[bold]", Box(100, 200, 150, 300)))
            await client.act("shapes", third.id, SetState(PictureState.ANNOTATED))

    asyncio.run(draw())
    out = tmp_path / "out.json"
    report = cvflow.json("project", "export", "shapes", "--format", "coco", "--out", str(out))
    assert (report["pictures"], report["annotations"]) == (3, 3)
    coco = COCO(str(out))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["[bold]", "naïve 犬"]
    sizes = {Path(image["file_name"]).name: (image["width"], image["height"]) for image in coco.loadImgs(coco.getImgIds())}
    assert sizes == {"a.png": (200, 100), "b.png": (90, 60), "c.jpg": (150, 300)}
    held = {
        (Path(image["file_name"]).name, coco.loadCats(thing["category_id"])[0]["name"], tuple(thing["bbox"]))
        for image in coco.loadImgs(coco.getImgIds())
        for thing in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
    }
    assert held == {
        ("a.png", "naïve 犬", (10.5, 20, 100, 50)),
        ("a.png", "[bold]", (0, 0, 200, 100)),
        ("c.jpg", "[bold]", (100, 200, 50, 100)),
    }


def test_accepting_what_the_solver_says_exports_what_the_solver_said(cvflow: Cvflow, photographs: Path, tmp_path: Path) -> None:
    coffee = photographs / "coffee.png"
    cvflow.ok("install", "nanodet", "--yes")
    cvflow.ok("project", "new", "cups", str(coffee), "--labels", "cup", "--solver", "nanodet")

    async def accept() -> None:
        async with client_of(cvflow) as client:
            view = await client.open_picture("cups", 1)
            assert view.suggestions, view.note
            await client.act("cups", view.picture.id, AcceptRest(0.4))
            await client.act("cups", view.picture.id, SetState(PictureState.ANNOTATED))

    asyncio.run(accept())
    cvflow.ok("project", "export", "cups", "--out", str(tmp_path / "cups.json"))
    coco = COCO(str(tmp_path / "cups.json"))
    said = cvflow.json("infer", str(coffee), "-p", "threshold=0.4")["objects"]
    cups = [thing["box"] for thing in said if thing["label"] == "cup"]
    boxes = [annotation["bbox"] for annotation in coco.loadAnns(coco.getAnnIds())]
    assert cups
    assert [[x, y, x + width, y + height] for x, y, width, height in boxes] == [pytest.approx(box, abs=0.5) for box in cups]


def test_a_daemon_that_a_person_runs_says_where_it_serves_and_its_unit_is_one(cvflow: Cvflow, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cvflow_tui", "daemon", "run"]
    with subprocess.Popen(command, env=cvflow.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+ \(pid {process.pid}\) serves {re.escape(str(cvflow.home))}\n", line), line
    unit = cvflow.ok("daemon", "unit")
    assert f'ExecStart="{sys.executable}" -m cvflow_tui --home "{cvflow.home}" daemon run\n' in unit and "WantedBy=default.target" in unit
    if analyze := shutil.which("systemd-analyze"):
        (tmp_path / "cvflow.service").write_text(unit)
        done = subprocess.run([analyze, "verify", "--user", str(tmp_path / "cvflow.service")], capture_output=True, text=True)
        assert "cvflow.service:" not in done.stderr, done.stderr


def test_a_daemon_that_a_script_runs_says_where_it_serves(cvflow: Cvflow) -> None:
    command = [sys.executable, "-m", "cvflow_tui", "daemon", "run", "--json"]
    with subprocess.Popen(command, env=cvflow.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        told = json.loads(daemon.stdout.readline())
        assert list(told)[:3] == ["url", "pid", "version"]
        assert told["pid"] == daemon.pid
        status = cvflow.json("daemon", "status")
        assert (status["url"], status["pid"]) == (told["url"], daemon.pid)
        second = cvflow.run("daemon", "run", "--json")
        assert (second.returncode, json.loads(second.stdout)["code"]) == (4, "refused")
        daemon.send_signal(signal.SIGTERM)
        out, errors = daemon.communicate(timeout=30)
    assert (daemon.returncode, out, errors) == (0, "", "")
