"""What several people say of the same components: conflicts, and how far they agree."""

from itertools import combinations

import numpy as np
import pandas as pd

from peta_viz.curation.acts import Cell, Entry, Ledger, blindly
from peta_viz.curation.decisions import Decisions, raw_value
from peta_viz.curation.queues import done_by, fitting, members_of
from peta_viz.imageset import ImageSet


def conflicts(imageset: ImageSet, decisions: Decisions) -> pd.DataFrame:
    """List the cells about which people who both settled a component do not agree.

    A person says what was there when they last acted on the component; where they looked blindly,
    what was raw and what they did themselves. Notes and the verdict "good" are nobody's conflict.

    Returns
    -------
    DataFrame
        One row per cell and pair of people: `component_id` (int64), `image_id`, `field`, `label`,
        `person`, `says`, `other`, `other_says` (text). Of the field ``component`` they say which
        other images show the same.

    """
    views = _views(imageset, decisions)
    rows = []
    for person, other in combinations(views, 2):
        for component, cells in _disputed(imageset, views[person], views[other]).items():
            for cell in cells:
                says = [views[one].says(component, cell) for one in (person, other)]
                if says[0] != says[1]:
                    rows.append((component, *cell, person, says[0], other, says[1]))
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
    views = _views(imageset, decisions)
    rows = []
    for person, other in combinations(views, 2):
        pair = (views[person], views[other])
        disputed = _disputed(imageset, *pair)
        for head in imageset.heads:
            cells = [
                (component, cell)
                for component, found in disputed.items()
                for cell in found
                if cell.field == "label" and cell.label in head.labels
            ]
            if head.kind == "exclusive":
                images = dict.fromkeys((component, cell.image_id) for component, cell in cells)
                said = [[view.classes(*image, head.labels) for image in images] for view in pair]
            else:
                said = [[view.says(*place) for place in cells] for view in pair]
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


class _View:
    """What one person says: of each component they settled, as of their last act on it."""

    def __init__(self, imageset: ImageSet, ledger: Ledger, acts: list[Entry], person: str) -> None:
        self.imageset = imageset
        last = [entry for entry in acts if entry.person == person]
        self.settled = done_by(last)
        own = [entry for entry in ledger.told() if entry.person == person]
        self._blind = Ledger(blindly(own))
        self._all = ledger
        self._last = {entry.act.component_id: entry for entry in last}

    def value(self, component: int, cell: Cell) -> str:
        """Return what a cell was when this person last acted on the component."""
        last = self._last[component]
        view = self._blind if last.act.blind else self._all
        now = view.value(cell, last.order)
        return raw_value(self.imageset, cell) if now is None else now

    def says(self, component: int, cell: Cell) -> str:
        """Return the same; of a component which other images are together with this one."""
        if cell.field != "component":
            return self.value(component, cell)
        own = self.value(component, cell)
        images = self._last[component].act.images
        others = [i for i in images if self.value(component, Cell(i, "component")) == own]
        return ", ".join(sorted(set(others) - {cell.image_id}))

    def classes(self, component: int, image: str, labels: tuple[str, ...]) -> str:
        """Return the class of an image, or all if there are several."""
        cells = [Cell(image, "label", label) for label in labels]
        return " + ".join(c.label for c in cells if self.value(component, c) == "yes")


def _views(imageset: ImageSet, decisions: Decisions) -> dict[str, _View]:
    ledger = decisions.ledger()
    acts = fitting(ledger.acts(), members_of(imageset))
    return {person: _View(imageset, ledger, acts, person) for person in decisions.persons}


def _disputed(imageset: ImageSet, mine: _View, theirs: _View) -> dict[int, list[Cell]]:
    """Return, of components that both settled, what is contested raw or was ever touched."""
    found = {}
    for component in sorted(mine.settled & theirs.settled):
        images = mine._last[component].act.images  # noqa: SLF001 - of this module
        labels, known = imageset.labels.loc[list(images)], imageset.known.loc[list(images)]
        carried, answered = labels.sum(), known.sum()
        contested = labels.columns[(carried > 0) & (carried < answered)]
        cells = {Cell(image, "label", str(label)) for image in images for label in contested}
        for view in (mine, theirs):
            for image in images:
                cells |= {c for c in view._all.touched(image) if _matters(c)}  # noqa: SLF001
        found[component] = sorted(cells)
    return found


def _matters(cell: Cell) -> bool:
    return cell.field != "note" and cell[1:] != ("mark", "good")
