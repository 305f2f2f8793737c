"""A score for every label of every image: how likely it is right."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from peta_viz.agreement import LabelCounts, component_ids, count_labels
from peta_viz.embedding import Vectors
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet
from peta_viz.links import Links, nearest_pairs, normalised
from peta_viz.quality.annotators import Annotators, Evidence
from peta_viz.quality.answers import Answer, Question, Questions
from peta_viz.quality.context import Context, Floats, Mask, Rows
from peta_viz.quality.copies import mates, same_thing
from peta_viz.words import counted

NEIGHBOURS = 20
EVEN = 0.5  # a label is likelier right than wrong from here on
_FIT_ROWS = 20_000  # images that error rates and the context are estimated from
_BLOCK = 20_000  # images at a time
_SHARPNESS = 4  # neighbours count by this power of their similarity
_LITTLE = 1e-3
_FEW = 10  # components of two and more images, too few to say that labels differ nearly everywhere
_SPLIT, _SPLIT_SHARE = 2, 0.25  # so many that contradict the others are rarely so many errors
_SCARCE = 0.1  # fewer images with near-copies are too few to judge the rest by


@dataclass(frozen=True, eq=False)
class LabelQuality:
    """How likely every label of every image is right, and what says so.

    Parameters
    ----------
    imageset
        The images that were judged.
    scores
        float32 frame of shape ``(images, labels)``: the probability that the label is right, from 0
        (surely wrong) to 1; NaN where it is not known.
    expected
        float32 frame of the same shape: how likely the label is by the image's other labels, its
        features and predictions, without its near-copies.
    images
        By `image_id`: `score` (float32: of its worst label; 1 where none is known), `wrong_labels`
        (float32: how many are expected to be wrong), and `part` (int64: which part of its component
        it is in, from 0, the largest; several parts are likely several things).
    components
        By `component_id`: `size`, `score` and `wrong_labels` as above, `parts`, and `different`
        (float32: the probability that not all of its images show the same thing).
    pairs
        The pairs within components that were compared: `first`, `second` (row numbers),
        `similarity` (NaN where it was not given) and `same` (float32: the probability that both
        show the same thing).
    annotators
        How often a label is missing where it should be, and there where it should not.

    """

    imageset: ImageSet
    scores: pd.DataFrame
    expected: pd.DataFrame
    images: pd.DataFrame
    components: pd.DataFrame
    pairs: pd.DataFrame
    annotators: Annotators

    def worst(self, count: int = 100, *, least: float = 0.0) -> pd.DataFrame:
        """List the answers that are most likely wrong, worst first.

        An answer is yes or no to a label, and in an exclusive head the class. Where near-copies
        answer differently, only the ones likeliest wrong are listed: if they are, the others are
        right.

        Parameters
        ----------
        count
            How many at most.
        least
            The least `p_wrong` that is listed, such as `LISTED`.

        Returns
        -------
        DataFrame
            One row per answer: `image_id`, `component_id`, `head`, `label` (that of the exclusive
            head is the head itself), `value` and `suggested` (``"yes"`` or ``"no"``, or classes;
            where no other class is likely, nothing is suggested), `score` (the probability that it
            is right), `p_wrong` (1 − `score`), and `reason`: the evidence in words.

        """
        questions = self.questions
        scores = questions.least(self.scores.to_numpy())
        flat = np.where(self._outweighed(scores), np.inf, scores).ravel()
        count = min(count, int((1 - flat >= least).sum()))
        bound = np.partition(flat, count - 1)[count - 1] if count else -np.inf
        nearest = np.flatnonzero(flat <= bound)
        order = nearest[np.argsort(flat[nearest], kind="stable")[:count]]
        rows, asked = np.divmod(order, scores.shape[1])
        places = zip(rows.tolist(), asked.tolist(), strict=True)
        found = [self._answer(row, questions.all[question]) for row, question in places]
        answers = pd.DataFrame(found, columns=Answer._fields, dtype="str")
        score = scores[rows, asked]
        answers.insert(0, "image_id", self.scores.index.to_numpy()[rows])
        answers.insert(1, "component_id", component_ids(self.imageset)[rows])
        answers.insert(6, "score", score)
        answers.insert(7, "p_wrong", 1 - score)
        return answers

    def expect_wrong(self, worst: pd.DataFrame) -> pd.DataFrame:
        """Estimate how many of the first ones of a list are truly wrong.

        Parameters
        ----------
        worst
            As `worst` returns.

        Returns
        -------
        DataFrame
            One row for the first 100, 500, 1,000 and so on, and for all: `first`, `wrong`, and
            `low` and `high`, between which it lies with 95 % if the scores are true probabilities.

        """
        wrong = 1 - worst["score"].to_numpy(dtype=np.float64)
        steps = [step for step in (100, 500, 1_000, 5_000, 10_000) if step < len(wrong)]
        rows = []
        for step in [*steps, len(wrong)]:
            own = wrong[:step]
            margin = 1.96 * np.sqrt((own * (1 - own)).sum())
            low, high = max(0.0, own.sum() - margin), min(float(step), own.sum() + margin)
            rows.append((step, own.sum(), low, high))
        return pd.DataFrame(rows, columns=["first", "wrong", "low", "high"])

    @property
    def doubted(self) -> Mask:
        """Which labels are likelier wrong than right: bool, shape ``(images, labels)``."""
        return np.asarray(self.scores.to_numpy() < EVEN)

    @property
    def cautions(self) -> list[str]:
        """What to bear in mind: few near-copies, those that contradict, what is hardly a label."""
        words = self._scarce_copies()
        asked = self.contradicting
        if len(asked):
            words.append(
                f"In {counted(len(asked), 'component')}, such as {asked[0]}, {_SPLIT} images or "
                "more contradict the others: do they show the same? If not, raise the threshold or "
                "part them in the curator; until then more labels may count as wrong than are"
            )
        several = int((self._counts.sizes > 1).sum())
        return words + [
            f"In {differing:,} of {several:,} components the images differ in {name!r}: is it a "
            "label of what they show? If not, leave that column out"
            for name, differing in self._differing_everywhere.items()
        ]

    def _scarce_copies(self) -> list[str]:
        having, total = int((np.diff(self.copies.indptr) > 0).sum()), len(self.imageset)
        if having >= _SCARCE * total:
            return []
        words = f"{having:,} of {counted(total, 'image')} have a near-copy"
        uncertain = "probabilities rest on other labels and looks alone, and are often too high"
        sizes = self._counts.sizes
        grouped = int(sizes[sizes > 1].sum())
        if grouped < _SCARCE * total:
            more = "A re-identification network (--reid) finds more near-copies of persons"
            return [f"{words}: these {uncertain}. {more}"]
        words += (
            f" that likely shows the same, though {grouped:,} are in components of two and more"
        )
        joined = "by their labels these join different things. Raise the threshold; until then"
        return [f"{words}: {joined} {uncertain}"]

    @cached_property
    def contradicting(self) -> Rows:
        """The components in which several images contradict several others about one label.

        So many same errors are rare: it is one thing that was labelled twice, or several things.
        What differs nearly everywhere does not count.
        """
        counts = self._counts
        carried, known = counts.carried.to_numpy(), counts.known.to_numpy()
        fewer = np.minimum(carried, known - carried)
        is_split = (fewer >= _SPLIT) & (fewer >= _SPLIT_SHARE * known)
        for name in self._differing_everywhere:
            is_split[:, self.questions[name].columns] = False
        return np.asarray(counts.sizes.index[is_split.any(axis=1)], dtype=np.int64)

    @cached_property
    def _counts(self) -> LabelCounts:
        return count_labels(self.imageset)

    @cached_property
    def _differing_everywhere(self) -> dict[str, int]:
        """In how many components images differ in a label or class, where it is most of them."""
        counts = self._counts
        contested = ((counts.carried > 0) & (counts.carried < counts.known)).to_numpy()
        several = contested[(counts.sizes > 1).to_numpy()]
        if len(several) < _FEW:
            return {}
        differing = self.questions.any(several).sum(axis=0).tolist()
        names = [question.name for question in self.questions.all]
        found = dict(zip(names, differing, strict=True))
        return {name: count for name, count in found.items() if count > EVEN * len(several)}

    @cached_property
    def copies(self) -> csr_array:
        """Which images are near-copies: float32, shape ``(images, images)``, by how likely so."""
        near = self.pairs[self.pairs["same"] > EVEN]
        return _graph(len(self.imageset), near, near["same"].to_numpy())

    def copies_of(self, row: int) -> Rows:
        """Return the rows of the near-copies of an image, the likeliest first."""
        part = slice(self.copies.indptr[row], self.copies.indptr[row + 1])
        order = np.argsort(-self.copies.data[part], kind="stable")
        return np.asarray(self.copies.indices[part][order], dtype=np.int64)

    def answered(self, row: int, name: str) -> str:
        """Return what an image answers about a label or exclusive head, or ? if that is unknown."""
        question = self.questions[name]
        if not self.imageset.known.to_numpy()[row, question.columns].all():
            return "?"
        return question.value(self.imageset.labels.to_numpy()[row, question.columns])

    @cached_property
    def questions(self) -> Questions:
        """What the images are asked."""
        return Questions.of(self.imageset)

    def _outweighed(self, scores: Floats) -> Mask:
        """Which answers near-copies contradict with ones that are likelier wrong.

        `scores` and what is returned have the shape ``(images, questions)``.
        """
        labels, known = self.imageset.labels.to_numpy(), self.imageset.known.to_numpy()
        near = self.pairs[self.pairs["same"] > EVEN]
        ends = near["first"].to_numpy(), near["second"].to_numpy()
        found = np.zeros(scores.shape, dtype=bool)
        for part in _blocks(len(near)):
            one, other = ends[0][part], ends[1][part]
            apart = self.questions.any((labels[one] != labels[other]) & known[one] & known[other])
            for own, against in ((one, other), (other, one)):
                pair, question = np.nonzero(apart & (scores[against] < scores[own]))
                found[own[pair], question] = True
        return found

    def _answer(self, row: int, question: Question) -> Answer:
        columns, copies = question.columns, self.copies_of(row)
        copies = copies[self.imageset.known.to_numpy()[copies][:, columns].all(axis=1)]
        labels = self.imageset.labels.to_numpy()
        return question.answer(
            labels[row, columns],
            self.scores.to_numpy()[row, columns],
            self.expected.to_numpy()[row, columns],
            labels[copies][:, columns],
        )


def label_quality(
    imageset: ImageSet,
    vectors: Vectors | None = None,
    predictions: pd.DataFrame | None = None,
    *,
    pairs: pd.DataFrame | None = None,
    seed: int = 0,
) -> LabelQuality:
    """Estimate for every label of every image how likely it is right.

    Three things speak: near-copies, which are the images of its component, weighted by how likely
    they show the same thing, which is told from their similarity and from all their labels; the
    context, that is, the other labels of the image, what it looks like, and what images of other
    components carry that look alike; and how often annotators err at this label. All rates are
    estimated from the data. An image unlike its component in many labels is taken for another
    thing, not for a row of errors: see `LabelQuality.components`.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    vectors
        float32, shape ``(images, features)``, as `embed` returns. They are part of the context, and
        without `pairs` the nearest neighbours are found by them.
    predictions
        Probabilities of a model that was not trained on the images it judges: indexed by
        `image_id`, a column per label; what is missing does not count. They are part of the
        context.
    pairs
        Similar pairs, as `find_pairs` returns. Images of one component are compared in any case,
        if need be without a similarity.
    seed
        Which images the rates are estimated from, if there are very many.

    Returns
    -------
    LabelQuality

    Raises
    ------
    InvalidDataError
        If the image set has no `component_id`, or vectors or predictions do not fit it.

    """
    component_id = component_ids(imageset)
    labels, known = imageset.labels.to_numpy(), imageset.known.to_numpy()
    features = _features(imageset, vectors, predictions)
    given = _given(imageset, vectors, pairs)
    beyond = component_id[given["first"]] != component_id[given["second"]]
    features = np.hstack([features, _nearby(labels & known, known, given[beyond])])
    near = mates(component_id, given[~beyond], most=NEIGHBOURS, seed=seed)
    heads = [imageset.labels.columns.get_indexer(pd.Index(head.labels)) for head in imageset.heads]
    questions, lonely = np.arange(labels.shape[1]), _stands_alone(imageset)
    for head, columns in zip(imageset.heads, heads, strict=True):
        if head.kind == "exclusive":
            questions[columns] = columns[0]
            lonely[:, columns] = lonely[:, columns].any(axis=1, keepdims=True)
    near["same"] = same_thing(labels, known, near, questions=questions, alone=lonely, seed=seed)
    weights = _graph(len(imageset), near, near["same"].to_numpy())

    rng = np.random.default_rng(seed)
    # One image of each thing: copies would make what they share look like a rule.
    single = rng.permutation(len(imageset))
    single = np.sort(single[np.unique(component_id[single], return_index=True)[1]])
    if len(single) > _FIT_ROWS:
        single = np.sort(rng.choice(single, _FIT_ROWS, replace=False))
    codes = pd.factorize(component_id)[0]
    half = (rng.permutation(codes.max() + 1) % 2 == 0)[codes]
    context = Context.fit(labels[single], known[single], features[single], half[single], heads)

    carried, answered = (labels & known).astype(np.float32), known.astype(np.float32)

    def evidence(rows: "slice | Rows") -> list[Evidence]:
        yes, asked = weights[rows] @ carried, weights[rows] @ answered
        return [
            Evidence(labels[rows], known[rows], expected, yes, asked)
            for expected in context.expect(labels[rows], known[rows], features[rows], half[rows])
        ]

    some = np.sort(rng.permutation(len(imageset))[:_FIT_ROWS])
    annotators = Annotators.fit(evidence(some)[0])
    scores = np.empty(labels.shape, dtype=np.float32)
    likely = np.empty(labels.shape, dtype=np.float32)
    for rows in _blocks(len(imageset)):
        # Wrong alone, or with another label of its head: whichever is likelier.
        alone, together = evidence(rows)
        right = [annotators.right(own) for own in (alone, together)]
        likely[rows] = np.where(right[0] <= right[1], alone.expected, together.expected)
        scores[rows] = np.where(known[rows], np.minimum(*right), np.nan)
    frame = pd.DataFrame(scores, imageset.labels.index, imageset.labels.columns)
    expected = pd.DataFrame(likely, frame.index, frame.columns)
    images, components = _summaries(imageset, scores, near)
    return LabelQuality(imageset, frame, expected, images, components, near, annotators)


def _given(imageset: ImageSet, vectors: Vectors | None, pairs: pd.DataFrame | None) -> pd.DataFrame:
    """Return the similar pairs by row numbers, each once."""
    if pairs is None and vectors is not None:
        usable = np.flatnonzero(~np.isnan(vectors).any(axis=1))
        found = nearest_pairs(vectors[usable], NEIGHBOURS)
        ids = imageset.images.index[usable]
        pairs = found.assign(first=ids[found["first"]], second=ids[found["second"]])
    if pairs is None:
        pairs = pd.DataFrame({"first": [], "second": [], "similarity": []})
    links = Links.of(imageset.images.index, pairs)
    columns = {"first": links.first, "second": links.second, "similarity": links.similarity}
    return pd.DataFrame(columns)


def _stands_alone(imageset: ImageSet) -> Mask:
    """Tell where no other image of the component answers so: bool, ``(images, labels)``."""
    counts = count_labels(imageset)
    carried, known = counts.carried.to_numpy(), counts.known.to_numpy()
    codes = counts.sizes.index.get_indexer(pd.Index(component_ids(imageset)))
    labels = imageset.labels.to_numpy()
    return np.where(labels, (carried == 1)[codes], (known - carried == 1)[codes])


def _nearby(labels: Mask, known: Mask, pairs: pd.DataFrame) -> Floats:
    """Return which share of the images that look alike, but are in other components, carry a label.

    float32, shape ``(images, labels)``; without pairs there are no columns.
    """
    if not len(pairs):
        return np.zeros((len(labels), 0), dtype=np.float32)
    similarity = np.maximum(pairs["similarity"].to_numpy(dtype=np.float32), 0)
    graph = _graph(len(labels), pairs, np.power(similarity, _SHARPNESS, dtype=np.float32))
    share = labels.sum(axis=0) / np.maximum(1, known.sum(axis=0))
    yes = graph @ labels.astype(np.float32) + _LITTLE * share
    asked = graph @ known.astype(np.float32) + _LITTLE
    return np.asarray(yes / asked, dtype=np.float32)


def _features(
    imageset: ImageSet, vectors: Vectors | None, predictions: pd.DataFrame | None
) -> Floats:
    """Return what an image looks like, to networks and models: float32, without NaN."""
    problems, parts = [], [np.zeros((len(imageset), 0), dtype=np.float32)]
    if vectors is not None:
        if vectors.ndim != 2 or len(vectors) != len(imageset):  # noqa: PLR2004
            shape = f"({len(imageset)}, features)"
            problems.append(f"vectors must have the shape {shape}, but have {vectors.shape}")
        else:
            parts.append(np.nan_to_num(normalised(vectors)))
    if predictions is not None:
        unknown = predictions.columns.difference(imageset.labels.columns)
        own = predictions.reindex(imageset.images.index)
        values = own.to_numpy(dtype=np.float32)
        if len(unknown):
            problems.append(
                f"predictions have {counted(len(unknown), 'unknown label')}, such as {unknown[0]}"
            )
        elif np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=0) > 1:
            problems.append("predictions must be probabilities, from 0 to 1")
        else:
            # A column's mean stands for what was not predicted.
            there = ~np.isnan(values)
            mean = np.where(there, values, 0).sum(axis=0) / np.maximum(1, there.sum(axis=0))
            parts.append(np.where(there, values, mean).astype(np.float32))
    if problems:
        raise InvalidDataError("the evidence", problems)
    return np.hstack(parts)


def _graph(count: int, pairs: pd.DataFrame, weights: Floats) -> csr_array:
    first, second = pairs["first"].to_numpy(), pairs["second"].to_numpy()
    ends = (np.concatenate([first, second]), np.concatenate([second, first]))
    both = np.concatenate([weights, weights])
    return csr_array((both, ends), shape=(count, count), dtype=np.float32)


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, start + _BLOCK)


def _summaries(
    imageset: ImageSet, scores: Floats, near: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    codes, ids = pd.factorize(component_ids(imageset), sort=True)
    codes = codes.astype(np.int64)
    wrong = np.nansum(1 - scores, axis=1)
    worst = np.nanmin(scores, axis=1, initial=1)  # several doubts of one image are rarely separate
    rows = pd.RangeIndex(len(imageset))
    links = Links.of(rows, near.rename(columns={"same": "similarity", "similarity": "looks"}))
    part = _parts(codes, links.components(0.5))
    weakest = links.weakest(codes)["similarity"].reindex(range(len(ids)))
    images = pd.DataFrame(
        {"score": worst.astype("float32"), "wrong_labels": wrong.astype("float32"), "part": part},
        index=imageset.images.index,
    )
    grouped = images.groupby(codes)
    components = pd.DataFrame(
        {
            "size": grouped.size(),
            "score": grouped["score"].min(),
            "wrong_labels": grouped["wrong_labels"].sum(),
            "parts": grouped["part"].max() + 1,
            "different": (1 - weakest).fillna(0.0),
        }
    )
    components.index = pd.Index(ids, name="component_id")
    types = dict.fromkeys(["score", "wrong_labels", "different"], "float32")
    return images, components.astype(types)


def _parts(component: Rows, part: Rows) -> Rows:
    """Give the parts of each component numbers from 0, the largest first."""
    frame = pd.DataFrame({"component": component, "part": part})
    sizes = frame.groupby(["component", "part"], sort=True).size().rename("size").reset_index()
    sizes = sizes.sort_values(["component", "size"], ascending=[True, False], kind="stable")
    sizes["number"] = sizes.groupby("component").cumcount()
    number = sizes.set_index("part")["number"]
    return number.reindex(part).to_numpy(dtype=np.int64)
