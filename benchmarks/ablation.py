"""What each part of the recipe is worth: one change of the default settings at a time.

``python -m benchmarks.ablation --run RUN --weights FILE`` takes the image set of a run folder and
trains every variant on its raw labels; it can be interrupted and given again. "One by one" is plain
fine-tuning: each image with its own labels, as many images per step as the default and no fewer in
all; it is judged on three images of each component, with the mean of its probabilities.

All are judged by the majority of each component. Variants are judged on validation, where the
defaults are chosen; there the thresholds of one half of the components are chosen on the other
half. `--side test` is for what was chosen, once: its thresholds come from validation.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.machine import in_words
from peta_viz.evaluation import ALL, HEADLINE, MEAN, choose
from peta_viz.files import write_text
from peta_viz.imageset import ImageSet
from peta_viz.intervals import compare_experiments, score_experiments
from peta_viz.splitting import side_of
from peta_viz.training.checkpoints import BEST, load_model
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Groups, Targets, component_targets, readable
from peta_viz.training.loop import train
from peta_viz.training.pixels import PixelStore
from peta_viz.training.predict import predict, prediction_rows
from peta_viz.training.thresholds import best_thresholds, move_thresholds

PLAIN: dict[str, Any] = {"class_weights": "none", "tune_thresholds": False}
BASE, BASE_TOO = "one by one, plain", "one by one, weights and thresholds"
OURS = "default"
VARIANTS: dict[str, dict[str, Any]] = {
    BASE: PLAIN,
    BASE_TOO: {},
    OURS: {},
    "published: in the channels, union, plain": {"stem": "grouped", "targets": "union", **PLAIN},
    "in the channels": {"stem": "grouped"},
    "1 image": {"images_per_group": 1},
    "2 images": {"images_per_group": 2},
    "5 images": {"images_per_group": 5},
    "targets by union": {"targets": "union"},
    "targets strict": {"targets": "strict"},
    "no class weights": {"class_weights": "none"},
    "thresholds of 0.5": {"tune_thresholds": False},
    "focal loss": {"loss": "focal"},
    "96×48": {"height_px": 96, "width_px": 48},
    "160×80": {"height_px": 160, "width_px": 80},
}
JUDGED_ON = 3


def run_variant(
    name: str, imageset: ImageSet, config: TrainConfig, folder: Path, cache: Path
) -> tuple[TrainConfig, PixelStore]:
    """Train one variant, if it is not yet; returns how, and the pixels."""
    pixels = PixelStore.of(imageset, config.height_px, config.width_px, cache=cache)
    own = imageset
    if name.startswith("one by one"):
        components = imageset.images.loc[imageset.images["split"] == "train", "component_id"]
        sizes = components.value_counts()
        looks = sizes.clip(upper=config.images_per_group).sum()
        own = imageset.with_columns(component_id=np.arange(len(imageset)))
        config = replace(
            config,
            batch_size=round(config.batch_size * looks / len(sizes)),
            epochs=math.ceil(config.epochs * looks / sizes.sum()),
            images_per_group=1,
        )
    train(own, config, folder, pixels=pixels, name=name)
    return config, pixels


def judge(
    name: str, side: ImageSet, config: TrainConfig, folder: Path, pixels: PixelStore
) -> tuple[pd.DataFrame, Targets]:
    """Return what a trained variant says of one side, and what is true."""
    model, _, heads = load_model(folder / BEST)
    targets = component_targets(side, "majority")
    single = name.startswith("one by one")
    groups = Groups.of(side, pixels.rows(side))
    rows = groups.draw(JUDGED_ON if single else config.images_per_group)
    if single:
        each = predict(model, rows.reshape(-1, 1), pixels.values, heads)
        values = each.to_numpy().reshape(*rows.shape, -1).mean(axis=1)
        said = pd.DataFrame(values, columns=each.columns)
    else:
        said = predict(model, rows, pixels.values, heads)
    return said.set_axis(targets.values.index), targets


def tune(said: pd.DataFrame, targets: Targets, imageset: ImageSet) -> pd.DataFrame:
    """Move the thresholds of each half of the units to what is best on the other half."""
    units = imageset.images.groupby("component_id")["unit"].first().reindex(said.index)
    own = np.random.default_rng(0).permutation(units.max() + 1)[units.to_numpy()] % 2 == 0
    moved = said.copy()
    for half in (own, ~own):
        other = Targets(targets.values[~half], targets.known[~half], targets.sizes[~half])
        thresholds = best_thresholds(said[~half], other, imageset.heads)
        moved[half] = move_thresholds(said[half], thresholds)
    return moved


def measure(
    imageset: ImageSet,
    base: TrainConfig,
    names: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    split: str,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Run the variants; returns predictions, and minutes of the last training of each."""
    parts, minutes = [], {}
    for seed in seeds:
        for name in names:
            config = replace(base, seed=seed, **VARIANTS[name])
            own = folder / re.sub(r"[^\w]+", "-", name) / f"seed-{seed}"
            started = time.monotonic()
            # What was trained before with these data and settings is not trained again.
            used, pixels = run_variant(name, imageset, config, own, folder.parent / "cache")
            minutes[name] = (time.monotonic() - started) / 60
            print(f"{name}, seed {seed}: {minutes[name]:.1f} min", flush=True)  # noqa: T201
            said, targets = judge(name, side_of(imageset, split), used, own, pixels)
            if config.tune_thresholds and split == "validation":
                said = tune(said, targets, imageset)
            elif config.tune_thresholds:
                validation = judge(name, side_of(imageset, "validation"), used, own, pixels)
                said = move_thresholds(said, best_thresholds(*validation, imageset.heads))
            state = {"experiment": name, "trained_on": "raw", "judged_on": "raw", "seed": seed}
            parts.append(prediction_rows(said, targets).assign(**state))
    return pd.concat(parts, ignore_index=True), minutes


