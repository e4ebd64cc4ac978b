"""Replies of any shape are read without an error; the common shape is read whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.results import Keypoint, parse_result

KEYS = ["objects", "box", "label", "score", "classes", "embedding", "keypoints"]
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=20,
)


@given(json)
def test_strange_replies_are_kept_raw(reply: object) -> None:
    result = parse_result(reply)
    assert result.raw == (reply if isinstance(reply, dict) else {"result": reply})


def test_the_common_shape() -> None:
    result = parse_result(
        {
            "task": "object-detection",
            "model": {"package": "cvflow/nanodet", "version": "1.0.0", "checkpoint": None},
            "image": {"width": 640, "height": 480},
            "objects": [{"label": "dog", "score": 0.9, "box": [1, 2, 3, 4], "keypoints": [[1, 2, 2]], "text": "rex"}],
            "classes": [{"label": "cat", "score": 0.5}],
            "caption": "a dog",
            "embedding": [1, 2],
        }
    )
    assert result.image == Size(640, 480)
    assert result.objects[0].box == Box(1, 2, 3, 4)
    assert result.objects[0].keypoints == (Keypoint(1, 2, 2),)
    assert result.classes[0].label == "cat"
    assert result.embedding == (1.0, 2.0)
    assert result.model is not None
    assert result.model.package == "cvflow/nanodet"
