"""How well wrong labels are found: our scores beside what people use today, on planted errors.

``python -m benchmarks.quality --run RUN`` takes the image set, the similar pairs and the vectors of
a run folder (`vectors.npy`, of a network) and plants errors of several kinds in its labels; the
data set's own errors stay, and count as false alarms. Every method sees the same labels.

Peers: the share of the component's other images that say otherwise; the vote of the ten nearest
neighbours by similarity⁸; a logistic regression on the vectors, out of fold (folds by component):
its self-confidence, and cleanlab's score of the same probabilities; and chance. With `--weights`
also a network trained end to end, out of fold, on the first cell and seed alone.

Whether scores are probabilities is looked at with the data set's own errors, and with each
component given the row of its majority first. Then what is planted is nearly all there is in
components of two images and more; single images keep their own errors, so they are told apart. What
was seen of those, without what was planted, is in ``quality-looked-at.csv``.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from cleanlab.multilabel_classification import get_label_quality_scores
from matplotlib import pyplot as plt
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score
from torch.nn import functional
from tqdm import tqdm

from benchmarks.dose import confusions
from benchmarks.machine import in_words
from peta_viz.agreement import MEASURES, Flag, component_ids, measure_components
from peta_viz.files import write_text
from peta_viz.imageset import Head, ImageSet
from peta_viz.pruning import ImagePruning, LabelCorrection, LabelIntersection, LabelPruning
from peta_viz.quality.reading import VECTORS_FILE
from peta_viz.quality.scores import label_quality
from peta_viz.training.config import TrainConfig
from peta_viz.training.crossfit import out_of_fold
from peta_viz.training.data import readable
from peta_viz.training.pixels import PixelStore

Mask = np.ndarray[Any, np.dtype[np.bool_]]
OURS, CHANCE = "ours", "chance"
BASE_KIND, BASE_RATE = "by frequency", 0.05
FOLDS = 5
EDGES = (0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0001)


def _drawn(rng: np.random.Generator, labels: Mask, rate: float) -> Any:
    return rng.choice(len(labels), round(rate * len(labels)), replace=False)


def uniform(_: ImageSet, labels: Mask, rate: float, rng: np.random.Generator) -> None:
    """Turn two labels of an image, whichever."""
    for row in _drawn(rng, labels, rate):
        columns = rng.choice(labels.shape[1], 2, replace=False)
        labels[row, columns] ^= True


def by_frequency(_: ImageSet, labels: Mask, rate: float, rng: np.random.Generator) -> None:
    """Take a label away, and add one that is not there, common ones more often."""
    share = labels.mean(axis=0)
    for row in _drawn(rng, labels, rate):
        _wrong_once(labels, row, share, rng)


def _wrong_once(labels: Mask, row: int, share: Any, rng: np.random.Generator) -> None:
    carried, absent = np.flatnonzero(labels[row]), np.flatnonzero(~labels[row])
    if len(carried):
        lost = rng.choice(carried)
        labels[row, rng.choice(absent, p=share[absent] / share[absent].sum())] = True
        labels[row, lost] = False


def inside_a_head(data: ImageSet, labels: Mask, rate: float, rng: np.random.Generator) -> None:
    """Take one label of a head for another one."""
    places = {name: number for number, name in enumerate(data.labels.columns)}
    heads = [np.array([places[one] for one in h.labels if one in places]) for h in data.heads]
    for row in _drawn(rng, labels, rate):
        fitting = [own for own in heads if labels[row, own].any() and not labels[row, own].all()]
        if fitting:
            own = fitting[rng.integers(len(fitting))]
            lost, won = rng.choice(own[labels[row, own]]), rng.choice(own[~labels[row, own]])
            labels[row, lost], labels[row, won] = False, True


def as_in_cuhk(data: ImageSet, labels: Mask, rate: float, rng: np.random.Generator) -> None:
    """Plant what one annotation of a CUHK person differs by from another of the same person."""
    pairs = confusions(data)
    for row in _drawn(rng, labels, rate):
        for place in rng.permutation(len(pairs)):
            lost, won = pairs[place]
            if (lost <= labels[row]).all() and not (won & labels[row]).any():
                labels[row] = (labels[row] & ~lost) | won
                break


def careless(_: ImageSet, labels: Mask, rate: float, rng: np.random.Generator) -> None:
    """Let one annotator, who had every tenth image, err in as many rows as the rate says."""
    share = labels.mean(axis=0)
    own = rng.permutation(len(labels))[: max(round(0.1 * len(labels)), round(rate * len(labels)))]
    for row in own[: round(rate * len(labels))]:
        for _ in range(rng.integers(1, 4)):
            _wrong_once(labels, row, share, rng)


def identities(data: ImageSet, labels: Mask, rate: float, rng: np.random.Generator) -> None:
    """Give all images of a person the row of another person."""
    codes, _ = pd.factorize(data.images["person_id"])
    people = rng.permutation(codes.max() + 1)[: round(rate * (codes.max() + 1))]
    first = np.unique(codes, return_index=True)[1]
    rows = labels[first[np.roll(people, 1)]].copy()
    for person, row in zip(people, rows, strict=True):
        labels[codes == person] = row


KINDS: dict[str, Callable[[ImageSet, Mask, float, np.random.Generator], None]] = {
    "uniform": uniform,
    BASE_KIND: by_frequency,
    "inside a head": inside_a_head,
    "as in CUHK": as_in_cuhk,
    "one careless annotator": careless,
    "whole identities": identities,
}


def plant(data: ImageSet, kind: str, rate: float, seed: int) -> tuple[ImageSet, Mask]:
    """Return the image set with planted errors, and which cells they are."""
    labels = data.labels.to_numpy(copy=True)
    KINDS[kind](data, labels, rate, np.random.default_rng([seed, round(1000 * rate)]))
    labels &= data.known.to_numpy()
    frame = pd.DataFrame(labels, data.labels.index, data.labels.columns)
    return data.with_labels(frame, data.known), labels != data.labels.to_numpy()


def others(data: ImageSet) -> Any:
    """Return which share of the component's other images say otherwise."""
    codes, _ = pd.factorize(component_ids(data))
    labels = data.labels.to_numpy()
    sizes = np.bincount(codes)[codes][:, None]
    carried = np.stack([np.bincount(codes, column)[codes] for column in labels.T], axis=1)
    return np.where(labels, sizes - carried, carried) / np.maximum(sizes - 1, 1)


