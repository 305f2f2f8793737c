"""Which pairs of images show the same thing, by how alike their looks and their labels are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from peta_viz.quality.context import Floats, Mask, Rows, Wide

_BINS = 20  # of similarity
_LEAST_IN_BIN = 200
_ROUNDS = 12
_PAIRS = 50_000  # enough to estimate from
_BLOCK = 50_000  # pairs at a time
# Labels of one image hang together, so that a row of them says less than as many single ones.
_DEPENDENCE = 0.5
_LEAST_ERROR = 1e-4


def mates(
    component_id: Rows, pairs: pd.DataFrame, *, most: int = 20, seed: int = 0
) -> pd.DataFrame:
    """Pair the images of each component, as far as they are not among its similar pairs.

    Parameters
    ----------
    component_id
        int64, shape ``(images,)``.
    pairs
        Similar pairs within components: `first`, `second` (row numbers, ``first < second``) and
        `similarity`, each pair once.
    most
        An image of a large component is compared with about as many others.
    seed
        For which others.

    Returns
    -------
    DataFrame
        In the form of `pairs`; `similarity` is NaN for pairs that were added.

    """
    count = len(component_id)
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(count), component_id))
    sizes = np.bincount(np.unique(component_id, return_inverse=True)[1])
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    size = np.repeat(sizes, sizes)
    place = np.arange(count) - starts
    found = []
    # Round the circle: each image with the next few ones of its component.
    for step in range(1, most // 2 + 1):
        there = size > step
        found.append(
            np.stack([order[there], order[(starts + (place + step) % size)[there]]], axis=1)
        )
    ends = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)
    added = pd.DataFrame(
        {"first": ends.min(axis=1), "second": ends.max(axis=1), "similarity": np.float32("nan")}
    )
    both = pd.concat([pairs[["first", "second", "similarity"]], added], ignore_index=True)
    return both.drop_duplicates(["first", "second"], ignore_index=True)


def same_thing(
    labels: Mask,
    known: Mask,
    pairs: pd.DataFrame,
    *,
    questions: Rows | None = None,
    alone: Mask | None = None,
    seed: int = 0,
) -> Floats:
    """Estimate for each pair how likely both images show the same thing.

    Two kinds of pairs are assumed: of the same thing, whose labels differ where an annotator erred,
    and of different ones, whose labels meet by chance, each as often as it occurs. How common the
    first kind is at which similarity, and how often annotators err at which label, is estimated
    from the pairs themselves by expectation and maximisation.

    Two rows that differ in one answer alone do not tell an error from another thing. So the answer
    that speaks most against a pair is not counted where one of the two images stands alone with
    it: different things differ in several answers. Where neither does, at least two images would
    have to err in the same way, and that second error counts, too.

    Parameters
    ----------
    labels, known
        bool, shape ``(images, labels)``.
    pairs
        `first`, `second` (row numbers) and `similarity` (NaN where it is not known).
    questions
        int64, shape ``(labels,)``: labels of the same number are one answer, as those of an
        exclusive head; by default each is one of its own.
    alone
        bool, shape ``(images, labels)``: where no other image of the component answers as this one
        does; by default everywhere.
    seed
        Which pairs it is estimated from, if there are very many.

    Returns
    -------
    ndarray
        float32, shape ``(pairs,)``.

    """
    if not len(pairs):
        return np.zeros(0, dtype=np.float32)
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    bins = _bins(pairs["similarity"].to_numpy(dtype=np.float64))
    rng = np.random.default_rng(seed)
    some = np.arange(len(pairs))
    if len(some) > _PAIRS:
        some = np.sort(rng.choice(some, _PAIRS, replace=False))
    if questions is None:
        questions = np.arange(labels.shape[1])
    if alone is None:
        alone = np.ones(labels.shape, dtype=bool)
    answered = np.maximum(known.sum(axis=0), 1)
    base = np.clip((labels & known).sum(axis=0) / answered, 1e-4, 1 - 1e-4)
    common = np.full(bins.max() + 1, 0.5)
    errors = np.full(labels.shape[1], 0.01)
    for _ in range(_ROUNDS):
        evidence = _evidence(labels, known, first[some], second[some], base, errors)
        same = _probability(common, bins[some], evidence)
        total = np.bincount(bins[some], minlength=len(common))
        found = np.bincount(bins[some], same, minlength=len(common))
        common = np.clip((found + 1) / (total + 2), 1e-4, 1 - 1e-4)
        errors = _differing(labels, known, first[some], second[some], same)
    evidence = _evidence(labels, known, first, second, base, errors)
    differing = _Differing(labels, known, alone, first, second)
    evidence += differing.greatest(-_if_unlike(base, errors), questions, is_alone=True)
    second_error = np.log(2 / np.maximum(errors, _LEAST_ERROR))
    further = differing.greatest(second_error, np.arange(labels.shape[1]), is_alone=False)
    return _probability(common, bins, evidence, further).astype(np.float32)


def _bins(similarity: Wide) -> Rows:
    """Sort similarities into bins of equal counts; what is not known has a bin of its own."""
    given = similarity[~np.isnan(similarity)]
    # A few pairs tell nothing of how common it is that both show the same.
    count = min(_BINS, len(given) // _LEAST_IN_BIN)
    edges = np.unique(np.quantile(given, np.linspace(0, 1, count + 1)[1:-1])) if count > 1 else []
    bins = np.searchsorted(edges, np.nan_to_num(similarity), side="right")
    return np.where(np.isnan(similarity), len(edges) + 1, bins).astype(np.int64)


def _probability(common: Wide, bins: Rows, evidence: Wide, against: "Wide | float" = 0.0) -> Wide:
    """Weigh what all labels say, and what speaks against it besides."""
    prior = np.log(common / (1 - common))[bins]
    score = np.clip(prior + _DEPENDENCE * evidence - against, -50, 50)
    probability: Wide = 1 / (1 + np.exp(-score))
    return probability


def _evidence(
    labels: Mask, known: Mask, first: Rows, second: Rows, base: Wide, errors: Wide
) -> Wide:
    """Return the logarithm of: how much likelier these rows are for the same thing than by chance.

    `errors` is how often two images of one thing differ in a label.
    """
    errors = _possible(base, errors)
    both = np.log((base - errors / 2) / base**2)
    neither = np.log((1 - base - errors / 2) / (1 - base) ** 2)
    one = _if_unlike(base, errors)
    # One product: over labels known of both, `neither`, plus what a yes of either changes.
    weights = (neither, one - neither, both - 2 * one + neither)
    neither, one_yes, two_yes = (weight.astype(np.float32) for weight in weights)
    answered = known.astype(np.float32)
    carried = (labels & known).astype(np.float32)
    total = np.empty(len(first))
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        k_first, k_second = answered[first[part]], answered[second[part]]
        y_first, y_second = carried[first[part]], carried[second[part]]
        k_both = k_first * k_second
        yes = y_first * k_second + k_first * y_second
        total[part] = k_both @ neither + yes @ one_yes + (y_first * y_second) @ two_yes
    return total


def _possible(base: Wide, errors: Wide) -> Wide:
    return np.minimum(errors, base * (1 - base))  # by chance they would differ twice as often


def _if_unlike(base: Wide, errors: Wide) -> Wide:
    """Return what a label says of a pair that differs in it, as `_evidence` sums it up."""
    return np.asarray(np.log((_possible(base, errors) / 2) / (base * (1 - base))))


@dataclass(frozen=True, eq=False)
class _Differing:
    """In which answers the images of pairs differ; see `same_thing`."""

    labels: Mask
    known: Mask
    alone: Mask
    first: Rows
    second: Rows

    def greatest(self, weights: Wide, questions: Rows, *, is_alone: bool) -> Wide:
        """Return for each pair the greatest weight of an answer in which it differs.

        Parameters
        ----------
        weights
            Of the labels; those of an answer are added up.
        questions
            Which labels are one answer.
        is_alone
            Whether those count with which one of the two stands alone, or the others.

        """
        most = np.zeros(len(self.first))
        for start in range(0, len(most), _BLOCK):
            part = slice(start, start + _BLOCK)
            one, other = self.first[part], self.second[part]
            counts = (self.alone[one] | self.alone[other]) == is_alone
            counts &= self.known[one] & self.known[other]
            pair, label = np.nonzero(counts & (self.labels[one] != self.labels[other]))
            answer, place = np.unique(pair * len(questions) + questions[label], return_inverse=True)
            weight = np.bincount(place, weights[label], minlength=len(answer))
            np.maximum.at(most[part], answer // len(questions), weight)
        return most


def _differing(labels: Mask, known: Mask, first: Rows, second: Rows, same: Wide) -> Wide:
    """Estimate how often each label differs between images of the same thing."""
    differ, compared = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        both = known[first[part]] & known[second[part]]
        weights = same[part].astype(np.float32)
        compared += weights @ both.astype(np.float32)
        unlike = both & (labels[first[part]] != labels[second[part]])
        differ += weights @ unlike.astype(np.float32)
    overall = (differ.sum() + 1e-3) / max(compared.sum(), 1.0)
    # As if a hundred pairs more had been seen, with the errors of the average label.
    return np.asarray((differ + 100 * overall) / (compared + 100))
