"""The bundled detector learns: real pictures, few steps where only the behaviour matters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cvflow
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.finetune import DATA, one_round, read_set, split

PERSON = ("pilot", [10.0, 15.0, 365.0, 508.0])


def _silent(done: float, total: float, **metrics: float) -> None:
    assert 0 <= done <= total
    assert all(isinstance(value, float) for value in metrics.values())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of few steps, for tests of what a round does and not of how well it learns."""
    from nanodet import training

    monkeypatch.setattr(training, "BOX_STEPS", 10)
    monkeypatch.setattr(training, "SCORE_STEPS", 40)


@pytest.mark.slow
def test_one_picture_teaches_a_label_of_the_projects_own(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path
) -> None:
    said: list[tuple[float, float]] = []
    told = nanodet().train(
        dataset(["pilot", "never seen"], [(photograph, [PERSON])]),
        tmp_path / "r1",
        lambda done, total, **metrics: said.append((done, total)),
    )
    assert told["pictures"] == 1
    assert told["objects"] == 1
    assert [done for done, _ in said] == sorted(done for done, _ in said)
    assert said[-1][0] == said[-1][1]
    learned = nanodet(tmp_path / "r1")
    assert learned.labels == ["pilot", "never seen"]
    answer = learned.infer(cvflow.Image(photograph), threshold=0.4)
    assert answer["model"]["checkpoint"] == "r1"
    assert [told["label"] for told in answer["objects"]] == ["pilot"]
    assert np.abs(np.array(answer["objects"][0]["box"]) - PERSON[1]).max() < 60


@pytest.mark.usefixtures("quick")
def test_the_same_dataset_gives_the_same_bytes_and_uses_the_cache(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson, solver = dataset(["pilot"], [(photograph, [PERSON])]), nanodet()
    solver.train(lesson, tmp_path / "a", _silent)
    monkeypatch.setattr("nanodet.views.prepare", lambda image: pytest.fail("a cached picture was read again"))
    solver.train(lesson, tmp_path / "b", _silent)
    with np.load(tmp_path / "a") as first, np.load(tmp_path / "b") as second:
        assert first.files == second.files
        for name in first.files:
            assert np.array_equal(first[name], second[name]), name
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "cache", "dataset"}


@pytest.mark.usefixtures("quick")
def test_a_damaged_cache_file_is_made_again(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path
) -> None:
    lesson, solver = dataset(["pilot"], [(photograph, [PERSON])]), nanodet()
    solver.train(lesson, tmp_path / "a", _silent)
    (kept,) = lesson.cache.rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:10_000])
    solver.train(lesson, tmp_path / "b", _silent)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.usefixtures("quick")
def test_what_a_killed_round_had_half_written_is_taken_away(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path
) -> None:
    lesson = dataset(["pilot"], [(photograph, [PERSON])])
    half = lesson.cache / "nanodet-m-416" / f".{'0' * 64}.npz.4711"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"PK")
    nanodet().train(lesson, tmp_path / "a", _silent)
    assert not half.exists()
    assert len(list(half.parent.iterdir())) == 1


