"""Predictions of a trained model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from peta_viz.imageset import Head
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Groups
from peta_viz.training.model import GroupNet


def predict(
    model: GroupNet,
    groups: Groups,
    pixels: "np.ndarray[Any, np.dtype[np.uint8]]",
    config: TrainConfig,
    heads: Sequence[Head],
) -> pd.DataFrame:
    """Predict every component from the same few of its images each time.

    Parameters
    ----------
    model
        The model; it is left in evaluation mode.
    groups
        The components' images.
    pixels
        uint8, shape ``(n, height, width, 3)``.
    config, heads
        What the model was trained with.

    Returns
    -------
    DataFrame
        float32, shape ``(components, labels)``, rows in the order of `component_id`: probabilities
        (softmax within an exclusive head, sigmoid elsewhere).

    """
    rows = groups.draw(config.images_per_group)
    model.eval()
    parts: list[np.ndarray[Any, Any]] = []
    with torch.inference_mode():
        for start in range(0, len(rows), 2 * config.batch_size):
            view = torch.from_numpy(pixels[rows[start : start + 2 * config.batch_size]])
            outputs = [
                logits.softmax(dim=1) if head.kind == "exclusive" else logits.sigmoid()
                for head, logits in zip(heads, model(view), strict=True)
            ]
            parts.append(torch.cat(outputs, dim=1).numpy())
    labels = [label for head in heads for label in head.labels]
    return pd.DataFrame(np.concatenate(parts), columns=labels)
