"""Experiments: what a model was trained on, and what it was judged on."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from peta_viz.curation.reading import Correction
from peta_viz.errors import InvalidDataError
from peta_viz.files import atomic
from peta_viz.imageset import ImageSet
from peta_viz.progress import titled
from peta_viz.splitting import side_of
from peta_viz.training.checkpoints import BEST, LAST, load_model
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import readable
from peta_viz.training.epochs import EpochReports
from peta_viz.training.loop import Hook, Side, train
from peta_viz.training.pixels import PixelStore
from peta_viz.training.predict import predict, prediction_rows

State = Literal["raw", "cleaned", "curated"]


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
    Experiment("D, cleaned", "raw", "cleaned"),
    Experiment("D, curated", "raw", "curated"),  # also called A′
    Experiment("C′", "cleaned", "curated"),
)
COMPARED = (
    ("C", "A"),
    ("B", "A"),
    ("D, cleaned", "A"),
    ("B", "D, cleaned"),
    ("D, curated", "A"),
    ("C′", "D, curated"),
)


def train_models(
    imageset: ImageSet,
    cleaning: Correction,
    config: TrainConfig,
    folder: str | Path,
    *,
    seeds: Sequence[int] = (),
    report_every: int = 0,
    hooks: Callable[[TrainConfig], Sequence[Hook]] = lambda _: (),
    cache: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train models on the raw and on the cleaned image set, one of each for every seed.

    Where cleaning changes nothing, the model of the raw image set is also that of the cleaned one.

    Parameters
    ----------
    imageset
        The raw images with `component_id` and `split`.
    cleaning
        What makes the cleaned image set of it: a `Cleaning`, or `Decisions` of people.
    config
        Settings, the same for all but for the seed.
    folder
        ``raw/seed-0/``, ``cleaned/seed-0/`` and so on in it get the checkpoints.
    seeds
        By default the one of `config`.
    report_every
        Write what is predicted of the validation side every so many epochs, and of the best one,
        beside the checkpoints; 0 writes nothing.
    hooks
        From the settings of a training, with its seed, to what is called after each epoch.
    cache
        Folder for the decoded images; see `PixelStore.of`.
    progress
        Show progress bars.

    Returns
    -------
    DataFrame
        One row per model and epoch: `trained_on`, `seed` and the columns of `train`.

    """
    raw = readable(imageset)
    pixels = PixelStore.of(raw, config.height_px, config.width_px, cache=cache, progress=progress)
    sets = {"raw": raw, "cleaned": readable(cleaning.apply(imageset))}
    sides = [[side_of(one, side) for one in sets.values()] for side in ("train", "validation")]
    alike = all(_are_alike(*own) for own in sides)
    histories: list[pd.DataFrame] = []
    planned = seeds or (config.seed,)
    for seed in planned:
        for state, chosen in sets.items():
            name, settings = f"{state}/seed-{seed}", replace(config, seed=seed)
            own = Path(folder) / name
            part = f"model {len(histories) + 1} of {len(planned) * len(sets)}"
            called = list(hooks(settings))
            if alike and state == "cleaned":
                _take_over(Path(folder) / f"raw/seed-{seed}", own)
                if progress:
                    words = f"nothing was cleaned that it learns from: it is raw/seed-{seed}"
                    words = f"{titled(name, part)}: {words}"
                    print(words, file=sys.stderr, flush=True)  # noqa: T201
            if report_every:
                judged = side_of(chosen, "validation")
                called.append(EpochReports(own / "epochs", judged, every=report_every))
            history = train(
                chosen,
                settings,
                own,
                pixels=pixels,
                name=name,
                part=part,
                hooks=called,
                progress=progress,
            )
            history.insert(0, "seed", seed)
            history.insert(0, "trained_on", state)
            histories.append(history)
    return pd.concat(histories, ignore_index=True)


def _are_alike(raw: ImageSet, cleaned: ImageSet) -> bool:
    return all(
        getattr(raw, part).equals(getattr(cleaned, part)) for part in ("images", "labels", "known")
    )


def _take_over(there: Path, here: Path) -> None:
    """Copy a training; its last checkpoint, which says how far it is, comes last."""
    files = [file for file in there.rglob("*") if file.is_file() and file.name[0] != "."]
    for file in sorted(files, key=lambda file: file.name == LAST):
        with atomic(here / file.relative_to(there)) as partial:
            shutil.copyfile(file, partial)


