"""The dose and the effect: label errors planted in training, and what cleaning wins back.

``python -m benchmarks.dose --run RUN --weights FILE`` takes the image set of a run folder. Errors
are planted in the training components of two and more images and nowhere else; judged is on the
untouched labels of the test side. The heads are trained on features of the ImageNet trunk, computed
once; `--end-to-end 0.4 --strategies "label pruning"` trains the whole network at one dose, on raw
and error-free labels and by these strategies.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.machine import in_words
from peta_viz.agreement import count_labels
from peta_viz.cleaning import clean
from peta_viz.evaluation import MEAN, choose
from peta_viz.files import atomic
from peta_viz.imageset import ImageSet
from peta_viz.intervals import compare_experiments, score_experiments
from peta_viz.pruning import LabelCorrection, parse_strategy
from peta_viz.quality.reading import VECTORS_FILE
from peta_viz.quality.scores import LabelQuality, label_quality
from peta_viz.splitting import side_of
from peta_viz.training.checkpoints import BEST, load_model
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Groups, component_targets, readable
from peta_viz.training.loop import train
from peta_viz.training.losses import HeadTruth, total_loss
from peta_viz.training.model import FEATURES, GroupNet
from peta_viz.training.pixels import PixelStore
from peta_viz.training.predict import predict, prediction_rows
from peta_viz.training.thresholds import best_thresholds, move_thresholds

DOSES = (0.0, 0.05, 0.1, 0.2, 0.4)
STRATEGIES = {
    "component pruning": "component_pruning:percentile=80",
    "label pruning": "label_pruning:ratio=0.5",
    "label intersection": "label_intersection",
    "image pruning": "image_pruning:ratio=0.5",
    "label correction, 0.5": "label_correction:confidence=0.5",
    "label correction, 0.9": "label_correction:confidence=0.9",
}
ERROR_FREE, RAW = "error-free", "raw"
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def confusions(imageset: ImageSet) -> list[tuple[Mask, Mask]]:
    """Collect what real annotators disagree about: between two images of one CUHK component.

    CUHK was labelled image by image. Each entry holds the labels that only the first image of a
    pair carries, and those that only the second one does.
    """
    images = imageset.images
    labels = imageset.labels.to_numpy()
    cuhk = images[(images["subset"] == "CUHK") & (images["split"] == "train")]
    rows = pd.Series(images.index.get_indexer(cuhk.index), index=cuhk["component_id"])
    pairs = []
    for _, own in rows.groupby(level=0):
        for first in own:
            for second in own:
                lost, won = labels[first] & ~labels[second], labels[second] & ~labels[first]
                if first != second and (lost.any() or won.any()):
                    pairs.append((lost, won))
    return pairs


def plant(imageset: ImageSet, dose: float, seed: int) -> ImageSet:
    """Plant errors in a share of the images of the training components of two and more.

    Half of them get what one CUHK annotation differs by from another of the same component, the
    other half exchange their whole rows with an image of another component.
    """
    rng = np.random.default_rng([seed, round(1000 * dose)])
    images = imageset.images
    sizes = images["component_id"].map(images["component_id"].value_counts())
    rows = np.flatnonzero((images["split"] == "train") & (sizes > 1))
    chosen = rng.permutation(rows)[: round(dose * len(rows))]
    confused, exchanged = np.array_split(chosen, 2)
    labels = imageset.labels.to_numpy(copy=True)
    pairs = confusions(imageset)
    if len(confused) and not pairs:
        raise SystemExit("there is no confusion to plant: no contested CUHK component in training")
    for row in confused:
        for place in rng.permutation(len(pairs)):
            lost, won = pairs[place]
            # What another annotator would have said of a person who is said to be like that.
            if (lost <= labels[row]).all() and not (won & labels[row]).any():
                labels[row] = (labels[row] & ~lost) | won
                break
    # A circle: each gets the row of the next one.
    labels[exchanged] = labels[np.roll(exchanged, 1)]
    frame = pd.DataFrame(labels, imageset.labels.index, imageset.labels.columns)
    return imageset.with_labels(frame & imageset.known, imageset.known)


def conditions(
    imageset: ImageSet, dose: float, seed: int, strategies: Sequence[str], run: Path
) -> Iterator[tuple[str, ImageSet]]:
    """Yield what a model is trained on, by name; corrections go by the vectors of the run."""
    yield ERROR_FREE, imageset
    planted = plant(imageset, dose, seed)
    yield RAW, planted
    train = side_of(planted, "train")
    quality = None
    if any(STRATEGIES[name].startswith(LabelCorrection.name) for name in strategies):
        quality = _quality(run, train)
    for name in strategies:
        strategy = parse_strategy(STRATEGIES[name])
        if isinstance(strategy, LabelCorrection):
            strategy = replace(strategy, quality=quality)
        yield name, clean(train, [strategy]).apply(train)


def _quality(run: Path, train: ImageSet) -> LabelQuality:
    """Score the labels of the training side, by itself alone."""
    rows = ImageSet.from_parquet(run).images.index.get_indexer(train.images.index)
    vectors = np.load(run / VECTORS_FILE, allow_pickle=False)[rows]
    return label_quality(train, vectors, pairs=pd.read_parquet(run / "pairs.parquet"))


def embed(imageset: ImageSet, weights: str, cache: Path, config: TrainConfig) -> Any:
    """Return the features of the ImageNet trunk of every image, float32 ``(images, 1280)``."""
    pixels = PixelStore.of(imageset, config.height_px, config.width_px, cache=cache)
    trunk = hashlib.sha256(Path(weights).read_bytes() if weights else b"").hexdigest()[:16]
    file = cache / f"features-{pixels.key}-{trunk}.npy"
    if file.is_file():
        return np.load(file)
    torch.manual_seed(0)
    model = GroupNet((), images_per_group=1, weights=weights).eval()
    features = np.empty((len(imageset), FEATURES), dtype=np.float32)
    with torch.inference_mode():
        for start in tqdm(range(0, len(imageset), 64), desc="features"):
            view = torch.from_numpy(pixels.values[start : start + 64].copy())[:, None]
            features[start : start + 64] = model.embed(view).numpy()
    with atomic(file) as partial:
        np.save(partial, features)
    return features


def train_heads(
    trained_on: ImageSet, features: Any, rows: Callable[[ImageSet], Any], config: TrainConfig
) -> Callable[[ImageSet], pd.DataFrame]:
    """Fit linear heads on frozen features of groups; returns what predicts an image set."""
    side = side_of(trained_on, "train")
    sizes = side.images["component_id"].map(side.images["component_id"].value_counts())
    side = side.subset((sizes >= config.min_component_size).to_numpy())
    targets = component_targets(side, config.targets)
    truths = [HeadTruth.of(targets, head, config) for head in side.heads]
    groups = Groups.of(side, rows(side))
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    mean, std = features.mean(axis=0), features.std(axis=0) + 1e-6
    table = torch.from_numpy((features - mean) / std)
    heads = torch.nn.ModuleList(torch.nn.Linear(FEATURES, len(h.labels)) for h in side.heads)
    optimiser = torch.optim.AdamW(heads.parameters(), config.learning_rate, weight_decay=0.1)
    for _ in range(config.epochs):
        drawn = torch.from_numpy(groups.draw(config.images_per_group, rng))
        order = torch.from_numpy(rng.permutation(len(drawn)))
        for batch in order.split(config.batch_size):
            view = table[drawn[batch]].mean(dim=1)
            loss = total_loss(truths, [head(view) for head in heads], batch, config)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    def judge(judged: ImageSet) -> pd.DataFrame:
        own = component_targets(judged, config.targets)
        drawn = torch.from_numpy(Groups.of(judged, rows(judged)).draw(config.images_per_group))
        with torch.inference_mode():
            view = table[drawn].mean(dim=1)
            parts = [
                head(view).softmax(1) if h.kind == "exclusive" else head(view).sigmoid()
                for head, h in zip(heads, judged.heads, strict=True)
            ]
        names = [label for head in judged.heads for label in head.labels]
        table_of = pd.DataFrame(torch.cat(parts, 1).numpy(), own.values.index, names)
        return prediction_rows(table_of, own)

    return judge


def sweep(
    imageset: ImageSet,
    features: Any,
    config: TrainConfig,
    doses: Sequence[float],
    strategies: Sequence[str],
    seeds: int,
    run: Path,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and judge every condition at every dose; returns scores and differences to raw."""
    test = side_of(imageset, "test")
    index = imageset.images.index

    def rows(chosen: ImageSet) -> Any:
        return index.get_indexer(chosen.images.index).astype(np.int64)

    scores, differences = [], []
    for dose in doses:
        parts = []
        for seed in range(seeds):
            for name, trained_on in conditions(imageset, dose, seed, strategies, run):
                own = replace(config, seed=seed)
                said = train_heads(trained_on, features, rows, own)(test)
                state = {"experiment": name, "trained_on": name, "judged_on": RAW}
                parts.append(said.assign(**state, seed=seed))
        predictions = pd.concat(parts, ignore_index=True)
        scores.append(score_experiments(predictions, imageset).assign(dose=dose))
        pairs = [(name, RAW) for name in (ERROR_FREE, *strategies)]
        differences.append(compare_experiments(predictions, imageset, pairs).assign(dose=dose))
        print(f"dose {dose:.0%} done", flush=True)  # noqa: T201 - progress
    return pd.concat(scores, ignore_index=True), pd.concat(differences, ignore_index=True)


