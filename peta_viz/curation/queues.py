"""Queues: which components a person looks at, and in which order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from peta_viz.agreement import component_ids, count_labels
from peta_viz.curation.acts import Entry, Ledger
from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import component_sources
from peta_viz.flips import flips
from peta_viz.imageset import ImageSet
from peta_viz.links import Links

BY = ("influence", "flips", "similarity")
_REOPENS = ("relabel", "accept", "split")


def make_queue(
    imageset: ImageSet,
    components: pd.DataFrame,
    *,
    by: str = "influence",
    sides: Collection[str] = (),
    predictions: pd.DataFrame | None = None,
    pairs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Order components by how much a look at them is worth, and leave out where it is nothing.

    Parameters
    ----------
    imageset
        Images with `component_id`, and `split` where sides are asked for.
    components
        As `measure_components` returns, with any columns of your own.
    by
        ``"influence"``: how much macro F1, mean over heads, hangs on the contested labels: each
        counts as one in so many that carry it on its side, and rare ones so more than common ones.
        ``"flips"``: how many heads and seeds turned from wrong in A to right in B and C, or back.
        ``"similarity"``: the weakest link first. Or the name of a column of `components`, greatest
        first, from above 0.
    sides
        Only components on these sides of the split, such as ``["validation"]``.
    predictions
        As `run_experiments` returns; for ``"flips"``.
    pairs
        Similar pairs, as `find_pairs` returns; for ``"similarity"``.

    Returns
    -------
    DataFrame
        One row per component, in that order: `component_id` (int64) and `score` (float64).

    Raises
    ------
    InvalidDataError
        If there is no such order or side, or what it needs was not given.

    """
    if by == "similarity":
        score = _weakness(imageset, pairs)
    else:
        score = _score(imageset, components, by, predictions)
    if sides:
        score = score[_on(imageset, sides).reindex(score.index).to_numpy()]
    ordered = score.sort_values(ascending=False, kind="stable")
    return pd.DataFrame(
        {"component_id": ordered.index.astype("int64"), "score": ordered.to_numpy(dtype="float64")}
    )


def influence(imageset: ImageSet) -> "pd.Series[float]":
    """Estimate how much the mean macro F1 over heads hangs on the contested labels of a component.

    Returns
    -------
    Series
        float64 by `component_id`: over its contested labels the sum of
        1 / (heads × labels in the head × components that carry the label on the same side).
        Labels in no head are taken for one more head.

    """
    counts = count_labels(imageset)
    carried, known = counts.carried.to_numpy(), counts.known.to_numpy()
    contested = (carried > 0) & (carried < known)
    sizes = {label: len(head.labels) for head in imageset.heads for label in head.labels}
    alone = [name for name in counts.carried.columns if name not in sizes]
    sizes |= dict.fromkeys(alone, len(alone))
    heads = len(imageset.heads) + bool(alone)
    share = np.array([1 / (heads * sizes[name]) for name in counts.carried.columns])
    sides = "split" in imageset.images.columns
    side = _sides(imageset).reindex(counts.carried.index) if sides else None
    weights = np.zeros(contested.shape)
    for own in [np.ones(len(carried), dtype=bool)] if side is None else _masks(side):
        weights[own] = share / np.maximum(1, (2 * carried[own] > known[own]).sum(axis=0))
    return pd.Series((contested * weights).sum(axis=1), counts.carried.index)


def strata_of(
    imageset: ImageSet, components: pd.DataFrame, *, sides: Collection[str] = ()
) -> "pd.Series[str]":
    """Sort components of two and more into strata: by source, and by whether they are contested.

    Parameters
    ----------
    imageset
        Images with `component_id`, and `split` where sides are asked for.
    components
        As `measure_components` returns.
    sides
        Only components on these sides of the split.

    Returns
    -------
    Series
        Text such as ``"CUHK, contested"``, indexed by `component_id`.

    """
    several = components[components["size"] > 1]
    if sides:
        several = several[_on(imageset, sides).reindex(several.index).to_numpy()]
    source = component_sources(imageset).reindex(several.index)
    agree = several["contested"].map({True: "contested", False: "agreed"})
    return (source.astype("str") + ", " + agree.astype("str")).rename("stratum")


