"""Scores of experiments with intervals, by weighing units and seeds at random."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from peta_viz.confusion import Judged, judged
from peta_viz.curation.reading import Correction
from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import (
    MEAN,
    SLICE,
    Slice,
    component_image_sizes,
    component_sources,
    slices,
    tally,
)
from peta_viz.imageset import Head, ImageSet
from peta_viz.metrics import Tally, label_f1, nan_mean, score
from peta_viz.splitting import units
from peta_viz.training.data import Targets

Floats = np.ndarray[Any, np.dtype[np.float64]]
Key = tuple[str, str, str]
Scores = dict[Key, Floats]

RESAMPLES = 1_000
_LEVEL = (2.5, 97.5)
_KEYS = ["experiment", "trained_on", "judged_on"]
_WHAT = ["head", "label", "metric"]


@dataclass(frozen=True, eq=False)
class _Plan:
    """Who is judged, and what each unit and each seed weighs in each draw.

    Parameters
    ----------
    experiments
        By name, one for each seed.
    cuts
        The slices.
    image_sizes, sources
        Of the components, by `component_id`.
    unit_of
        int64 series: the number of the unit of each component.
    units
        float64, shape ``(1 + draws, units)``, positive; the first row is each once, as they are.
    seeds
        float64, shape ``(1 + draws, seeds)``, each row adding up to 1; the first is all alike.

    """

    experiments: Mapping[str, Sequence[Judged]]
    cuts: Sequence[Slice]
    image_sizes: "pd.Series[str]"
    sources: "pd.Series[str]"
    unit_of: "pd.Series[int]"
    units: Floats
    seeds: Floats

    @classmethod
    def of(
        cls,
        predictions: pd.DataFrame,
        imageset: ImageSet,
        corrections: Sequence[Correction],
        resamples: int,
    ) -> Self:
        """Lay out the predictions, and draw: the same every time."""
        experiments, seeds = _by_seed(predictions)
        components = pd.Index(predictions["component_id"].unique()).sort_values()
        about = _about(imageset, corrections)
        codes, names = pd.factorize(about["unit"].reindex(components))
        if (codes < 0).any():
            gone = components[codes < 0][0]
            raise InvalidDataError(
                "the predictions", [f"the image set has no component {gone}, which they judge"]
            )
        count = len(names)
        rng = np.random.default_rng(0)
        drawn = rng.dirichlet(np.ones(count), size=resamples) * count
        chosen = rng.dirichlet(np.ones(seeds), size=resamples)
        return cls(
            experiments,
            slices(about["source"].reindex(components)),
            about["image_size"],
            about["source"],
            pd.Series(codes, index=components),
            np.vstack([np.ones(count), drawn]).astype(np.float64),
            np.vstack([np.full(seeds, 1 / seeds), chosen]),
        )


def _about(imageset: ImageSet, corrections: Sequence[Correction]) -> pd.DataFrame:
    """Describe components by `unit`, `source` and `image_size`, also those that were split off."""
    if "unit" not in imageset.images:
        imageset = imageset.with_columns(unit=units(imageset))
    found = pd.DataFrame(
        {
            "unit": imageset.images.groupby("component_id")["unit"].first(),
            "source": component_sources(imageset),
            "image_size": component_image_sizes(imageset),
        }
    )
    for correction in corrections:
        own = _about(correction.apply(imageset), ())
        found = pd.concat([found, own.loc[own.index.difference(found.index)]])
    return found


def score_experiments(
    predictions: pd.DataFrame,
    imageset: ImageSet,
    *,
    corrections: Sequence[Correction] = (),
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Score every experiment, with 95 % intervals.

    Parameters
    ----------
    predictions
        As `peta_viz.run_experiments` returns.
    imageset
        The raw images with `component_id`: they say what the units are, how large the images are
        and where they are from.
    corrections
        The `cleaning` and `curation` of `run_experiments`, if they are of people, who may have
        made components that the raw images do not have.
    resamples
        How many draws of weights.

    Returns
    -------
    DataFrame
        One row per experiment, slice, head and metric: `experiment`, `trained_on`, `judged_on`,
        `component_size`, `image_size`, `source`, `head` (and ``mean``, over the heads that have
        the metric), `label` (empty, but for the metric ``f1``, which is of one label), `metric`,
        `components` that count for the head, `value` (mean over the seeds), `low`, `high` (95 %),
        `seeds` and `spread` (standard deviation over the seeds; NaN of one).

    Notes
    -----
    Rubin's Bayesian bootstrap (1981): each draw weighs the units, because components of one person
    are not independent, with weights of a flat Dirichlet distribution, and apart from them the
    seeds. Drawing units with replacement instead would leave rare labels out of many draws, and so
    out of their macro F1, which would rise. With few seeds their part is coarse. The split itself
    is not drawn anew.

    """
    plan = _Plan.of(predictions, imageset, corrections, resamples)
    rows = []
    for experiment in plan.experiments:
        states = _states(predictions, experiment)
        for cut, found in _by_slice(plan, plan.experiments[experiment], imageset.heads):
            place = (experiment, *states, cut.component_size, cut.image_size, cut.source)
            for key, one in found.items():
                spread = float(np.std(one.single, ddof=1)) if len(one.single) > 1 else np.nan
                numbers = (one.count, one.values[0], *_interval(one.values))
                rows.append((*place, *key, *numbers, len(one.single), spread))
    names = ["components", "value", "low", "high", "seeds", "spread"]
    return pd.DataFrame(rows, columns=[*_KEYS, *SLICE, *_WHAT, *names])


