"""Scores of experiments with intervals, by drawing units and seeds anew."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from peta_viz.confusion import Judged, judged
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
from peta_viz.metrics import Metric, Tally, nan_mean, score
from peta_viz.splitting import units
from peta_viz.training.data import Targets

Floats = np.ndarray[Any, np.dtype[np.float64]]
Scores = dict[tuple[str, Metric], Floats]

RESAMPLES = 1_000
_LEVEL = (2.5, 97.5)
_KEYS = ["experiment", "trained_on", "judged_on"]


@dataclass(frozen=True, eq=False)
class _Plan:
    """Who is judged, and how often each unit and each seed is drawn.

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
        float64, shape ``(1 + draws, units)``; the first row is each once, as they are.
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
    def of(cls, predictions: pd.DataFrame, imageset: ImageSet, resamples: int) -> Self:
        """Lay out the predictions, and draw: the same every time."""
        experiments, seeds = _by_seed(predictions)
        components = pd.Index(predictions["component_id"].unique()).sort_values()
        images = imageset.images
        if "unit" not in images:
            images = images.assign(unit=units(imageset))
        own = images.drop_duplicates("component_id").set_index("component_id")["unit"]
        codes, names = pd.factorize(own.reindex(components))
        if (codes < 0).any():
            gone = components[codes < 0][0]
            raise InvalidDataError(
                "the predictions", [f"the image set has no component {gone}, which they judge"]
            )
        count = len(names)
        rng = np.random.default_rng(0)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
        chosen = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
        sources = component_sources(imageset)
        return cls(
            experiments,
            slices(sources.reindex(components)),
            component_image_sizes(imageset),
            sources,
            pd.Series(codes, index=components),
            np.vstack([np.ones(count), drawn]).astype(np.float64),
            np.vstack([np.full(seeds, 1 / seeds), chosen]),
        )


def score_experiments(
    predictions: pd.DataFrame, imageset: ImageSet, *, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Score every experiment, with 95 % intervals.

    Parameters
    ----------
    predictions
        As `peta_viz.run_experiments` returns.
    imageset
        The raw images with `component_id`: they say what the units are, how large the images are
        and where they are from.
    resamples
        How often units and seeds are drawn.

    Returns
    -------
    DataFrame
        One row per experiment, slice, head and metric: `experiment`, `trained_on`, `judged_on`,
        `component_size`, `image_size`, `source`, `head` (and ``mean``, over the heads that have
        the metric), `metric`, `components` that count, `value` (mean over the seeds), `low`,
        `high` (95 %), `seeds` and `spread` (standard deviation over the seeds; NaN of one).

    Notes
    -----
    A percentile bootstrap. Each draw takes units with replacement, because components of one
    person are not independent, and, independently of them, seeds with replacement. With few seeds
    the second part is coarse. The split itself is not drawn anew.

    """
    plan = _Plan.of(predictions, imageset, resamples)
    rows = []
    for experiment in plan.experiments:
        states = _states(predictions, experiment)
        for cut, found in _by_slice(plan, experiment, imageset.heads):
            place = (experiment, *states, cut.component_size, cut.image_size, cut.source)
            for key, (values, single, count) in found.items():
                spread = float(np.std(single, ddof=1)) if len(single) > 1 else np.nan
                numbers = (count, values[0], *_interval(values), len(single), spread)
                rows.append((*place, *key, *numbers))
    names = ["components", "value", "low", "high", "seeds", "spread"]
    return pd.DataFrame(rows, columns=[*_KEYS, *SLICE, "head", "metric", *names])


def compare_experiments(
    predictions: pd.DataFrame,
    imageset: ImageSet,
    pairs: Sequence[tuple[str, str]],
    *,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Score the difference of two experiments over the components that both judged, in pairs.

    Parameters
    ----------
    predictions, imageset, resamples
        As for `score_experiments`.
    pairs
        Which experiments, the second subtracted from the first; pairs of which one is not there
        are left out.

    Returns
    -------
    DataFrame
        One row per pair, slice, head and metric: `experiment`, `against`, the columns of the
        slice, `head`, `metric`, `components`, `difference`, `low`, `high` (95 %; both experiments
        see the same draws) and `seeds`.

    """
    plan = _Plan.of(predictions, imageset, resamples)
    rows = []
    for one, other in pairs:
        if one not in plan.experiments or other not in plan.experiments:
            continue
        ids = [plan.experiments[name][0].truth.index for name in (one, other)]
        shared = ids[0].intersection(ids[1])
        sides = [_by_slice(plan, name, imageset.heads, shared) for name in (one, other)]
        for (cut, first), (_, second) in zip(*sides, strict=True):
            for key in [key for key in first if key in second]:
                values = first[key][0] - second[key][0]
                place = (one, other, cut.component_size, cut.image_size, cut.source, *key)
                count, seeds = min(first[key][2], second[key][2]), len(first[key][1])
                rows.append((*place, count, values[0], *_interval(values), seeds))
    names = ["components", "difference", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=["experiment", "against", *SLICE, "head", "metric", *names])


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


def _by_slice(
    plan: _Plan, experiment: str, heads: Sequence[Head], shared: "pd.Index | None" = None
) -> Iterator[tuple[Slice, dict[tuple[str, Metric], tuple[Floats, Floats, int]]]]:
    """Yield per slice, head and metric: a value per draw, the value of each seed, and the count."""
    by_seed = plan.experiments[experiment]
    first = by_seed[0]
    tallies = [_tally(one, heads) for one in by_seed]
    unit = plan.unit_of.reindex(first.truth.index).to_numpy()
    for cut in plan.cuts:
        mask = cut.mask(first.sizes, plan.image_sizes, plan.sources)
        if shared is not None:
            mask = mask & first.truth.index.isin(shared)
        drawn = [_draw(one, heads, mask, unit, plan.units) for one in tallies]
        counts = {name: int(one.instances[mask, 0].sum()) for name, one in tallies[0].items()}
        counts[MEAN] = int(mask.sum())
        found = {}
        for key in drawn[0]:
            single = np.column_stack([one[key] for one in drawn])
            found[key] = ((plan.seeds * single).sum(axis=1), single[0], counts[key[0]])
        yield cut, found


def _draw(
    tallies: Mapping[str, Tally], heads: Sequence[Head], mask: Any, unit: Any, weights: Floats
) -> Scores:
    found: Scores = {}
    means: dict[Metric, list[Floats]] = {}
    for head in heads:
        own = tallies[head.name].take(mask).summed(unit[mask], weights.shape[1])
        for metric, values in score(own.weighted(weights), head.kind).items():
            found[head.name, metric] = values
            means.setdefault(metric, []).append(values)
    for metric, several in means.items():
        found[MEAN, metric] = nan_mean(np.column_stack(several))
    return found


def _tally(one: Judged, heads: Sequence[Head]) -> dict[str, Tally]:
    targets = Targets(one.truth == 1, one.truth >= 0, one.sizes)
    return tally(one.probability, targets, heads)


def _interval(values: Floats) -> tuple[float, float]:
    drawn = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(drawn):
        return np.nan, np.nan
    low, high = np.percentile(drawn, _LEVEL)
    return float(low), float(high)