def draw_components(
    strata: "pd.Series[Any]", count: int, *, seed: int = 0, least: int = 1
) -> pd.DataFrame:
    """Draw components at random, as many of each stratum, to judge all of them by.

    Parameters
    ----------
    strata
        The stratum of each component, indexed by `component_id`.
    count
        How many in all; strata that are too small leave their places to the others.
    seed
        The same seed draws the same.
    least
        How many of each stratum, if it has as many.

    Returns
    -------
    DataFrame
        In random order: `component_id` (int64), `stratum` (text) and `probability` (float64, with
        which this one was drawn). Look at them blindly, and in this order: then what was done when
        you stop is a random part, too.

    Raises
    ------
    InvalidDataError
        If there is no component.

    """
    if not len(strata):
        raise InvalidDataError("the drawing", ["there is no component of two images and more"])
    rng = np.random.default_rng(seed)
    sizes = strata.value_counts().sort_index()
    shares = _shares(sizes, count, least)
    parts = []
    for name, share in shares.items():
        own = strata.index[strata == name]
        chosen = rng.permutation(len(own))[: int(share)]
        parts.append(
            pd.DataFrame(
                {
                    "component_id": own[chosen].astype("int64"),
                    "stratum": str(name),
                    "probability": share / len(own),
                }
            )
        )
    drawn = pd.concat(parts, ignore_index=True)
    return drawn.iloc[rng.permutation(len(drawn))].reset_index(drop=True)