def compare_experiments(
    predictions: pd.DataFrame,
    imageset: ImageSet,
    pairs: Sequence[tuple[str, str]],
    *,
    corrections: Sequence[Correction] = (),
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Score the difference of two experiments over what both judged, in pairs.

    A component, or a label of it, that does not count in one of them counts in neither; slices go
    by the sizes in the second one; the mean is over the heads that have a score in both.

    Parameters
    ----------
    predictions, imageset, corrections, resamples
        As for `score_experiments`.
    pairs
        Which experiments, the second subtracted from the first; pairs of which one is not there
        are left out.

    Returns
    -------
    DataFrame
        One row per pair, slice, head and metric: `experiment`, `against`, the columns of the
        slice, `head`, `label`, `metric`, `components`, `difference`, `low`, `high` (95 %; both
        experiments see the same draws) and `seeds`.

    """
    plan = _Plan.of(predictions, imageset, corrections, resamples)
    rows = []
    for one, other in pairs:
        if one not in plan.experiments or other not in plan.experiments:
            continue
        sides = _shared(plan.experiments[one], plan.experiments[other], imageset.heads)
        found = [_by_slice(plan, side, imageset.heads) for side in sides]
        for (cut, first), (_, second) in zip(*found, strict=True):
            changes = {key: first[key].values - second[key].values for key in first}
            changes |= _means(changes)
            place = (one, other, cut.component_size, cut.image_size, cut.source)
            for key, values in changes.items():
                numbers = (first[key].count, values[0], *_interval(values), len(first[key].single))
                rows.append((*place, *key, *numbers))
    names = ["components", "difference", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=["experiment", "against", *SLICE, *_WHAT, *names])


def _by_seed(predictions: pd.DataFrame) -> tuple[dict[str, list[Judged]], int]:
    found: dict[str, list[Judged]] = {}
    seeds = predictions["seed"].unique()
    for seed in sorted(seeds):
        for name, one in judged(predictions[predictions["seed"] == seed]).items():
            found.setdefault(name, []).append(one)
    problems = [
        f"experiment {name!r} lacks some of the seeds"
        for name, by_seed in found.items()
        if len(by_seed) != len(seeds)
    ]
    if problems:
        raise InvalidDataError("the predictions", problems)
    return found, len(seeds)


def _states(predictions: pd.DataFrame, experiment: str) -> tuple[str, str]:
    row = predictions[predictions["experiment"] == experiment].iloc[0]
    return str(row["trained_on"]), str(row["judged_on"])


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A score: a value per draw, the plain value of each seed, and how many components count."""

    values: Floats
    single: Floats
    count: int


def _by_slice(
    plan: _Plan, by_seed: Sequence[Judged], heads: Sequence[Head]
) -> Iterator[tuple[Slice, dict[Key, _Drawn]]]:
    """Yield for each slice every score, by head, label and metric."""
    first = by_seed[0]
    tallies = [_tally(one, heads) for one in by_seed]
    unit = plan.unit_of.reindex(first.truth.index).to_numpy()
    for cut in plan.cuts:
        mask = cut.mask(first.sizes, plan.image_sizes, plan.sources)
        drawn = [_draw(one, heads, mask, unit, plan.units) for one in tallies]
        counts = {name: int(one.instances[mask, 0].sum()) for name, one in tallies[0].items()}
        counts[MEAN] = int(mask.sum())
        found = {}
        for key in drawn[0]:
            single = np.column_stack([one[key] for one in drawn])
            values = (plan.seeds * single).sum(axis=1)
            found[key] = _Drawn(values, single[0], counts[key[0]])
        yield cut, found


def _draw(
    tallies: Mapping[str, Tally], heads: Sequence[Head], mask: Any, unit: Any, weights: Floats
) -> Scores:
    found: Scores = {}
    for head in heads:
        own = tallies[head.name].take(mask).summed(unit[mask], weights.shape[1]).weighted(weights)
        for metric, values in score(own, head.kind).items():
            found[head.name, "", metric] = values
        for label, values in zip(head.labels, label_f1(own).T, strict=True):
            found[head.name, label, "f1"] = values
    return found | _means(found)


def _means(found: Scores) -> Scores:
    """Return the mean over the heads of every metric; what a head does not have does not count."""
    by_metric: dict[str, list[Floats]] = {}
    for (head, label, metric), values in found.items():
        if not label and head != MEAN:
            by_metric.setdefault(metric, []).append(values)
    return {
        (MEAN, "", metric): nan_mean(np.column_stack(several))
        for metric, several in by_metric.items()
    }


def _shared(
    one: Sequence[Judged], other: Sequence[Judged], heads: Sequence[Head]
) -> tuple[list[Judged], list[Judged]]:
    """Leave of both what counts in both: components, and within them labels."""
    ids = one[0].truth.index.intersection(other[0].truth.index)
    sizes = other[0].sizes.reindex(ids)
    truths = [side[0].truth.reindex(ids) for side in (one, other)]
    counts = (truths[0] >= 0) & (truths[1] >= 0)
    for head in heads:
        if head.kind == "exclusive":
            classes = [Targets(t == 1, t >= 0, sizes).classes(head) >= 0 for t in truths]
            counts.loc[~(classes[0] & classes[1]), list(head.labels)] = False

    def cut(judged: Judged) -> Judged:
        truth = judged.truth.reindex(ids).where(counts, -1).astype("int8")
        return Judged(judged.name, truth, judged.probability.reindex(ids), sizes)

    return [cut(judged) for judged in one], [cut(judged) for judged in other]


def _tally(one: Judged, heads: Sequence[Head]) -> dict[str, Tally]:
    targets = Targets(one.truth == 1, one.truth >= 0, one.sizes)
    return tally(one.probability, targets, heads)


def _interval(values: Floats) -> tuple[float, float]:
    drawn = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(drawn):
        return np.nan, np.nan
    low, high = np.percentile(drawn, _LEVEL)
    return float(low), float(high)