def table(scores: pd.DataFrame, differences: pd.DataFrame, names: Sequence[str]) -> str:
    """Lay out mean macro F1 over heads, and what each is above the plain way and the default."""

    def cell(frame: pd.DataFrame, name: str, size: str, column: str, against: str = "") -> str:
        found = choose(frame, size)
        found = found[(found["experiment"] == name) & (found["head"] == MEAN)]
        if against:
            found = found[found["against"] == against]
        if found.empty:
            return ""
        row, form = found.iloc[0], "+.3f" if against else ".3f"
        return f"{row[column]:{form}} ({row['low']:{form}} to {row['high']:{form}})"

    lines = [
        "| | 2 and more | − plain one by one | − default | all sizes | − plain one by one |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in names:
        cells = [
            name,
            cell(scores, name, HEADLINE, "value"),
            cell(differences, name, HEADLINE, "difference", BASE),
            cell(differences, name, HEADLINE, "difference", OURS),
            cell(scores, name, ALL, "value"),
            cell(differences, name, ALL, "difference", BASE),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).replace("-0.", "−0.")


def main() -> None:
    """Print a table, and write what was measured beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="a run folder, whose stage 01 is done")
    parser.add_argument("--weights", help="a MobileNetV2 state dict")
    parser.add_argument("--epochs", type=int, default=TrainConfig.epochs)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--side", default="validation", choices=["validation", "test"])
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--out", default="benchmarks/ablation")
    options = parser.parse_args()
    imageset = readable(ImageSet.from_parquet(options.run))
    base = TrainConfig(epochs=options.epochs, weights=options.weights)
    folder = Path(options.run) / "ablation"
    predictions, minutes = measure(
        imageset, base, options.only, options.seeds, folder, options.side
    )
    scores = score_experiments(predictions, imageset)
    pairs = [(name, other) for other in (BASE, OURS) for name in options.only if name != other]
    pairs = [pair for pair in pairs if pair[1] in options.only]
    differences = compare_experiments(predictions, imageset, pairs)
    predictions.to_parquet(folder / f"predictions-{options.side}.parquet")
    words = f"{base}; judged on {options.side}; seeds {options.seeds}; {in_words()}"
    text = f"{words}\n\n{table(scores, differences, options.only)}\n"
    print(text, json.dumps(minutes), flush=True)  # noqa: T201 - what it is for
    write_text(Path(options.out).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
