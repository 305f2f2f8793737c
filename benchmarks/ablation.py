"""What each part of the recipe is worth: variants of the settings, judged on raw labels.

``python -m benchmarks.ablation --run RUN --weights FILE`` takes the image set of a run folder and
trains every variant on its raw labels; it can be interrupted and given again. "One by one" is plain
fine-tuning: each image with its own labels, as many images per step and as many steps as the
others; it is judged on three images of each component, with the mean of its probabilities.

Each is judged twice: with thresholds of 0.5, and with those that are best on validation. Variants
are judged on validation, where the defaults are chosen; there the thresholds of one half of the
components are chosen on the other half. `--side test` is for what was chosen, once.
"""

import argparse
import json
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

BASE = "one by one"
GROUPED = "3 in the channels"
SHARED = "3 through a shared trunk"
VARIANTS: dict[str, dict[str, Any]] = {
    BASE: {},
    "3 in the channels, union": {"targets": "union"},
    GROUPED: {},
    SHARED: {"stem": "shared"},
    "2 through a shared trunk": {"stem": "shared", "images_per_group": 2},
    "5 through a shared trunk": {"stem": "shared", "images_per_group": 5},
    "shared, union": {"stem": "shared", "targets": "union"},
    "shared, strict": {"stem": "shared", "targets": "strict"},
    "shared, focal": {"stem": "shared", "loss": "focal"},
    "shared, balanced": {"stem": "shared", "class_weights": "balanced"},
    "shared, 96×48": {"stem": "shared", "height_px": 96, "width_px": 48},
    "shared, 160×80": {"stem": "shared", "height_px": 160, "width_px": 80},
}
TUNED = ", thresholds tuned"


def run_variant(
    name: str, imageset: ImageSet, config: TrainConfig, folder: Path, cache: Path
) -> tuple[ImageSet, TrainConfig, PixelStore]:
    """Train one variant, if it is not yet; returns what it was trained on, and how."""
    pixels = PixelStore.of(imageset, config.height_px, config.width_px, cache=cache)
    own = imageset
    if name == BASE:
        sizes = imageset.images["component_id"].map(imageset.images["component_id"].value_counts())
        kept = (sizes >= config.min_component_size) | (imageset.images["split"] != "train")
        own = imageset.subset(kept.to_numpy())
        own = own.with_columns(component_id=np.arange(len(own)))
        components = imageset.images.loc[imageset.images["split"] == "train", "component_id"]
        groups = int((components.value_counts() >= config.min_component_size).sum())
        images = int((own.images["split"] == "train").sum())
        # As many images per step, and as many steps.
        config = replace(
            config,
            batch_size=config.batch_size * config.images_per_group,
            epochs=max(1, round(config.epochs * groups * config.images_per_group / images)),
            images_per_group=1,
            min_component_size=1,
        )
    train(own, config, folder, pixels=pixels, name=name)
    return own, config, pixels


def judge(
    name: str, side: ImageSet, config: TrainConfig, folder: Path, pixels: PixelStore
) -> tuple[pd.DataFrame, Targets]:
    """Return what a trained variant says of one side, and what is true."""
    model, _, heads = load_model(folder / BEST)
    targets = component_targets(side, "majority")
    rows = Groups.of(side, pixels.rows(side)).draw(3 if name == BASE else config.images_per_group)
    if name == BASE:
        each = predict(model, rows.reshape(-1, 1), pixels.values, heads)
        values = each.to_numpy().reshape(*rows.shape, -1).mean(axis=1)
        said = pd.DataFrame(values, columns=each.columns)
    else:
        said = predict(model, rows, pixels.values, heads)
    return said.set_axis(targets.values.index), targets


def tune(
    said: pd.DataFrame,
    targets: Targets,
    validation: tuple[pd.DataFrame, Targets] | None,
    imageset: ImageSet,
) -> pd.DataFrame:
    """Move the thresholds to those of validation; without it, of the other half of the units."""
    if validation is not None:
        return move_thresholds(said, best_thresholds(*validation, imageset.heads))
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
            own = folder / name.replace(" ", "-") / f"seed-{seed}"
            started = time.monotonic()
            # What was trained before with these data and settings is not trained again.
            _, used, pixels = run_variant(name, imageset, config, own, folder.parent / "cache")
            minutes[name] = (time.monotonic() - started) / 60
            print(f"{name}, seed {seed}: {minutes[name]:.1f} min", flush=True)  # noqa: T201
            said, targets = judge(name, side_of(imageset, split), used, own, pixels)
            validation = None
            if split != "validation":
                validation = judge(name, side_of(imageset, "validation"), used, own, pixels)
            tuned = tune(said, targets, validation, imageset)
            for words, frame in ((name, said), (name + TUNED, tuned)):
                state = {"experiment": words, "trained_on": "raw", "judged_on": "raw", "seed": seed}
                parts.append(prediction_rows(frame, targets).assign(**state))
    return pd.concat(parts, ignore_index=True), minutes


def table(scores: pd.DataFrame, differences: pd.DataFrame, names: Sequence[str]) -> str:
    """Lay out mean macro F1 over heads, and the difference to one by one judged likewise."""

    def cell(
        frame: pd.DataFrame, name: str, size: str, column: str, form: str, against: str
    ) -> str:
        found = choose(frame, size)
        found = found[(found["experiment"] == name) & (found["head"] == MEAN)]
        if against:
            found = found[found["against"] == against]
        if found.empty:
            return ""
        row = found.iloc[0]
        return f"{row[column]:{form}} ({row['low']:{form}} to {row['high']:{form}})"

    lines = [
        "| | thresholds | 2 and more | − one by one | all | − one by one |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, tuned in [(name, tuned) for tuned in ("", TUNED) for name in names]:
        cells = [name, "tuned" if tuned else "0.5"]
        against = BASE if name == BASE else BASE + tuned
        for size in (HEADLINE, ALL):
            cells.append(cell(scores, name + tuned, size, "value", ".3f", ""))
            cells.append(cell(differences, name + tuned, size, "difference", "+.3f", against))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table, and write what was measured beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="a run folder, whose stage 01 is done")
    parser.add_argument("--weights", help="a MobileNetV2 state dict")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--min-component-size", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--side", default="validation", choices=["validation", "test"])
    parser.add_argument("--only", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--out", default="benchmarks/ablation")
    options = parser.parse_args()
    imageset = readable(ImageSet.from_parquet(options.run))
    base = TrainConfig(
        epochs=options.epochs,
        stem="grouped",
        targets="majority",
        class_weights="none",
        tune_thresholds=False,
        min_component_size=options.min_component_size,
        weights=options.weights,
    )
    folder = Path(options.run) / "ablation"
    predictions, minutes = measure(
        imageset, base, options.only, options.seeds, folder, options.side
    )
    scores = score_experiments(predictions, imageset)
    others = [name for name in options.only if name != BASE]
    pairs = [(name + tuned, BASE + tuned) for name in others for tuned in ("", TUNED)]
    pairs += [(name + TUNED, BASE) for name in options.only]
    differences = compare_experiments(predictions, imageset, pairs)
    predictions.to_parquet(folder / f"predictions-{options.side}.parquet")
    words = f"{base}; judged on {options.side}; seeds {options.seeds}; {in_words()}"
    text = f"{words}\n\n{table(scores, differences, options.only)}\n"
    print(text, json.dumps(minutes), flush=True)  # noqa: T201 - what it is for
    write_text(Path(options.out).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
