"""Experiments: what a model was trained on, and what it was judged on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from peta_viz.cleaning import Cleaning
from peta_viz.evaluation import evaluate
from peta_viz.imageset import ImageSet
from peta_viz.splitting import side_of
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Targets, decode_all, readable
from peta_viz.training.loop import Side, load_model, train
from peta_viz.training.predict import predict

State = Literal["raw", "cleaned"]


@dataclass(frozen=True)
class Experiment:
    """A pair: what a model was trained on and what it was judged on."""

    name: str
    trained_on: State
    judged_on: State


EXPERIMENTS = (
    Experiment("A", "raw", "raw"),
    Experiment("B", "cleaned", "cleaned"),
    Experiment("C", "cleaned", "raw"),
)


def train_models(
    imageset: ImageSet,
    cleaning: Cleaning,
    config: TrainConfig,
    folder: str | Path,
    *,
    progress: bool = True,
) -> pd.DataFrame:
    """Train one model on the raw and one on the cleaned image set.

    Parameters
    ----------
    imageset
        The raw images with `component_id` and `split`.
    cleaning
        What makes the cleaned image set of it.
    config
        Settings, the same for both.
    folder
        ``raw/`` and ``cleaned/`` in it get the checkpoints.
    progress
        Show progress bars.

    Returns
    -------
    DataFrame
        One row per model and epoch: `trained_on` and the columns of `train`.

    """
    raw = readable(imageset)
    pixels = decode_all(raw, config.height_px, config.width_px, progress=progress)
    histories = []
    for state, chosen in (("raw", raw), ("cleaned", readable(cleaning.apply(imageset)))):
        history = train(
            chosen,
            config,
            Path(folder) / state,
            pixels=pixels,
            index=raw.images.index,
            name=state,
            progress=progress,
        )
        history.insert(0, "trained_on", state)
        histories.append(history)
    return pd.concat(histories, ignore_index=True)


def run_experiments(
    imageset: ImageSet,
    cleaning: Cleaning,
    folder: str | Path,
    *,
    split: str = "test",
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge the trained models: the experiments A, B and C.

    Parameters
    ----------
    imageset, cleaning
        As for `train_models`.
    folder
        Where `train_models` left its checkpoints.
    split
        The side of the split that judges.
    progress
        Show progress bars.

    Returns
    -------
    scores : DataFrame
        One row per experiment, component size and head: `experiment`, `trained_on`, `judged_on`,
        and the columns of `evaluate`.
    predictions : DataFrame
        One row per experiment, component and label, components ascending, labels in the order of
        the heads: `experiment` (text), `component_id` (int64), `size` (int64: images in the
        component), `label` (text), `probability` (float32, 0 to 1) and `truth` (``boolean``: is
        the label carried? missing where it does not count).

    """
    models = {state: load_model(Path(folder) / state / "best.pt") for state in ("raw", "cleaned")}
    sides: dict[str, ImageSet] = {
        "raw": readable(imageset),
        "cleaned": readable(cleaning.apply(imageset)),
    }
    sides = {state: side_of(chosen, split) for state, chosen in sides.items()}
    _, settings, _ = models["raw"]
    pixels = decode_all(sides["raw"], settings.height_px, settings.width_px, progress=progress)
    scores, predictions = [], []
    for experiment in EXPERIMENTS:
        model, config, heads = models[experiment.trained_on]
        side = Side.of(sides[experiment.judged_on], sides["raw"].images.index, config)
        probabilities = predict(model, side.groups, pixels, config, heads)
        probabilities = probabilities.set_axis(side.targets.values.index)
        table = evaluate(probabilities, side.targets, heads)
        for column in ("judged_on", "trained_on"):
            table.insert(0, column, getattr(experiment, column))
        table.insert(0, "experiment", experiment.name)
        scores.append(table)
        predictions.append(_lengthen(experiment.name, probabilities, side.targets))
    return pd.concat(scores, ignore_index=True), pd.concat(predictions, ignore_index=True)


def _lengthen(name: str, probabilities: pd.DataFrame, targets: Targets) -> pd.DataFrame:
    """Return one row per component and label."""
    components, labels = probabilities.shape
    values = targets.values[probabilities.columns].to_numpy().ravel()
    known = targets.known[probabilities.columns].to_numpy().ravel()
    frame = pd.DataFrame(
        {
            "experiment": name,
            "component_id": np.repeat(probabilities.index.to_numpy(), labels),
            "size": np.repeat(targets.sizes.to_numpy(), labels),
            "label": np.tile(probabilities.columns.to_numpy(), components),
            "probability": probabilities.to_numpy(dtype=np.float32).ravel(),
            "truth": pd.arrays.BooleanArray(values, ~known),
        }
    )
    return frame.astype({"experiment": "str", "label": "str"})
