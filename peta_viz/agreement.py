"""Label counts, measures of disagreement, and flags of components."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet

Measure = Literal["disagreement", "std", "variance", "geometric_variance", "cubic_variance"]
MEASURES: tuple[Measure, ...] = (
    "disagreement",
    "std",
    "variance",
    "geometric_variance",
    "cubic_variance",
)
Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
FlagRule = Callable[[pd.DataFrame], "pd.Series[bool]"]

_ROUNDING = 1e-12  # what is smaller is the rounding of equal ratios


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Label counts of every component.

    Parameters
    ----------
    carried
        int64 frame of shape ``(components, labels)``, indexed by `component_id`, ascending: how
        many images carry the label.
    known
        Frame of the same shape: of how many images it is known.
    sizes
        int64 series: how many images the component has.

    """

    carried: pd.DataFrame
    known: pd.DataFrame
    sizes: "pd.Series[int]"

    @property
    def ratios(self) -> pd.DataFrame:
        """Label ratios: count over the images where the label is known; NaN if there is none."""
        return self.carried / self.known.where(self.known > 0)

    @property
    def contested(self) -> pd.DataFrame:
        """Boolean frame of the same shape: some images carry the label and others do not."""
        return (self.carried > 0) & (self.carried < self.known)


def count_labels(imageset: ImageSet) -> LabelCounts:
    """Count every label in every component.

    Raises
    ------
    InvalidDataError
        If the image set has no `component_id` yet.

    """
    ids = component_ids(imageset)
    codes, uniques = pd.factorize(ids, sort=True)
    index = pd.Index(uniques, name="component_id")

    def total(frame: pd.DataFrame) -> pd.DataFrame:
        masks = frame.to_numpy(dtype=bool).T
        counts = np.empty((len(index), len(masks)), dtype=np.int64)
        for column, mask in zip(counts.T, masks, strict=True):
            column[:] = np.bincount(codes[mask], minlength=len(index))
        return pd.DataFrame(counts, index=index, columns=frame.columns)

    sizes = pd.Series(np.bincount(codes, minlength=len(uniques)), index=index, name="size")
    return LabelCounts(total(imageset.labels), total(imageset.known), sizes)


