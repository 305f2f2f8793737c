"""What several people say of the same components: conflicts, and how far they agree."""

from itertools import combinations

import numpy as np
import pandas as pd

from peta_viz.curation.acts import Cell, Ledger
from peta_viz.curation.decisions import Decisions, raw_value
from peta_viz.curation.queues import done_by
from peta_viz.imageset import ImageSet


def conflicts(imageset: ImageSet, decisions: Decisions) -> pd.DataFrame:
    """List the cells about which people who both decided upon a component do not agree.

    What a person left as it was counts as what they said. Notes are nobody's conflict, and of
    components it counts whether two images were left together, not what the parts are called.

    Returns
    -------
    DataFrame
        One row per cell and pair of people: `component_id` (int64), `image_id`, `field`, `label`,
        `person`, `says`, `other`, `other_says` (text).

    """
    views = _views(decisions)
    rows = []
    for (person, mine), (other, theirs) in combinations(views.items(), 2):
        for component, cell in _shared_cells(mine, theirs, decisions):
            says, other_says = _says(imageset, mine, cell), _says(imageset, theirs, cell)
            if says != other_says:
                rows.append((component, *cell, person, says, other, other_says))
    columns = ["component_id", *Cell._fields, "person", "says", "other", "other_says"]
    frame = pd.DataFrame(rows, columns=columns)
    texts = dict.fromkeys(columns[1:], "str")
    return frame.astype({"component_id": "int64", **texts})


def agreement(imageset: ImageSet, decisions: Decisions) -> pd.DataFrame:
    """Compute Cohen's kappa per head, for each pair of people.

    Counted are the labels that the raw images of a component contest, or that one of the two
    changed, in components that both decided upon: of an exclusive head one class per image, of a
    multiple one yes or no per image and label. What is the same for everybody is left out, since
    it would only make the agreement look better.

    Returns
    -------
    DataFrame
        One row per pair of people and head: `person`, `other`, `head`, `cells` (how many were
        compared), `agree` (their share) and `kappa` (NaN where both said one and the same of all).

    """
    views = _views(decisions)
    rows = []
    for (person, mine), (other, theirs) in combinations(views.items(), 2):
        disputed = _disputed(imageset, mine, theirs, decisions)
        for head in imageset.heads:
            own = [(image, label) for image, label in disputed if label in head.labels]
            if head.kind == "exclusive":
                images = dict.fromkeys(image for image, _ in own)
                said = [
                    [_class(imageset, view, image, head.labels) for image in images]
                    for view in (mine, theirs)
                ]
            else:
                cells = [Cell(image, "label", label) for image, label in own]
                said = [[_says(imageset, view, cell) for cell in cells] for view in (mine, theirs)]
            if said[0]:
                equal = float(np.mean([a == b for a, b in zip(*said, strict=True)]))
                rows.append((person, other, head.name, len(said[0]), equal, kappa(*said)))
    return pd.DataFrame(rows, columns=["person", "other", "head", "cells", "agree", "kappa"])


def kappa(one: list[str], other: list[str]) -> float:
    """Compute Cohen's kappa: agreement beyond what chance would give; NaN where it is certain."""
    first, second = pd.Series(one, dtype="str"), pd.Series(other, dtype="str")
    observed = float((first == second).mean())
    shares = [part.value_counts(normalize=True) for part in (first, second)]
    expected = float((shares[0] * shares[1]).sum())
    return float("nan") if expected == 1 else (observed - expected) / (1 - expected)


def adjudication(imageset: ImageSet, decisions: Decisions) -> pd.DataFrame:
    """Make a queue of the components that people do not agree about, most conflicts first.

    Returns
    -------
    DataFrame
        `component_id` (int64) and `score` (float64: cells in conflict).

    """
    found = conflicts(imageset, decisions)["component_id"].value_counts()
    return pd.DataFrame(
        {"component_id": found.index.astype("int64"), "score": found.to_numpy(dtype="float64")}
    )


def _views(decisions: Decisions) -> dict[str, Ledger]:
    return {person: decisions.of_persons([person]).ledger() for person in decisions.persons}


def _shared_cells(mine: Ledger, theirs: Ledger, decisions: Decisions) -> list[tuple[int, Cell]]:
    """Return what one of two people changed in components that both decided upon."""
    both = done_by(mine) & done_by(theirs)
    touched = {*mine.standing(), *theirs.standing()}
    home = {
        image: entry.act.component_id for entry in decisions.entries for image in entry.act.images
    }
    return sorted(
        (home[cell.image_id], cell)
        for cell in touched
        if cell.field in ("label", "image", "mark") and home.get(cell.image_id) in both
    )


def _disputed(
    imageset: ImageSet, mine: Ledger, theirs: Ledger, decisions: Decisions
) -> list[tuple[str, str]]:
    """Return the images and labels that are contested raw, or were changed by one of the two."""
    both = done_by(mine) & done_by(theirs)
    found = {
        (cell.image_id, cell.label)
        for _, cell in _shared_cells(mine, theirs, decisions)
        if cell.field == "label"
    }
    own = imageset.images[imageset.images["component_id"].isin(both)]
    labels, known = imageset.labels.loc[own.index], imageset.known.loc[own.index]
    for ids in own.groupby("component_id").groups.values():
        carried, answered = labels.loc[ids].sum(), known.loc[ids].sum()
        contested = labels.columns[(carried > 0) & (carried < answered)]
        found |= {(str(image), str(label)) for image in ids for label in contested}
    return sorted(found)


def _says(imageset: ImageSet, view: Ledger, cell: Cell) -> str:
    now = view.value(cell)
    return raw_value(imageset, cell) if now is None else now


def _class(imageset: ImageSet, view: Ledger, image: str, labels: tuple[str, ...]) -> str:
    carried = [one for one in labels if _says(imageset, view, Cell(image, "label", one)) == "yes"]
    return " + ".join(carried)