def run_experiments(
    imageset: ImageSet,
    cleaning: Correction,
    folder: str | Path,
    *,
    seeds: Sequence[int] = (),
    curation: Correction | None = None,
    split: str = "test",
    cache: str | Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Let the trained models say what they see: every experiment, every seed.

    Parameters
    ----------
    imageset, cleaning
        As for `train_models`.
    folder
        Where `train_models` left its checkpoints.
    seeds
        Whose models; by default all that are in `folder`, which may be of an earlier training.
    curation
        What a person's decisions make of the raw image set; without it there is no experiment that
        is judged on curated labels.
    split
        The side of the split that judges.
    cache
        Folder for the decoded images; see `PixelStore.of`.
    progress
        Show progress bars.

    Returns
    -------
    DataFrame
        One row per experiment, seed, component and label: `experiment`, `trained_on`, `judged_on`
        (text), `seed` (int64), and the columns of `peta_viz.training.predict.prediction_rows`. For
        scores see `peta_viz.intervals.score_experiments`.

    Raises
    ------
    InvalidDataError
        If `folder` holds no models, or not the same seeds of raw and cleaned.

    """
    raw = readable(imageset)
    sets: dict[State, ImageSet] = {"raw": raw, "cleaned": readable(cleaning.apply(imageset))}
    if curation is not None:
        sets["curated"] = readable(curation.apply(imageset))
    sets = {state: side_of(chosen, split) for state, chosen in sets.items()}
    stores: dict[tuple[int, int], PixelStore] = {}

    def pixels(config: TrainConfig) -> PixelStore:
        size = (config.height_px, config.width_px)
        if size not in stores:  # to find what was decoded, every file is read
            stores[size] = PixelStore.of(raw, *size, cache=cache, progress=progress)
        return stores[size]

    grid = [experiment for experiment in EXPERIMENTS if experiment.judged_on in sets]
    found = []
    for seed in seeds or trained_seeds(folder):
        for state in ("raw", "cleaned"):
            checkpoint = Path(folder) / state / f"seed-{seed}" / BEST
            own = [experiment for experiment in grid if experiment.trained_on == state]
            judged = {experiment.judged_on: sets[experiment.judged_on] for experiment in own}
            tables = _judge(checkpoint, judged, pixels, progress=progress)
            for experiment in own:
                table = tables[experiment.judged_on].copy()
                table.insert(0, "seed", seed)
                for column in ("judged_on", "trained_on"):
                    table.insert(0, column, getattr(experiment, column))
                table.insert(0, "experiment", experiment.name)
                found.append(table)
    texts = dict.fromkeys(("experiment", "trained_on", "judged_on"), "str")
    order = {experiment.name: number for number, experiment in enumerate(grid)}
    return (
        pd.concat(found, ignore_index=True)
        .astype(texts)
        .sort_values("experiment", key=lambda names: names.map(order), kind="stable")
        .reset_index(drop=True)
    )


def trained_seeds(folder: str | Path) -> list[int]:
    """Return the seeds of the models that `train_models` left in a folder, ascending.

    Raises
    ------
    InvalidDataError
        If there is none, or one of raw has no counterpart.

    """
    seeds = {
        state: {
            int(file.parent.name.removeprefix("seed-"))
            for file in (Path(folder) / state).glob(f"seed-*/{BEST}")
        }
        for state in ("raw", "cleaned")
    }
    if not seeds["raw"] or seeds["raw"] != seeds["cleaned"]:
        words = [f"{state} has the seeds {sorted(found)}" for state, found in seeds.items()]
        raise InvalidDataError(f"the models in {folder}", [*words, "train them first"])
    return sorted(seeds["raw"])


def _judge(
    checkpoint: Path,
    judged: Mapping[State, ImageSet],
    pixels: Callable[[TrainConfig], PixelStore],
    *,
    progress: bool,
) -> dict[State, pd.DataFrame]:
    """Predict each group of images once, in however many states of the labels it is judged."""
    model, config, heads = load_model(checkpoint)
    store = pixels(config)
    sides = {state: Side.of(chosen, store, config) for state, chosen in judged.items()}
    groups = [side.groups.draw(config.images_per_group) for side in sides.values()]
    rows, places = np.unique(np.concatenate(groups), axis=0, return_inverse=True)
    probabilities = predict(model, rows, store.values, heads, progress=progress)
    own = np.split(places.ravel(), np.cumsum([len(group) for group in groups])[:-1])
    return {
        state: prediction_rows(
            probabilities.iloc[place].set_axis(side.targets.values.index), side.targets
        )
        for (state, side), place in zip(sides.items(), own, strict=True)
    }
