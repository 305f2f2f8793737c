"""What the other labels of an image, and its looks, lead one to expect of each label."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression

Floats = np.ndarray[Any, np.dtype[np.float32]]
Wide = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

_LEAST = 1e-4  # no probability is nearer to 0 or 1
_CURVE_ROWS = 20_000  # enough for a curve of two numbers


@dataclass(frozen=True, eq=False)
class Context:
    """Expects each label from all other labels and from features, by one Gaussian of all of them.

    In a multivariate normal distribution the mean of one variable, given all others, is read off
    the inverse of the covariance matrix, for all variables at once. The covariance is shrunk
    (Ledoit and Wolf, 2004), and a logistic curve per label makes a probability of the mean. That
    labels exclude each other, or that one of several has to be there, are linear relations, which
    this holds exactly.

    Parameters
    ----------
    mean, spread
        float64, shape ``(labels + features,)``: of each column.
    precision
        float64, shape ``(labels + features, labels)``: columns of the inverse covariance, over
        their diagonal.
    curve
        float64, shape ``(2, labels)``: intercept and slope of the logistic curves.

    """

    mean: Wide
    spread: Wide
    precision: Wide
    curve: Wide

    @classmethod
    def fit(cls, labels: Mask, known: Mask, features: Floats) -> Self:
        """Learn from images, of which no two should show the same thing.

        Parameters
        ----------
        labels, known
            bool, shape ``(images, labels)``.
        features
            float32, shape ``(images, features)``, without NaN; there may be none.

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
        precision /= np.diag(precision)[None, :]
        bare = cls(mean, spread, precision, np.zeros((2, count)))
        linear = bare._linear(labels, known, features)
        return cls(mean, spread, precision, _curves(linear, labels, known))

    def expect(self, labels: Mask, known: Mask, features: Floats) -> Floats:
        """Return how likely each label is, by everything but itself.

        Returns
        -------
        ndarray
            float32, shape ``(images, labels)``, strictly between 0 and 1.

        """
        intercept, slope = self.curve
        score = intercept + slope * self._linear(labels, known, features)
        likely = 1 / (1 + np.exp(-score))
        return np.asarray(np.clip(likely, _LEAST, 1 - _LEAST), dtype=np.float32)

    def _linear(self, labels: Mask, known: Mask, features: Floats) -> Wide:
        """Return the conditional mean of each label, in units of its spread."""
        columns = np.hstack([np.where(known, labels, np.nan), features.astype(np.float64)])
        scaled = _scaled(columns, self.mean, self.spread)
        mean: Wide = scaled[:, : labels.shape[1]] - scaled @ self.precision
        return mean


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
