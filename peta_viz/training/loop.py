"""The training loop: deterministic by seed, carried on after an interruption."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from peta_viz.errors import InvalidDataError, in_a_line
from peta_viz.evaluation import evaluate, mean_macro_f1
from peta_viz.files import alone
from peta_viz.imageset import Head, ImageSet
from peta_viz.progress import EpochProgress
from peta_viz.splitting import side_of
from peta_viz.training.checkpoints import BEST, LAST, device_of, new_model, save
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Groups, Rows, Targets, component_targets
from peta_viz.training.losses import HeadTruth, total_loss
from peta_viz.training.model import GroupNet
from peta_viz.training.pixels import PixelStore, Values
from peta_viz.training.predict import predict
from peta_viz.training.thresholds import best_thresholds, into_biases, move_thresholds


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a split, ready for the model.

    Parameters
    ----------
    targets
        What its components are.
    groups
        Where their pixels are.

    """

    targets: Targets
    groups: Groups

    @classmethod
    def of(cls, imageset: ImageSet, pixels: PixelStore, config: TrainConfig) -> "Side":
        """Prepare the images of one side."""
        rows = pixels.rows(imageset)
        return cls(component_targets(imageset, config.targets), Groups.of(imageset, rows))


@dataclass(frozen=True, eq=False)
class Epoch:
    """What a hook is told after an epoch.

    Parameters
    ----------
    name
        Of the training.
    stamp
        A text that is another one for other data or settings.
    number, epochs
        The epoch, from 1, and how many there will be.
    loss
        Mean training loss.
    images_per_s
        How fast it trained, in images per second; validation does not count.
    validation_f1
        Mean macro F1 over heads on validation.
    best
        Is that the best so far?
    probabilities, targets, heads
        What was predicted of the validation side, what is true, and the heads.
    table
        What `peta_viz.evaluation.evaluate` says of them.

    """

    name: str
    stamp: str
    number: int
    epochs: int
    loss: float
    images_per_s: float
    validation_f1: float
    best: bool
    probabilities: pd.DataFrame
    targets: Targets
    heads: tuple[Head, ...]
    table: pd.DataFrame


Hook = Callable[[Epoch], None]


