"""What a gallery can show: images by component, and the columns to filter and sort by."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype
from pandas.api.types import is_bool_dtype, is_object_dtype

from peta_viz.agreement import MEASURES, measure_components
from peta_viz.errors import InvalidDataError
from peta_viz.grouping import group_rows, number_components
from peta_viz.imageset import ImageSet, refuse_other
from peta_viz.links import Links
from peta_viz.words import counted

Rows = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

FLAG = "is_bad_component_"
_UNKNOWN_ASPECT = 0.8
_SHOWN_ASPECTS = (0.05, 2.0)
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Images in row order, grouped by component.

    Of each image it keeps its place beside the other images of its component and nothing else;
    ids, labels and columns are those of the image set and are read where they lie.

    Parameters
    ----------
    imageset
        The images.
    components
        One row per component, indexed by `component_id`, with whatever columns there are.
    codes
        int64, shape ``(images,)``: which row of `components` each image belongs to.
    links
        Similar pairs, if they are known.
    results
        By experiment: boolean frame of shape ``(components, heads)``, right or wrong; ``<NA>``
        where nothing counts.
    grouped
        False if nothing was clustered: each image is on its own.
    before
        The catalogue that this one regroups.

    """

    imageset: ImageSet
    components: pd.DataFrame
    codes: Rows
    links: Links | None = None
    results: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    grouped: bool = True
    before: "Catalogue | None" = None

    @classmethod
    def of(
        cls,
        imageset: ImageSet,
        components: pd.DataFrame | None = None,
        *,
        links: Links | None = None,
        results: Mapping[str, pd.DataFrame] | None = None,
    ) -> Self:
        """Group an image set, and measure its components unless that was done before.

        Raises
        ------
        InvalidDataError
            If an image has an empty `component_id`, or `components` is about other components.

        """
        refuse_other(imageset)
        grouped = "component_id" in imageset.images.columns
        if not grouped:
            imageset = imageset.with_columns(component_id=np.arange(len(imageset)))
        empty = int(imageset.images["component_id"].isna().sum())
        if empty:
            raise InvalidDataError(
                "the image set", [f"component_id is empty in {counted(empty, 'row')}"]
            )
        codes, ids = number_components(imageset.images["component_id"])
        if components is None:
            rows = measure_components(imageset) if grouped else _singletons(ids)
        else:  # what was measured on other images is not what is here
            sizes = np.bincount(codes, minlength=len(ids))
            rows = _fitted(components, ids).assign(size=sizes)
        found = cls(imageset, rows, codes, links, results or {}, grouped)
        added: dict[str, Any] = {}
        if found.weakest is not None:
            added["weakest_link"] = found.weakest["similarity"].reindex(range(len(ids))).to_numpy()
        if "subset" not in rows and len(imageset.images["subset"].unique()) > 1:
            added["subset"] = imageset.images["subset"].array.take(found.first_members())
        return found.with_components(rows.assign(**added))

    def with_components(self, components: pd.DataFrame, before: "Catalogue | None" = None) -> Self:
        """Return the same images and groups with other columns of the components."""
        made = replace(self, components=components, before=before)
        kept = ("weakest", "median_aspect", "_grouping", "_label_columns")
        vars(made).update({name: vars(self)[name] for name in kept if name in vars(self)})
        return made

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def labels(self) -> Mask:
        """Which image carries which label, shape ``(images, labels)``; for some, `labels_of`."""
        return self.imageset.labels.to_numpy()

    @cached_property
    def _label_columns(self) -> tuple[list[Mask], list[Mask]]:
        """The cells of the image set by label: carried and known; nothing is copied."""
        both = (self.imageset.labels, self.imageset.known)
        carried, known = (
            [frame.iloc[:, column].to_numpy() for column in range(frame.shape[1])] for frame in both
        )
        return carried, known

    def labels_of(self, rows: Rows) -> tuple[Mask, Mask]:
        """Return which of some images carry which label, and of which it is known.

        Parameters
        ----------
        rows
            int64, shape ``(n,)``: row numbers of images.

        Returns
        -------
        tuple of ndarray
            Twice bool, shape ``(n, labels)``.

        """
        shape = (len(rows), len(self.names))
        carried, known = (
            np.stack([column[rows] for column in columns], axis=1)
            if columns
            else np.zeros(shape, bool)
            for columns in self._label_columns
        )
        return carried, known

    def label(self, name: str) -> tuple[Mask, Mask]:
        """Return which images carry a label, and of which it is known: bool, ``(images,)``."""
        column = self.names.index(name)
        carried, known = self._label_columns
        return carried[column], known[column]

    @cached_property
    def names(self) -> list[str]:
        """The labels."""
        return [str(name) for name in self.imageset.labels.columns]

    @property
    def ids(self) -> pd.Index:
        """The image ids in row order."""
        return self.imageset.images.index

    @property
    def aspects(self) -> Floats:
        """Width / height of each image as it is shown; see `aspects_of`."""
        return self.aspects_of(slice(None))

    def aspects_of(self, rows: Rows | list[int] | slice) -> Floats:
        """Return width / height of images as they are shown; a box of text where not known."""
        width, height = (side[rows] for side in self._sides)
        known = (width > 0) & (height > 0)
        ratio = np.divide(width, height, out=np.full(len(width), _UNKNOWN_ASPECT), where=known)
        return np.clip(ratio, *_SHOWN_ASPECTS)

    @cached_property
    def _sides(self) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        """Width and height of all images; nothing is copied."""
        images = self.imageset.images
        return images["width"].to_numpy(), images["height"].to_numpy()

    @cached_property
    def median_aspect(self) -> float:
        """The median of `aspects`."""
        return float(np.median(self.aspects))

    @cached_property
    def weakest(self) -> pd.DataFrame | None:
        """The weakest link by component: `similarity` and the rows `first` and `second`."""
        return None if self.links is None else self.links.weakest(self.codes)

    @cached_property
    def flags(self) -> list[str]:
        """The yes/no columns of the components."""
        return [str(name) for name, kind in self.components.dtypes.items() if is_bool_dtype(kind)]

    @cached_property
    def sortable(self) -> list[str]:
        """The columns of components that have an order."""
        return _ordered(self.components)

    @cached_property
    def sortable_images(self) -> list[str]:
        """The columns of images that have an order, and those of their components."""
        return list(dict.fromkeys([*_ordered(self.imageset.images), *self.sortable]))

    @cached_property
    def subsets(self) -> list[str]:
        """The subsets of the images."""
        return sorted(map(str, self.imageset.images["subset"].unique()))

    @cached_property
    def by_component(self) -> Rows:
        """The rows of all images by component, shape ``(images,)``; within one in row order."""
        return self._grouping[0]

    @cached_property
    def _grouping(self) -> tuple[Rows, Rows]:
        return group_rows(self.codes, len(self.components))

    @cached_property
    def orders(self) -> dict[tuple[str, bool], Rows]:
        """The order of all images by the last column asked for: filters are changed more often."""
        return {}

    def members(self, code: int) -> Rows:
        """Return the rows of a component's images."""
        order, starts = self._grouping
        return order[starts[code] : starts[code + 1]]

    def all_members(self, codes: Rows) -> Rows:
        """Return the rows of the images of several components, one component after the other."""
        order, starts = self._grouping
        sizes = (starts[1:] - starts[:-1])[codes]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
        rows: Rows = order[np.repeat(starts[codes], sizes) + within].astype(np.int64)
        return rows

    def first_members(self) -> Rows:
        """Return the row of the first image of every component, shape ``(components,)``."""
        order, starts = self._grouping
        rows: Rows = order[starts[:-1]]
        return rows

    def carried(self, label: str) -> tuple[Rows, Rows]:
        """Count one label: by component, images that carry it and images where it is known."""
        count = len(self.components)
        carried, known = (
            np.bincount(self.codes[mask], minlength=count) for mask in self.label(label)
        )
        return carried, known

    def contested(self, labels: "list[str] | tuple[str, ...]") -> Mask:
        """Find the components in which any of these labels is contested."""
        found = np.zeros(len(self.components), dtype=bool)
        for label in labels:
            carried, known = self.carried(label)
            found |= (carried > 0) & (carried < known)
        return found

    def column(self, name: str) -> "pd.Series[Any]":
        """Return a column by image: of the images, the components or the labels, in this order.

        Raises
        ------
        KeyError
            If there is none of that name.

        """
        images = self.imageset.images
        if name in self._own_columns:
            own: pd.Series[Any] = images[self._own_columns[name]]
            return own
        if name in self.components:
            return self.components[name].take(self.codes).set_axis(images.index)
        if name in self.names:
            return pd.Series(self.label(name)[0], images.index)
        raise KeyError(name)

    @cached_property
    def _own_columns(self) -> dict[str, Any]:
        """The columns of the images by their names as text; they need not be text."""
        return {str(name): name for name in self.imageset.images.columns}

    def change(self, code: int) -> str:
        """Say what the threshold did to a component."""
        if self.before is None:
            return ""
        members = self.members(code)
        old = np.unique(self.before.codes[members])
        names = [str(self.before.components.index[one]) for one in old]
        if len(old) > 1:
            shown = ", ".join(names[:_NAMED]) + (", …" if len(old) > _NAMED else "")
            return f"merged from {len(old)}: {shown}"
        size = len(self.before.members(int(old[0])))
        return f"{len(members)} of the {size} images of {names[0]}" if size > len(members) else ""

    @cached_property
    def columns(self) -> list[str]:
        """Every name that `column` knows."""
        names = [*self.imageset.images.columns, *self.components.columns, *self.names]
        return list(dict.fromkeys(map(str, names)))


