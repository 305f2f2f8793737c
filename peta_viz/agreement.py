"""Label counts, measures of disagreement, and flags of components."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet, refuse_other
from peta_viz.tally import Floats, Groups, Ints, Tally, pack, unpack

Measure = Literal["disagreement", "std", "variance", "geometric_variance", "cubic_variance"]
MEASURES: tuple[Measure, ...] = (
    "disagreement",
    "std",
    "variance",
    "geometric_variance",
    "cubic_variance",
)
FlagRule = Callable[[pd.DataFrame], "pd.Series[bool]"]

_EQUAL = 1e-9  # values that differ by less, in proportion, are the same
_ROUNDING = 1e-12  # what is smaller is the rounding of equal ratios
_AT_ONCE = 8192  # components whose ratios are in memory together
_FOUND: "WeakKeyDictionary[ImageSet, Tally]" = WeakKeyDictionary()


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
        return self.carried / self.known

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
    tally = tally_of(imageset)
    index = pd.Index(tally.groups.ids, name="component_id")
    columns = imageset.labels.columns
    carried, known = (
        pd.DataFrame(tally.count(bits), index, columns, copy=False)
        for bits in (tally.labels, tally.known)
    )
    return LabelCounts(carried, known, pd.Series(tally.groups.sizes, index, name="size"))


def tally_of(imageset: ImageSet) -> Tally:
    """Return the labels of all images as bits, joined by component.

    What was found for this image set before is used again, if its labels and components are still
    the same: they are compared, because frames can be written into.

    Raises
    ------
    InvalidDataError
        If the image set has no `component_id` yet.

    """
    components = component_ids(imageset)
    labels, known = pack(imageset.labels.to_numpy(bool)), pack(imageset.known.to_numpy(bool))
    before = _FOUND.get(imageset)
    if before is not None and before.is_of(components, labels, known):
        return before
    tally = Tally(Groups.of(components), imageset.labels.shape[1], labels, known)
    _FOUND[imageset] = tally
    return tally


def component_ids(imageset: ImageSet) -> Ints:
    """Return `component_id` of every image, or say that clustering comes first."""
    refuse_other(imageset)
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
    return measures_of(tally_of(imageset))


def measures_of(tally: Tally) -> pd.DataFrame:
    """Return what `measure_components` does, of labels that are bits already."""
    count = len(tally.groups.ids)
    number = np.bincount(tally.cells[0], minlength=count)
    frame = pd.DataFrame(
        {"size": tally.groups.sizes, "contested": number > 0, "contested_labels": number},
        pd.Index(tally.groups.ids, name="component_id"),
    )
    # Where nothing is contested, every p is 1 and every measure 0.
    rows = np.flatnonzero(number)
    edges = np.append(0, np.cumsum(number[rows]))
    values = {name: np.zeros(count) for name in MEASURES}
    for first in range(0, len(rows), _AT_ONCE):
        some = rows[first : first + _AT_ONCE]
        cells = slice(edges[first], edges[first + len(some)])
        for name, measured in _measures(tally, some, cells).items():
            values[name][some] = measured
    return frame.assign(**values)


def _measures(tally: Tally, components: Ints, cells: slice) -> dict[Measure, Floats]:
    """Measure these components, to which these contested cells belong."""
    component, labels, contested = (part[cells] for part in tally.cells)
    occurs = unpack(tally.carried[components], tally.width)
    table = np.ones(occurs.shape)
    table[np.searchsorted(components, component), labels] = contested
    row, label = np.nonzero(occurs)
    ratios: Floats = table[row, label]
    number = np.bincount(row, minlength=len(components))

    def mean(values: Floats) -> Floats:
        return np.bincount(row, values, minlength=len(components)) / number

    def centred(values: Floats) -> Floats:
        return values - mean(values)[row]

    deviation = centred(ratios)
    variance = mean(deviation**2)
    measures: dict[Measure, Floats] = {
        "disagreement": mean(2.0 * np.minimum(ratios, 1.0 - ratios)),
        "std": np.sqrt(variance),
        "variance": variance,
        "geometric_variance": np.expm1(mean(centred(np.log(ratios)) ** 2)),
        "cubic_variance": mean(np.abs(deviation**3)),
    }
    rounding = {"variance": _ROUNDING**2, "cubic_variance": _ROUNDING**3}
    for name, values in measures.items():
        values[values < rounding.get(name, _ROUNDING)] = 0.0
    return measures


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
        # What is equal may differ in its last bit.
        return (values > self.threshold(components) * (1 + _EQUAL)) & (values > 0)


def flag_words(name: str) -> str:
    """Say in words what a flag's column is about; of a rule of your own, its name.

    Examples
    --------
    >>> flag_words("is_bad_component_std_80")
    'std above percentile 80 of the contested ones'
    >>> flag_words("is_bad_component_std_abs0.30")
    'std above 0.30'

    """
    short = name.removeprefix("is_bad_component_")
    found = re.fullmatch(rf"({'|'.join(MEASURES)})_(abs)?([\d.e+-]+?)(_all)?", short)
    if found is None:
        return short
    measure, is_absolute, number, is_over_all = found.groups()
    if is_absolute:
        return f"{measure} above {number}"
    ranked = "all of two and more images" if is_over_all else "the contested ones"
    return f"{measure} above percentile {number} of {ranked}"


def why_none_flagged(components: pd.DataFrame, name: str) -> str:
    """Say why no component is flagged though some are contested, and what to do; else nothing.

    Parameters
    ----------
    components
        As `flag_components` returns them.
    name
        Of the flag's column.

    """
    if components[name].any() or not components["contested"].any():
        return ""
    return (
        "the highest value is that of so many that none is above the threshold; the strategy "
        "component_pruning:absolute=0 flags all that are contested"
    )


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
