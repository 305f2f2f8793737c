"""From which probability on a label is said to be there: chosen, and put into a model's biases."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.special import expit, logit
from torch import Tensor

from peta_viz.imageset import Head
from peta_viz.metrics import best_threshold
from peta_viz.training.data import Targets


def best_thresholds(
    probabilities: pd.DataFrame, targets: Targets, heads: Sequence[Head]
) -> "pd.Series[float]":
    """Choose the threshold of each label of a multiple head that has the best F1.

    Parameters
    ----------
    probabilities
        Shape ``(components, labels)``, as `predict` returns.
    targets
        What is true, for the same components.
    heads
        The heads; exclusive ones have no threshold.

    Returns
    -------
    Series
        float64, indexed by label, strictly between 0 and 1.

    """
    labels = [label for head in heads if head.kind == "multiple" for label in head.labels]
    thresholds = [
        best_threshold(
            probabilities[label].to_numpy()[known], targets.values[label].to_numpy()[known]
        )
        for label in labels
        for known in [targets.known[label].to_numpy()]
    ]
    return pd.Series(np.clip(thresholds, 1e-4, 1 - 1e-4), index=labels, dtype="float64")


def move_thresholds(probabilities: pd.DataFrame, thresholds: "pd.Series[float]") -> pd.DataFrame:
    """Return the probabilities whose threshold is 0.5, shifted by their log-odds."""
    labels = thresholds.index.tolist()
    odds = logit(probabilities[labels].to_numpy(dtype=np.float64))
    moved = probabilities.copy()
    moved[labels] = expit(odds - logit(thresholds.to_numpy())).astype(np.float32)
    return moved


def into_biases(
    state: Mapping[str, Tensor], heads: Sequence[Head], thresholds: "pd.Series[float]"
) -> dict[str, Tensor]:
    """Return a model's state that predicts what `move_thresholds` returns."""
    moved = dict(state)
    for number, head in enumerate(heads):
        if head.kind == "multiple":
            shift = logit(thresholds[list(head.labels)].to_numpy()).astype(np.float32)
            key = f"heads.{number}.bias"
            moved[key] = moved[key] - torch.from_numpy(shift).to(moved[key].device)
    return moved
