"""MobileNetV2 on groups of images, with one linear layer per head."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from peta_viz.errors import InvalidDataError, MissingPartError, in_a_line
from peta_viz.files import is_file
from peta_viz.imageset import Head
from peta_viz.training.config import Stem
from peta_viz.words import counted

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
_STEM = 32
FEATURES = 1280


class GroupNet(nn.Module):
    """MobileNetV2 that looks at k images of a component at once.

    With the stem ``"grouped"`` they lie side by side in the channels: the first convolution has k
    groups of 32 outputs, each group starting from the ImageNet kernel, and a 1×1 convolution to 32,
    starting as the mean over the images, leads into the rest of the trunk. With ``"shared"`` each
    image goes through the same trunk, and the mean of their features is what the heads see.

    Parameters
    ----------
    heads
        The outputs: one linear layer per head, one output per label.
    images_per_group
        k.
    stem
        See `TrainConfig.stem`.
    weights
        See `TrainConfig.weights`.

    Raises
    ------
    MissingPartError
        If the weights cannot be had.
    InvalidDataError
        If the file holds something else.

    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        heads: Sequence[Head],
        *,
        images_per_group: int = 3,
        stem: Stem = "grouped",
        weights: str | None = None,
    ) -> None:
        super().__init__()
        trunk = mobilenet(weights)
        self.side_by_side = images_per_group if stem == "grouped" else 1
        if self.side_by_side > 1:
            trunk.features[0][0] = _grouped(trunk.features[0][0], images_per_group)
        self.features = trunk.features
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleDict(
            {
                str(number): nn.Linear(FEATURES, len(head.labels))
                for number, head in enumerate(heads)
            }
        )
        for name, values in (("mean", MEAN), ("std", STD)):
            channels = torch.tensor(values * self.side_by_side) * 255
            self.register_buffer(name, channels[None, :, None, None], persistent=False)

    def forward(self, images: Tensor, places: Tensor | None = None) -> list[Tensor]:
        """Predict every head.

        Parameters
        ----------
        images
            uint8, shape ``(groups, k, height, width, 3)``, RGB; with `places` each image once, of
            shape ``(images, height, width, 3)``.
        places
            int64, shape ``(groups, k)``: the images of each group by their number. A shared trunk
            then goes over an image once, however often it is repeated.

        Returns
        -------
        list of Tensor
            Per head the logits, float32, shape ``(groups, labels of the head)``.

        """
        return self.answer(self.embed(images, places))

    def embed(self, images: Tensor, places: Tensor | None = None) -> Tensor:
        """Return the features that the heads see: float, shape ``(groups, 1280)``."""
        if places is None:
            groups, per_group = images.shape[:2]
            places = torch.arange(groups * per_group, device=images.device).view(groups, per_group)
            images = images.flatten(0, 1)
        pixels = images.permute(0, 3, 1, 2)
        if self.side_by_side > 1:
            pixels = pixels[places].flatten(1, 2)
        pixels = (pixels.float() - self.mean) / self.std
        maps: Tensor = self.features(pixels.contiguous(memory_format=torch.channels_last))
        pooled = maps.mean(dim=(2, 3))
        return pooled if self.side_by_side > 1 else pooled[places].mean(dim=1)

    def answer(self, features: Tensor) -> list[Tensor]:
        """Return the logits of every head, from what `embed` returned."""
        pooled = self.dropout(features)
        return [head(pooled).float() for head in self.heads.values()]


def _grouped(first: nn.Conv2d, images: int) -> nn.Sequential:
    """Widen the first convolution to several images, so that it begins as their mean."""
    grouped = nn.Conv2d(
        3 * images,
        _STEM * images,
        kernel_size=3,
        stride=2,
        padding=1,
        groups=images,
        bias=False,
    )
    mix = nn.Conv2d(_STEM * images, _STEM, kernel_size=1, bias=False)
    with torch.no_grad():
        grouped.weight.copy_(first.weight.repeat(images, 1, 1, 1))
        mean = torch.eye(_STEM).repeat(1, images) / images
        mix.weight.copy_(mean[..., None, None])
    return nn.Sequential(grouped, mix)


def mobilenet(weights: str | None) -> Any:
    """Return torchvision's MobileNetV2, with the weights that `GroupNet` takes."""
    if weights == "imagenet":
        try:
            return mobilenet_v2(weights=MobileNet_V2_Weights.IMAGENET1K_V1)
        except (URLError, OSError) as error:
            raise MissingPartError(
                f"torchvision could not fetch its ImageNet weights ({error}): "
                "give weights=<path of a MobileNetV2 state dict>, or weights=None to start without"
            ) from error
    trunk = mobilenet_v2(weights=None)
    if weights is None:
        return trunk
    path = Path(weights)
    if not is_file(path):
        raise MissingPartError(
            f'there are no weights at {path}: weights= takes "imagenet", a file, or None'
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        missing, unexpected = trunk.load_state_dict(state, strict=False)
    except Exception as error:
        raise InvalidDataError(
            str(path), [f"it is not a MobileNetV2 state dict ({in_a_line(error)})"]
        ) from error
    absent = [name for name in missing if not name.startswith("classifier.")]
    if absent or unexpected:
        problem = f"{counted(len(absent), 'tensor')} missing, {len(unexpected)} unknown"
        raise InvalidDataError(str(path), [f"it does not fit torchvision's MobileNetV2: {problem}"])
    return trunk
