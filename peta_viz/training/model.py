"""MobileNetV2 on groups of images, with one linear layer per head."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.imageset import Head

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
_STEM = 32
_FEATURES = 1280


class GroupNet(nn.Module):
    """MobileNetV2 whose first convolution takes k images side by side in the channels.

    The first convolution has k groups of 32 outputs, each group starting from the ImageNet kernel;
    a 1×1 convolution to 32, starting as the mean over the images, leads into the rest of the trunk.

    Parameters
    ----------
    heads
        The outputs: one linear layer per head, one output per label.
    images_per_group
        k.
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
        self, heads: Sequence[Head], *, images_per_group: int = 3, weights: str | None = None
    ) -> None:
        super().__init__()
        trunk = _trunk(weights)
        first: nn.Conv2d = trunk.features[0][0]
        grouped = nn.Conv2d(
            3 * images_per_group,
            _STEM * images_per_group,
            kernel_size=3,
            stride=2,
            padding=1,
            groups=images_per_group,
            bias=False,
        )
        mix = nn.Conv2d(_STEM * images_per_group, _STEM, kernel_size=1, bias=False)
        with torch.no_grad():
            grouped.weight.copy_(first.weight.repeat(images_per_group, 1, 1, 1))
            mean = torch.eye(_STEM).repeat(1, images_per_group) / images_per_group
            mix.weight.copy_(mean[..., None, None])
        trunk.features[0][0] = nn.Sequential(grouped, mix)
        self.features = trunk.features
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleDict(
            {
                str(number): nn.Linear(_FEATURES, len(head.labels))
                for number, head in enumerate(heads)
            }
        )
        for name, values in (("mean", MEAN), ("std", STD)):
            channels = torch.tensor(values * images_per_group) * 255
            self.register_buffer(name, channels[None, :, None, None], persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Predict every head.

        Parameters
        ----------
        images
            uint8, shape ``(groups, k, height, width, 3)``, RGB.

        Returns
        -------
        list of Tensor
            Per head the logits, float32, shape ``(groups, labels of the head)``.

        """
        pixels = images.permute(0, 1, 4, 2, 3).flatten(1, 2).float()
        pixels = ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        features = self.features(pixels)
        pooled = self.dropout(features.mean(dim=(2, 3)))
        return [head(pooled) for head in self.heads.values()]


def _trunk(weights: str | None) -> Any:
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
    if not path.is_file():
        raise MissingPartError(
            f'there are no weights at {path}: weights= takes "imagenet", a file, or None'
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        missing, unexpected = trunk.load_state_dict(state, strict=False)
    except Exception as error:
        raise InvalidDataError(
            str(path), [f"it is not a MobileNetV2 state dict ({str(error).splitlines()[0]})"]
        ) from error
    absent = [name for name in missing if not name.startswith("classifier.")]
    if absent or unexpected:
        problem = f"{len(absent)} tensors missing, {len(unexpected)} unknown"
        raise InvalidDataError(str(path), [f"it does not fit torchvision's MobileNetV2: {problem}"])
    return trunk
