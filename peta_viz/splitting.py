"""Splits an image set by unit, so that nothing that belongs together lies on both sides."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from peta_viz.agreement import component_ids
from peta_viz.components import connect
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet

SPLITS: Mapping[str, float] = {"train": 0.6, "validation": 0.2, "test": 0.2}


def units(imageset: ImageSet) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Join components and persons until nothing crosses.

    Parameters
    ----------
    imageset
        Images with `component_id`.

    Returns
    -------
    ndarray
        int64, shape ``(images,)``: the unit of each image, numbered by first image.

    """
    component, _ = pd.factorize(component_ids(imageset))
    person, persons = pd.factorize(imageset.images["person_id"])
    links = pd.DataFrame({"first": component + len(persons), "second": person})
    nodes = connect(len(persons) + int(component.max()) + 1, links)
    numbers, _ = pd.factorize(nodes[person])
    return numbers.astype(np.int64)


def split(imageset: ImageSet, *, shares: Mapping[str, float] = SPLITS, seed: int = 0) -> ImageSet:
    """Deal the units out to train, validation and test.

    Units with components of two or more images and units without are dealt out apart, so that
    each side gets its share of both.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    shares
        The share of the images each split gets; they add up to 1.
    seed
        The same seed gives the same split.

    Returns
    -------
    ImageSet
        With the column `split` of `images` added (text).

    Raises
    ------
    InvalidDataError
        If the shares do not add up to 1, or there are fewer units than splits.

    """
    if abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) <= 0:  # noqa: PLR2004
        raise InvalidDataError("the split", [f"the shares {dict(shares)} must add up to 1"])
    unit = units(imageset)
    count = int(unit.max()) + 1
    if count < len(shares):
        raise InvalidDataError(
            "the split",
            [f"{count} units cannot be split into {len(shares)}: the threshold may be too low"],
        )
    sizes = np.bincount(unit, minlength=count)
    ids = component_ids(imageset)
    _, inverse, members = np.unique(ids, return_inverse=True, return_counts=True)
    multiple = np.zeros(count, dtype=bool)
    np.logical_or.at(multiple, unit, members[inverse] > 1)

    rng = np.random.default_rng(seed)
    side = np.empty(count, dtype=int)
    bounds = np.cumsum(list(shares.values()))[:-1]
    for stratum in (multiple, ~multiple):
        order = rng.permutation(np.flatnonzero(stratum))
        # The middle of a unit decides, so that a large one does not tip the scale by its edge.
        middle = np.cumsum(sizes[order]) - sizes[order] / 2
        side[order] = np.searchsorted(bounds, middle / max(sizes[order].sum(), 1))
    _fill_empty_sides(side, sizes, len(shares))
    names = np.array(list(shares), dtype=object)
    return imageset.with_columns(
        split=pd.Series(names[side[unit]], index=imageset.images.index, dtype="str")
    )


def side_of(imageset: ImageSet, name: str) -> ImageSet:
    """Return the images of one side of the split.

    Raises
    ------
    InvalidDataError
        If there are none, in so small a set or after so harsh a cleaning.

    """
    chosen = imageset.images["split"] == name
    if not chosen.any():
        raise InvalidDataError(
            f"the {name} split",
            ["no image is left in it: use more images, or clean with a milder rule"],
        )
    return imageset.subset(chosen)


def _fill_empty_sides(
    side: "np.ndarray[Any, np.dtype[np.int64]]",
    sizes: "np.ndarray[Any, np.dtype[np.int64]]",
    count: int,
) -> None:
    """Give each side that got no unit the smallest one of the side with the most, in place."""
    for empty in np.flatnonzero(np.bincount(side, minlength=count) == 0):
        donors = np.flatnonzero(side == np.bincount(side, minlength=count).argmax())
        side[donors[sizes[donors].argmin()]] = empty
