"""What a training run was told: one frozen object, saved with the checkpoint."""

from dataclasses import dataclass
from typing import Literal, get_args

from peta_viz.errors import InvalidDataError

TargetRule = Literal["union", "majority", "strict"]


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
        Images of a component that are looked at together.
    batch_size
        Components per step.
    learning_rate
        The highest rate of the one-cycle schedule.
    weight_decay
        AdamW's.
    targets
        What a component is said to be: ``"union"`` (a label that any image carries), ``"majority"``
        (more than half; a tie is unknown), ``"strict"`` (only what all images agree on).
    weights
        ``"imagenet"`` (torchvision's, over the network), the path of a state dict with
        torchvision's key names, or None.
    min_component_size
        Smaller components are not trained on.
    seed
        The same seed gives the same model on the same machine.

    Raises
    ------
    InvalidDataError
        If a value is out of range; the message lists all.

    """

    epochs: int = 6
    height_px: int = 128
    width_px: int = 64
    images_per_group: int = 3
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    targets: TargetRule = "majority"
    weights: str | None = "imagenet"
    min_component_size: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        least = {
            "epochs": 1,
            "height_px": 32,
            "width_px": 32,
            "images_per_group": 1,
            "batch_size": 2,
            "min_component_size": 1,
        }
        problems = [
            f"{name} must be {low} or more, but is {getattr(self, name)}"
            for name, low in least.items()
            if getattr(self, name) < low
        ]
        if self.learning_rate <= 0:
            problems.append(f"learning_rate must be above 0, but is {self.learning_rate}")
        if self.targets not in get_args(TargetRule):
            problems.append(f"targets must be union, majority or strict, but is {self.targets!r}")
        if problems:
            raise InvalidDataError("the training configuration", problems)


def epochs_for(components: int) -> int:
    """Size a training run to the data: about 30,000 looks at a component, 6 to 40 epochs."""
    return min(40, max(6, round(30_000 / max(components, 1))))
