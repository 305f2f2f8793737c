"""What a gallery has on display, in which order, and what is selected; without the widget."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from peta_viz.errors import InvalidDataError, RequestError
from peta_viz.widgets import rows
from peta_viz.widgets.catalogue import Catalogue, Mask, Rows, at_threshold, threshold_of
from peta_viz.widgets.filters import (
    Filters,
    component_order,
    did_you_mean,
    image_mask,
    image_order,
    result_names,
)
from peta_viz.words import counted

View = Literal["components", "images", "pairs"]
VIEWS: tuple[View, ...] = get_args(View)
_NEAREST = 2_000
_SAME = 1e-9


class Shelf:
    """Images on display.

    Parameters
    ----------
    catalogue
        All there is.
    threshold
        The similarity at which its components were made; read off its links by default.

    """

    def __init__(self, catalogue: Catalogue, threshold: float | None = None) -> None:
        self.base = self.shown = catalogue
        self.made_at = threshold or 0.0
        if threshold is None and catalogue.links is not None:
            self.made_at = threshold_of(catalogue.links, catalogue.codes)
        self.threshold = self.made_at
        self.view: View = "components"
        self.order: Rows = np.zeros(0, dtype=np.int64)
        self._images: Rows | None = self.order
        self.notes: Mapping[Any, str] = {}
        self.chosen: Mask = np.zeros(len(catalogue), dtype=bool)
        self._only: Mask | None = None

    @property
    def changed(self) -> bool:
        """Whether the components are those of another threshold than they were made at."""
        return self.shown is not self.base

    def regroup(self, threshold: float) -> None:
        """Make components at another threshold; without links nothing happens."""
        if self.base.links is None:
            return
        self.threshold = threshold
        same = abs(threshold - self.made_at) < _SAME
        self.shown = self.base if same else at_threshold(self.base, threshold)

    def restrict(self, component_ids: Iterable[Any] | None, notes: Mapping[Any, str]) -> None:
        """Put only these components on display, or all; `notes` are texts by `component_id`."""
        self.notes = notes
        self._only = None
        if component_ids is not None:
            ids = component_ids if isinstance(component_ids, pd.Index) else list(component_ids)
            chosen = self.base.components.index.isin(ids)
            self._only = chosen[self.base.codes]

    def arrange(self, view: View, filters: Filters, sort_by: str, *, descending: bool) -> None:
        """Filter and order; the state is as before if that fails.

        Raises
        ------
        InvalidDataError
            If a filter cannot be understood, or there is no such column or order of it. A column
            that only the components as they were made have is passed over at another threshold.

        """
        if sort_by and sort_by not in (known := {*self.base.columns, *self.shown.columns}):
            hint = did_you_mean(sort_by, sorted(known))
            raise InvalidDataError("the order", [f"there is no column {sort_by!r}{hint}"])
        mask = image_mask(self.shown, filters)
        if self._only is not None:
            mask &= self._only
        sort_by = sort_by if sort_by in self.shown.columns else ""
        if view == "components":
            order = component_order(self.shown, mask, sort_by, descending=descending)
        elif view == "images":
            order = image_order(self.shown, mask, sort_by, descending=descending)
        else:
            order = self._near_pairs(mask)
        self.view, self.order, self._images = view, order, None

    @property
    def images(self) -> Rows:
        """The rows of the images on display, in that order; listed when first asked for."""
        if self._images is None:
            if self.view == "components":
                self._images = self.shown.all_members(self.order)
            elif self.view == "images":
                self._images = self.order
            else:
                self._images = np.asarray(pd.unique(self._ends(self.order).ravel()))
        return self._images

    def count(self) -> int:
        """Return how many images are on display."""
        if self.view == "components":
            return int(self.shown.components["size"].to_numpy()[self.order].sum())
        return len(self.images)

    def frame(self, images: Rows) -> pd.DataFrame:
        """Return rows of the table of images."""
        return self.shown.imageset.images.iloc[images]

    def describe(self, first: int, count: int, *, most: int, sort_by: str) -> list[dict[str, Any]]:
        """Describe what stands at some places; see `peta_viz.widgets.rows`."""
        part = self.order[max(0, first) : max(0, first + count)].tolist()
        if self.view == "components":
            return [
                rows.component_row(
                    self.shown, item, self.chosen, most=most, sort_by=sort_by, note=self.note(item)
                )
                for item in part
            ]
        if self.view == "pairs":
            return [rows.pair_row(self.shown, item, self.chosen, self.threshold) for item in part]
        return [rows.image_entry(self.shown, item, self.chosen) for item in part]

    def checked(self, row: int) -> int:
        """Return the row of an image, or raise a RequestError where there is none."""
        if row not in range(len(self.base)):
            raise RequestError(f"expected a row from 0 to {len(self.base) - 1}, but got {row}")
        return row

    def details(self, row: int, *, most: int) -> dict[str, Any]:
        """Describe one image with all its labels; see `peta_viz.widgets.rows.image_details`."""
        details = rows.image_details(self.shown, self.checked(row), self.chosen, most=most)
        return {**details, "note": self.note(int(self.shown.codes[row]))}

    def note(self, code: int) -> str:
        """Return what the threshold did to a component, or else its note."""
        made_of = self.base.codes[self.shown.members(code)[0]]
        note = self.notes.get(self.base.components.index[made_of], "")
        return self.shown.change(code) or str(note)

    def select(
        self,
        how: str,
        *,
        row: int | None = None,
        first: int | None = None,
        last: int | None = None,
    ) -> None:
        """Change the selection.

        Parameters
        ----------
        how
            ``"none"``, ``"all"`` on display, ``"only"``, ``"add"`` or ``"toggle"``.
        row
            One image; or
        first, last
            places on display, either way round.

        Raises
        ------
        RequestError
            If there is no such way, image or place; nothing is changed then.

        """
        if how == "none":
            self.chosen[:] = False
        elif how == "all":
            self.chosen[self.images] = True
        elif how in ("only", "add", "toggle"):
            picked = self._between(first, last) if row is None else np.array([self.checked(row)])
            if how == "only":
                self.chosen[:] = False
            self.chosen[picked] = how != "toggle" or not self.chosen[picked].all()
        else:
            raise RequestError(f"unknown way to select {how!r}")

    def place(self, row: int) -> int:
        """Return where an image, or its component, stands on display; −1 if it does not."""
        wanted = self.shown.codes[self.checked(row)] if self.view == "components" else row
        found = np.flatnonzero(self.order == wanted)
        return int(found[0]) if len(found) and self.view != "pairs" else -1

    def neighbour(self, row: int, step: int) -> int:
        """Return the first image of the component `step` places on, or the image; −1 at the end."""
        row, by_component = self.checked(row), self.view == "components"
        order = self.order if by_component else self.images
        found = np.flatnonzero(order == (self.shown.codes[row] if by_component else row))
        place = int(found[0]) + step if len(found) else -1
        if not 0 <= place < len(order):
            return -1
        return int(self.shown.members(order[place])[0] if by_component else order[place])

    def facts(self) -> dict[str, Any]:
        """Collect what the controls offer."""
        base, links = self.base, self.base.links
        known = links is not None and len(links.similarity)
        return {
            "images": len(base),
            "grouped": base.grouped,
            "labels": base.names,
            "heads": [head.name for head in base.imageset.heads],
            "flags": self.shown.flags,
            "subsets": base.subsets if len(base.subsets) > 1 else [],
            "results": [] if self.changed else result_names(base),
            "component_columns": self.shown.sortable,
            "image_columns": self.shown.sortable_images,
            "aspect": base.median_aspect,
            "pairs": links is not None,
            "lowest": float(np.floor(100 * links.similarity.min()) / 100) if known else 0.0,  # type: ignore[union-attr]
            "made_at": self.made_at,
        }

    def words(self) -> str:
        """Say what is on display."""
        sizes = self.shown.components["size"].to_numpy()
        images = _of(self.count(), len(self.base), "image")
        if self.view == "pairs":
            parts = [f"the {counted(len(self.order), 'pair')} nearest to {self.threshold:.3f}"]
        elif self.view == "images":
            parts = [images]
        else:
            shown, multiple = sizes[self.order] > 1, sizes > 1
            parts = [
                _of(int(shown.sum()), int(multiple.sum()), "component", " of two and more"),
                _of(int((~shown).sum()), int((~multiple).sum()), "singleton"),
                images,
            ]
        if self.changed:
            before = int((self.base.components["size"] > 1).sum())
            merged, parted = (
                int(self.shown.components[name].sum()) for name in ("merged", "parted")
            )
            parts.append(
                f"at {self.made_at:.3f} they were {before:,}: {merged:,} merged from several, "
                f"{parted:,} are parts of one"
            )
        return " · ".join(parts)

    def _between(self, first: int | None, last: int | None) -> Rows:
        places, there = (first, last), range(len(self.order))
        if first is None or last is None or first not in there or last not in there:
            raise RequestError(f"expected two places from 0 to {len(there) - 1}, but got {places}")
        part = self.order[min(first, last) : max(first, last) + 1]
        if self.view == "components":
            return self.shown.all_members(part)
        return part if self.view == "images" else np.unique(self._ends(part))

    def _near_pairs(self, mask: Mask) -> Rows:
        links = self.shown.links
        if links is None:
            return np.zeros(0, dtype=np.int64)
        fits = np.flatnonzero(mask[links.first] | mask[links.second])
        some = replace(
            links,
            first=links.first[fits],
            second=links.second[fits],
            similarity=links.similarity[fits],
        )
        found: Rows = fits[some.nearest(self.threshold, _NEAREST)]
        return found

    def _ends(self, pairs: Rows) -> Rows:
        links = self.shown.links
        if links is None:
            return np.zeros((0, 2), dtype=np.int64)
        return np.stack([links.first[pairs], links.second[pairs]], axis=1)


def _of(shown: int, there: int, one: str, rest: str = "") -> str:
    part = "" if shown == there else f"{shown:,} of "
    return f"{part}{counted(there, one)}{rest}"