def neighbours(data: ImageSet, pairs: pd.DataFrame) -> Any:
    """Return what share of the ten nearest neighbours says otherwise, by similarity⁸."""
    index, labels = data.images.index, data.labels.to_numpy()
    both = pd.concat([pairs, pairs.rename(columns={"first": "second", "second": "first"})])
    both = both.sort_values("similarity", ascending=False, kind="stable")
    both = both.groupby("first", sort=False).head(10)
    first, second = (index.get_indexer(pd.Index(both[end])) for end in ("first", "second"))
    weights = both["similarity"].to_numpy() ** 8
    total = np.bincount(first, weights, minlength=len(index))[:, None]
    yes = np.stack(
        [
            np.bincount(first, weights * labels[second, c], minlength=len(index))
            for c in range(labels.shape[1])
        ],
        axis=1,
    )
    share = yes / np.maximum(total, 1e-9)
    return np.where(labels, 1 - share, share) * (total > 0)


def by_regression(data: ImageSet, vectors: Any) -> Any:
    """Return probabilities of a logistic regression on vectors, of folds by component."""
    codes, _ = pd.factorize(component_ids(data))
    fold = np.random.default_rng(0).integers(0, FOLDS, codes.max() + 1)[codes]
    inputs = torch.from_numpy(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)) * 10
    targets = torch.from_numpy(data.labels.to_numpy(dtype=np.float32))
    found = np.empty(targets.shape, dtype=np.float32)
    for number in range(FOLDS):
        train = torch.from_numpy(fold != number)
        linear = _logistic(inputs[train], targets[train])
        with torch.inference_mode():
            found[~train.numpy()] = linear(inputs[~train]).sigmoid().numpy()
    return found