def train(
    imageset: ImageSet,
    config: TrainConfig,
    folder: str | Path,
    *,
    pixels: PixelStore,
    name: str = "model",
    part: str = "",
    hooks: Sequence[Hook] = (),
    device: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Train on the images whose `split` is train, and keep the epoch that validates best.

    After every epoch ``last.pt`` is written, and ``best.pt`` when the mean macro F1 over heads on
    the validation side rose. Called again with the same data and configuration, it carries on
    after the last epoch that was finished, to the same result.

    Parameters
    ----------
    imageset
        Images with `component_id` and `split`, all readable.
    config
        The settings.
    folder
        Where the checkpoints are written.
    pixels
        The decoded images, all of `imageset` among them.
    name
        Shown beside the progress bar.
    part
        Which training of how many it is, in words such as "model 1 of 2": shown beside the name,
        because a bar and the time left are of one training.
    hooks
        Called after each epoch. After an interruption the same epoch may be told twice.
    device
        Torch's name of one, or ``"auto"``: a GPU where there is one.
    progress
        Show it: a bar, or where none can be redrawn (a log) one line per epoch on standard error.

    Returns
    -------
    DataFrame
        One row per epoch: `epoch` (from 1), `loss`, `validation_f1`, `best` (bool).

    Raises
    ------
    InvalidDataError
        If a side has no component.
    BusyError
        If another training is at work in `folder`.

    """
    folder, place = Path(folder), device_of(device)
    train_set = _large(side_of(imageset, "train"), config)
    validation_set = side_of(imageset, "validation")
    side = Side.of(train_set, pixels, config)
    validation = Side.of(validation_set, pixels, config)
    truths = [HeadTruth.of(side.targets, head, config).to(place) for head in imageset.heads]

    torch.backends.cudnn.deterministic = True
    torch.manual_seed(config.seed)
    model = new_model(imageset.heads, config, weights=config.weights).to(place)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=config.weight_decay)
    stamp = _stamp(train_set, validation_set, config, pixels)
    with alone(folder, "training"):
        history = _resume(folder / LAST, stamp, model, optimiser)
        per_epoch = int(side.targets.sizes.clip(upper=config.images_per_group).sum())
        with EpochProgress(
            name,
            epochs=config.epochs,
            images=per_epoch,
            done=len(history),
            part=part,
            shown=progress,
        ) as told:
            for epoch in range(len(history), config.epochs):
                started = time.monotonic()
                loss = _train_epoch(
                    model, optimiser, side, truths, config, pixels.values, epoch, told
                )
                speed = per_epoch / (time.monotonic() - started)
                guess, thresholds = _judge(model, validation, pixels.values, imageset.heads, config)
                table = evaluate(guess, validation.targets, imageset.heads)
                score = mean_macro_f1(table)
                best = not history or score > max(row["validation_f1"] for row in history)
                history.append(
                    {"epoch": epoch + 1, "loss": loss, "validation_f1": score, "best": best}
                )
                state = _state(stamp, config, history, imageset.heads)
                if best:
                    weights = model.state_dict()
                    if thresholds is not None:
                        weights = into_biases(weights, imageset.heads, thresholds)
                    save(folder / BEST, {**state, "model": weights})
                told.after(epoch + 1, loss=loss, validation_f1=score, images_per_s=speed)
                done = Epoch(
                    name=name,
                    stamp=stamp,
                    number=epoch + 1,
                    epochs=config.epochs,
                    loss=loss,
                    images_per_s=speed,
                    validation_f1=score,
                    best=best,
                    probabilities=guess,
                    targets=validation.targets,
                    heads=imageset.heads,
                    table=table,
                )
                for hook in hooks:
                    hook(done)
                # After the hooks: an epoch whose hooks were interrupted is done again.
                last = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                save(folder / LAST, {**state, **last})
    return pd.DataFrame(history)


def _state(
    stamp: str, config: TrainConfig, history: list[dict[str, Any]], heads: Sequence[Head]
) -> dict[str, Any]:
    """Return what a checkpoint says beside its weights."""
    return {
        "stamp": stamp,
        "config": asdict(config),
        "history": history,
        "heads": [(head.name, list(head.labels), head.kind) for head in heads],
    }


def _train_epoch(
    model: GroupNet,
    optimiser: torch.optim.Optimizer,
    side: Side,
    truths: Sequence[HeadTruth],
    config: TrainConfig,
    values: Values,
    epoch: int,
    told: EpochProgress,
) -> float:
    # All chance of an epoch hangs on seed and epoch alone, so that a resumed one is the same.
    rng = np.random.default_rng([config.seed, epoch])
    torch.manual_seed(int(rng.integers(2**62)))
    groups = side.groups.draw(config.images_per_group, rng)
    batches = _dealt(rng.permutation(len(groups)), config.batch_size)
    place = next(model.parameters()).device
    halved = config.precision == "bfloat16" or (config.precision == "auto" and place.type == "cuda")
    model.train()
    losses = []
    for number, (batch, view, places) in enumerate(_ahead(batches, groups, values, rng)):
        done = (epoch + (number + 1) / len(batches)) / config.epochs
        for parameters in optimiser.param_groups:
            parameters["lr"] = config.learning_rate * _one_cycle(done)
        with torch.autocast(place.type, torch.bfloat16, enabled=halved):
            logits = model(view.to(place, non_blocking=True), places.to(place))
        loss = total_loss(truths, logits, torch.from_numpy(batch).to(place), config)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
        told.advance(len(view))
    return float(np.mean(losses))


def _dealt(order: Rows, size: int) -> list[Rows]:
    """Cut an order into batches, none of a single component: batch normalisation needs two."""
    edges = [*range(0, len(order), size), len(order)]
    if len(edges) > 2 and edges[-1] - edges[-2] == 1:  # noqa: PLR2004
        del edges[-2]
    return [order[first:last] for first, last in pairwise(edges)]


def _ahead(
    batches: Sequence[Rows], groups: Rows, values: Values, rng: np.random.Generator
) -> Iterator[tuple[Rows, Tensor, Tensor]]:
    """Gather the next batch while the model is busy with this one."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_augmented, values, groups[batches[0]], rng)
        for number, batch in enumerate(batches):
            view, places = coming.result()
            if number + 1 < len(batches):
                coming = pool.submit(_augmented, values, groups[batches[number + 1]], rng)
            yield batch, view, places


def _augmented(values: Values, rows: Rows, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Gather each image once, flipped with probability one half; and its places in the groups."""
    wanted, places = np.unique(rows, return_inverse=True)
    view = values[wanted]
    flip = rng.random(len(wanted)) < 0.5  # noqa: PLR2004
    view[flip] = view[flip][:, :, ::-1]
    return torch.from_numpy(view), torch.from_numpy(places.reshape(rows.shape))


def _one_cycle(done: float) -> float:
    """Rise over the first fifth, then fall along a cosine to a hundredth."""
    rise = 0.2
    if done < rise:
        return max(done / rise, 0.05)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (done - rise) / (1 - rise))) / 2


def _judge(
    model: GroupNet, side: Side, values: Values, heads: Sequence[Head], config: TrainConfig
) -> "tuple[pd.DataFrame, pd.Series[float] | None]":
    """Predict one side, and move the thresholds to what is best there if they are to be tuned."""
    guess = predict(model, side.groups.draw(config.images_per_group), values, heads)
    guess = guess.set_axis(side.targets.values.index)
    if not config.tune_thresholds:
        return guess, None
    thresholds = best_thresholds(guess, side.targets, heads)
    return move_thresholds(guess, thresholds), thresholds


def _large(imageset: ImageSet, config: TrainConfig) -> ImageSet:
    ids = imageset.images["component_id"]
    kept = imageset.images[ids.map(ids.value_counts()) >= config.min_component_size]
    if len(kept["component_id"].unique()) <= 1:
        raise InvalidDataError(
            "the training split",
            [f"it has no two components of {config.min_component_size} images and more"],
        )
    return imageset.subset(kept.index)


def _stamp(
    train_set: ImageSet, validation_set: ImageSet, config: TrainConfig, pixels: PixelStore
) -> str:
    digest = hashlib.sha256(f"{config!r}{pixels.key}".encode())
    if config.weights and Path(config.weights).is_file():
        digest.update(Path(config.weights).read_bytes())
    for side in (train_set, validation_set):
        keys = side.images[["component_id"]].join(side.labels.add_prefix("label "))
        keys = keys.join(side.known.add_prefix("known "))
        digest.update(repr(keys.columns.tolist()).encode())
        digest.update(pd.util.hash_pandas_object(keys).to_numpy().tobytes())
        digest.update(repr([(h.name, h.labels, h.kind) for h in side.heads]).encode())
    return digest.hexdigest()


def _resume(
    path: Path, stamp: str, model: GroupNet, optimiser: torch.optim.Optimizer
) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["stamp"] != stamp:
            return []
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        return list(state["history"])
    except Exception as error:
        words = f"it is damaged ({in_a_line(error)}): remove it to train from the start"
        raise InvalidDataError(f"the checkpoint {path}", [words]) from error
