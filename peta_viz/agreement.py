"""Label counts, measures of disagreement, and flags of components."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype
from scipy.sparse import coo_array

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
Codes = np.ndarray[Any, np.dtype[np.int64]]
FlagRule = Callable[[pd.DataFrame], "pd.Series[bool]"]

_GAPS = 4  # numbers that are no component's id, for each image
_BLOCK = 2**18  # components that are measured at once
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
    codes, index = number_components(_component_column(imageset))
    cells = imageset.labels.to_numpy(), imageset.known.to_numpy()
    return _counted(codes, index, *cells, imageset.labels.columns)


def _counted(
    codes: Codes, index: pd.Index, labels: Mask, known: Mask, names: pd.Index
) -> LabelCounts:
    """Count labels, both of shape ``(images, labels)``, by the component that `codes` gives."""

    def total(cells: Mask) -> pd.DataFrame:
        counts = np.empty((len(index), len(names)), dtype=np.int64)
        for column, mask in zip(counts.T, cells.T, strict=True):
            column[:] = np.bincount(codes[mask], minlength=len(index))
        return pd.DataFrame(counts, index=index, columns=names)

    sizes = pd.Series(np.bincount(codes, minlength=len(index)), index=index, name="size")
    return LabelCounts(total(labels), total(known), sizes)


def number_components(component_id: "pd.Series[Any]") -> tuple[Codes, pd.Index]:
    """Give each component a number, in the order of their ids.

    Parameters
    ----------
    component_id
        Of each image, shape ``(images,)``, none empty.

    Returns
    -------
    tuple
        The number of each image's component (int64, shape ``(images,)``; the ids themselves where
        they are the numbers already), and the ids by number, ascending.

    """
    whole = is_integer_dtype(component_id.dtype) and len(component_id) > 0
    low, high = (int(component_id.min()), int(component_id.max())) if whole else (0, 0)
    if not whole or high - low >= _GAPS * len(component_id):
        codes, ids = pd.factorize(component_id, sort=True)
        return codes.astype(np.int64, copy=False), pd.Index(ids, name="component_id")
    # Whole numbers that lie close together need a table of them, and no hashing.
    numbers = component_id.to_numpy()
    there = np.zeros(high - low + 1, dtype=bool)
    there[numbers - low] = True
    found = (np.flatnonzero(there) + low).astype(numbers.dtype, copy=False)
    dense = low == 0 and len(found) == len(there)
    codes = numbers if dense else (np.cumsum(there) - 1)[numbers - low]
    return codes.astype(np.int64, copy=False), pd.Index(found, name="component_id")


def group_rows(codes: Codes, count: int) -> tuple[Codes, Codes]:
    """Put rows that belong together beside each other.

    Parameters
    ----------
    codes
        int64, shape ``(images,)``: the component of each image, from 0 to ``count − 1``.
    count
        How many components there are.

    Returns
    -------
    tuple of ndarray
        int32, shape ``(images,)``: the rows by component, ascending within one; and int32, shape
        ``(count + 1,)``: where each component starts among them, and the end.

    """
    # A sparse matrix is made by counting; sorting takes several times as long.
    rows = np.arange(len(codes), dtype=np.int32)
    places = (codes.astype(np.int32), rows)
    ones = np.ones(len(codes), dtype=bool)
    grouped = coo_array((ones, places), shape=(count, len(codes))).tocsr()
    return grouped.indices, grouped.indptr


def component_ids(imageset: ImageSet) -> Codes:
    """Return `component_id` of every image, or say that clustering comes first."""
    return _component_column(imageset).to_numpy()


def _component_column(imageset: ImageSet) -> "pd.Series[Any]":
    if "component_id" not in imageset.images.columns:
        raise InvalidDataError("the image set", ["it has no component_id: call cluster() first"])
    return imageset.images["component_id"]


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
    codes, index = number_components(_component_column(imageset))
    order, starts = group_rows(codes, len(index))
    names = imageset.labels.columns
    cells = [
        [frame.iloc[:, place].to_numpy() for place in range(len(names))]
        for frame in (imageset.labels, imageset.known)
    ]
    measured = []
    # In blocks, so that a long table with many labels needs no counts of all of them.
    for first in range(0, len(index), _BLOCK):
        ids = index[first : first + _BLOCK]
        rows = order[starts[first] : starts[first + len(ids)]]
        labels, known = (
            np.array([column[rows] for column in columns], bool).reshape(len(names), len(rows)).T
            for columns in cells
        )
        measured.append(_measured(_counted(codes[rows] - first, ids, labels, known, names)))
    return pd.concat(measured)


def _measured(counts: LabelCounts) -> pd.DataFrame:
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
