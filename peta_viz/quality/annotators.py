"""How often annotators err, and what that makes of a label that others speak against."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from peta_viz.quality.context import Floats, Mask, Wide

_ROUNDS = 25  # at most
_SETTLED = 5e-5  # no error rate changes by more in a round
# A label's own rates weigh against those of all labels as if it had been asked so often.
_COMMON = 200.0
_WEIGHTS = (0.25, 0.5, 0.75, 1.0)
_CHOICE_ROWS = 4_000
_LEAST_SHARE = 0.5  # of what the context expects, and of what it does not, so much is no error


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for and against the labels of some images.

    Parameters
    ----------
    labels, known
        The labels as they were given: bool, shape ``(images, labels)``.
    expected
        How likely each one is given by its context, errors and all: float32, of the same shape,
        strictly between 0 and 1.
    yes, asked
        How many near-copies carry the label, and of how many it is known, each weighted by how
        likely it is one: float32, of the same shape.

    """

    labels: Mask
    known: Mask
    expected: Floats
    yes: Floats
    asked: Floats

    def thinned(self, most: int) -> Self:
        """Return about so many of the images, evenly spread."""
        step = max(1, len(self.labels) // most)
        return type(self)(*(getattr(self, field.name)[::step] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Opinions:
    """How many independent opinions the near-copies amount to.

    Parameters
    ----------
    margin
        float32, shape ``(images, labels)``: those for a label, less those against it.
    added
        Of the same shape: how many the image's own value adds to those that say the same.

    """

    margin: Floats
    added: Floats

    @classmethod
    def of(cls, evidence: Evidence, independence: float) -> Self:
        """Count, where n near-copies are worth n to the power of `independence`, shared by all."""
        margin = evidence.yes - (evidence.asked - evidence.yes)
        own = np.where(evidence.labels, np.float32(1), np.float32(-1))
        alone = margin * _worth_of_one(evidence.asked, independence)
        joined = (margin + own) * _worth_of_one(evidence.asked + np.float32(1), independence)
        return cls(alone, (joined - alone) * own)


@dataclass(frozen=True, eq=False)
class Annotators:
    """Error rates of whoever gave the labels, after Dawid and Skene (1979).

    Near-copies and the image itself are taken for opinions about one fact, each wrong at these
    rates, with the context for a prior. But near-copies tend to be labelled in one go: n opinions
    count as nʷ independent ones.

    Parameters
    ----------
    missed
        float64, shape ``(labels,)``: how often a label is not there although it should be.
    invented
        float64, the same shape: how often it is there although it should not.
    independence
        w, from above 0 (all near-copies together hardly count more than one) to 1 (each in full).

    """

    missed: Wide
    invented: Wide
    independence: float

    @classmethod
    def fit(cls, evidence: Evidence) -> Self:
        """Estimate the rates by expectation and maximisation, and w by which explains most."""
        few = evidence.thinned(_CHOICE_ROWS)
        found = [cls._fit(few, weight) for weight in _WEIGHTS]
        best = max(found, key=lambda annotators: annotators.explain(few))
        return cls._fit(evidence, best.independence)

    @classmethod
    def _fit(cls, evidence: Evidence, independence: float) -> Self:
        count = evidence.labels.shape[1]
        found = cls(np.full(count, 0.02), np.full(count, 0.005), independence)
        yes, no = evidence.labels & evidence.known, ~evidence.labels & evidence.known
        opinions = Opinions.of(evidence, independence)
        for _ in range(_ROUNDS):
            wrong = 1 - found._right(evidence, opinions)
            lost, added = (wrong * no).sum(axis=0), (wrong * yes).sum(axis=0)
            true = yes.sum(axis=0) - added + lost
            false = no.sum(axis=0) - lost + added
            last, found = found, cls(_shrunk(lost, true), _shrunk(added, false), independence)
            if found.differs_from(last) < _SETTLED:
                break
        return found

    def differs_from(self, other: Self) -> float:
        """Return by how much any error rate is another."""
        pairs = ((self.missed, other.missed), (self.invented, other.invented))
        return float(max(np.abs(one - two).max(initial=0) for one, two in pairs))

    def believe(self, evidence: Evidence) -> Floats:
        """Return how likely each label truly is, its own value left out: float32."""
        return _share(self._odds(evidence, Opinions.of(evidence, self.independence)))

    def right(self, evidence: Evidence) -> Floats:
        """Return how likely each label is right, its own value taken into account: float32."""
        return self._right(evidence, Opinions.of(evidence, self.independence))

    def _right(self, evidence: Evidence, opinions: Opinions) -> Floats:
        for_yes, for_no = self._weights()
        odds = self._odds(evidence, opinions)
        odds += opinions.added * np.where(evidence.labels, for_yes, for_no)
        return _share(np.where(evidence.labels, odds, -odds))

    def _odds(self, evidence: Evidence, opinions: Opinions) -> Floats:
        """Return the logarithm of the odds that a label truly is, by context and near-copies."""
        for_yes, for_no = self._weights()
        likely = self._true_share(evidence.expected)
        prior = np.log(likely / (1 - likely))
        # Of near-copies a yes is taken to say as much as a no: where they do not agree, the rarer
        # error would decide everything.
        return np.asarray(prior + opinions.margin * (for_yes - for_no) / 2)

    def _true_share(self, expected: Floats) -> Floats:
        """Return how likely labels truly are that are given with a probability.

        The context was learned from labels that are wrong at these rates: some of what it expects
        are errors.
        """
        share = (expected - self.invented) / np.maximum(1 - self.missed - self.invented, 1e-6)
        least, most = _LEAST_SHARE * expected, 1 - _LEAST_SHARE * (1 - expected)
        return np.asarray(np.clip(share, least, most), dtype=np.float32)

    def _weights(self) -> tuple[Floats, Floats]:
        """Return what a yes and a no add to the logarithm of the odds."""
        yes = np.log((1 - self.missed) / self.invented)
        no = np.log(self.missed / (1 - self.invented))
        return yes.astype(np.float32), no.astype(np.float32)

    def explain(self, evidence: Evidence) -> float:
        """Return the mean logarithm of how likely the labels are as they were given."""
        believed = self.believe(evidence)
        yes = (1 - self.missed) * believed + self.invented * (1 - believed)
        return float(np.log(np.where(evidence.labels, yes, 1 - yes)[evidence.known]).mean())


def _worth_of_one(count: Floats, independence: float) -> Floats:
    """Return what each of so many opinions is worth."""
    return np.asarray(np.maximum(count, np.float32(1)) ** np.float32(independence - 1))


def _share(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), dtype=np.float32)


def _shrunk(errors: Wide, asked: Wide) -> Wide:
    overall = errors.sum() / max(asked.sum(), 1.0)
    return np.asarray(np.clip((errors + _COMMON * overall) / (asked + _COMMON), 1e-6, 0.5))