def estimate_share(
    strata: "pd.Series[Any]", judged: "pd.Series[bool]", *, draws: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """Estimate which share of all components something is true of, from those that were drawn.

    Parameters
    ----------
    strata
        The stratum of every component, indexed by `component_id`, as given to `draw_components`.
    judged
        Of each component that was looked at: is it true?
    draws, seed
        How the interval is drawn: from the Beta distribution of each stratum, beginning with
        Jeffreys' prior, so that strata without a case are not taken for certain.

    Returns
    -------
    tuple of float
        The share, each stratum with its weight, and its 95 % interval.

    Raises
    ------
    InvalidDataError
        If no component of a stratum was looked at.

    """
    rng = np.random.default_rng(seed)
    weights = strata.value_counts(normalize=True)
    of = strata.reindex(judged.index)
    missing = sorted(str(name) for name in set(weights.index) - set(of))
    if missing:
        words = f"no component of the stratum {', '.join(missing)} was looked at"
        raise InvalidDataError("the estimate", [words])
    share, drawn = 0.0, np.zeros(draws)
    for name, weight in weights.items():
        own = judged[of == name]
        share += weight * own.mean()
        drawn += weight * rng.beta(own.sum() + 0.5, (~own).sum() + 0.5, draws)
    low, high = np.percentile(drawn, [2.5, 97.5])
    # Where nothing, or everything, was found the middle of the distribution leaves it out.
    return float(share), float(min(low, share)), float(max(high, share))


def members_of(imageset: ImageSet) -> dict[int, frozenset[str]]:
    """Return the ids of the images of every component."""
    found: dict[int, list[str]] = {}
    ids = imageset.images.index.tolist()
    for component, image_id in zip(component_ids(imageset).tolist(), ids, strict=True):
        found.setdefault(component, []).append(image_id)
    return {component: frozenset(images) for component, images in found.items()}


def fitting(entries: Iterable[Entry], members: Mapping[int, frozenset[str]]) -> list[Entry]:
    """Keep the entries about components as they are; others are of another clustering."""
    return [
        entry
        for entry in entries
        if members.get(entry.act.component_id) == frozenset(entry.act.images)
    ]


def done_by(entries: Iterable[Entry], person: str = "") -> set[int]:
    """Return the components that were settled, by one person or by anybody.

    What is relabelled or regrouped afterwards is open again, unless it is all settled then, too.

    Parameters
    ----------
    entries
        Acts that stand, as `Ledger.acts` returns.
    person
        By whom; by anybody if it is empty.

    """
    done: set[int] = set()
    for entry in entries:
        if not person or entry.person == person:
            settle(done, entry)
    return done


def settle(done: set[int], entry: Entry) -> None:
    """Tell a set of settled components of one more act."""
    if entry.act.settles:
        done.add(entry.act.component_id)
    elif entry.act.kind in _REOPENS:
        done.discard(entry.act.component_id)


def second_opinions(
    imageset: ImageSet,
    queue: pd.DataFrame,
    ledger: Ledger,
    person: str,
    share: float,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """Leave out what others have settled, but for a share of it that is to be judged again.

    Look at these blindly: an opinion that knows the first one is none.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    queue
        As `make_queue` or `draw_components` return.
    ledger
        What was decided.
    person
        Who is to judge.
    share
        From 0 to 1: of what others settled. The same components for everybody, drawn by `seed`.
    seed
        For the drawing.

    """
    acts = fitting(ledger.acts(), members_of(imageset))
    others = done_by(acts) - done_by(acts, person)
    chance = {
        component: np.random.default_rng([seed, int(component)]).random() for component in others
    }
    kept = [
        component not in others or chance[component] < share
        for component in queue["component_id"].tolist()
    ]
    return queue[kept].reset_index(drop=True)


def _score(
    imageset: ImageSet, components: pd.DataFrame, by: str, predictions: pd.DataFrame | None
) -> "pd.Series[float]":
    if by == "influence":
        score = influence(imageset)
    elif by == "flips":
        if predictions is None:
            raise InvalidDataError("the queue", ["flips are found in predictions: give them"])
        turned = flips(predictions, imageset.heads)
        score = turned["component_id"].value_counts().sort_index().astype("float64")
    elif by in components.select_dtypes(["number", "bool"]):
        score = components[by].astype("float64")
    else:
        known = ", ".join([*BY, *map(str, components.select_dtypes("number").columns)])
        raise InvalidDataError("the queue", [f"there is no order {by!r}; there are {known}"])
    return score[score > 0]


def _weakness(imageset: ImageSet, pairs: pd.DataFrame | None) -> "pd.Series[float]":
    if pairs is None:
        raise InvalidDataError("the queue", ["the weakest links are found in pairs: give them"])
    codes, ids = pd.factorize(component_ids(imageset), sort=True)
    weakest = Links.of(imageset.images.index, pairs).weakest(codes.astype(np.int64))
    index = pd.Index(ids[weakest.index], name="component_id")
    return -weakest["similarity"].astype("float64").set_axis(index)


def _on(imageset: ImageSet, sides: Collection[str]) -> "pd.Series[bool]":
    there = _sides(imageset)
    unknown = sorted(set(sides) - set(there))
    if unknown:
        words = f"no side {', '.join(unknown)}; there are {', '.join(sorted(set(there)))}"
        raise InvalidDataError("the queue", [words])
    return there.isin(list(sides))


def _sides(imageset: ImageSet) -> "pd.Series[str]":
    if "split" not in imageset.images.columns:
        raise InvalidDataError("the image set", ["it is not split yet: it has no column 'split'"])
    ids = component_ids(imageset)
    return pd.Series(imageset.images["split"].to_numpy(), ids).groupby(level=0).first()


def _masks(side: "pd.Series[str]") -> Sequence[Any]:
    return [(side == name).to_numpy() for name in side.unique()]


def _shares(sizes: "pd.Series[int]", count: int, least: int) -> "pd.Series[int]":
    """Deal `count` out evenly, none more than there are."""
    shares = sizes.clip(upper=least)
    while shares.sum() < min(count, sizes.sum()):
        open_ones = shares.index[shares < sizes]
        room = min(count, sizes.sum()) - shares.sum()
        shares[open_ones[: int(room)]] += 1
    return shares
