"""Checkpoints: a model with its configuration and heads, written whole, read without code."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from peta_viz.errors import InvalidDataError, in_a_line
from peta_viz.files import atomic, is_file, is_folder
from peta_viz.imageset import Head, heads_from
from peta_viz.training.config import TrainConfig
from peta_viz.training.model import GroupNet

LAST, BEST = "last.pt", "best.pt"


def device_of(name: str = "auto") -> torch.device:
    """Return a device by torch's name for it; ``"auto"`` is a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def load_model(
    path: str | Path, *, device: str = "auto"
) -> tuple[GroupNet, TrainConfig, tuple[Head, ...]]:
    """Load a checkpoint that `train` wrote; nothing in it is executed.

    Raises
    ------
    InvalidDataError
        If the file is something else.

    """
    if is_folder(path):
        inside = sorted(Path(path).rglob(BEST))
        such = f", such as {inside[0]}" if inside else ""
        raise InvalidDataError(str(path), [f"it is a folder: give a trained model{such}"])
    if not is_file(path):
        raise InvalidDataError(str(path), ["there is no such file"])
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        config = TrainConfig(**state["config"])
        heads = heads_from(state["heads"])
        model = new_model(heads, config, weights=None)
        model.load_state_dict(state["model"])
    except UnpicklingError as error:  # torch advises to execute what is in it
        raise InvalidDataError(str(path), ["it is not a peta-viz checkpoint"]) from error
    except Exception as error:
        raise InvalidDataError(
            str(path), [f"it is not a peta-viz checkpoint ({in_a_line(error)})"]
        ) from error
    return model.to(device_of(device)), config, heads


def new_model(heads: Sequence[Head], config: TrainConfig, *, weights: str | None) -> GroupNet:
    """Make the model that a configuration describes."""
    model = GroupNet(
        heads, images_per_group=config.images_per_group, stem=config.stem, weights=weights
    )
    return model.to(memory_format=torch.channels_last)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically."""
    whole = BytesIO()  # torch does not say that a disk is full
    torch.save(state, whole)
    with atomic(path) as partial:
        partial.write_bytes(whole.getbuffer())
