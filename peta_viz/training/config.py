"""What a training run was told: one frozen object, saved with the checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.rules import (
    ABOVE_0,
    SEED,
    TEXT,
    YES_NO,
    Rule,
    number,
    one_of,
    problems_with,
    whole,
)

_PIXELS, _SPARE = 96 * 48, 1.15
_LEAST_PX, _MOST_PX, _STEP_PX = 32, 144, 16
TargetRule = Literal["union", "majority", "strict"]
Stem = Literal["grouped", "shared"]
Loss = Literal["cross_entropy", "focal"]
ClassWeights = Literal["none", "balanced"]
Precision = Literal["auto", "float32", "bfloat16"]

RULES: Mapping[str, Rule] = {
    "epochs": whole(1, 1_000_000),
    "height_px": whole(32, 4_096),
    "width_px": whole(32, 4_096),
    "images_per_group": whole(1, 5),
    "stem": one_of(get_args(Stem)),
    "batch_size": whole(2, 65_536),
    "learning_rate": ABOVE_0,
    "weight_decay": number(0, 100),
    "targets": one_of(get_args(TargetRule)),
    "loss": one_of(get_args(Loss)),
    "class_weights": one_of(get_args(ClassWeights)),
    "tune_thresholds": YES_NO,
    "weights": TEXT.or_none(),
    "min_component_size": whole(1, 1_000_000_000),
    "precision": one_of(get_args(Precision)),
    "seed": SEED,
}


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run.

    Parameters
    ----------
    epochs
        Passes over the components.
    height_px, width_px
        Size every image is scaled to, in pixels.
    images_per_group
        k, 1 to 5: images of a component that are looked at together.
    stem
        How k images become one answer: ``"shared"`` (each goes through the same trunk, and the mean
        of their features is what the heads see; each image of a group once) or ``"grouped"`` (side
        by side in the channels; the first convolution has k groups; the published way).
    batch_size
        Components per step.
    learning_rate
        The highest rate of the one-cycle schedule.
    weight_decay
        AdamW's.
    targets
        What a component is said to be: ``"union"`` (a label that any image carries), ``"majority"``
        (more than half; a tie is unknown), ``"strict"`` (only what all images agree on).
    loss
        ``"cross_entropy"`` (binary for multiple heads), or ``"focal"`` with γ = 2, which weighs
        down what is already right (Lin et al., 2017).
    class_weights
        ``"balanced"`` weighs a class by the inverse square root of how often it occurs in
        training, and the yes of a label against its no likewise.
    tune_thresholds
        Choose for each label of a multiple head the threshold with the best F1 on validation, and
        move its bias so that this threshold is 0.5.
    weights
        ``"imagenet"`` (torchvision's, over the network), the path of a state dict with
        torchvision's key names, or None.
    min_component_size
        Smaller components are not trained on.
    precision
        ``"bfloat16"`` multiplies in half the bits; ``"auto"`` does so on a GPU.
    seed
        The same seed gives the same model on the same machine.

    Raises
    ------
    InvalidDataError
        If a value is out of range or of another type; the message lists all.

    """

    epochs: int = 6
    height_px: int = 128
    width_px: int = 64
    images_per_group: int = 3
    stem: Stem = "shared"
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    targets: TargetRule = "majority"
    loss: Loss = "cross_entropy"
    class_weights: ClassWeights = "balanced"
    tune_thresholds: bool = True
    weights: str | None = "imagenet"
    min_component_size: int = 1
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        problems = problems_with(vars(self), RULES)
        if problems:
            raise InvalidDataError("the training configuration", problems)


def epochs_for(components: int) -> int:
    """Size a training run to the data: about 30,000 looks at a component, 6 to 40 epochs."""
    return min(40, max(6, round(30_000 / max(components, 1))))


def size_for(images: pd.DataFrame) -> tuple[int, int]:
    """Fit the size that a model looks at to the shape of the images, at the cost of 96×48.

    Parameters
    ----------
    images
        With `width` and `height` in pixels, 0 where an image cannot be read.

    Returns
    -------
    tuple of int
        Height and width in pixels, multiples of 16: that of the median shape.

    """
    readable = images[(images["width"] > 0) & (images["height"] > 0)]
    shape = float((readable["height"] / readable["width"]).median()) if len(readable) else 1.0
    steps = range(_LEAST_PX, _MOST_PX + 1, _STEP_PX)
    sizes = [(h, w) for h in steps for w in steps if h * w <= _PIXELS * _SPARE]
    return min(
        sizes,
        key=lambda size: (
            abs(math.log(size[0] / size[1] / shape)) + abs(math.log(size[0] * size[1] / _PIXELS))
        ),
    )