@pytest.mark.usefixtures("quick")
def test_a_round_goes_on_from_the_boxes_of_the_last_and_takes_more_labels(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nanodet import training
    from nanodet.head import Head
    from nanodet.solver import coco_labels

    nanodet().train(dataset(["pilot"], [(photograph, [PERSON])]), tmp_path / "r1", _silent)
    monkeypatch.setattr(training, "BOX_STEPS", 0)
    more = dataset(["Traffic_Light", "pilot"], [(photograph, [PERSON])], "more")
    nanodet(tmp_path / "r1").train(more, tmp_path / "r2", _silent)
    before, after = Head.load(tmp_path / "r1"), Head.load(tmp_path / "r2")
    assert before.side.any()
    assert np.array_equal(after.side, before.side)
    assert nanodet(tmp_path / "r2").labels == ["Traffic_Light", "pilot"]
    assert after.source.tolist() == [coco_labels().index("traffic light"), -1]


def test_a_label_that_coco_knows_begins_with_what_coco_says(nanodet: Callable[..., Any], photograph: Path) -> None:
    from nanodet.head import prior_of
    from nanodet.network import prepared

    outputs = nanodet()._network(prepared([cvflow.Image(photograph)]), features=True)
    prior = prior_of(outputs.scores[0], np.array([0, -1]))
    assert np.allclose(1 / (1 + np.exp(-prior[:, 0])), np.clip(outputs.scores[0][:, 0], 1e-4, 1 - 1e-4), atol=1e-6)
    assert not prior[:, 1].any()


def test_what_no_picture_shows_is_not_unlearned(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nanodet import training

    monkeypatch.setattr(training, "BOX_STEPS", 0)
    monkeypatch.setattr(training, "SCORE_STEPS", 60)
    nanodet().train(dataset(["pilot", "person"], [(photograph, [PERSON])]), tmp_path / "r1", _silent)

    def persons(solver: Any) -> list[tuple[list[float], float]]:
        found = solver.infer(cvflow.Image(photograph), threshold=0.3)["objects"]
        return [(thing["box"], thing["score"]) for thing in found if thing["label"] == "person"]

    before, after = persons(nanodet()), persons(nanodet(tmp_path / "r1"))
    assert before
    assert [box for box, _ in after] == [box for box, _ in before]
    assert np.allclose([score for _, score in after], [score for _, score in before], atol=0.03)


@pytest.mark.usefixtures("quick")
def test_twenty_labels_tiny_boxes_and_confirmed_empty_pictures(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path
) -> None:
    PIL.Image.new("RGB", (300, 200), "green").save(tmp_path / "empty.png")
    labels = [f"kind {number}" for number in range(20)]
    objects = [(label, [20.0 * place, 30.0, 20.0 * place + (0.5 if place % 2 else 15), 45.0]) for place, label in enumerate(labels)]
    told = nanodet().train(dataset(labels, [(photograph, objects), (tmp_path / "empty.png", [])]), tmp_path / "r1", _silent)
    assert (told["pictures"], told["objects"]) == (2, 20)
    assert set(nanodet(tmp_path / "r1").labels) == set(labels)


def test_what_cannot_teach_gets_one_line(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path
) -> None:
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    for pictures, word in [([], "no pictures"), ([(photograph, [])], "has an object"), ([(tmp_path / "cut.jpg", [PERSON])], r"cut\.jpg")]:
        with pytest.raises(cvflow.InputError, match=word):
            nanodet().train(dataset(["pilot"], pictures), tmp_path / "r1", _silent)
    assert not (tmp_path / "r1").exists()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 8), size=st.sampled_from([0.5, 5.0, 40.0, 400.0]))
def test_every_object_is_answered_for_by_its_best_cells(seed: int, count: int, size: float) -> None:
    """However small or crowded: at most ten cells an object, each inside it (or the nearest), and none twice."""
    from nanodet.geometry import CELLS, CENTRES, STRIDE, overlaps
    from nanodet.targets import BEST, assign

    random = np.random.default_rng(seed)
    low = random.uniform(0, 415 - min(size, 200), (count, 2))
    truth = np.concatenate([low, np.minimum(low + random.uniform(0.2, size, (count, 2)), 416)], axis=1).astype(np.float32)
    boxes = np.concatenate([CENTRES - random.uniform(1, 60, (CELLS, 2)), CENTRES + random.uniform(1, 60, (CELLS, 2))], axis=1).astype(
        np.float32
    )
    cells, objects, quality = assign(lambda asked: boxes[asked], truth)
    assert len(set(cells.tolist())) == len(cells)
    assert np.bincount(objects).max() <= BEST
    assert (quality >= np.minimum(np.diag(overlaps(boxes[cells], truth[objects])), 1) - 1e-6).all()
    inside = (CENTRES[cells] > truth[objects, :2]).all(axis=1) & (CENTRES[cells] < truth[objects, 2:]).all(axis=1)
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    nearest = (np.abs(CENTRES[:, None] - middle).max(axis=2) + STRIDE[:, None]).argmin(axis=0)
    assert (inside | (cells == nearest[objects])).all()
    assert (quality > 0).all()
    if count == 1:
        assert len(cells) >= 1


def test_a_checkpoint_of_something_else_is_refused(nanodet: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a checkpoint")
    np.savez(tmp_path / "other.npz", meta=np.array("{}"))
    for path in (tmp_path / "text", tmp_path / "other.npz", tmp_path / "none"):
        with pytest.raises(cvflow.InputError, match=path.name):
            nanodet(path)


@pytest.mark.usefixtures("quick")
def test_a_checkpoint_whose_arrays_do_not_fit_is_refused(
    nanodet: Callable[..., Any], dataset: Callable[..., Any], photograph: Path, tmp_path: Path
) -> None:
    nanodet().train(dataset(["pilot"], [(photograph, [PERSON])]), tmp_path / "r1", _silent)
    with np.load(tmp_path / "r1") as told:
        arrays = dict(told)
    with (tmp_path / "bad").open("wb") as file:
        np.savez(file, **{**arrays, "out": arrays["out"][:5]})
    with pytest.raises(cvflow.InputError, match="out has shape"):
        nanodet(tmp_path / "bad")


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "bccd").exists(), reason="../shared/data/bccd is not there")
def test_blood_cells_after_25_pictures(tmp_path: Path) -> None:
    labels, items = read_set("bccd")
    held, others = split(len(items), 1)
    outcome = one_round(tmp_path / "round", labels, [items[place] for place in others[:25]], [items[place] for place in held], None)
    assert outcome.ap50 >= 0.55
