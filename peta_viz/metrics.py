"""Scores of one head from counts, for one sum of components or for many resampled ones at once."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from peta_viz.imageset import Head

Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Metric = Literal["macro_f1", "micro_f1", "weighted_f1", "accuracy", "mean_accuracy", "instance_f1"]

EVERY_HEAD: tuple[Metric, ...] = ("macro_f1", "micro_f1", "weighted_f1", "accuracy")
MULTIPLE_ONLY: tuple[Metric, ...] = ("mean_accuracy", "instance_f1")
METRICS: tuple[Metric, ...] = (*EVERY_HEAD, *MULTIPLE_ONLY)
YES_ABOVE = 0.5  # a label of a multiple head is predicted where its probability is above this


@dataclass(frozen=True, eq=False)
class Tally:
    """What was right and wrong of each label of a head; sums of tallies are tallies.

    Parameters
    ----------
    cells
        float64, shape ``(..., labels, 4)``: true positives, false positives, false negatives and
        true negatives, each label on its own; in an exclusive head one class against the others.
    instances
        float64, shape ``(..., 3)``: how many were judged, and the sums of their precisions and of
        their recalls over the labels of the head.

    """

    cells: Floats
    instances: Floats

    def weighted(self, weights: Floats) -> "Tally":
        """Sum over the first axis: `weights` has the shape ``(sums, first axis)``."""
        flat = self.cells.reshape(len(self.cells), -1)
        cells = (weights @ flat).reshape(len(weights), *self.cells.shape[1:])
        return Tally(cells, weights @ self.instances)

    def summed(self, groups: "np.ndarray[Any, np.dtype[np.int64]]", count: int) -> "Tally":
        """Sum what belongs to one group: `groups` numbers the first axis from 0 to `count` − 1."""
        cells = np.zeros((count, *self.cells.shape[1:]))
        instances = np.zeros((count, *self.instances.shape[1:]))
        np.add.at(cells, groups, self.cells)
        np.add.at(instances, groups, self.instances)
        return Tally(cells, instances)

    def take(self, mask: Mask) -> "Tally":
        """Choose from the first axis."""
        return Tally(self.cells[mask], self.instances[mask])


def tally_classes(true: Any, predicted: Any, classes: int) -> Tally:
    """Count for an exclusive head, item by item.

    Parameters
    ----------
    true, predicted
        int64, shape ``(items,)``: class numbers; −1 in `true` is an item that does not count.
    classes
        How many there are.

    Returns
    -------
    Tally
        Of shape ``(items, classes, 4)``.

    """
    number = np.arange(classes)
    counts = np.asarray(true)[:, None] >= 0
    return _tally(np.asarray(true)[:, None] == number, predicted[:, None] == number, counts)


def tally_labels(true: Mask, predicted: Mask, known: Mask) -> Tally:
    """Count for a multiple head, item by item.

    Parameters
    ----------
    true, predicted, known
        bool, shape ``(items, labels)``; a cell that is not known does not count.

    Returns
    -------
    Tally
        Of shape ``(items, labels, 4)``.

    """
    return _tally(true, predicted, known)


def _tally(true: Mask, said: Mask, known: Mask) -> Tally:
    true, said = true & known, said & known
    cells = np.stack([true & said, said & ~true, true & ~said, ~true & ~said & known], axis=-1)
    both = (true & said).sum(axis=1)
    judged = np.broadcast_to(known, true.shape).any(axis=1)
    precision = both / np.maximum(said.sum(axis=1), 1)
    recall = both / np.maximum(true.sum(axis=1), 1)
    instances = np.stack([judged, precision, recall], axis=-1)
    return Tally(cells.astype(np.float64), instances.astype(np.float64))


def label_f1(tally: Tally) -> Floats:
    """Return the F1 of each label, shape ``(..., labels)``; NaN where the label never occurs."""
    hits, extra, missed, _ = np.moveaxis(tally.cells, -1, 0)
    return _ratio(2 * hits, 2 * hits + extra + missed, where=hits + missed > 0)


def score(tally: Tally, kind: Literal["exclusive", "multiple"]) -> dict[Metric, Floats]:
    """Return every metric of a head, each of the shape of the tally's sums.

    Returns
    -------
    dict
        ``macro_f1``: mean F1 of the labels that occur. ``weighted_f1``: the same, weighted by how
        often they occur. ``micro_f1``: F1 of all cells together. ``accuracy``: the share of items
        whose class is right, in a multiple head the share of cells. For multiple heads also
        ``mean_accuracy`` (mA of the pedestrian-attribute field: mean over the labels that occur
        and are also lacking of (sensitivity + specificity) / 2) and ``instance_f1`` (the harmonic
        mean of the instances' mean precision and mean recall, as that field defines it). NaN where
        there is nothing to judge.

    Notes
    -----
    mA and instance F1 after Li et al., "A Richly Annotated Dataset for Pedestrian Attribute
    Recognition" (2016); an empty prediction has the precision 0 there, and so here.

    """
    hits, extra, missed, rest = np.moveaxis(tally.cells, -1, 0)
    support = hits + missed
    f1 = label_f1(tally)
    found: dict[Metric, Floats] = {"macro_f1": nan_mean(f1)}
    both = 2 * hits.sum(axis=-1)
    any_judged = tally.instances[..., 0] > 0
    micro = _ratio(both, both + (extra + missed).sum(axis=-1))
    found["micro_f1"] = np.where(any_judged & np.isnan(micro), 0.0, micro)
    weighted = (np.nan_to_num(f1) * support).sum(axis=-1)
    found["weighted_f1"] = _ratio(weighted, support.sum(axis=-1))
    if kind == "exclusive":
        found["accuracy"] = _ratio(hits.sum(axis=-1), support.sum(axis=-1))
        return found
    found["accuracy"] = _ratio((hits + rest).sum(axis=-1), tally.cells.sum(axis=(-1, -2)))
    balanced = (_ratio(hits, support) + _ratio(rest, extra + rest)) / 2
    found["mean_accuracy"] = nan_mean(balanced)
    count, precision, recall = np.moveaxis(tally.instances, -1, 0)
    precision, recall = _ratio(precision, count), _ratio(recall, count)
    # Where it is no ratio, both are 0, or neither is a number.
    found["instance_f1"] = np.where(
        precision + recall > 0, _ratio(2 * precision * recall, precision + recall), precision
    )
    return found


def best_threshold(probability: Floats, true: Mask, *, least: int = 8) -> float:
    """Find the threshold with the highest F1 of one label.

    Parameters
    ----------
    probability
        float, shape ``(items,)``, from 0 to 1.
    true
        bool, the same shape.
    least
        With fewer positives there is not enough to choose by.

    Returns
    -------
    float
        Halfway between the two probabilities that it parts; 0.5 where there are too few positives
        or nothing is better than 0.5.

    """
    if true.sum() < least or true.all():
        return YES_ABOVE
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    hits = np.cumsum(true[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + true.sum())
    ends = np.append(ranked[1:] < ranked[:-1], True)  # equal probabilities fall together
    said = probability > YES_ABOVE
    plain = 2 * (said & true).sum() / max(said.sum() + true.sum(), 1)
    best = int(np.argmax(np.where(ends, f1, -1.0)))
    if f1[best] <= plain:
        return YES_ABOVE
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def tally_head(head: Head, probability: Any, true: Mask, known: Mask, classes: Any) -> Tally:
    """Count for any head: the likeliest class of an exclusive one, else what is above `YES_ABOVE`.

    Parameters
    ----------
    head
        The head.
    probability, true, known
        Shape ``(items, labels of the head)``.
    classes
        int64, shape ``(items,)``: the true class, −1 where it does not count; for exclusive heads.

    """
    if head.kind == "exclusive":
        return tally_classes(classes, probability.argmax(axis=1), len(head.labels))
    return tally_labels(true, probability > YES_ABOVE, known)


def nan_mean(values: Floats) -> Floats:
    """Return the mean over the last axis of what is not NaN; NaN where all is."""
    there = ~np.isnan(values)
    return _ratio(np.where(there, values, 0.0).sum(axis=-1), there.sum(axis=-1).astype(float))


def _ratio(over: Floats, under: Floats, where: Mask | None = None) -> Floats:
    defined = under > 0 if where is None else where & (under > 0)
    return np.divide(over, under, out=np.full(np.shape(over), np.nan), where=defined)
