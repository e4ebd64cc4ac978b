"""A round: features of new pictures, a correction of the boxes, then scores; the same pictures always give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cvflow
import numpy as np
import torch

from nanodet.head import FEATURES, Head
from nanodet.learning import learn_boxes, learn_scores
from nanodet.lesson import box_lesson, score_lesson
from nanodet.network import Network
from nanodet.views import ViewCache

PICTURES = 250
"""At most so many pictures teach in one round (a seeded choice of them), so that its time and memory stay bounded."""
BOX_STEPS = 200
SCORE_STEPS = 300
HIDDEN = 128
_PICTURE = 5
"""A picture that the network has yet to see counts as so many steps of progress: it takes about as long."""


def train(
    network: Network,
    base: Head | None,
    names: Sequence[str],
    dataset: cvflow.Dataset,
    checkpoint: Path,
    report: cvflow.Report,
    threads: int,
) -> dict[str, float]:
    """Teach a head the dataset's labels and write it at `checkpoint`.

    `base` is the head to go on from; `names` are COCO's labels, whose scores a label of the same name begins with. Returns what was
    learned from (pictures, objects) and the last losses. Raises InputError for a dataset without objects and for an unreadable picture.
    """
    items = _chosen(dataset)
    torch.set_num_threads(threads)
    cache = ViewCache(dataset.cache / "nanodet-m-416", network)
    missing = cache.missing(items)
    total = _PICTURE * len(missing) + BOX_STEPS + SCORE_STEPS
    cache.fill(missing, lambda seen: report(_PICTURE * seen, total))
    done = _PICTURE * len(missing)

    start = base if base is not None else fresh_head(cache, items, dataset, names)
    head = relabelled(start, dataset.labels, names)
    random = torch.Generator().manual_seed(0)
    lesson = box_lesson(cache.views(items, dataset.labels))
    head, box_loss = learn_boxes(head, lesson, BOX_STEPS, random, lambda step, loss: report(done + step, total, box_loss=loss))
    done += BOX_STEPS
    scores = score_lesson(cache.views(items, dataset.labels), head)
    head, loss = learn_scores(head, scores, SCORE_STEPS, random, lambda step, value: report(done + step, total, loss=value))
    head.save(checkpoint)
    report(total, total, loss=loss, box_loss=box_loss)
    objects = sum(len(item.objects) for item in items)
    return {"pictures": len(items), "objects": objects, "loss": loss, "box_loss": box_loss}


def fresh_head(cache: ViewCache, items: Sequence[cvflow.Item], dataset: cvflow.Dataset, names: Sequence[str]) -> Head:
    """A head that says what COCO says: it normalises the features of these pictures and has learned nothing yet."""
    sample = np.concatenate([view.features[::7].astype(np.float32) for view in cache.views(items[:50], dataset.labels)])
    random = np.random.default_rng(0)
    hidden = random.uniform(-1, 1, (FEATURES, HIDDEN)) / FEATURES**0.5
    empty = {"out": (HIDDEN, 0), "out_bias": (0,), "gain": (0,), "side": (FEATURES, 44), "side_level": (3, 44), "hidden_level": (3, HIDDEN)}
    zeros = {name: np.zeros(shape, np.float32) for name, shape in empty.items()}
    mean, scale = sample.mean(axis=0), 1 / (sample.std(axis=0) + 1e-3)
    head = Head((), mean, scale, hidden.astype(np.float32), source=np.zeros(0, np.int64), **zeros)
    return relabelled(head, dataset.labels, names)


def relabelled(head: Head, labels: Sequence[str], names: Sequence[str]) -> Head:
    """The head for other labels: those it knows keep what it learned, by name; the others begin with what COCO says of them."""
    known = {_plain(name): place for place, name in enumerate(names)}
    random = np.random.default_rng(1)
    width = head.hidden.shape[1]
    out = random.uniform(-1, 1, (width, len(labels))).astype(np.float32) / width**0.5
    source = np.array([known.get(_plain(label), -1) for label in labels], np.int64)
    gain = (source >= 0).astype(np.float32)
    bias = np.zeros(len(labels), np.float32)
    out[:, source >= 0] = 0
    for place, label in enumerate(labels):
        if label in head.labels:
            before = head.labels.index(label)
            out[:, place], bias[place] = head.out[:, before], head.out_bias[before]
            gain[place], source[place] = head.gain[before], head.source[before]
    return Head(tuple(labels), head.mean, head.scale, head.hidden, head.hidden_level, out, bias, gain, source, head.side, head.side_level)


def _chosen(dataset: cvflow.Dataset) -> list[cvflow.Item]:
    """The pictures that teach in this round. Raises InputError where there is nothing to learn from."""
    items = list(dataset.items)
    if not items:
        raise cvflow.InputError("there is nothing to learn from: the dataset has no pictures to train on")
    if len(items) > PICTURES:
        chosen = np.sort(np.random.default_rng(len(items)).choice(len(items), PICTURES, replace=False))
        items = [items[place] for place in chosen]
    if not any(item.objects for item in items):
        raise cvflow.InputError(f"there is nothing to learn from: none of the {len(items)} pictures has an object; annotate some first")
    return items


def _plain(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())
