"""Splits an image set by unit, so that nothing that belongs together lies on both sides."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from peta_viz.agreement import component_ids
from peta_viz.errors import InvalidDataError, LeakError
from peta_viz.imageset import ImageSet
from peta_viz.links import connect
from peta_viz.words import counted


class UnevenSplitWarning(UserWarning):
    """A unit is so large that the sides of the split cannot have their shares."""


SPLITS: Mapping[str, float] = {"train": 0.6, "validation": 0.2, "test": 0.2}


def units(
    imageset: ImageSet, near: pd.DataFrame | None = None
) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Join components, persons and what is nearly a component until nothing crosses.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    near
        Pairs of images (`first`, `second`: `image_id`) that must not be parted either.

    Returns
    -------
    ndarray
        int64, shape ``(images,)``: the unit of each image, numbered by first image.

    """
    component, _ = pd.factorize(component_ids(imageset))
    person, persons = pd.factorize(imageset.images["person_id"])
    links = pd.DataFrame({"first": component + len(persons), "second": person})
    if near is not None:
        first, second = (person[rows] for rows in _ends(imageset, near))
        links = pd.concat([links, pd.DataFrame({"first": first, "second": second})])
    nodes = connect(len(persons) + int(component.max()) + 1, links)
    numbers, _ = pd.factorize(nodes[person])
    return numbers.astype(np.int64)


def find_leaks(imageset: ImageSet, near: pd.DataFrame | None = None) -> pd.DataFrame:
    """List what lies on both sides of a split and must not.

    Parameters
    ----------
    imageset
        Images with `component_id` and `split`.
    near
        Pairs of images (`first`, `second`, `similarity`) that are nearly one thing, such as those
        more similar than a margin below the threshold of the clustering.

    Returns
    -------
    DataFrame
        One row per leak: `kind` (``"component"``, ``"person"``, ``"near-copy"``), `what` (the id of
        the component or person, or the similarity of the pair), `first` and `second` (an
        `image_id` on either side) and `sides`.

    """
    images = imageset.images
    rows = []
    for kind, column in (("component", "component_id"), ("person", "person_id")):
        sides = images.drop_duplicates([column, "split"])
        for what, parted in sides[sides[column].duplicated(keep=False)].groupby(column):
            first, second = parted.index[:2]
            rows.append((kind, str(what), first, second, " and ".join(parted["split"])))
    if near is not None:
        first, second = _ends(imageset, near)
        side = images["split"].to_numpy()
        inside = near["first"].isin(images.index) & near["second"].isin(images.index)
        similarity = near.loc[inside, "similarity"].to_numpy()
        for place in np.flatnonzero(side[first] != side[second]):
            a, b = first[place], second[place]
            words = f"{similarity[place]:.4f}"
            ends = (images.index[a], images.index[b])
            rows.append(("near-copy", words, *ends, f"{side[a]} and {side[b]}"))
    return pd.DataFrame(rows, columns=["kind", "what", "first", "second", "sides"])


def check_leaks(imageset: ImageSet, near: pd.DataFrame | None = None) -> None:
    """Refuse a split that parts what belongs together.

    Parameters
    ----------
    imageset, near
        As for `find_leaks`.

    Raises
    ------
    LeakError
        If there is a leak; the message counts them and names the first of each kind.

    """
    leaks = find_leaks(imageset, near)
    if not len(leaks):
        return
    lines = [
        f"{len(found):,} of the kind {kind}, such as {row.what}: {row.first} and {row.second} "
        f"are in {row.sides}"
        for kind, found in leaks.groupby("kind", sort=False)
        for row in found.head(1).itertuples()
    ]
    raise LeakError(
        "what a model learns by heart in training would be asked of it again:\n"
        + "".join(f"  - {line}\n" for line in lines)
        + "split by unit (peta_viz.split, with near= for pairs that are nearly one thing)"
    )


def split(
    imageset: ImageSet,
    *,
    near: pd.DataFrame | None = None,
    shares: Mapping[str, float] = SPLITS,
    seed: int = 0,
) -> ImageSet:
    """Deal the units out to train, validation and test.

    Units with components of two or more images and units without are dealt out apart, so that
    each side gets its share of both.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    near
        Pairs of images that must not be parted either; see `units`.
    shares
        The share of the images each split gets; they add up to 1.
    seed
        The same seed gives the same split.

    Returns
    -------
    ImageSet
        With the columns `split` (text) and `unit` (int64) of `images` added.

    Raises
    ------
    InvalidDataError
        If the shares do not add up to 1, or there are fewer units than splits.

    Warns
    -----
    UnevenSplitWarning
        If the largest unit holds more images than the smallest share.

    """
    if abs(sum(shares.values()) - 1) > 1e-9 or min(shares.values()) <= 0:  # noqa: PLR2004
        raise InvalidDataError("the split", [f"the shares {dict(shares)} must add up to 1"])
    unit = units(imageset, near)
    count = int(unit.max()) + 1
    if count < len(shares):
        of = counted(count, "unit")
        raise InvalidDataError(
            "the split",
            [f"{of} cannot be split into {len(shares)}: the threshold may be too low"],
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
    if sizes.max() > min(shares.values()) * sizes.sum():
        warnings.warn(
            f"the largest unit holds {sizes.max():,} of {sizes.sum():,} images, so that the sides "
            "of the split cannot have their shares: raise the threshold, or lower leak_margin",
            UnevenSplitWarning,
            stacklevel=2,
        )
    names = np.array(list(shares), dtype=object)
    return imageset.with_columns(
        split=pd.Series(names[side[unit]], index=imageset.images.index, dtype="str"), unit=unit
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


def _ends(
    imageset: ImageSet, pairs: pd.DataFrame
) -> "tuple[np.ndarray[Any, np.dtype[np.intp]], np.ndarray[Any, np.dtype[np.intp]]]":
    """Return the rows of the images of each pair; pairs of others are left out."""
    index = imageset.images.index
    first, second = (index.get_indexer(pd.Index(pairs[end])) for end in ("first", "second"))
    inside = (first >= 0) & (second >= 0)
    return first[inside], second[inside]


def _fill_empty_sides(
    side: "np.ndarray[Any, np.dtype[np.int64]]",
    sizes: "np.ndarray[Any, np.dtype[np.int64]]",
    count: int,
) -> None:
    """Give each side that got no unit the smallest one of the side with the most, in place."""
    for empty in np.flatnonzero(np.bincount(side, minlength=count) == 0):
        donors = np.flatnonzero(side == np.bincount(side, minlength=count).argmax())
        side[donors[sizes[donors].argmin()]] = empty
