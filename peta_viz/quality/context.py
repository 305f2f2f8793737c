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
_FARTHEST = 4.0  # from the mean, in spreads
_FREEDOM = 3.0  # of the slope of a curve: with it a few dozen things make none steep
_CURVE_ROWS = 20_000  # enough for a curve of two numbers


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A multivariate normal distribution of labels and features.

    The mean of some variables, given all others, is read off the inverse of the covariance matrix,
    which is shrunk (Ledoit and Wolf, 2004). That a head has no answer or several are linear
    relations, which this holds exactly.

    Parameters
    ----------
    mean, spread
        float64, shape ``(labels + features,)``: of each column.
    surprise
        float64, each of shape ``(labels + features, labels)``: what makes of an image how far each
        label is from its conditional mean, given all others, and given those of other heads.

    """

    mean: Wide
    spread: Wide
    surprise: tuple[Wide, Wide]

    @classmethod
    def fit(cls, labels: Mask, known: Mask, features: Floats, heads: Sequence[Rows]) -> Self:
        """Learn from images; see `Context.fit`."""
        columns = _columns(labels, known, features)
        asked = ~np.isnan(columns)
        counts = np.maximum(1, asked.sum(axis=0))
        mean = np.where(asked, columns, 0).sum(axis=0) / counts
        spread = np.sqrt((np.where(asked, columns - mean, 0) ** 2).sum(axis=0) / counts)
        spread = np.where(spread > 0, spread, 1.0)
        scaled = _scaled(columns, mean, spread, labels.shape[1])
        covariance, _ = ledoit_wolf(scaled, assume_centered=True)
        # What never varies has no covariance, and does not follow from anything.
        covariance[np.diag_indices_from(covariance)] += 1e-6
        precision = np.linalg.inv(covariance)[:, : labels.shape[1]]
        alone = precision / np.diag(precision)
        in_head = alone.copy()
        for own in heads:
            in_head[:, own] = precision[:, own] @ np.linalg.inv(precision[np.ix_(own, own)])
        return cls(mean, spread, (alone, in_head))

    def expect(self, labels: Mask, known: Mask, features: Floats) -> Wide:
        """Return the conditional means, in units of the spread, shape ``(2, images, labels)``."""
        count = labels.shape[1]
        scaled = _scaled(_columns(labels, known, features), self.mean, self.spread, count)
        own = scaled[:, :count]
        return np.stack([own - scaled @ surprise for surprise in self.surprise])


@dataclass(frozen=True, eq=False)
class Context:
    """Expects each label from other labels and from features.

    Each label is expected twice: by all other labels, which knows that a head has no answer or
    several, and by the labels of other heads, which is not misled where an annotator took one class
    for another. A logistic curve per label makes probabilities of the means of a `Gaussian`; there
    are two of them, each for the half of the components that it has not seen, for who has learned
    a rare label by heart expects it with too much confidence.

    Parameters
    ----------
    gaussians
        For the images of each half.
    curves
        float64, shape ``(2, 2, labels)``: intercepts and slopes of the curves, for both ways.

    """

    gaussians: tuple[Gaussian, Gaussian]
    curves: Wide

    @classmethod
    def fit(
        cls, labels: Mask, known: Mask, features: Floats, half: Mask, heads: Sequence[Rows]
    ) -> Self:
        """Learn from images, of which no two should show the same thing.

        Parameters
        ----------
        labels, known
            bool, shape ``(images, labels)``.
        features
            float32, shape ``(images, features)``, without NaN; there may be none.
        half
            bool, shape ``(images,)``: in which half is the component of each image?
        heads
            The columns of the labels of each head.

        """
        if half.all() or not half.any():
            half = np.arange(len(half)) % 2 == 0
        others = [own if own.any() else ~own for own in (half, ~half)]
        first, second = (
            Gaussian.fit(labels[own], known[own], features[own], heads) for own in others
        )
        bare = cls((first, second), np.zeros((2, 2, labels.shape[1])))
        means = bare._means(labels, known, features, half)
        return replace(bare, curves=np.stack([_curves(one, labels, known) for one in means]))

    def expect(self, labels: Mask, known: Mask, features: Floats, half: Mask) -> list[Floats]:
        """Return how likely each label is, its own value left out.

        Returns
        -------
        list of ndarray
            By all other labels, and by those of other heads: each float32, shape
            ``(images, labels)``, strictly between 0 and 1.

        """
        means = self._means(labels, known, features, half)
        both = [
            1 / (1 + np.exp(-np.clip(intercept + slope * mean, -30, 30)))
            for mean, (intercept, slope) in zip(means, self.curves, strict=True)
        ]
        return [np.asarray(np.clip(p, _LEAST, 1 - _LEAST), dtype=np.float32) for p in both]

    def _means(self, labels: Mask, known: Mask, features: Floats, half: Mask) -> Wide:
        means = np.empty((2, *labels.shape))
        for own, gaussian in zip((~half, half), self.gaussians, strict=True):
            means[:, own] = gaussian.expect(labels[own], known[own], features[own])
        return means


def _columns(labels: Mask, known: Mask, features: Floats) -> Wide:
    return np.hstack([np.where(known, labels, np.nan), features.astype(np.float64)])


def _scaled(columns: Wide, mean: Wide, spread: Wide, labels: int) -> Wide:
    """Centre and scale; what is not known is taken for the mean.

    A feature of a rare thing can be a hundred times its spread, and would then decide alone.
    """
    scaled = (columns - mean) / spread
    scaled[np.isnan(scaled)] = 0.0
    scaled[:, labels:] = np.clip(scaled[:, labels:], -_FARTHEST, _FARTHEST)
    return scaled


def _curves(linear: Wide, labels: Mask, known: Mask) -> Wide:
    curves = np.zeros((2, labels.shape[1]))
    for number in range(labels.shape[1]):
        rows = np.flatnonzero(known[:, number])
        if len(rows) > _CURVE_ROWS:
            rows = rows[:: len(rows) // _CURVE_ROWS]
        carried = labels[rows, number]
        if carried.any() and not carried.all():
            found = LogisticRegression(C=_FREEDOM).fit(linear[rows, [number]][:, None], carried)
            curves[:, number] = found.intercept_[0], found.coef_[0, 0]
        else:
            share = (carried.sum() + 0.5) / (len(rows) + 1)
            curves[0, number] = np.log(share / (1 - share))
    return curves