def _logistic(inputs: torch.Tensor, targets: torch.Tensor) -> torch.nn.Linear:
    torch.manual_seed(0)
    linear = torch.nn.Linear(inputs.shape[1], targets.shape[1])
    optimiser = torch.optim.LBFGS(linear.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimiser.zero_grad()
        each = functional.binary_cross_entropy_with_logits(linear(inputs), targets)
        loss = each + 1e-5 * linear.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return linear


def by_network(data: ImageSet, folder: Path, weights: str) -> Any:
    """Return probabilities of a network trained end to end, of folds by unit."""
    config = TrainConfig(epochs=4, weights=weights)
    pixels = PixelStore.of(
        readable(data), config.height_px, config.width_px, cache=folder.parent / "cache"
    )
    said = out_of_fold(data, config, folder, pixels=pixels)
    return said.reindex(columns=data.labels.columns).to_numpy()


def methods(
    data: ImageSet, pairs: pd.DataFrame, vectors: Any, predicted: dict[str, Any], seed: int
) -> Iterator[tuple[str, Any, Any]]:
    """Yield each method's doubt about every cell and about every image."""
    labels = data.labels.to_numpy()

    def ours(predictions: pd.DataFrame | None = None) -> tuple[Any, Any]:
        quality = label_quality(data, vectors, predictions, pairs=pairs)
        return 1 - quality.scores.to_numpy(), 1 - quality.images["score"].to_numpy()

    yield OURS, *ours()
    vote = others(data)
    yield "the component's others", vote, vote.max(axis=1)
    near = neighbours(data, pairs)
    yield "ten neighbours", near, near.max(axis=1)
    carried = [np.flatnonzero(row).tolist() for row in labels]
    for name, probability in predicted.items():
        given = pd.DataFrame(probability, data.labels.index, data.labels.columns)
        yield f"ours, with {name}", *ours(given)
        doubt = np.where(labels, 1 - probability, probability)
        yield f"{name}, cleanlab", doubt, 1 - get_label_quality_scores(carried, probability)
    chance = np.random.default_rng(seed).random(labels.shape)
    yield CHANCE, chance, chance.max(axis=1)


def judge(data: ImageSet, wrong: Mask, shown: Mask, cells: Any, images: Any) -> dict[str, float]:
    """Return average precisions by component size, and precision at the first ones."""
    codes, _ = pd.factorize(component_ids(data))
    sizes = np.bincount(codes)[codes]
    cuhk = (data.images["subset"] == "CUHK").to_numpy()
    rows = {
        "cells, all": sizes > 0,
        "cells, ≥ 2": sizes > 1,
        "cells, ≥ 3": sizes > 2,  # noqa: PLR2004
        "cells, CUHK": cuhk,
    }
    found = {}
    for name, own in rows.items():
        places = np.ix_(own, shown)
        found[name] = average_precision_score(wrong[places].ravel(), cells[places].ravel())
    order = np.argsort(-cells[:, shown].ravel(), kind="stable")
    for count in (100, 500):
        found[f"precision at {count}"] = wrong[:, shown].ravel()[order[:count]].mean()
    large = sizes > 2  # noqa: PLR2004
    found["images, ≥ 3"] = average_precision_score(wrong[large].any(axis=1), images[large])
    return found


def evened(data: ImageSet) -> ImageSet:
    """Return it with the row of its majority in each component; at a tie, of its first image."""
    codes, _ = pd.factorize(component_ids(data))
    labels, sizes = data.labels.to_numpy(), np.bincount(codes)[codes][:, None]
    carried = np.stack([np.bincount(codes, column)[codes] for column in labels.T], axis=1)
    first = labels[np.unique(codes, return_index=True)[1]][codes]
    majority = np.where(2 * carried == sizes, first, 2 * carried > sizes)
    return data.with_cells(majority, data.known.to_numpy())


def reliability(wrong: Mask, doubt: Any, before: Any) -> pd.DataFrame:
    """Compare the probability of being wrong with how often it was planted, by bins.

    `before` is what was said before anything was planted: of labels that were not planted it is
    what the data set's own errors are taken to be.
    """
    place = np.digitize(doubt.ravel(), EDGES) - 1
    planted, own = wrong.ravel(), np.where(wrong, 0, before).ravel()
    rows = []
    for number in range(len(EDGES) - 1):
        inside = place == number
        count, hits = int(inside.sum()), int(planted[inside].sum())
        if count:
            interval = binomtest(hits, count).proportion_ci(method="wilson")
            name = f"{EDGES[number]:g} to {min(1, EDGES[number + 1]):g}"
            shares = (doubt.ravel()[inside].mean(), hits / count, interval.low, interval.high)
            rows.append((name, count, *shares, own[inside].mean()))
    columns = ["p(wrong)", "labels", "mean p", "planted", "low", "high", "own, as said before"]
    return pd.DataFrame(rows, columns=columns)


def calibration_error(table: pd.DataFrame, column: str) -> float:
    """Return the expected calibration error of the bins from p = 0.02 on."""
    doubted = table[table["mean p"] >= EDGES[1]]
    off = (doubted["mean p"] - doubted[column]).abs()
    return float((off * doubted["labels"]).sum() / doubted["labels"].sum())


def calibrate(
    data: ImageSet, pairs: pd.DataFrame, vectors: Any, seed: int
) -> dict[str, pd.DataFrame]:
    """Plant the base kind of errors, and look whether the scores are probabilities."""
    codes, _ = pd.factorize(component_ids(data))
    single = np.bincount(codes)[codes] == 1
    parts: list[tuple[str, ImageSet, Mask]] = [
        ("with its own errors", data, np.ones(len(data), dtype=bool)),
        ("evened first, components of two and more", evened(data), ~single),
        ("evened first, single images", evened(data), single),
    ]
    found = {}
    for name, own, rows in parts:
        before = 1 - label_quality(own, vectors, pairs=pairs).scores.to_numpy()
        noisy, wrong = plant(own, BASE_KIND, BASE_RATE, seed)
        doubt = 1 - label_quality(noisy, vectors, pairs=pairs).scores.to_numpy()
        table = reliability(wrong[rows], doubt[rows], before[rows])
        found[name] = table.assign(both=table["planted"] + table["own, as said before"])
    return found


def draw(tables: dict[str, pd.DataFrame], file: Path) -> None:
    """Draw how often labels were planted over how probable it was said to be."""
    figure, axes = plt.subplots(
        1, len(tables), figsize=(4 * len(tables), 4), sharey=True, layout="tight"
    )
    for axis, (name, table) in zip(axes, tables.items(), strict=True):
        margin = [table["planted"] - table["low"], table["high"] - table["planted"]]
        axis.plot([0, 1], [0, 1], color="grey", linewidth=1)
        axis.errorbar(table["mean p"], table["planted"], margin, fmt="o-", label="planted, 95 %")
        axis.plot(table["mean p"], table["both"], "s--", label="and own, as said before")
        axis.set(title=name, xlabel="p(wrong)")
    axes[0].set_ylabel("share of the labels")
    axes[0].legend(loc="upper left")
    figure.savefig(file, dpi=110)


def rules(data: ImageSet, wrong: Mask, quality: Any) -> pd.DataFrame:
    """Say what measures rank and strategies touch, beside our scores, by images."""
    bad = wrong.any(axis=1)
    components = measure_components(data)
    rows = []
    for measure in MEASURES:
        value = components[measure].reindex(component_ids(data)).to_numpy()
        flagged = Flag(measure, percentile=80)(components).reindex(component_ids(data)).to_numpy()
        rows.append(
            (
                f"measure {measure}, flagged at 80",
                average_precision_score(bad, value),
                *_hits(bad, flagged),
            )
        )
    strategies = [LabelPruning(0.5), LabelIntersection(), ImagePruning(0.5)]
    strategies += [LabelCorrection(p, quality=quality) for p in (0.5, 0.9, 0.99)]
    for strategy in strategies:
        verdict = strategy(data)
        touched = verdict.dropped.copy()
        touched[verdict.rows] = True
        rows.append((str(strategy), np.nan, *_hits(bad, touched)))
    columns = ["rule", "average precision", "images touched", "precision", "recall"]
    return pd.DataFrame(rows, columns=columns)


def _hits(bad: Mask, touched: Mask) -> tuple[int, float, float]:
    hit = (bad & touched).sum()
    return int(touched.sum()), hit / max(1, touched.sum()), hit / max(1, bad.sum())


def measure(
    data: ImageSet,
    pairs: pd.DataFrame,
    vectors: Any,
    cells: list[tuple[str, float]],
    seeds: list[int],
    network: Callable[[ImageSet], Any] | None = None,
) -> pd.DataFrame:
    """Plant and find, for each kind and rate and seed; the network for the first of all alone."""
    shown = (data.labels.mean() >= 0.02).to_numpy()  # noqa: PLR2004 - as the errors are drawn
    common = data.labels.columns[shown]
    kept = ImageSet(
        data.images,
        data.labels[common],
        data.known[common],
        tuple(
            type(h)(h.name, tuple(one for one in h.labels if one in set(common)), h.kind)
            for h in data.heads
            if any(one in set(common) for one in h.labels)
        ),
    )
    rows = []
    for kind, rate in cells:
        for seed in seeds:
            noisy, wrong = plant(kept, kind, rate, seed)
            predicted = {"regression": by_regression(noisy, vectors)}
            if network is not None and not rows:
                predicted["network"] = network(noisy)
            before = len(rows)
            for name, doubt, image_doubt in methods(noisy, pairs, vectors, predicted, seed):
                found = judge(noisy, wrong, np.ones(len(common), dtype=bool), doubt, image_doubt)
                rows.append({"kind": kind, "rate": rate, "seed": seed, "method": name, **found})
            tqdm.write(pd.DataFrame(rows[before:]).round(3).to_string(index=False))
    return pd.DataFrame(rows)


def synthetic(images: int, labels: int = 100) -> ImageSet:
    """Return things seen four times each, with one label in a hundred turned."""
    rng = np.random.default_rng(0)
    things = -(-images // 4)
    own = rng.random((things, labels)) < rng.uniform(0.02, 0.4, labels)
    values = np.repeat(own, 4, axis=0)[:images]
    values ^= rng.random(values.shape, dtype=np.float32) < 0.01  # noqa: PLR2004
    index = pd.Index([f"i{n}" for n in range(images)], name="image_id", dtype="str")
    columns = [f"label {n}" for n in range(labels)]
    frame = pd.DataFrame(
        {"path": index, "subset": "", "person_id": index, "width": 8, "height": 8}, index=index
    ).assign(problem="", component_id=np.repeat(np.arange(things), 4)[:images])
    return ImageSet(
        frame,
        pd.DataFrame(values, index, columns),
        pd.DataFrame(np.ones_like(values), index, columns),
        (Head("labels", tuple(columns)),),
    )


def grow(images: int) -> None:
    """Score one synthetic set, and print what it took."""
    data = synthetic(images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    label_quality(data)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    words = f"{seconds:.1f} s, {peak / 2**20:.2f} GiB at the peak, {before / 2**20:.2f} before"
    print(f"{images:,} images × 100 labels: {words}")  # noqa: T201 - what it is for


def _table(frame: pd.DataFrame) -> str:
    def word(value: Any) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.3f}"
        return str(value)

    rows = [frame.columns, ["---"] * frame.shape[1], *frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(map(word, row))} |" for row in rows)


def main() -> None:
    """Print the tables, and write them beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", help="a run folder, made with --reid")
    parser.add_argument("--grow", type=int, help="instead: time one synthetic set of this size")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--rates", type=float, nargs="*", default=[0.01, 0.2])
    parser.add_argument("--weights", help="a MobileNetV2 state dict: train a network too")
    parser.add_argument("--out", default="benchmarks/quality")
    options = parser.parse_args()
    if options.grow:
        grow(options.grow)
        return
    if options.run is None:
        parser.error("give --run, or --grow")
    folder = Path(options.run)
    data = ImageSet.from_parquet(folder)
    pairs = pd.read_parquet(folder / "pairs.parquet")
    vectors = np.load(folder / VECTORS_FILE, allow_pickle=False)
    started = time.monotonic()
    label_quality(data, vectors, pairs=pairs)
    seconds = time.monotonic() - started
    cells = [(kind, BASE_RATE) for kind in options.kinds]
    cells += [(BASE_KIND, rate) for rate in options.rates]
    network = None
    if options.weights:
        network = lambda noisy: by_network(noisy, folder / "crossfit", options.weights)  # noqa: E731
    found = measure(data, pairs, vectors, cells, options.seeds, network)
    found.to_csv(Path(options.out).with_suffix(".csv"), index=False)
    mean = found.drop(columns="seed").groupby(["kind", "rate", "method"], sort=False).mean()
    noisy, wrong = plant(data, BASE_KIND, BASE_RATE, options.seeds[0])
    scored = label_quality(noisy, vectors, pairs=pairs)
    reliable = calibrate(data, pairs, vectors, options.seeds[0])
    draw(reliable, Path(options.out).with_suffix(".png"))
    words = f"{len(data):,} images × {data.labels.shape[1]} labels scored in {seconds:.1f} s"
    parts = [
        f"{words}; seeds {options.seeds}; {in_words()}",
        _table(mean.reset_index()),
        *(
            f"{name}; expected calibration error from 0.02 on: "
            f"{calibration_error(table, 'planted'):.3f}, "
            f"with own errors {calibration_error(table, 'both'):.3f}\n\n{_table(table)}"
            for name, table in reliable.items()
        ),
        _table(rules(noisy, wrong, scored)),
    ]
    text = "\n\n".join(parts) + "\n"
    print(text)  # noqa: T201 - what it is for
    write_text(Path(options.out).with_suffix(".md"), text)


if __name__ == "__main__":
    main()