def component_ids(imageset: ImageSet) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return `component_id` of every image, or say that clustering comes first."""
    if "component_id" not in imageset.images.columns:
        raise InvalidDataError("the image set", ["it has no component_id: call cluster() first"])
    return imageset.images["component_id"].to_numpy()


def measure_components(imageset: ImageSet) -> pd.DataFrame:
    r"""Measure how much the labels of each component's images disagree.

    With p the label ratios of the labels that occur in a component, over the images where each is
    known:

    - `disagreement`: mean of 2·min(p, 1 − p); 0 if and only if all images agree.
    - `std`, `variance`: standard deviation of p about its mean, and its square.
    - `geometric_variance`: exp(variance of ln p) − 1.
    - `cubic_variance`: mean of \|p − mean p\|³.

    The last four follow the published method as far as its text tells: it speaks of the standard
    deviation of label counts and of geometric and cubic variance, and gives no formula. They have
    a blind spot: where two images share no label, every p is ½ and they are 0.

    Parameters
    ----------
    imageset
        Images with `component_id`.

    Returns
    -------
    DataFrame
        One row per component, indexed by `component_id`, ascending: `size`, `contested` (bool),
        `contested_labels` (how many), and the five measures (float64, 0 or more; 0 for a
        component without labels).

    Raises
    ------
    InvalidDataError
        If the image set has no `component_id` yet.

    """
    counts = count_labels(imageset)
    contested = counts.contested
    frame = pd.DataFrame(
        {
            "size": counts.sizes,
            "contested": contested.any(axis=1),
            "contested_labels": contested.sum(axis=1),
        }
    )
    # Where nothing is contested, every p is 1 and every measure 0.
    measures = _measures(counts, frame["contested"].to_numpy())
    return frame.join(measures.reindex(frame.index, fill_value=0.0))


def _measures(counts: LabelCounts, rows: Mask) -> pd.DataFrame:
    carried, known = counts.carried.to_numpy()[rows], counts.known.to_numpy()[rows]
    row, label = np.nonzero(carried)
    ratios = carried[row, label] / known[row, label]
    number = np.bincount(row, minlength=len(carried))

    def mean(values: Floats) -> Floats:
        return np.bincount(row, values, minlength=len(carried)) / number

    def centred(values: Floats) -> Floats:
        return values - mean(values)[row]

    deviation = centred(ratios)
    variance = mean(deviation**2)
    measures = {
        "disagreement": mean(2 * np.minimum(ratios, 1 - ratios)),
        "std": np.sqrt(variance),
        "variance": variance,
        "geometric_variance": np.expm1(mean(centred(np.log(ratios)) ** 2)),
        "cubic_variance": mean(np.abs(deviation**3)),
    }
    frame = pd.DataFrame(measures, index=counts.sizes.index[rows])
    rounding = {"variance": _ROUNDING**2, "cubic_variance": _ROUNDING**3}
    for name in measures:
        small = frame[name] < rounding.get(name, _ROUNDING)
        frame[name] = frame[name].mask(small, 0.0)
    return frame


@dataclass(frozen=True)
class Flag:
    """A rule for bad components: ``measure > threshold and measure > 0``.

    Parameters
    ----------
    measure
        One of `MEASURES`.
    percentile
        The threshold as a percentile (0–100) of the measure.
    absolute
        The threshold itself; give either this or `percentile`.
    over
        What the percentile is taken over: ``"contested"`` components, or ``"all"`` of two or more
        images, as published (most of those score 0, so low percentiles say nothing there).

    Raises
    ------
    InvalidDataError
        If the options do not go together.

    Examples
    --------
    >>> Flag("std", percentile=80).name, Flag("std", absolute=0.3).name
    ('is_bad_component_std_80', 'is_bad_component_std_abs0.30')

    """

    measure: Measure = "disagreement"
    percentile: float | None = None
    absolute: float | None = None
    over: Literal["contested", "all"] = "contested"

    def __post_init__(self) -> None:
        problems = []
        if self.measure not in MEASURES:
            problems.append(f"measure must be one of {', '.join(MEASURES)}, not {self.measure!r}")
        if (self.percentile is None) == (self.absolute is None):
            problems.append("give either percentile=… or absolute=…")
        if self.percentile is not None and not 0 <= self.percentile <= 100:  # noqa: PLR2004
            problems.append(f"percentile must be from 0 to 100, but is {self.percentile}")
        if self.over not in ("contested", "all"):
            problems.append(f"over must be 'contested' or 'all', not {self.over!r}")
        if problems:
            raise InvalidDataError("the flag", problems)

    @property
    def name(self) -> str:
        """The column's name, such as ``is_bad_component_std_80``."""
        if self.absolute is not None:
            digits = f"{self.absolute:.2f}"
            exact = digits if float(digits) == self.absolute else f"{self.absolute:g}"
            return f"is_bad_component_{self.measure}_abs{exact}"
        suffix = "_all" if self.over == "all" else ""
        return f"is_bad_component_{self.measure}_{self.percentile:g}{suffix}"

    def threshold(self, components: pd.DataFrame) -> float:
        """Return the threshold for these components (infinite if there is none to rank)."""
        if self.absolute is not None:
            return self.absolute
        ranked = components["contested"] if self.over == "contested" else components["size"] > 1
        values = components.loc[ranked, self.measure].to_numpy()
        return float(np.percentile(values, self.percentile or 0.0)) if len(values) else np.inf

    def __call__(self, components: pd.DataFrame) -> "pd.Series[bool]":
        """Return for each component whether it is bad."""
        values = components[self.measure]
        return (values > self.threshold(components)) & (values > 0)


def flag_components(components: pd.DataFrame, *flags: Flag | FlagRule) -> pd.DataFrame:
    """Add one yes/no column per flag.

    Parameters
    ----------
    components
        As `measure_components` returns.
    flags
        `Flag` objects, or your own functions from that frame to a boolean series; a function's
        column is ``is_bad_component_<its name>``.

    Returns
    -------
    DataFrame
        A new frame with the columns added.

    """
    return components.assign(**{flag_name(flag): _apply(flag, components) for flag in flags})


def flag_name(flag: Flag | FlagRule) -> str:
    """Return the column name of a flag."""
    if isinstance(flag, Flag):
        return flag.name
    return f"is_bad_component_{getattr(flag, '__name__', type(flag).__name__)}"


def _apply(flag: Flag | FlagRule, components: pd.DataFrame) -> "pd.Series[bool]":
    answer = flag(components)
    if not isinstance(answer, pd.Series) or answer.dtype != bool or len(answer) != len(components):
        raise InvalidDataError(
            f"the flag {flag_name(flag)}",
            [
                f"expected a boolean series with {len(components)} rows, but got "
                + type(answer).__name__
            ],
        )
    return answer


def flag_grid(
    components: pd.DataFrame,
    measures: Iterable[Measure] = MEASURES,
    percentiles: Iterable[float] = (50, 80, 95),
) -> pd.DataFrame:
    """Try every measure at every percentile.

    Parameters
    ----------
    components
        As `measure_components` returns.
    measures, percentiles
        What to try.

    Returns
    -------
    DataFrame
        One row per flag: `measure`, `percentile`, `threshold`, `components` and `images` flagged.

    """
    percentiles = tuple(percentiles)
    rows = []
    for measure in measures:
        for percentile in percentiles:
            flag = Flag(measure, percentile=percentile)
            bad = flag(components)
            images = int(components.loc[bad, "size"].sum())
            rows.append((measure, percentile, flag.threshold(components), int(bad.sum()), images))
    columns = ["measure", "percentile", "threshold", "components", "images"]
    return pd.DataFrame(rows, columns=columns)
