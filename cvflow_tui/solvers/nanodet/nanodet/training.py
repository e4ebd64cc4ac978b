"""A round: features of new pictures, a correction of the boxes, then scores; the same pictures always give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
BOX_STEPS = 100
SCORE_STEPS = 200
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

    `base` is an earlier round's head, whose boxes it goes on from; `names` are COCO's labels, whose scores a label of the same name begins
    with. Returns what was learned from (pictures, objects) and the last losses. Raises InputError for a dataset without objects and for an
    unreadable picture.
    """
    items = _chosen(dataset)
    torch.set_num_threads(threads)
    cache = ViewCache(dataset.cache / "nanodet-m-416", network)
    missing = cache.missing(items)
    total = _PICTURE * len(missing) + BOX_STEPS + SCORE_STEPS
    cache.fill(missing, lambda seen: report(_PICTURE * seen, total))
    done = _PICTURE * len(missing)

    head = first_head(cache, items, dataset.labels, names)
    if base is not None:
        head = going_on(head, base)
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


def first_head(cache: ViewCache, items: Sequence[cvflow.Item], labels: Sequence[str], names: Sequence[str]) -> Head:
    """A head that has learned nothing: labels that COCO knows begin with what COCO says, the boxes are the network's own."""
    sample = np.concatenate([view.features[::7].astype(np.float32) for view in cache.views(items[:50], labels)])
    known = {_plain(name): place for place, name in enumerate(names)}
    source = np.array([known.get(_plain(label), -1) for label in labels], np.int64)
    random = np.random.default_rng(0)
    hidden = (random.uniform(-1, 1, (FEATURES, HIDDEN)) / FEATURES**0.5).astype(np.float32)
    out = (random.uniform(-1, 1, (HIDDEN, len(labels))) / HIDDEN**0.5).astype(np.float32)
    out[:, source >= 0] = 0
    return Head(
        tuple(labels),
        mean=sample.mean(axis=0),
        scale=1 / (sample.std(axis=0) + 1e-3),
        hidden=hidden,
        hidden_level=np.zeros((3, HIDDEN), np.float32),
        out=out,
        out_bias=np.zeros(len(labels), np.float32),
        gain=(source >= 0).astype(np.float32),
        source=source,
        side=np.zeros((FEATURES, 44), np.float32),
        side_level=np.zeros((3, 44), np.float32),
    )


def going_on(head: Head, base: Head) -> Head:
    """The head with the box correction of an earlier round.

    Scores are learned anew: every picture so far is in the dataset, and scores that went on from an earlier round, which had fitted its few
    pictures closely, were measurably worse (BCCD, 25 pictures after 10: AP .37 against .41).
    """
    return replace(head, mean=base.mean, scale=base.scale, side=base.side, side_level=base.side_level)


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
