"""Trains in a process of its own, which kills itself in the middle of an epoch if told to."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from peta_viz.imageset import Head, ImageSet
from peta_viz.training import loop
from peta_viz.training.config import TrainConfig
from peta_viz.training.pixels import PixelStore

COUNT = 48
CONFIG = TrainConfig(
    epochs=3,
    height_px=32,
    width_px=32,
    batch_size=8,
    learning_rate=3e-3,
    tune_thresholds=True,
    weights=None,
)


def task():
    """Bright images are `x`, dark ones are not; half are judged."""
    rng = np.random.default_rng(0)
    bright = np.arange(COUNT) % 3 == 0
    ids = pd.Index([f"{n:02d}" for n in range(COUNT)], name="image_id")
    images = pd.DataFrame(
        {
            "path": ids,
            "subset": "",
            "person_id": ids,
            "width": 32,
            "height": 32,
            "component_id": np.arange(COUNT),
            "split": np.where(np.arange(COUNT) % 2, "validation", "train"),
        },
        index=ids,
    )
    labels = pd.DataFrame({"x": bright}, index=ids)
    imageset = ImageSet(images, labels, labels | True, (Head("rest", ("x",)),))
    values = rng.integers(0, 60, (COUNT, 32, 32, 3), dtype=np.uint8)
    values += (bright * 180).astype(np.uint8)[:, None, None, None]
    return imageset, PixelStore(values, ids, "task")


def main(folder, batches):
    """Train into `folder`; die before the batch of that number, counted over all epochs."""
    gathered = []
    original = loop._augmented

    def augmented(*arguments):
        gathered.append(1)
        if len(gathered) == batches:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    loop._augmented = augmented
    imageset, pixels = task()
    history = loop.train(imageset, CONFIG, folder, pixels=pixels, progress=False)
    history.to_csv(folder / "history.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
