"""What the model is told to make small: one loss per head, over what is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from peta_viz.imageset import Head
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Targets

_GAMMA = 2.0
_HEAVIEST = 10.0


@dataclass(frozen=True, eq=False)
class HeadTruth:
    """What the components are, for one head.

    Parameters
    ----------
    head
        The head.
    values
        Class numbers, int64, shape ``(components,)``; for a multiple head 0 and 1, float32, shape
        ``(components, labels)``.
    known
        bool, the same shape: does it count?
    weights
        float32, shape ``(labels,)``: of each class, or of the yes of each label.

    """

    head: Head
    values: Tensor
    known: Tensor
    weights: Tensor

    @classmethod
    def of(cls, targets: Targets, head: Head, config: TrainConfig) -> Self:
        """Take what one head needs of the targets."""
        labels = list(head.labels)
        if head.kind == "exclusive":
            classes = targets.classes(head)
            counts = np.bincount(classes[classes >= 0], minlength=len(labels))
            weights = _inverse_root(counts, counts.sum() / len(labels))
            values, known = torch.from_numpy(classes), torch.from_numpy(classes >= 0)
        else:
            known_cells = targets.known[labels].to_numpy(copy=True)
            cells = targets.values[labels].to_numpy(dtype=np.float32, copy=True)
            yes = (cells * known_cells).sum(axis=0)
            weights = _inverse_root(yes, known_cells.sum(axis=0) - yes)
            values, known = torch.from_numpy(cells), torch.from_numpy(known_cells)
        plain = config.class_weights == "none"
        return cls(head, values, known, torch.ones(len(labels)) if plain else weights)

    def to(self, device: torch.device) -> "HeadTruth":
        """Move the tensors."""
        moved = (part.to(device) for part in (self.values, self.known, self.weights))
        return HeadTruth(self.head, *moved)

    def loss(self, logits: Tensor, rows: Tensor, config: TrainConfig) -> Tensor:
        """Return the mean loss over what is known of these components; 0 if nothing is."""
        values, known = self.values[rows], self.known[rows]
        if not known.any():
            return 0 * logits.sum()  # which still has a gradient
        logits, values = logits[known], values[known]
        if self.head.kind == "exclusive":
            each = functional.cross_entropy(logits, values, reduction="none")
            weights = self.weights[values]
        else:
            each = functional.binary_cross_entropy_with_logits(logits, values, reduction="none")
            of_yes = self.weights.expand_as(known)[known]
            weights = torch.where(values > 0, of_yes, torch.ones_like(of_yes))
        if config.loss == "focal":
            # The loss is −log of the probability given to what is true.
            each = (1 - torch.exp(-each)) ** _GAMMA * each
        return (each * weights).sum() / weights.sum()


def total_loss(
    truths: Sequence[HeadTruth], logits: Sequence[Tensor], rows: Tensor, config: TrainConfig
) -> Tensor:
    """Sum the losses of the heads."""
    losses = [truth.loss(one, rows, config) for truth, one in zip(truths, logits, strict=True)]
    return torch.stack(losses).sum()


def _inverse_root(counts: Any, usual: Any) -> Tensor:
    """Weigh what is half as often as usual by √2, at most tenfold; what never is, by 1."""
    ratio = np.asarray(usual) / np.maximum(counts, 1)
    weights = np.where(np.asarray(counts) > 0, np.sqrt(ratio), 1.0)
    return torch.from_numpy(np.clip(weights, 1 / _HEAVIEST, _HEAVIEST).astype(np.float32))