def _fitted(components: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    """Give each of `ids` its row; what is missing is empty, or no in a column of yes and no."""
    rows = components.rename(columns=str)
    if rows.columns.is_unique and rows.index.equals(ids) and not _nullable(rows):
        return rows.set_axis(ids)
    problems = [
        f"{what} must be unique, but {names[names.duplicated()][0]!r} is there more than once"
        for what, names in (("component_id, the index,", rows.index), ("columns", rows.columns))
        if not names.is_unique
    ]
    if len(rows) and not rows.index.isin(ids).any():
        problems.append(
            f"their index is to be the component_id of the images, such as {ids[0]!r}, "
            f"but holds such as {rows.index[0]!r}"
        )
    if problems:
        raise InvalidDataError("the components", problems)
    yes_no = [name for name, kind in rows.dtypes.items() if is_bool_dtype(kind)]
    rows = rows.astype(dict.fromkeys(yes_no, "boolean")).reindex(ids)
    return rows.fillna(dict.fromkeys(yes_no, False)).astype(dict.fromkeys(yes_no, bool))


def _nullable(frame: pd.DataFrame) -> bool:
    return any(is_bool_dtype(kind) and isinstance(kind, ExtensionDtype) for kind in frame.dtypes)


def _singletons(ids: pd.Index) -> pd.DataFrame:
    """Measure components of one image: the same for all, so that a column is but one number."""
    values: dict[str, Any] = {"size": 1, "contested": False, "contested_labels": 0}
    values |= dict.fromkeys(MEASURES, 0.0)
    columns = {name: np.broadcast_to(np.asarray(value), len(ids)) for name, value in values.items()}
    return pd.DataFrame(columns, index=ids, copy=False)


def _ordered(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name, kind in frame.dtypes.items() if not is_object_dtype(kind)]


def at_threshold(base: Catalogue, threshold: float) -> Catalogue:
    """Group the same images at another threshold.

    Parameters
    ----------
    base
        A catalogue with links.
    threshold
        Links with a similarity above it connect.

    Returns
    -------
    Catalogue
        Components measured anew, with the columns `merged` (images of several components of
        `base` are in it) and `parted` (images of its first image's component are outside it).

    """
    assert base.links is not None
    codes = base.links.components(threshold)
    imageset = base.imageset.with_columns(component_id=codes)
    found = Catalogue.of(imageset, links=base.links)
    merged, torn = _mixed(found, base.codes), _mixed(base, found.codes)
    parted = np.zeros(len(found.components), dtype=bool)
    parted[found.codes[torn[base.codes]]] = True
    components = found.components.assign(merged=merged, parted=parted & ~merged)
    return found.with_components(components, before=base)


def _mixed(catalogue: Catalogue, others: Rows) -> Mask:
    """Find the components whose images are not all of one component of another grouping."""
    first = others[catalogue.first_members()]
    mixed = np.zeros(len(first), dtype=bool)
    mixed[catalogue.codes[others != first[catalogue.codes]]] = True
    return mixed


def threshold_of(links: Links, codes: Rows) -> float:
    """Read off the threshold at which components were made.

    Any from the most similar pair that lies in two components up to the weakest link inside one
    would do; the roundest of them between 0 and 1 is returned.
    """
    apart = codes[links.first] != codes[links.second]
    low = float(links.similarity[apart].max().clip(0, 1)) if apart.any() else 0.0
    weakest = links.weakest(codes)["similarity"]
    high = float(weakest.min()) if len(weakest) else 1.0
    for digits in (1, 2, 3, 4):
        rounded = float(np.ceil(low * 10**digits) / 10**digits)
        if low <= rounded < high:
            return rounded
    return low
