"""The demo's photographs, our boxes on them, and the annotator who knows them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cvflow_tui.demo import pictures
from cvflow_tui.demo.annotator import NEAR, RIGHT, decide
from cvflow_tui.demo.checks import is_free, is_gone
from cvflow_tui.demo.pictures import Thing
from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Accept, Decline, Draw, Fix, Suggestion

needs_photographs = pytest.mark.skipif(find_spec("skimage") is None, reason="the [demo] extra (scikit-image) is not installed")


@needs_photographs
def test_every_photograph_is_there_and_every_box_lies_on_it() -> None:
    labels = pictures.labels()
    assert len(labels) == len(set(labels)) <= 9, "one digit key a label"
    found = pictures.photographs()
    for photograph in found:
        with Image.open(photograph.path) as image:
            width, height = image.size
        for thing in photograph.things:
            assert thing.label in labels
            assert 0 <= thing.box.x0 < thing.box.x1 <= width, photograph.path.name
            assert 0 <= thing.box.y0 < thing.box.y1 <= height, photograph.path.name
    used = Counter(thing.label for photograph in found for thing in photograph.things)
    assert set(used) == set(labels)
    assert any(not photograph.things for photograph in found), "one photograph has nothing on it"


@needs_photographs
def test_each_photograph_is_credited() -> None:
    credit = pictures.credit()
    assert "scikit-image" in credit
    for photograph in pictures.photographs():
        assert photograph.path.name in credit
        assert len(photograph.credit) > 5


@needs_photographs
def test_finding_the_photographs_imports_no_scikit_image() -> None:
    script = (
        "import sys; from cvflow_tui.demo import photographs; photographs();"
        "sys.exit([name for name in ('skimage', 'scipy', 'numpy', 'httpx') if name in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_scikit_image_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    with pytest.raises(NotFoundError, match=r"cvflow\[demo\]"):
        pictures.photographs()


_corner = st.integers(0, 90)
_boxes = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), _corner, _corner, st.integers(1, 60), st.integers(1, 60))
_labels = st.sampled_from(["cat", "dog"])
_things = st.lists(st.builds(Thing, _labels, _boxes), max_size=5)


@given(_things, st.lists(st.tuples(_labels, _boxes), max_size=8), st.data())
def test_the_annotator_turns_any_suggestions_into_the_truth(
    things: list[Thing], proposed: list[tuple[str, Box]], data: st.DataObject
) -> None:
    # some suggestions are near the truth, or they would hardly ever be
    chosen = data.draw(st.lists(st.sampled_from(things), max_size=5)) if things else []
    proposed = proposed + [(data.draw(_labels), thing.box.moved(data.draw(st.integers(-3, 3)), 0)) for thing in chosen]
    suggestions = [Suggestion(number, label, 0.5, box) for number, (label, box) in enumerate(proposed)]
    acts = decide(suggestions, things)
    judged = [act.suggestion for act in acts if isinstance(act, Accept | Decline | Fix)]
    assert sorted(judged) == list(range(len(suggestions))), "every suggestion gets one verdict"
    held: list[Thing] = []
    for act in acts:
        if isinstance(act, Accept):
            held.append(Thing(suggestions[act.suggestion].label, suggestions[act.suggestion].box))
        elif isinstance(act, Fix | Draw):
            held.append(Thing(act.label, act.box))
            if isinstance(act, Fix):
                assert suggestions[act.suggestion].box.iou(act.box) >= NEAR
    assert Counter(each.label for each in held) == Counter(each.label for each in things)
    for thing in things:
        assert any(each.label == thing.label and each.box.iou(thing.box) >= RIGHT for each in held)


def test_a_right_one_is_accepted_a_near_one_fixed_a_wrong_one_declined() -> None:
    truth = [Thing("cat", Box(0, 0, 100, 100)), Thing("dog", Box(200, 0, 300, 100)), Thing("cat", Box(400, 0, 500, 100))]
    suggestions = [
        Suggestion(1, "cat", 0.9, Box(2, 2, 100, 100)),
        Suggestion(2, "dog", 0.8, Box(200, 0, 300, 60)),
        Suggestion(3, "cat", 0.7, Box(0, 300, 50, 350)),
        Suggestion(4, "dog", 0.6, Box(400, 0, 500, 99)),
    ]
    assert decide(suggestions, truth) == [
        Accept(1),
        Fix(2, "dog", truth[1].box),
        Decline(3),
        Fix(4, "cat", truth[2].box),
    ]
    assert decide([], truth) == [Draw(thing.label, thing.box) for thing in truth]


def test_processes_and_ports_are_seen_for_what_they_are() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_gone(process.pid)
    process.communicate(b"\n")
    assert is_gone(process.pid)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert not is_free(url)
    assert is_free(url)
