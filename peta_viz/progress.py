"""How far training is: a bar, or one line per epoch where no bar can be redrawn."""

import os
import re
import sys
import time
from typing import Any, Self

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


class EpochProgress:
    """Tells on standard error how far a training is, and how long it will take.

    Parameters
    ----------
    name, part
        Of the training, as for `epoch_line`.
    epochs, done
        How many there will be, and how many were done before.
    images
        How many an epoch goes through.
    shown
        Whether anything is told.

    """

    def __init__(
        self, name: str, *, epochs: int, images: int, done: int = 0, part: str = "", shown: bool
    ) -> None:
        self._name, self._part, self._epochs, self._done = name, part, epochs, done
        self._in_lines = shown and not bar_fits()
        self._begun = time.monotonic()
        self._bar: tqdm[Any] = tqdm(
            desc=titled(name, part),
            total=epochs * images,
            initial=done * images,
            unit="image",
            disable=not shown or self._in_lines,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, images: int) -> None:
        """Tell that so many more images were gone through."""
        self._bar.update(images)

    def after(self, epoch: int, *, loss: float, validation_f1: float, images_per_s: float) -> None:
        """Tell what an epoch (from 1) came to."""
        self._bar.set_postfix(epoch=epoch, loss=f"{loss:.3f}", validation_f1=f"{validation_f1:.3f}")
        if self._in_lines:
            each = (time.monotonic() - self._begun) / (epoch - self._done)
            line = epoch_line(
                self._name,
                epoch,
                self._epochs,
                loss=loss,
                images_per_s=images_per_s,
                left_s=each * (self._epochs - epoch),
                part=self._part,
            )
            print(line, file=sys.stderr, flush=True)  # noqa: T201
