"""What a gallery can show: images by component, and the columns to filter and sort by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_object_dtype

from peta_viz.agreement import measure_components
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet
from peta_viz.links import Links

Rows = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

FLAG = "is_bad_component_"
_UNKNOWN_ASPECT = 0.8
_SHOWN_ASPECTS = (0.05, 2.0)
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Images in row order, grouped by component.

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
        grouped = "component_id" in imageset.images.columns
        if not grouped:
            imageset = imageset.with_columns(component_id=np.arange(len(imageset)))
        empty = int(imageset.images["component_id"].isna().sum())
        if empty:
            raise InvalidDataError("the image set", [f"component_id is empty in {empty} rows"])
        codes, ids = pd.factorize(imageset.images["component_id"], sort=True)
        if components is None:
            components = measure_components(imageset)
        rows = _fitted(components, pd.Index(ids, name="component_id"))
        # What was measured on other images is not what is here.
        rows = rows.assign(size=np.bincount(codes, minlength=len(ids)))
        if links is not None:
            weakest = links.weakest(codes)["similarity"].reindex(range(len(ids)))
            rows = rows.assign(weakest_link=weakest.to_numpy())
        if "subset" not in rows and len(imageset.images["subset"].unique()) > 1:
            first = imageset.images["subset"].to_numpy()[np.unique(codes, return_index=True)[1]]
            rows = rows.assign(subset=first)
        return cls(imageset, rows, codes.astype(np.int64), links, results or {}, grouped)

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def labels(self) -> Mask:
        """Which image carries which label, shape ``(images, labels)``."""
        return self.imageset.labels.to_numpy()

    @cached_property
    def known(self) -> Mask:
        """Of which image which label is known, shape ``(images, labels)``."""
        return self.imageset.known.to_numpy()

    @cached_property
    def names(self) -> list[str]:
        """The labels."""
        return [str(name) for name in self.imageset.labels.columns]

    @cached_property
    def ids(self) -> "np.ndarray[Any, Any]":
        """The image ids in row order."""
        return self.imageset.images.index.to_numpy()

    @cached_property
    def aspects(self) -> "np.ndarray[Any, Any]":
        """Width / height of each image as it is shown; a box of text where it is not known."""
        images = self.imageset.images
        width, height = images["width"].to_numpy(), images["height"].to_numpy()
        known = (width > 0) & (height > 0)
        ratio = np.divide(width, height, out=np.full(len(self), _UNKNOWN_ASPECT), where=known)
        return np.clip(ratio, *_SHOWN_ASPECTS)

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
    def _by_component(self) -> tuple[Rows, Rows]:
        ends = np.cumsum(np.bincount(self.codes, minlength=len(self.components)))
        return np.argsort(self.codes, kind="stable"), ends

    def members(self, code: int) -> Rows:
        """Return the rows of a component's images."""
        order, ends = self._by_component
        start = ends[code - 1] if code else 0
        return order[start : ends[code]]

    def carried(self, label: str) -> tuple[Rows, Rows]:
        """Count one label: by component, images that carry it and images where it is known."""
        column, count = self.names.index(label), len(self.components)
        carried = np.bincount(self.codes[self.labels[:, column]], minlength=count)
        known = np.bincount(self.codes[self.known[:, column]], minlength=count)
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
            return pd.Series(self.labels[:, self.names.index(name)], images.index)
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
    both = np.unique(np.stack([found.codes, base.codes]), axis=1)
    merged = np.bincount(both[0], minlength=len(found.components)) > 1
    torn = np.bincount(both[1], minlength=len(base.components)) > 1
    parted = np.zeros(len(found.components), dtype=bool)
    parted[both[0][torn[both[1]]]] = True
    return Catalogue(
        imageset,
        found.components.assign(merged=merged, parted=parted & ~merged),
        found.codes,
        base.links,
        before=base,
    )


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
