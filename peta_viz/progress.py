"""How far training is, where no bar can be redrawn: one line per epoch."""

import os
import re
import sys

from tqdm import tqdm

AS_LINES = {"PETA_VIZ_PROGRESS": "lines"}  # in the environment: lines even where a bar fits
EPOCH_LINE = re.compile(r".+: (epoch \d+ of \d+, loss |nothing was cleaned)")


def bar_fits() -> bool:
    """Tell whether a line can be redrawn where errors go: on a terminal, or in a notebook."""
    if any(os.environ.get(name) == value for name, value in AS_LINES.items()):
        return False
    return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")


def titled(name: str, part: str) -> str:
    """Return the name of a training, and which of how many it is where that is told."""
    return f"{name} ({part})" if part else name


def epoch_line(
    name: str,
    epoch: int,
    epochs: int,
    *,
    loss: float,
    images_per_s: float,
    left_s: float,
    part: str = "",
) -> str:
    """Write what a person wants to know after an epoch.

    Parameters
    ----------
    name
        Of the training.
    epoch, epochs
        The epoch, from 1, and how many there will be.
    loss
        Mean training loss.
    images_per_s
        How fast it trained, in images per second.
    left_s
        How long the other epochs will take, in seconds.
    part
        Which training of how many it is, in words.

    """
    whole = f"{tqdm.format_interval(left_s)} left" + (" of this model" if part else "")
    left = whole if epoch < epochs else "done"
    speed = f"{images_per_s:,.0f} images/s"
    return f"{titled(name, part)}: epoch {epoch} of {epochs}, loss {loss:.3f}, {speed}, {left}"
