"""The two lessons, in torch: boxes by overlap and distribution, scores by quality focal loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nanodet.geometry import BINS, CENTRES, STRIDE
from nanodet.head import LEVELS, Head
from nanodet.lesson import BoxLesson, ScoreLesson

Step = Callable[[int, float], None]
_EVERY = 20
"""Steps between two words about progress."""

BOX_RATE = 3e-3
BOX_BATCH = 2048
DISTRIBUTION = 0.25
"""Weight of the distribution loss beside that of the overlap."""
SCORE_RATE = 3e-3
RANDOM_BATCH = 2048
ANSWERING_BATCH = 1024
DECAY = 1e-2


def learn_boxes(head: Head, lesson: BoxLesson, steps: int, random: torch.Generator, said: Step) -> tuple[Head, float]:
    """Fit the correction of the side logits to the true boxes (GIoU, distribution focal loss). Returns the new head and last loss."""
    features = (torch.from_numpy(lesson.features) - torch.from_numpy(head.mean)) * torch.from_numpy(head.scale)
    sides, cells, truth = (torch.from_numpy(array) for array in (lesson.sides, lesson.cells, lesson.boxes))
    side, level = (torch.tensor(array, requires_grad=True) for array in (head.side, head.side_level))
    centres, strides = torch.from_numpy(CENTRES), torch.from_numpy(STRIDE)
    levels = _one_hot(torch.from_numpy(LEVELS))

    def loss_of(step: int) -> Tensor:
        picked = torch.randint(len(cells), (min(BOX_BATCH, len(cells)),), generator=random)
        where = cells[picked]
        logits = (sides[picked] + features[picked] @ side + levels[where] @ level).view(-1, 4, BINS)
        distance = logits.softmax(2) @ torch.arange(float(BINS)) * strides[where][:, None]
        boxes = torch.cat([centres[where] - distance[:, :2], centres[where] + distance[:, 2:]], dim=1)
        wanted = torch.cat([centres[where] - truth[picked, :2], truth[picked, 2:] - centres[where]], dim=1) / strides[where][:, None]
        return (1 - _giou(boxes, truth[picked])).mean() + DISTRIBUTION * _distribution_loss(logits, wanted)

    last = _descend([side, level], loss_of, steps, BOX_RATE, said)
    return replace(head, side=side.detach().numpy(), side_level=level.detach().numpy()), last


def learn_scores(head: Head, lesson: ScoreLesson, steps: int, random: torch.Generator, said: Step) -> tuple[Head, float]:
    """Fit the scores to how well each cell answers (quality focal loss). Returns the new head and the last loss."""
    mean, scale = torch.from_numpy(head.mean), torch.from_numpy(head.scale)
    features, prior, level, targets, answering = (
        torch.from_numpy(array) for array in (lesson.features, lesson.prior, lesson.level, lesson.targets, lesson.answering)
    )
    levels = _one_hot(level)
    # What no picture shows is not unlearned: a label that COCO knows goes on as COCO has it until a person has drawn one.
    taught = torch.from_numpy((lesson.targets.any(axis=0) | (head.source < 0)).astype(np.float32))
    names = ("hidden", "hidden_level", "out", "out_bias", "gain")
    parts = {name: torch.tensor(getattr(head, name), requires_grad=True) for name in names}

    def loss_of(step: int) -> Tensor:
        everywhere = torch.randint(len(level), (RANDOM_BATCH,), generator=random)
        picked = torch.cat([everywhere, answering[torch.randint(len(answering), (ANSWERING_BATCH,), generator=random)]])
        normal = (features[picked].float() - mean) * scale
        hidden = torch.relu(normal @ parts["hidden"] + levels[picked] @ parts["hidden_level"])
        logits = hidden @ parts["out"] + parts["out_bias"] + prior[picked].float() * parts["gain"]
        wanted = targets[picked].float()
        distance = (logits.sigmoid() - wanted).abs().square()
        losses = distance * functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return (losses @ taught).sum() / ANSWERING_BATCH

    last = _descend(list(parts.values()), loss_of, steps, SCORE_RATE, said)
    learned: dict[str, Any] = {name: part.detach().numpy() for name, part in parts.items()}
    return replace(head, **learned), last


def _descend(parts: list[Tensor], loss_of: Callable[[int], Tensor], steps: int, rate: float, said: Step) -> float:
    """AdamW with a short rise and a cosine fall of the rate; a fixed number of steps, so that a round can be repeated."""
    optimiser = torch.optim.AdamW(parts, lr=rate, weight_decay=DECAY)
    rise = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: (step + 1) / rise if step < rise else 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
    )
    last = math.nan
    for step in range(steps):
        loss = loss_of(step)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        if (step + 1) % _EVERY == 0 or step + 1 == steps:
            last = float(loss.detach())
            said(step + 1, last)
    return last


def _one_hot(levels: Tensor) -> Tensor:
    """float32 [n, 3]. Multiplying by it looks a level up as indexing does, but its gradient does not depend on the threads' order."""
    return functional.one_hot(levels, 3).float()


def _giou(boxes: Tensor, truth: Tensor) -> Tensor:
    """Generalised intersection over union [k] of k pairs of boxes."""
    inner = (torch.minimum(boxes[:, 2:], truth[:, 2:]) - torch.maximum(boxes[:, :2], truth[:, :2])).clamp(min=0).prod(dim=1)
    outer = (torch.maximum(boxes[:, 2:], truth[:, 2:]) - torch.minimum(boxes[:, :2], truth[:, :2])).prod(dim=1).clamp(min=1e-6)
    union = ((boxes[:, 2:] - boxes[:, :2]).prod(dim=1) + (truth[:, 2:] - truth[:, :2]).prod(dim=1) - inner).clamp(min=1e-6)
    return inner / union - (outer - union) / outer


def _distribution_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of the two bins around the wanted distance; logits [k, 4, 11], wanted [k, 4] in strides."""
    bounded = wanted.clamp(0, BINS - 1 - 1e-3)
    low = bounded.long()
    high_part = bounded - low
    told = logits.log_softmax(2)
    low_told, high_told = (told.gather(2, place[..., None])[..., 0] for place in (low, low + 1))
    return -(low_told * (1 - high_part) + high_told * high_part).mean()
