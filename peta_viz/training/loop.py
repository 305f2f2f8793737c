"""The training loop: deterministic by seed, carried on after an interruption."""

import hashlib
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import evaluate, mean_macro_f1
from peta_viz.files import atomic
from peta_viz.imageset import Head, ImageSet
from peta_viz.splitting import side_of
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Groups, Rows, Targets, component_targets
from peta_viz.training.model import GroupNet
from peta_viz.training.predict import predict

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


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
    def of(cls, imageset: ImageSet, index: pd.Index, config: TrainConfig) -> "Side":
        """Prepare the images of one side; `index` says in which order the pixels lie."""
        rows = index.get_indexer(imageset.images.index).astype(np.int64)
        return cls(component_targets(imageset, config.targets), Groups.of(imageset, rows))


def train(
    imageset: ImageSet,
    config: TrainConfig,
    folder: str | Path,
    *,
    pixels: Pixels,
    index: pd.Index,
    name: str = "model",
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
        uint8, shape ``(n, height, width, 3)``: the decoded images.
    index
        The ids of these n images, in their order; they include all of `imageset`.
    name
        Shown beside the progress bar.
    progress
        Show it.

    Returns
    -------
    DataFrame
        One row per epoch: `epoch` (from 1), `loss`, `validation_f1`, `best` (bool).

    Raises
    ------
    InvalidDataError
        If a side has no component, or `folder` holds another training's checkpoints.

    """
    folder = Path(folder)
    train_set = _large(side_of(imageset, "train"), config)
    validation_set = side_of(imageset, "validation")
    side = Side.of(train_set, index, config)
    validation = Side.of(validation_set, index, config)

    torch.manual_seed(config.seed)
    model = GroupNet(
        imageset.heads, images_per_group=config.images_per_group, weights=config.weights
    ).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=config.weight_decay)
    stamp = _stamp(train_set, validation_set, config, pixels)
    history = _resume(folder / "last.pt", stamp, model, optimiser)
    for epoch in range(len(history), config.epochs):
        with tqdm(desc=f"{name} epoch {epoch + 1}", unit="image", disable=not progress) as bar:
            loss = _train_epoch(model, optimiser, side, imageset.heads, config, pixels, epoch, bar)
        probabilities = predict(model, validation.groups, pixels, config, imageset.heads)
        table = evaluate(
            probabilities.set_axis(validation.targets.values.index),
            validation.targets,
            imageset.heads,
        )
        score = mean_macro_f1(table)
        best = not history or score > max(row["validation_f1"] for row in history)
        history.append({"epoch": epoch + 1, "loss": loss, "validation_f1": score, "best": best})
        state: dict[str, Any] = {"stamp": stamp, "config": asdict(config), "history": history}
        state["heads"] = [(h.name, list(h.labels), h.kind) for h in imageset.heads]
        if best:
            _save(folder / "best.pt", {**state, "model": model.state_dict()})
        last = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
        _save(folder / "last.pt", {**state, **last})
        if progress:
            line = f"{name} epoch {epoch + 1}: loss {loss:.3f}, validation F1 {score:.3f}"
            tqdm.write(line, file=sys.stderr)
    return pd.DataFrame(history)


def load_model(path: str | Path) -> tuple[GroupNet, TrainConfig, tuple[Head, ...]]:
    """Load a checkpoint that `train` wrote; nothing in it is executed.

    Raises
    ------
    InvalidDataError
        If the file is something else.

    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        config = TrainConfig(**state["config"])
        heads = tuple(Head(name, tuple(labels), kind) for name, labels, kind in state["heads"])
        model = GroupNet(heads, images_per_group=config.images_per_group)
        model.load_state_dict(state["model"])
    except FileNotFoundError:
        raise
    except Exception as error:
        raise InvalidDataError(
            str(path), [f"it is not a peta-viz checkpoint ({str(error).splitlines()[0]})"]
        ) from error
    return model.to(memory_format=torch.channels_last), config, heads


def _train_epoch(
    model: GroupNet,
    optimiser: torch.optim.Optimizer,
    side: Side,
    heads: tuple[Head, ...],
    config: TrainConfig,
    pixels: Pixels,
    epoch: int,
    bar: "tqdm[Any]",
) -> float:
    # All chance of an epoch hangs on seed and epoch alone, so that a resumed one is the same.
    rng = np.random.default_rng([config.seed, epoch])
    torch.manual_seed(int(rng.integers(2**62)))
    groups = side.groups.draw(config.images_per_group, rng)
    order = rng.permutation(len(groups))
    batches = [order[at : at + config.batch_size] for at in range(0, len(order), config.batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:  # batch normalisation needs two
        batches[-2:] = [np.concatenate(batches[-2:])]
    truths = _head_truths(side.targets, heads)
    model.train()
    losses = []
    bar.reset(total=len(order) * config.images_per_group)
    for number, batch in enumerate(batches):
        done = (epoch + (number + 1) / len(batches)) / config.epochs
        for parameters in optimiser.param_groups:
            parameters["lr"] = config.learning_rate * _one_cycle(done)
        view = _augmented(pixels, groups[batch], rng)
        loss = _loss(model(view), [(v[batch], k[batch]) for v, k in truths], heads)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
        bar.update(len(batch) * config.images_per_group)
    return float(np.mean(losses))


def _one_cycle(done: float) -> float:
    """Rise over the first fifth, then fall along a cosine to a hundredth."""
    rise = 0.2
    if done < rise:
        return max(done / rise, 0.05)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (done - rise) / (1 - rise))) / 2


def _augmented(pixels: Pixels, rows: Rows, rng: np.random.Generator) -> Tensor:
    """Gather groups ``(b, k, h, w, 3)``, each image flipped with probability one half."""
    view = pixels[rows]
    flip = rng.random(rows.shape) < 0.5  # noqa: PLR2004
    view[flip] = view[flip][:, :, ::-1]
    return torch.from_numpy(view)


def _head_truths(targets: Targets, heads: tuple[Head, ...]) -> list[tuple[Tensor, Tensor]]:
    truths = []
    for head in heads:
        if head.kind == "exclusive":
            classes = torch.from_numpy(targets.classes(head))
            truths.append((classes, classes >= 0))
        else:
            labels = list(head.labels)
            values = torch.from_numpy(targets.values[labels].to_numpy(dtype=np.float32, copy=True))
            truths.append((values, torch.from_numpy(targets.known[labels].to_numpy(copy=True))))
    return truths


def _loss(
    logits: list[Tensor], truths: list[tuple[Tensor, Tensor]], heads: tuple[Head, ...]
) -> Tensor:
    """Sum over heads of the mean loss over what is known."""
    total = logits[0].new_zeros(())
    for head, output, (values, known) in zip(heads, logits, truths, strict=True):
        if not known.any():
            continue
        if head.kind == "exclusive":
            total = total + functional.cross_entropy(output[known], values[known])
        else:
            total = total + functional.binary_cross_entropy_with_logits(
                output[known], values[known]
            )
    return total


def _large(imageset: ImageSet, config: TrainConfig) -> ImageSet:
    ids = imageset.images["component_id"]
    kept = imageset.images[ids.map(ids.value_counts()) >= config.min_component_size]
    if len(kept) <= 1:
        raise InvalidDataError(
            "the training split",
            [f"it has no components of {config.min_component_size} images and more"],
        )
    return imageset.subset(kept.index)


def _stamp(
    train_set: ImageSet, validation_set: ImageSet, config: TrainConfig, pixels: Pixels
) -> str:
    digest = hashlib.sha256(repr(config).encode())
    digest.update(np.ascontiguousarray(pixels).data)
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
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["stamp"] != stamp:
        return []
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["history"])


def _save(path: Path, state: dict[str, Any]) -> None:
    with atomic(path) as partial:
        torch.save(state, partial)
