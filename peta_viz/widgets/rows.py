"""What a gallery sends for one row or image: plain data, a few hundred bytes each."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from peta_viz.widgets.catalogue import FLAG, Catalogue, Mask, Rows

_LEAST_PX, _GAP_PX = 8, 4  # as layout.js has them
_MOST_LABELS = 40


def component_row(
    catalogue: Catalogue,
    code: int,
    chosen: Mask,
    *,
    most: int,
    sort_by: str = "",
    note: str = "",
) -> dict[str, Any]:
    """Describe a component.

    Parameters
    ----------
    catalogue
        Where it is.
    code
        Its row in ``catalogue.components``.
    chosen
        bool, shape ``(images,)``: the images that the person selected.
    most
        How many of its images are named.
    sort_by
        A column whose value is shown as well.
    note
        A text shown beside it.

    Returns
    -------
    dict
        `id`, `size`, `figures` (name and text), `flags`, `labels` (name, carried, known; contested
        ones first), `more_labels`, `images` (as `image_entry`), `selected` (how many), `note`,
        `weakest` (as `weakest_ends`).

    """
    row = catalogue.components.iloc[code]
    members = catalogue.members(code)
    labels = label_counts(catalogue, members)
    named = ["disagreement", "weakest_link", "subset", *([sort_by] if sort_by else [])]
    figures = {name: row[name] for name in named if name in row and name != "size"}
    return {
        "id": str(catalogue.components.index[code]),
        "size": len(members),
        "figures": [[name, text(value)] for name, value in figures.items() if text(value)],
        "flags": [
            name.removeprefix(FLAG) for name in catalogue.flags if row[name] and name != "contested"
        ],
        "labels": labels[:_MOST_LABELS],
        "more_labels": max(0, len(labels) - _MOST_LABELS),
        "images": [image_entry(catalogue, int(image), chosen) for image in members[:most]],
        "selected": int(chosen[members].sum()),
        "note": note,
        "weakest": weakest_ends(catalogue, code),
    }


def image_entry(catalogue: Catalogue, row: int, chosen: Mask) -> dict[str, Any]:
    """Describe an image: `row`, `id`, `aspect` (width / height), `selected`."""
    return {
        "row": row,
        "id": str(catalogue.ids[row]),
        "aspect": float(catalogue.aspects_of([row])[0]),
        "selected": bool(chosen[row]),
    }


def shown_rows(described: Mapping[str, Any], height_px: int, room_px: int) -> list[int]:
    """Return the rows of the images that there is room for, side by side, at least one."""
    images = described.get("images", [described])
    shown: list[int] = []
    used = 0
    for image in images:
        used += max(_LEAST_PX, round(image["aspect"] * height_px)) + _GAP_PX
        if shown and used > room_px:
            break
        shown.append(image["row"])
    return shown


def pair_row(catalogue: Catalogue, pair: int, chosen: Mask, threshold: float) -> dict[str, Any]:
    """Describe a pair of similar images: `similarity`, `linked`, and both as `image_entry`."""
    links = catalogue.links
    assert links is not None
    similarity = float(links.similarity[pair])
    ends = (int(links.first[pair]), int(links.second[pair]))
    return {
        "similarity": f"{similarity:.4f}",
        "linked": similarity > threshold,
        "joined": bool(catalogue.codes[ends[0]] == catalogue.codes[ends[1]]),
        "images": [image_entry(catalogue, row, chosen) for row in ends],
    }


def label_counts(catalogue: Catalogue, members: Rows) -> list[list[Any]]:
    """Count the labels that occur among images: name, carried, known; contested ones first."""
    carried, known = (cells.sum(axis=0) for cells in catalogue.labels_of(members))
    occurring = np.flatnonzero(carried)
    ratio = carried[occurring] / known[occurring]
    order = np.argsort(np.abs(ratio - 0.5), kind="stable")  # the evenest first
    return [
        [catalogue.names[label], int(carried[label]), int(known[label])]
        for label in occurring[order]
    ]


def image_details(catalogue: Catalogue, row: int, chosen: Mask, *, most: int) -> dict[str, Any]:
    """Describe an image with all its labels, and the images of its component.

    Returns
    -------
    dict
        As `image_entry`, with `path`, `facts` (name and text of every other column), `component`
        (its id, or an empty text), `size`, `position` (in the component), `heads` (name and
        labels: name, ``True``/``False``/``None`` for not known, carried, known), `images` (up to
        `most` of the component around this one), `flags`.

    """
    image = catalogue.imageset.images.iloc[row]
    code = int(catalogue.codes[row])
    members = catalogue.members(code)
    position = int(np.flatnonzero(members == row)[0])
    start = max(0, min(position - most // 2, len(members) - most))
    window = members[start : start + most]
    carried, known = (cells.sum(axis=0) for cells in catalogue.labels_of(members))
    own = catalogue.labels_of(np.array([row]))
    place = {name: column for column, name in enumerate(catalogue.names)}

    def label(name: str) -> list[Any]:
        column = place[name]
        state = bool(own[0][0, column]) if own[1][0, column] else None
        return [name, state, int(carried[column]), int(known[column])]

    heads = [
        [head.name, [label(name) for name in head.labels]] for head in catalogue.imageset.heads
    ]
    placed = {name for head in catalogue.imageset.heads for name in head.labels}
    others = [label(name) for name in catalogue.names if name not in placed]
    row_of_component = catalogue.components.iloc[code]
    return {
        **image_entry(catalogue, row, chosen),
        "path": str(image["path"]),
        "facts": [[str(k), text(v)] for k, v in image.items() if k != "path" and text(v)],
        "component": str(catalogue.components.index[code]) if catalogue.grouped else "",
        "flags": [name.removeprefix(FLAG) for name in catalogue.flags if row_of_component[name]],
        "size": len(members),
        "position": position,
        "first": start,
        "heads": [*heads, *([["", others]] if others else [])],
        "images": [image_entry(catalogue, int(member), chosen) for member in window],
        "weakest": weakest_ends(catalogue, code),
    }


def weakest_ends(catalogue: Catalogue, code: int) -> list[int]:
    """Return the rows of the two images that the component's weakest link joins, or nothing."""
    weakest = catalogue.weakest
    if weakest is None:
        return []
    place = int(np.searchsorted(weakest.index, code))
    if place == len(weakest) or weakest.index[place] != code:
        return []
    return [int(weakest[end].iloc[place]) for end in ("first", "second")]


def text(value: Any) -> str:
    """Write a cell as a person would."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return ""
        return f"{number:.3g}" if abs(number) < 1e5 else f"{number:.0f}"  # noqa: PLR2004
    return str(value)
