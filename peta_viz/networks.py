"""A network for things that are no persons: MobileNetV2, in the form that `embed` takes."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from peta_viz.embedding import import_openvino
from peta_viz.errors import InvalidDataError
from peta_viz.files import atomic
from peta_viz.training.model import mobilenet

SMALLEST_PX = 32  # as often MobileNetV2 halves what it sees
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB, 0 to 1


class _Features(nn.Module):
    """The mean of MobileNetV2's last features, of BGR from 0 to 255."""

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.features = trunk.features
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("spread", 255 * torch.tensor(_SPREAD).reshape(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.features((pixels.flip(1) - self.mean) / self.spread)
        return found.mean((2, 3))


def save_mobilenet(
    file: str | Path, weights: str = "imagenet", *, height_px: int = 160, width_px: int = 80
) -> Path:
    """Write torchvision's MobileNetV2 as a network that gives vectors.

    It tells the same picture, shifted, recompressed or a moment later, whatever it shows; it does
    not know persons again. Its vectors have 1,280 features.

    Parameters
    ----------
    file
        Where to write it, ``.xml``; its weights lie beside it, as ``.bin``.
    weights
        ``"imagenet"``, which torchvision fetches over the network, or the file of a state dict.
    height_px, width_px
        What images are shrunk to: the shape that most have, at least 32 pixels each. The network
        takes as much longer as there are more pixels.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidDataError
        If the file does not end in ``.xml``, a size is too small, or the weights are others'.
    MissingPartError
        If there is no OpenVINO, or no such weights.

    """
    file = Path(file)
    problems = []
    if file.suffix != ".xml":
        problems.append(f"expected a file that ends in .xml, but got {file}")
    if min(height_px, width_px) < SMALLEST_PX:
        sizes = f"{height_px} and {width_px}"
        problems.append(f"height and width must be {SMALLEST_PX} pixels or more, but are {sizes}")
    if problems:
        raise InvalidDataError("the network to write", problems)
    openvino = import_openvino()
    network = _Features(mobilenet(weights)).eval()
    shape = [1, 3, height_px, width_px]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch, about what OpenVINO uses
        made = openvino.convert_model(network, example_input=torch.zeros(shape), input=shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    # The weights first: a network without them would be half of one.
    with atomic(file) as partial:
        openvino.save_model(made, partial)
        partial.with_suffix(".bin").replace(file.with_suffix(".bin"))
    return file
