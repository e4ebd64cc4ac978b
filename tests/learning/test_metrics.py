"""Figures by hand, and against pycocotools."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvflow_tui.backend.annotation.suggesting import Proposal
from cvflow_tui.backend.learning import service
from cvflow_tui.backend.learning.metrics import Compared, Counts, as_coco, average_precision, count, measure
from cvflow_tui.backend.learning.prequential import summarise
from cvflow_tui.backend.learning.split import Candidate, shared_out
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.projects import DetectionMetrics, Draw, Edit, PictureState, Prequential, ProjectSettings, SetState

from .conftest import SOLVER, Bench

SIZE = Size(200, 200)
A = Box(0, 0, 10, 10)
B = Box(100, 100, 150, 150)


def _picture(truth: list[tuple[str, Box]], proposals: list[tuple[str, float, Box]]) -> Compared:
    return Compared(SIZE, tuple(truth), tuple(Proposal(*item) for item in proposals))


def test_matching_is_greedy_by_class_and_uses_each_annotation_once() -> None:
    picture = _picture(
        [("cat", A), ("dog", B), ("cat", B)],
        [
            ("cat", 0.9, A.moved(1, 0)),  # right: IoU .82
            ("cat", 0.8, A),  # wrong: the annotation is taken
            ("dog", 0.7, A),  # wrong: another class
            ("dog", 0.6, B),  # right
            ("cat", 0.3, B),  # below the threshold
        ],
    )
    assert count(picture, 0.4) == Counts(right=2, wrong=2, missed=1)
    assert count(picture, 0.3) == Counts(right=3, wrong=2, missed=0)
    assert Counts(2, 2, 1).precision == 0.5
    assert Counts(2, 2, 1).recall == pytest.approx(2 / 3)
    assert Counts(2, 2, 1).f1 == pytest.approx(4 / 7)


def test_half_an_overlap_is_enough_and_less_is_not() -> None:
    assert count(_picture([("cat", A)], [("cat", 0.9, Box(0, 0, 10, 5))]), 0).right == 1
    assert count(_picture([("cat", A)], [("cat", 0.9, Box(0, 0, 10, 4.9))]), 0).right == 0


def test_nothing_to_measure_is_none_and_not_zero() -> None:
    empty = measure([_picture([], [])], ["cat"], 0.5)
    assert (empty.pictures, empty.precision, empty.recall, empty.ap50, empty.ap) == (1, None, None, None, None)
    missed = measure([_picture([("cat", A)], [])], ["cat"], 0.5)
    assert (missed.precision, missed.recall, missed.ap50, missed.ap) == (None, 0.0, 0.0, 0.0)
    assert Counts().f1 == 1.0


def test_an_empty_picture_with_a_confident_proposal_costs_precision_and_ap() -> None:
    right = _picture([("cat", A)], [("cat", 0.8, A)])
    wrong = _picture([], [("cat", 0.9, A)])
    assert measure([right], ["cat"], 0.5).ap50 == pytest.approx(1.0)
    both = measure([right, wrong], ["cat"], 0.5)
    assert (both.precision, both.ap50) == (0.5, pytest.approx(0.5))


def _scene(seed: int, labels: list[str]) -> list[Compared]:
    chance = random.Random(seed)
    pictures = []
    for _ in range(chance.randint(1, 12)):
        truth, proposals = [], []
        for _ in range(chance.randint(0, 6)):
            x, y = chance.uniform(0, 150), chance.uniform(0, 150)
            box = Box(x, y, x + chance.uniform(4, 50), y + chance.uniform(4, 50))
            label = chance.choice(labels)
            said = label if chance.random() < 0.8 else chance.choice(labels)
            truth.append((label, box))
            if chance.random() < 0.8:
                proposals.append((said, chance.random(), box.moved(chance.gauss(0, 3), 0)))
        wild = [A.moved(chance.uniform(0, 150), 5) for _ in range(chance.randint(0, 3))]
        proposals += [(chance.choice(labels), chance.random(), box) for box in wild]
        pictures.append(_picture(truth, proposals))
    return pictures


@pytest.mark.parametrize("seed", range(12))
def test_ap_is_that_of_pycocotools(seed: int) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    labels = ["cat", "dog", "unused"]
    pictures = _scene(seed, labels)
    ap, ap50 = average_precision(pictures, labels)
    truth, found = as_coco(pictures, labels)
    assert min((item["id"] for item in truth["annotations"]), default=1) == 1
    if not truth["annotations"] or not found:
        assert (ap, ap50) in ((None, None), (0.0, 0.0))
        return
    with contextlib.redirect_stdout(io.StringIO()):
        reference = coco.COCO()
        reference.dataset = truth
        reference.createIndex()
        told = evaluation.COCOeval(reference, reference.loadRes(found), "bbox")
        told.evaluate()
        told.accumulate()
        told.summarize()
    assert (ap, ap50) == (pytest.approx(told.stats[0], abs=1e-9), pytest.approx(told.stats[1], abs=1e-9))


def test_the_summary_groups_by_five_and_looks_at_the_last_twenty() -> None:
    good = _picture([("cat", A)], [("cat", 0.9, A)])
    bad = _picture([("cat", A)], [("cat", 0.9, B)])
    told = summarise([bad] * 10 + [good] * 17, ["cat"], 0.4)
    assert told.history == (0.0, 0.0, 1.0, 1.0, 1.0)
    assert (told.overall.pictures, told.overall.precision) == (27, pytest.approx(17 / 27))
    assert (told.recent.pictures, told.recent.recall) == (20, pytest.approx(17 / 20))
    assert len(summarise([good] * 1000, ["cat"], 0.4).history) <= 30


def test_accuracy_is_that_of_the_first_opening(start: Callable[[], Bench]) -> None:
    bench = start()
    seventh = bench.projects.open("p", 7)
    for number in range(1, 6):
        bench.annotate(number)
    bench.finish(bench.annotate(6))
    told = bench.learning.status("p").prequential
    assert (told.overall.pictures, told.overall.precision, told.overall.recall) == (6, 0.0, 0.0)
    assert told.history == (0.0,)
    again = bench.projects.open("p", 7)
    assert again.suggestions[0].box != seventh.suggestions[0].box
    bench.annotate(7)
    bench.annotate(8)
    told = bench.learning.status("p").prequential
    assert (told.overall.pictures, told.overall.recall) == (8, pytest.approx(1 / 8)), "picture 7 was first opened before the round"
    first = bench.projects.open("p", 8)
    bench.projects.act("p", first.picture.id, Edit(first.annotations[0].id, "circle", first.annotations[0].box))
    assert bench.learning.status("p").prequential.overall.recall == 0.0, "an edit of a finished picture counts at once"
    bench.projects.undo("p")
    assert bench.learning.status("p").prequential.overall.recall == pytest.approx(1 / 8)


def test_a_picture_drawn_on_before_any_suggestion_is_no_forecast(start: Callable[[], Bench]) -> None:
    bench = start()
    settings = bench.projects.project("p").settings
    bench.projects.change("p", type(settings)(None))
    view = bench.projects.open("p", 1)
    bench.projects.act("p", view.picture.id, Draw("square", Box(0, 0, 9, 9)))
    bench.projects.change("p", settings)
    assert bench.projects.open("p", 1).suggestions
    bench.projects.act("p", view.picture.id, SetState(PictureState.ANNOTATED))
    assert bench.learning.status("p").prequential.overall.pictures == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=12), min_size=1, max_size=6))
def test_the_split_holds_a_fifth_back_and_never_changes(batches: list[list[tuple[int, bool]]]) -> None:
    known: list[Candidate] = []
    for batch in batches:
        start = len(known)
        new = [Candidate(start + number, f"{digest:064x}", annotated) for number, (digest, annotated) in enumerate(batch)]
        parts = shared_out([*known, *new])
        assert all(parts[item.id] == item.part for item in known)
        known = [Candidate(item.id, item.sha256, item.annotated, parts[item.id]) for item in [*known, *new]]
        assert set(parts) == {item.id for item in known}
        assert len({(item.sha256, item.part) for item in known}) == len({item.sha256 for item in known}), "copies stay together"


def test_the_split_by_hand() -> None:
    pictures = [Candidate(number, f"{number * 7919 % 101:064x}", number % 2 == 0) for number in range(1, 26)]
    parts = shared_out(pictures)
    assert sum(part == "held_back" for part in parts.values()) == 5
    assert shared_out(list(reversed(pictures))) == parts, "the order does not matter"
    assert set(shared_out(pictures[:4]).values()) == {"train"}
    five = shared_out(pictures[:5])
    assert [item.annotated for item in pictures[:5] if five[item.id] == "held_back"] == [True]


def test_the_figures_of_many_pictures_are_not_worked_out_at_every_act(start: Callable[[], Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    bench = start()
    bench.projects.change("p", ProjectSettings(SOLVER, 0.4, 0))
    worked_out: list[int] = []

    def few(folder: object, threshold: float) -> Prequential:
        worked_out.append(1)
        return Prequential(DetectionMetrics(100))

    monkeypatch.setattr(service, "prequential", few)
    bench.learning.status("p")
    bench.learning.status("p")
    assert len(worked_out) == 1, "nothing changed"
    bench.annotate(1)
    bench.learning.status("p")
    assert len(worked_out) == 1, "one of a hundred"
    bench.annotate(2)
    bench.learning.status("p")
    assert len(worked_out) == 2, "two of a hundred"
    bench.projects.change("p", ProjectSettings(SOLVER, 0.5, 0))
    bench.learning.status("p")
    assert len(worked_out) == 3, "another threshold"
