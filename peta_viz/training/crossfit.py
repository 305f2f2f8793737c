"""Predictions of every image by a model that was not trained on it, nor on its near-copies."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet
from peta_viz.splitting import units
from peta_viz.training.checkpoints import BEST, load_model
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import readable
from peta_viz.training.loop import train
from peta_viz.training.pixels import PixelStore
from peta_viz.training.predict import predict
from peta_viz.words import counted

_VALIDATION_SHARE = 0.1


def out_of_fold(
    imageset: ImageSet,
    config: TrainConfig,
    folder: str | Path,
    *,
    pixels: PixelStore,
    folds: int = 2,
    progress: bool = True,
) -> pd.DataFrame:
    """Train once per fold, and predict each fold with the model that has not seen it.

    Images are looked at one by one, each with its own labels, without class weights or tuned
    thresholds, so that what comes out are probabilities. Folds are dealt out by unit. A tenth of
    the units of the other folds chooses the epoch.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    config
        The settings; the seed also deals out the folds.
    folder
        Where the checkpoints are written; called again it carries on.
    pixels
        The decoded images, all readable ones of `imageset` among them.
    folds
        How many, from 2.
    progress
        Show it.

    Returns
    -------
    DataFrame
        float32, indexed by `image_id` as `imageset`, a column per label of the heads:
        probabilities, as `label_quality` takes them; NaN for images that cannot be read.

    Raises
    ------
    InvalidDataError
        If there are fewer than two folds, or fewer units than folds.

    """
    usable = readable(imageset)
    unit = units(usable)
    count = int(unit.max()) + 1
    if not 2 <= folds <= count // 2:  # noqa: PLR2004
        raise InvalidDataError(
            "predicting out of fold",
            [f"{counted(count, 'unit')} cannot be dealt out to {folds} folds"],
        )
    place = np.random.default_rng(config.seed).permutation(count)
    fold = (place % folds)[unit]
    chooses = (place // folds < max(1, round(_VALIDATION_SHARE * count / folds)))[unit]
    config = replace(config, images_per_group=1, class_weights="none", tune_thresholds=False)
    single = usable.with_columns(component_id=np.arange(len(usable)))
    parts = []
    for number in range(folds):
        held = fold == number
        side = np.where(held, "test", np.where(chooses, "validation", "train"))
        own = Path(folder) / f"fold-{number}"
        name = f"fold {number + 1} of {folds}"
        train(
            single.with_columns(split=side),
            config,
            own,
            pixels=pixels,
            name=name,
            progress=progress,
        )
        model, _, heads = load_model(own / BEST)
        judged = usable.subset(held)
        said = predict(model, pixels.rows(judged)[:, None], pixels.values, heads)
        parts.append(said.set_axis(judged.images.index))
    return pd.concat(parts).reindex(imageset.images.index)
