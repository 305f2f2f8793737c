"""What the other labels of an image, and its looks, lead one to expect of each label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression

Floats = np.ndarray[Any, np.dtype[np.float32]]
Wide = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Rows = np.ndarray[Any, np.dtype[np.int64]]

_LEAST = 1e-4  # no probability is nearer to 0 or 1
_CURVE_ROWS = 20_000  # enough for a curve of two numbers


@dataclass(frozen=True, eq=False)
class Context:
    """Expects each label from other labels and from features, by one Gaussian of all of them.

    In a multivariate normal distribution the mean of some variables, given all others, is read off
    the inverse of the covariance matrix. The covariance is shrunk (Ledoit and Wolf, 2004), and a
    logistic curve per label makes a probability of the mean. Each label is expected twice: by all
    other labels, which knows that a head has no answer or several (these are linear relations,
    which a Gaussian holds exactly), and by the labels of other heads, which is not misled where an
    annotator took one class for another.

    Parameters
    ----------
    mean, spread
        float64, shape ``(labels + features,)``: of each column.
    surprise
        float64, each of shape ``(labels + features, labels)``: what makes of an image how far each
        label is from its conditional mean, given all others, and given those of other heads.
    curves
        float64, each of shape ``(2, labels)``: intercepts and slopes of the logistic curves.

    """

    mean: Wide
    spread: Wide
    surprise: tuple[Wide, Wide]
    curves: tuple[Wide, ...]

    @classmethod
    def fit(cls, labels: Mask, known: Mask, features: Floats, heads: Sequence[Rows]) -> Self:
        """Learn from images, of which no two should show the same thing.

        Parameters
        ----------
        labels, known
            bool, shape ``(images, labels)``.
        features
            float32, shape ``(images, features)``, without NaN; there may be none.
        heads
            The columns of the labels of each head.

        """
        count = labels.shape[1]
        columns = np.hstack([np.where(known, labels, np.nan), features.astype(np.float64)])
        with np.errstate(invalid="ignore"):
            mean = np.nansum(columns, axis=0) / np.maximum(1, (~np.isnan(columns)).sum(axis=0))
        spread = np.sqrt(np.nanmean((columns - mean) ** 2, axis=0, where=~np.isnan(columns)))
        spread = np.where(np.nan_to_num(spread) > 0, spread, 1.0)
        covariance, _ = ledoit_wolf(_scaled(columns, mean, spread), assume_centered=True)
        # What never varies has no covariance, and does not follow from anything.
        covariance[np.diag_indices_from(covariance)] += 1e-6
        precision = np.linalg.inv(covariance)[:, :count]
        alone = precision / np.diag(precision)
        in_head = alone.copy()
        for own in heads:
            in_head[:, own] = precision[:, own] @ np.linalg.inv(precision[np.ix_(own, own)])
        bare = cls(mean, spread, (alone, in_head), ())
        means = bare._means(labels, known, features)
        return replace(bare, curves=tuple(_curves(one, labels, known) for one in means))

    def expect(self, labels: Mask, known: Mask, features: Floats) -> list[Floats]:
        """Return how likely each label is, its own value left out.

        Returns
        -------
        list of ndarray
            By all other labels, and by those of other heads: each float32, shape
            ``(images, labels)``, strictly between 0 and 1.

        """
        means = self._means(labels, known, features)
        both = [
            1 / (1 + np.exp(-intercept - slope * mean))
            for mean, (intercept, slope) in zip(means, self.curves, strict=True)
        ]
        return [np.asarray(np.clip(p, _LEAST, 1 - _LEAST), dtype=np.float32) for p in both]

    def _means(self, labels: Mask, known: Mask, features: Floats) -> list[Wide]:
        """Return the conditional means of the labels, in units of their spread."""
        columns = np.hstack([np.where(known, labels, np.nan), features.astype(np.float64)])
        scaled = _scaled(columns, self.mean, self.spread)
        return [scaled[:, : labels.shape[1]] - scaled @ surprise for surprise in self.surprise]


def _scaled(columns: Wide, mean: Wide, spread: Wide) -> Wide:
    """Centre and scale; what is not known is taken for the mean."""
    scaled = (columns - mean) / spread
    scaled[np.isnan(scaled)] = 0.0
    return scaled


def _curves(linear: Wide, labels: Mask, known: Mask) -> Wide:
    curves = np.zeros((2, labels.shape[1]))
    for number in range(labels.shape[1]):
        rows = np.flatnonzero(known[:, number])
        if len(rows) > _CURVE_ROWS:
            rows = rows[:: len(rows) // _CURVE_ROWS]
        carried = labels[rows, number]
        if carried.any() and not carried.all():
            found = LogisticRegression(C=100).fit(linear[rows, [number]][:, None], carried)
            curves[:, number] = found.intercept_[0], found.coef_[0, 0]
        else:
            share = (carried.sum() + 0.5) / (len(rows) + 1)
            curves[0, number] = np.log(share / (1 - share))
    return curves
