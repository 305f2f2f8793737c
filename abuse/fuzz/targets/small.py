"""A small image set with everything beside it that widgets and rules take."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from peta_viz.imageset import Head, ImageSet
from peta_viz.links import nearest_pairs
from peta_viz.splitting import split

COUNT = 14
HEADS = (Head("colour", ("red", "green", "blue"), "exclusive"), Head("worn", ("hat", "coat")))
LABELS = (*HEADS[0].labels, *HEADS[1].labels, "alone")


def small_set(folder: Path, seed: int = 0) -> ImageSet:
    """Draw images in six components, some labels not known, one file broken and one not there."""
    rng = np.random.default_rng(seed)
    names = [f"{number}.png" for number in range(COUNT)]
    for name in names[:-1]:
        pixels = rng.integers(0, 255, (8, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / names[-2]).write_bytes(b"no image")
    known = rng.random((COUNT, len(LABELS))) < 0.9  # noqa: PLR2004
    labels = pd.DataFrame(rng.random(known.shape) < 0.4, columns=list(LABELS), dtype=object)  # noqa: PLR2004
    frame = labels.where(known, None).assign(path=names, blur=rng.random(COUNT), subset="s")
    imageset = ImageSet.from_frame(
        frame,
        path="path",
        labels=LABELS,
        heads=HEADS,
        subset="subset",
        root=folder,
        missing="unknown",
    )
    return split(imageset.with_columns(component_id=np.arange(COUNT) // 3))


def small_pairs(imageset: ImageSet, seed: int = 0) -> pd.DataFrame:
    """Draw similar pairs of its images."""
    vectors = np.random.default_rng(seed).normal(size=(len(imageset), 4)).astype(np.float32)
    ids = imageset.images.index
    found = nearest_pairs(vectors, 4)
    return found.assign(first=ids[found["first"]], second=ids[found["second"]])


def small_predictions(imageset: ImageSet, seed: int = 0) -> pd.DataFrame:
    """Draw what two experiments say of its components."""
    rng = np.random.default_rng(seed)
    sizes = imageset.images.groupby("component_id").size()
    rows = [
        (
            experiment,
            "raw",
            "raw",
            component,
            size,
            label,
            rng.random(),
            rng.choice([True, False, pd.NA]),
        )
        for experiment in ("A", "B")
        for component, size in sizes.items()
        for label in LABELS
    ]
    names = ["experiment", "trained_on", "judged_on", "component_id", "size", "label"]
    frame = pd.DataFrame(rows, columns=[*names, "probability", "truth"])
    return frame.astype({"truth": "boolean", "probability": "float32"})


def small_checkpoint(file: Path) -> dict[str, Any]:
    """Write a model that nobody trained, for its heads; returns what is in the file."""
    from peta_viz.training.checkpoints import new_model, save  # noqa: PLC0415
    from peta_viz.training.config import TrainConfig  # noqa: PLC0415

    config = TrainConfig(weights=None, height_px=32, width_px=32)
    heads = [(head.name, head.labels, head.kind) for head in HEADS]
    model = new_model(HEADS, config, weights=None)
    state = {"config": vars(config), "heads": heads, "model": model.state_dict()}
    save(file, state)
    return state
