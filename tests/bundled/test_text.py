"""Text by PP-OCR, in an environment of its own."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from cvflow_tui.backend.runtime.worker import SDK
from tests.bundled.conftest import ask
from tests.path.conftest import Cvflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PAGE = (
    "Region-based segmentation",
    "Let us first determine markers of the coins and the",
    "background. These markers are pixels that we can label",
    "unambiguously as either object or background. Here,",
    "the markers are found at the two extreme parts of the",
    "histogram of grey values:",
)


@pytest.fixture(scope="module")
def text(installed: Callable[..., Cvflow]) -> Cvflow:
    return installed("text", "read")


def test_a_page_is_read_line_by_line(text: Cvflow, photographs: Path) -> None:
    answer = ask(text, photographs / "page.png", "text/read")
    lines = answer["objects"]
    assert tuple(line["text"] for line in lines[:6]) == PAGE
    assert len(lines) == 7 and "np.zeros" in lines[6]["text"]
    assert all(line["label"] == "text" and line["score"] > 0.9 for line in lines)
    tops = [line["box"][1] for line in lines]
    assert tops == sorted(tops)
    for line in lines:
        (ring,) = line["polygons"]
        xs, ys = ring[::2], ring[1::2]
        assert len(xs) == 4
        assert line["box"] == [min(xs), min(ys), max(xs), max(ys)]
        assert 0 <= line["box"][0] < line["box"][2] <= 384 and 0 <= line["box"][1] < line["box"][3] <= 191


def test_upside_down_is_read_when_asked(text: Cvflow, photographs: Path, tmp_path: Path) -> None:
    with PIL.Image.open(photographs / "page.png") as page:
        page.rotate(180).save(tmp_path / "turned.png")
    plain = ask(text, tmp_path / "turned.png", "text/read")["objects"]
    assert not set(PAGE) & {line["text"] for line in plain}
    turned = ask(text, tmp_path / "turned.png", "text/read", turned=True)["objects"]
    assert len(turned) == 7 and set(PAGE) <= {line["text"] for line in turned}
    (title,) = [line for line in turned if line["text"] == PAGE[0]]
    assert title["box"][1] > 191 / 2, "it stands at the bottom now"
    assert title["polygons"][0][0] > title["box"][2] - 3, "and begins at its right end"
    upright = ask(text, photographs / "page.png", "text/read")["objects"]
    assert ask(text, photographs / "page.png", "text/read", turned=True)["objects"] == upright


def test_handwriting_gives_nothing_and_a_threshold_must_be_one(text: Cvflow, photographs: Path) -> None:
    assert ask(text, photographs / "text.png", "text/read")["objects"] == []
    refused = text.run("infer", str(photographs / "page.png"), "--solver", "text", "-p", "threshold=2")
    assert refused.returncode == 2 and "between 0 and 1" in refused.stderr


def test_a_pixel_and_a_strip_are_pictures_too(text: Cvflow, photographs: Path, tmp_path: Path) -> None:
    for size in ((1, 1), (3000, 2), (2, 3000)):
        PIL.Image.new("RGB", size, "red").save(tmp_path / "odd.png")
        assert ask(text, tmp_path / "odd.png", "text/read")["objects"] == []
    with PIL.Image.open(photographs / "page.png") as page:
        strip = PIL.Image.new("RGB", (4000, 40), "white")
        strip.paste(page.convert("RGB").crop((0, 5, 384, 40)), (100, 2))
        strip.save(tmp_path / "strip.png")
    (line,) = ask(text, tmp_path / "strip.png", "text/read")["objects"]
    assert line["text"] == PAGE[0] and line["box"][3] <= 40


def test_it_runs_apart_from_the_app(text: Cvflow) -> None:
    assert importlib.util.find_spec("rapidocr") is None
    (environment,) = (text.home / "environments").iterdir()
    assert list(environment.glob("lib/python*/site-packages/rapidocr"))
    assert len(list((text.home / "weights").iterdir())) == 2


def test_its_threads_sleep_between_pictures(text: Cvflow) -> None:
    """Beside other solvers on the same cores, threads that spin took half as long again."""
    (environment,), (package,) = (text.home / "environments").iterdir(), (text.home / "packages/cvflow/text").iterdir()
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from rapidocr.inference_engine.onnxruntime import OrtInferSession\n"
        "from text.threads import sleep_between_pictures\n"
        "class Settings(dict):\n    enable_cpu_mem_arena = False\n"
        "sleep_between_pictures()\n"
        "print(OrtInferSession._init_sess_opts(Settings()).get_session_config_entry('session.intra_op.allow_spinning'))\n"
    )
    told = subprocess.run([environment / "bin/python", "-c", code, SDK, package], capture_output=True, text=True, check=True)
    assert told.stdout == "0\n"
