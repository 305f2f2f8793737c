"""How good predictions are: which components are judged together, and the scores per head."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from peta_viz.agreement import component_ids
from peta_viz.imageset import Head, ImageSet
from peta_viz.metrics import METRICS, Metric, Tally, score, tally_head
from peta_viz.sources import read_csv

if TYPE_CHECKING:
    from peta_viz.training.data import Targets

HEADLINE = "2 and more"
ALIKE = 1e-3  # probabilities that differ by less are the same answer
LEARNED_NOTHING = (
    "A model answers all components alike: it has learned nothing yet, and these figures say "
    "nothing; train longer, for more epochs."
)
FEW = 10  # fewer components have no interval worth telling
SIZES: Mapping[str, Callable[["pd.Series[int]"], "pd.Series[bool]"]] = {
    HEADLINE: lambda size: size >= 2,  # noqa: PLR2004
    "all": lambda size: size >= 1,
    "1": lambda size: size == 1,
    "2-3": lambda size: size.between(2, 3),
    "more than 3": lambda size: size > 3,  # noqa: PLR2004
}
_LARGE, _SMALL = "at least 75×160", "smaller"
IMAGE_SIZES = ("all", _LARGE, _SMALL)
BY_IMAGE = "CUHK"  # the subset of PETA that was labelled image by image
ALL = "all"
SLICE = ("component_size", "image_size", "source")
MEAN = "mean"
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def answers_alike(predictions: pd.DataFrame) -> bool:
    """Tell whether a model answers every component alike.

    Parameters
    ----------
    predictions
        `trained_on`, `seed`, `component_id`, `label` and `probability`, as `run_experiments`
        returns them.

    """
    if len(predictions["component_id"].unique()) == 1:
        return False
    spread = predictions.groupby(["trained_on", "seed", "label"])["probability"].std()
    return bool((spread.groupby(["trained_on", "seed"]).max() < ALIKE).any())


@dataclass(frozen=True)
class Slice:
    """Components that are judged together.

    Parameters
    ----------
    component_size
        One of `SIZES`.
    image_size
        One of `IMAGE_SIZES`.
    source
        ``"all"``, ``"CUHK"`` or ``"all but CUHK"``.

    """

    component_size: str = HEADLINE
    image_size: str = ALL
    source: str = ALL

    def mask(
        self, sizes: "pd.Series[int]", image_sizes: "pd.Series[str]", sources: "pd.Series[str]"
    ) -> Mask:
        """Choose components: bool, in the order of `sizes`; the others are by `component_id`."""
        chosen = SIZES[self.component_size](sizes).to_numpy(dtype=bool)
        for wanted, words in ((self.image_size, image_sizes), (self.source, sources)):
            if wanted != ALL:
                chosen = chosen & (words.reindex(sizes.index) == wanted).to_numpy(dtype=bool)
        return np.asarray(chosen)


def slices(sources: Iterable[str]) -> tuple[Slice, ...]:
    """Return what is told apart: component sizes; in the headline image sizes and sources too."""
    apart = sorted(set(sources))
    return (
        *(Slice(size) for size in SIZES),
        *(Slice(image_size=size) for size in IMAGE_SIZES if size != ALL),
        *(Slice(source=source) for source in (apart if len(apart) > 1 else ())),
    )


def tally(
    probabilities: pd.DataFrame, targets: "Targets", heads: Sequence[Head]
) -> dict[str, Tally]:
    """Count for every head what was right and wrong of each component.

    Parameters
    ----------
    probabilities
        float, shape ``(components, labels)``, with the index of `targets`.
    targets
        What the components are; what is not known does not count.
    heads
        The heads.

    """
    return {
        head.name: tally_head(
            head,
            probabilities[list(head.labels)].to_numpy(),
            targets.values[list(head.labels)].to_numpy(),
            targets.known[list(head.labels)].to_numpy(),
            targets.classes(head),
        )
        for head in heads
    }


def evaluate(
    probabilities: pd.DataFrame, targets: "Targets", heads: Sequence[Head]
) -> pd.DataFrame:
    """Judge predictions per head and component size.

    Parameters
    ----------
    probabilities, targets, heads
        As for `tally`.

    Returns
    -------
    DataFrame
        One row per component size and head: `component_size`, `head`, `components` (that count)
        and the metrics of `peta_viz.metrics.score`, NaN where there is nothing to judge or the
        metric is none of such a head.

    """
    counted = tally(probabilities, targets, heads)
    rows = []
    for words, chosen in SIZES.items():
        mask = chosen(targets.sizes).to_numpy(dtype=bool)
        for head in heads:
            whole = counted[head.name].weighted(mask[None, :].astype(np.float64))
            found = {name: float(value[0]) for name, value in score(whole, head.kind).items()}
            rows.append((words, head.name, int(whole.instances[0, 0]), *map(found.get, METRICS)))
    columns = ["component_size", "head", "components", *METRICS]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(METRICS, "float64"))


def component_image_sizes(imageset: ImageSet) -> "pd.Series[str]":
    """Tell for each component whether its images are large or small.

    Parameters
    ----------
    imageset
        Images with `component_id`.

    Returns
    -------
    Series
        By `component_id`, ascending: ``"at least 75×160"`` where the median width of its readable
        images is 75 pixels or more and their median height 160 or more, else ``"smaller"``.
        Components without a readable image are left out.

    Raises
    ------
    InvalidDataError
        If the image set has no `component_id` yet.

    """
    images = imageset.images.assign(component_id=component_ids(imageset))
    readable = images[images["width"] > 0]
    median = readable.groupby("component_id")[["width", "height"]].median()
    large = (median["width"] >= 75) & (median["height"] >= 160)  # noqa: PLR2004
    words = np.where(large, _LARGE, _SMALL)
    return pd.Series(words, index=median.index, name="image_size", dtype="str")


def component_sources(imageset: ImageSet) -> "pd.Series[str]":
    """Tell for each component whether it was labelled image by image.

    Returns
    -------
    Series
        By `component_id`, ascending: ``"CUHK"`` where its first image is of that subset, else
        ``"all but CUHK"``.

    Raises
    ------
    InvalidDataError
        If the image set has no `component_id` yet.

    """
    images = imageset.images.assign(component_id=component_ids(imageset))
    first = images.groupby("component_id")["subset"].first()
    words = np.where(first == BY_IMAGE, BY_IMAGE, f"all but {BY_IMAGE}")
    return pd.Series(words, index=first.index, name="source", dtype="str")


def read_scores(file: str | Path) -> pd.DataFrame:
    """Read what `score_experiments` or `compare_experiments` returned, from a CSV file."""
    numbers = ("value", "difference", "low", "high", "spread")
    return read_csv(
        Path(file),
        dtype={"component_size": "str", "label": "str"},
        keep_default_na=False,  # a head may be called None
        na_values={name: [""] for name in numbers},
    )


def mean_macro_f1(table: pd.DataFrame, component_size: str = ALL) -> float:
    """Return the mean of `macro_f1` over the heads that have one, for one component size."""
    chosen = table.loc[table["component_size"] == component_size, "macro_f1"]
    return float(chosen.mean()) if chosen.notna().any() else 0.0


def choose(
    scores: pd.DataFrame, component_size: str = HEADLINE, metric: Metric = "macro_f1"
) -> pd.DataFrame:
    """Return the rows of one component size and one metric, over images of any size and source.

    Parameters
    ----------
    scores
        What `peta_viz.intervals.score_experiments` or `compare_experiments` returns.
    component_size
        One of `SIZES`.
    metric
        Which score.

    """
    wanted = {"component_size": component_size, "image_size": ALL, "source": ALL, "metric": metric}
    return scores[(scores[list(wanted)] == pd.Series(wanted)).all(axis=1)]


def headline(
    scores: pd.DataFrame, component_size: str = HEADLINE, metric: Metric = "macro_f1"
) -> pd.DataFrame:
    """Lay the experiments side by side for one component size.

    Parameters
    ----------
    scores
        What `peta_viz.intervals.score_experiments` returns.
    component_size
        One of `SIZES`.
    metric
        Which score.

    Returns
    -------
    DataFrame
        One row per head and a last row ``mean``, one column per experiment with the score; a column
        `components` says how many the first experiment was judged on.

    """
    chosen = choose(scores, component_size, metric)
    table = _columns(chosen, ["head"], "experiment", "value")
    first = chosen[chosen["experiment"] == table.columns[0]].set_index("head")["components"]
    return table.assign(components=first.reindex(table.index).astype("Int64"))


def headline_words(
    scores: pd.DataFrame, component_size: str = HEADLINE, metric: Metric = "macro_f1"
) -> pd.DataFrame:
    """Lay the experiments side by side as text, each score with its 95 % interval.

    Where fewer than `FEW` components are judged, their number stands in its place.
    """
    chosen = choose(scores, component_size, metric)
    words = chosen.assign(value=_words(chosen, "value"))
    return _columns(words, ["head"], "experiment", "value")


def difference_words(
    differences: pd.DataFrame, component_size: str = HEADLINE, metric: Metric = "macro_f1"
) -> pd.DataFrame:
    """Lay the differences of experiments side by side as text, each with its 95 % interval.

    Where fewer than `FEW` components are judged, their number stands in its place.

    Parameters
    ----------
    differences
        What `peta_viz.intervals.compare_experiments` returns.
    component_size, metric
        As for `headline`.

    """
    chosen = choose(differences, component_size, metric)
    pair = chosen["experiment"] + " − " + chosen["against"]
    words = chosen.assign(pair=pair, value=_words(chosen, "difference"))
    return _columns(words, ["head"], "pair", "value")


def slice_words(
    scores: pd.DataFrame, head: str = MEAN, metric: Metric = "macro_f1"
) -> pd.DataFrame:
    """Lay the experiments side by side for every slice as text, for one head or their mean.

    A slice without any component is left out, as is one by the size or source of images that holds
    all of them.
    """
    chosen = scores[(scores["head"] == head) & (scores["metric"] == metric)]
    table = _columns(
        chosen.assign(value=_words(chosen, "value")), list(SLICE), "experiment", "value"
    )
    first = chosen["experiment"] == chosen["experiment"].iloc[0]
    table.insert(0, "components", chosen.loc[first, "components"].to_numpy())
    count = table["components"]
    by_size = (table.index.to_frame()[list(SLICE[1:])] == ALL).all(axis=1)
    whole = count[by_size].to_dict().get((HEADLINE, ALL, ALL))
    return table[(count > 0) & (by_size | (count != whole))]


def _columns(table: pd.DataFrame, index: list[str], columns: str, values: str) -> pd.DataFrame:
    """Pivot, rows and columns in the order in which they first appear."""
    wide = table.set_index([*index, columns])[values].unstack(columns)  # noqa: PD010 - text, too
    rows = table.drop_duplicates(index).set_index(index).index
    return wide.reindex(index=rows, columns=table[columns].unique()).rename_axis(columns=None)


def _words(table: pd.DataFrame, value: str) -> list[str]:
    sign = "+" if value == "difference" else ""
    columns = [table[name] for name in (value, "low", "high", "components")]
    return [
        "–"
        if pd.isna(middle)
        else f"{middle:{sign}.3f} (of {count}: too few)".replace("-", "−")
        if count < FEW
        else f"{middle:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})".replace("-", "−")
        for middle, low, high, count in zip(*columns, strict=True)
    ]
