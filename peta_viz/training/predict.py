"""Predictions of a trained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from peta_viz.errors import InvalidDataError
from peta_viz.images import load_all, problems_of
from peta_viz.imageset import Head
from peta_viz.training.checkpoints import load_model
from peta_viz.training.data import Groups, Rows, Targets
from peta_viz.training.model import GroupNet
from peta_viz.training.pixels import Values
from peta_viz.words import counted

_BATCH = 64


def predict(
    model: GroupNet,
    rows: Rows,
    values: Values,
    heads: Sequence[Head],
    *,
    progress: bool = False,
) -> pd.DataFrame:
    """Predict groups of images.

    Parameters
    ----------
    model
        The model; it is left in evaluation mode, on its device.
    rows
        int64, shape ``(groups, k)``: where the pixels of each group are, as `Groups.draw` returns.
    values
        uint8, shape ``(n, height, width, 3)``.
    heads
        The heads of the model.
    progress
        Show a progress bar.

    Returns
    -------
    DataFrame
        float32, shape ``(groups, labels)``, in the order of `rows`: probabilities (softmax within
        an exclusive head, sigmoid elsewhere).

    """
    device = next(model.parameters()).device
    model.eval()
    parts: list[np.ndarray[Any, Any]] = []
    with (
        torch.inference_mode(),
        tqdm(desc="predicting", total=len(rows), unit="group", disable=not progress) as bar,
    ):
        for start in range(0, len(rows), _BATCH):
            chosen = rows[start : start + _BATCH]
            wanted, places = np.unique(chosen, return_inverse=True)
            view = torch.from_numpy(values[wanted]).to(device)
            answer = model(view, torch.from_numpy(places.reshape(chosen.shape)).to(device))
            outputs = [
                logits.softmax(dim=1) if head.kind == "exclusive" else logits.sigmoid()
                for head, logits in zip(heads, answer, strict=True)
            ]
            parts.append(torch.cat(outputs, dim=1).cpu().numpy())
            bar.update(len(chosen))
    labels = [label for head in heads for label in head.labels]
    return pd.DataFrame(np.concatenate(parts), columns=labels)


def prediction_rows(probabilities: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Set predictions beside what is true, one row per component and label.

    Returns
    -------
    DataFrame
        Components in the order of `targets`, labels in the order of the heads: `component_id`
        (int64), `size` (int64: images in the component), `label` (text), `probability` (float32)
        and `truth` (``boolean``: is the label carried? missing where it does not count).

    """
    components, labels = probabilities.shape
    values = targets.values[probabilities.columns].to_numpy().ravel()
    known = targets.known[probabilities.columns].to_numpy().ravel()
    frame = pd.DataFrame(
        {
            "component_id": np.repeat(targets.values.index.to_numpy(), labels),
            "size": np.repeat(targets.sizes.to_numpy(), labels),
            "label": np.tile(probabilities.columns.to_numpy(), components),
            "probability": probabilities.to_numpy(dtype=np.float32).ravel(),
            "truth": pd.arrays.BooleanArray(values, ~known),
        }
    )
    return frame.astype({"label": "str"})


def predict_files(
    checkpoint: str | Path,
    paths: Sequence[str],
    *,
    components: Sequence[Any] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Apply a trained model to image files.

    Parameters
    ----------
    checkpoint
        A file that `peta_viz.train_models` wrote, such as ``models/raw/seed-0/best.pt``.
    paths
        The files.
    components
        What shows the same thing, one value per file: a few of its images are looked at together,
        and all of them get that answer. By default each image is looked at on its own.
    progress
        Show progress bars.

    Returns
    -------
    DataFrame
        One row per file, in that order: `path`, `problem` (why it cannot be decoded, or empty),
        one column per exclusive head with the likeliest class, and one per label with its
        probability (float32); missing where there is a problem. A head or label that is called as a
        column before it gets ``" (head)"`` or ``" (label)"`` behind its name.

    Raises
    ------
    InvalidDataError
        If there is no file, one of `components` is empty, or `checkpoint` is something else.

    """
    if not len(paths):
        raise InvalidDataError("the images to predict", ["there is none"])
    own = np.arange(len(paths))
    if components is not None:
        own, _ = pd.factorize(np.array(components, dtype=object))
        if (own < 0).any():
            raise InvalidDataError(
                "the components", [f"they are empty for {counted(int((own < 0).sum()), 'image')}"]
            )
    model, config, heads = load_model(checkpoint)
    problems = np.array(problems_of(paths), dtype=object)
    good = np.flatnonzero(problems == "")
    labels = [label for head in heads for label in head.labels]
    table = np.full((len(paths), len(labels)), np.nan, dtype=np.float32)
    if len(good):
        size = (config.width_px, config.height_px)
        names, component = np.unique(own[good], return_inverse=True)
        rows = Groups(component.astype(np.int64), good.astype(np.int64)).draw(
            config.images_per_group
        )
        found = _predict_decoded(model, rows, [str(path) for path in paths], size, heads, progress)
        place = np.searchsorted(names, own[good])
        table[good] = found.to_numpy()[place]
    frame = pd.DataFrame({"path": list(map(str, paths)), "problem": problems})
    probabilities = pd.DataFrame(table, columns=labels)
    for head in heads:
        if head.kind == "exclusive":
            best = probabilities[list(head.labels)].fillna(-1).to_numpy().argmax(axis=1)
            classes = pd.Series(np.array(head.short, dtype=object)[best], dtype="str")
            name = f"{head.name} (head)" if head.name in frame else head.name
            frame[name] = classes.where(pd.Series(problems == ""))
    frame = frame.astype({"path": "str", "problem": "str"})
    clash = {name: f"{name} (label)" for name in labels if name in frame}
    return pd.concat([frame, probabilities.rename(columns=clash)], axis=1)


def _predict_decoded(
    model: GroupNet,
    rows: Rows,
    paths: Sequence[str],
    size: tuple[int, int],
    heads: Sequence[Head],
    progress: bool,  # noqa: FBT001
) -> pd.DataFrame:
    """Predict groups of files, decoding a batch at a time so that any number fits."""
    parts = []
    with tqdm(desc="predicting", total=len(rows), unit="group", disable=not progress) as bar:
        for start in range(0, len(rows), _BATCH):
            chosen = rows[start : start + _BATCH]
            wanted, places = np.unique(chosen, return_inverse=True)
            values = load_all([paths[row] for row in wanted], size)
            parts.append(predict(model, places.reshape(chosen.shape), values, heads))
            bar.update(len(chosen))
    return pd.concat(parts, ignore_index=True)