def confirm(
    imageset: ImageSet,
    config: TrainConfig,
    dose: float,
    strategies: Sequence[str],
    seeds: int,
    run: Path,
    *,
    tuned: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train the whole network at one dose: raw, error-free, some strategies; as `sweep` does.

    With `tuned` the thresholds are those that are best on validation, whose labels are untouched.
    """
    pixels = PixelStore.of(imageset, config.height_px, config.width_px, cache=run / "cache")
    ids = imageset.images["component_id"]
    large = (ids.map(ids.value_counts()) >= config.min_component_size).to_numpy()
    large_validation = imageset.subset(large & (imageset.images["split"] == "validation"))
    test = side_of(imageset, "test")
    parts = []
    for seed in range(seeds):
        for name, trained_on in conditions(imageset, dose, seed, strategies, run):
            # The validation side keeps its labels, whatever is planted and cleaned.
            kept = side_of(trained_on, "train").images.index
            labels, known = imageset.labels.copy(), imageset.known.copy()
            labels.loc[kept] = trained_on.labels.loc[kept]
            known.loc[kept] = trained_on.known.loc[kept]
            rows = kept.union(large_validation.images.index, sort=False)
            whole = imageset.with_labels(labels, known).subset(imageset.images.index.isin(rows))
            folder = run / "dose" / f"{dose}-{config.targets}-{name}-{seed}".replace(" ", "-")
            train(whole, replace(config, seed=seed), folder, pixels=pixels, name=name)
            model, settings, heads = load_model(folder / BEST)
            found = []
            for judged in (large_validation, test):
                targets = component_targets(judged, config.targets)
                drawn = Groups.of(judged, pixels.rows(judged)).draw(settings.images_per_group)
                said = predict(model, drawn, pixels.values, heads)
                found.append((said.set_axis(targets.values.index), targets))
            said, targets = found[-1]
            if tuned:
                said = move_thresholds(said, best_thresholds(*found[0], imageset.heads))
            state = {"experiment": name, "trained_on": name, "judged_on": RAW, "seed": seed}
            parts.append(prediction_rows(said, targets).assign(**state))
    predictions = pd.concat(parts, ignore_index=True)
    pairs = [(name, RAW) for name in (ERROR_FREE, *strategies)]
    return (
        score_experiments(predictions, imageset).assign(dose=dose),
        compare_experiments(predictions, imageset, pairs).assign(dose=dose),
    )


def table(scores: pd.DataFrame, differences: pd.DataFrame, strategies: Sequence[str]) -> str:
    """Lay out the headline as Markdown: raw and error-free, then what each strategy changes."""

    def own(frame: pd.DataFrame, name: str, dose: float) -> Any:
        chosen = frame[(frame["experiment"] == name) & (frame["dose"] == dose)]
        return chosen.iloc[0]

    scores, differences = _means(scores), _means(differences)
    names = [ERROR_FREE, *strategies]
    lines = [f"| dose | raw | {' | '.join(f'{name} − raw' for name in names)} |"]
    lines.append("| --: " * (len(names) + 2) + "|")
    for dose in scores["dose"].unique():
        raw = own(scores, RAW, dose)
        cells = [f"{dose:.0%}", f"{raw['value']:.3f} ({raw['low']:.3f} to {raw['high']:.3f})"]
        for name in names:
            row = own(differences, name, dose)
            cells.append(f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    chosen = choose(frame)
    return chosen[chosen["head"] == MEAN]


def main() -> None:
    """Print a table, and write what was measured beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="a run folder, whose stage 01 is done")
    parser.add_argument("--weights", help="a MobileNetV2 state dict; none for an untrained trunk")
    parser.add_argument("--targets", default="majority")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", default="benchmarks/dose")
    parser.add_argument("--end-to-end", type=float, help="train the whole network at this dose")
    parser.add_argument("--tuned", action="store_true", help="end to end: tune the thresholds")
    parser.add_argument("--strategies", nargs="*", default=list(STRATEGIES), choices=STRATEGIES)
    options = parser.parse_args()
    imageset = readable(ImageSet.from_parquet(options.run))
    run = Path(options.run)
    if options.end_to_end is not None:
        config = TrainConfig(
            epochs=12,
            stem="grouped",
            min_component_size=2,
            class_weights="none",
            tune_thresholds=False,
            targets=options.targets,
            weights=options.weights,
        )
        scores, differences = confirm(
            imageset,
            config,
            options.end_to_end,
            options.strategies,
            options.seeds,
            run,
            tuned=options.tuned,
        )
    else:
        config = TrainConfig(
            epochs=40,
            batch_size=64,
            min_component_size=2,
            class_weights="none",
            tune_thresholds=False,
            targets=options.targets,
            weights=options.weights,
        )
        features = embed(imageset, options.weights, run / "cache", config)
        torch.set_num_threads(1)  # heads are small: more threads only wait for each other
        scores, differences = sweep(
            imageset, features, config, DOSES, options.strategies, options.seeds, run
        )
    counts = count_labels(side_of(imageset, "train")).sizes
    words = (
        f"{config}; {(counts > 1).sum()} training components of two and more, {options.seeds} "
        f"seeds; {in_words()}"
    )
    text = f"{words}\n\n{table(scores, differences, options.strategies)}\n"
    print(text, flush=True)  # noqa: T201 - what it is for
    out = Path(options.out)
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    kept = differences[(differences["metric"] == "macro_f1")]
    out.with_suffix(".json").write_text(json.dumps(kept.to_dict("records")), encoding="utf-8")


if __name__ == "__main__":
    main()
