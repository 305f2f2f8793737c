"""Training data: components as targets, and groups of their images."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from peta_viz.agreement import component_ids, count_labels
from peta_viz.imageset import Head, ImageSet
from peta_viz.training.config import TargetRule

Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Targets:
    """What each component is said to be.

    Parameters
    ----------
    values
        Boolean frame of shape ``(components, labels)``, indexed by `component_id`, ascending.
    known
        Boolean frame of the same shape: does the cell count at all?
    sizes
        int64 series: images per component.

    """

    values: pd.DataFrame
    known: pd.DataFrame
    sizes: "pd.Series[int]"

    def classes(self, head: Head) -> Rows:
        """Return the class of each component for an exclusive head.

        Returns
        -------
        ndarray
            int64, shape ``(components,)``: the number of the label in `head`, or −1 where not
            exactly one is carried or that one is unknown: it does not count for the head.

        """
        values = self.values[list(head.labels)].to_numpy()
        known = self.known[list(head.labels)].to_numpy()
        single = (values.sum(axis=1) == 1) & (known | ~values).all(axis=1)
        return np.where(single, values.argmax(axis=1), -1).astype(np.int64)


def component_targets(imageset: ImageSet, rule: TargetRule) -> Targets:
    """Make one target per component from the labels of its images.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    rule
        See `TrainConfig.targets`.

    """
    counts = count_labels(imageset)
    carried, known = counts.carried, counts.known
    if rule == "union":
        return Targets(carried > 0, known > 0, counts.sizes)
    if rule == "majority":
        return Targets(2 * carried > known, (known > 0) & (2 * carried != known), counts.sizes)
    agreed = (carried == 0) | (carried == known)
    return Targets((carried > 0) & agreed, (known > 0) & agreed, counts.sizes)


@dataclass(frozen=True, eq=False)
class Groups:
    """The images of every component, to be looked at a few at a time.

    Parameters
    ----------
    component
        int64, shape ``(images,)``: the number of each image's component, 0, 1, …, in the order of
        `component_id`.
    rows
        int64, shape ``(images,)``: where each image's pixels are.

    """

    component: Rows
    rows: Rows

    @classmethod
    def of(cls, imageset: ImageSet, rows: Rows) -> Self:
        """Group the images of an image set, whose pixels are at `rows`."""
        _, component = np.unique(component_ids(imageset), return_inverse=True)
        return cls(component.astype(np.int64), rows)

    def draw(self, per_group: int, rng: np.random.Generator | None = None) -> Rows:
        """Choose `per_group` images of each component.

        Parameters
        ----------
        per_group
            How many; a component with fewer repeats its own.
        rng
            Choose at random; without it the choice is spread evenly and always the same.

        Returns
        -------
        ndarray
            int64, shape ``(components, per_group)``: where their pixels are.

        """
        key = rng.random(len(self.rows)) if rng else np.arange(len(self.rows))
        order = np.lexsort((key, self.component))
        sizes = np.bincount(self.component)[:, None]
        starts = np.cumsum(sizes)[:, None] - sizes
        wanted = np.arange(per_group)[None, :]
        spread = wanted if rng else wanted * sizes // per_group
        place = np.where(sizes >= per_group, spread, wanted % sizes)
        chosen: Rows = self.rows[order[starts + place]]
        return chosen


def readable(imageset: ImageSet) -> ImageSet:
    """Leave out the images that cannot be decoded (those with a `problem`)."""
    return imageset.subset(imageset.images["problem"] == "")
