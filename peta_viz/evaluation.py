"""How good predictions are: F1 per head, by component size."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from peta_viz.agreement import component_ids
from peta_viz.imageset import Head, ImageSet

if TYPE_CHECKING:
    from peta_viz.training.data import Targets

YES_ABOVE = 0.5  # a label of a multiple head is predicted where its probability is above this
HEADLINE = "2 and more"
SIZES: Mapping[str, Callable[["pd.Series[int]"], "pd.Series[bool]"]] = {
    HEADLINE: lambda size: size >= 2,  # noqa: PLR2004
    "all": lambda size: size >= 1,
    "1": lambda size: size == 1,
    "2-3": lambda size: size.between(2, 3),
    "more than 3": lambda size: size > 3,  # noqa: PLR2004
}
_LARGE, _SMALL = "at least 75×160", "smaller"
IMAGE_SIZES = ("all", _LARGE, _SMALL)


def evaluate(
    probabilities: pd.DataFrame, targets: "Targets", heads: Sequence[Head]
) -> pd.DataFrame:
    """Judge predictions per head and component size.

    Parameters
    ----------
    probabilities
        float, shape ``(components, labels)``, with the index of `targets`.
    targets
        What the components are; what is not known does not count.
    heads
        The heads.

    Returns
    -------
    DataFrame
        One row per component size and head: `component_size`, `head`, `components` (that count)
        and `macro_f1` (mean over the labels that occur; NaN where none does).

    """
    rows = []
    for words, chosen in SIZES.items():
        mask = chosen(targets.sizes).to_numpy()
        for head in heads:
            judge = _exclusive if head.kind == "exclusive" else _multiple
            count, f1 = judge(probabilities, targets, head, mask)
            rows.append((words, head.name, count, f1))
    return pd.DataFrame(rows, columns=["component_size", "head", "components", "macro_f1"])


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
    readable = images[(images["width"] > 0) & (images["height"] > 0)]
    median = readable.groupby("component_id")[["width", "height"]].median()
    large = (median["width"] >= 75) & (median["height"] >= 160)  # noqa: PLR2004
    words = np.where(large, _LARGE, _SMALL)
    return pd.Series(words, index=median.index, name="image_size", dtype="str")


def mean_macro_f1(table: pd.DataFrame, component_size: str = "all") -> float:
    """Return the mean of `macro_f1` over the heads that have one, for one component size."""
    chosen = table.loc[table["component_size"] == component_size, "macro_f1"]
    return float(chosen.mean()) if chosen.notna().any() else 0.0


def headline(experiments: pd.DataFrame, component_size: str) -> pd.DataFrame:
    """Lay the experiments side by side for one component size.

    Parameters
    ----------
    experiments
        The scores that `peta_viz.run_experiments` returns.
    component_size
        One of `SIZES`.

    Returns
    -------
    DataFrame
        Macro F1: one row per head and a last row ``mean``, one column per experiment; a column
        `components` says how many the first experiment was judged on.

    """
    chosen = experiments[experiments["component_size"] == component_size]
    table = chosen.pivot_table(
        index="head", columns="experiment", values="macro_f1", sort=False, dropna=False
    )
    first = chosen[chosen["experiment"] == table.columns[0]].set_index("head")["components"]
    mean = table.mean().to_frame("mean").T
    table["components"] = first.reindex(table.index).astype("Int64")
    table = pd.concat([table, mean]).astype({"components": "Int64"})
    table.columns.name = None
    return table


def _exclusive(
    probabilities: pd.DataFrame,
    targets: "Targets",
    head: Head,
    mask: "np.ndarray[Any, np.dtype[np.bool_]]",
) -> tuple[int, float]:
    classes = targets.classes(head)
    counts = mask & (classes >= 0)
    if not counts.any():
        return 0, np.nan
    predicted = probabilities[list(head.labels)].to_numpy().argmax(axis=1)
    occurring = np.unique(classes[counts])
    f1 = f1_score(
        classes[counts], predicted[counts], labels=occurring, average="macro", zero_division=0
    )
    return int(counts.sum()), float(f1)


def _multiple(
    probabilities: pd.DataFrame,
    targets: "Targets",
    head: Head,
    mask: "np.ndarray[Any, np.dtype[np.bool_]]",
) -> tuple[int, float]:
    scores = []
    some = np.zeros(len(mask), dtype=bool)
    for label in head.labels:
        counts = mask & targets.known[label].to_numpy()
        truth = targets.values[label].to_numpy()[counts]
        some |= counts
        if truth.any():
            predicted = probabilities[label].to_numpy()[counts] > YES_ABOVE
            scores.append(f1_score(truth, predicted, zero_division=0))
    return int(some.sum()), float(np.mean(scores)) if scores else np.nan
