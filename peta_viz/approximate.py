"""Nearest neighbours in sets too large to compare all with all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from peta_viz.embedding import Vectors
from peta_viz.links import Rows, normalised

EXACT_UP_TO = 200_000  # images; below it comparing all with all is no slower
_LINKS = 32
_EFFORT = 80  # while building
_LEAST_EFFORT, _MOST_EFFORT = 32, 1_024
ASKED = 1_000  # vectors whose neighbours are looked up exactly
_BLOCK = 20_000


@dataclass(frozen=True, eq=False)
class Approximate:
    """Pairs that an approximate search found.

    Parameters
    ----------
    pairs
        As `peta_viz.links.nearest_pairs` returns.
    recall
        Which share of the true nearest neighbours of some vectors it found.

    """

    pairs: pd.DataFrame
    recall: float


def approximate_pairs(
    vectors: Vectors,
    neighbours: int,
    *,
    recall: float = 0.99,
    seed: int = 0,
    progress: bool = True,
) -> Approximate:
    """Find nearest neighbours with a graph of vectors (HNSW; Malkov and Yashunin, 2018).

    The neighbours of a thousand vectors are looked up exactly as well, and the search is made
    as thorough as it takes to find the share that is wanted of them. With several threads the
    graph, and with it the last few neighbours, is not the same every time.

    Parameters
    ----------
    vectors
        float32, shape ``(N, features)``; no NaN. The graph takes them once more, and 0.3 kB each.
    neighbours
        How many for each.
    recall
        The share of the true neighbours that has to be found, from 0 to 1.
    seed
        Which vectors are looked up exactly.
    progress
        Show a progress bar on standard error.

    Returns
    -------
    Approximate
        With the recall that was reached, which may be less than what was wanted.

    """
    import faiss  # noqa: PLC0415 - only large sets need it

    unit = np.ascontiguousarray(normalised(vectors))
    count, features = unit.shape
    wanted = min(neighbours, count - 1)
    index = faiss.IndexHNSWFlat(features, _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _EFFORT
    with tqdm(total=count, desc="indexing", unit="image", disable=not progress) as bar:
        for start in range(0, count, _BLOCK):
            index.add(unit[start : start + _BLOCK])
            bar.update(min(_BLOCK, count - start))
    reached = _tune(index, unit, wanted, recall, seed)
    second = np.empty((count, wanted), dtype=np.int64)
    similarity = np.empty((count, wanted), dtype=np.float32)
    with tqdm(total=count, desc="searching", unit="image", disable=not progress) as bar:
        for start in range(0, count, _BLOCK):
            own = slice(start, start + _BLOCK)
            rows = np.arange(count)[own]
            found, places = index.search(unit[own], wanted + 1)
            second[own], similarity[own] = _without_itself(rows, places, found)
            bar.update(len(rows))
    pairs = pd.DataFrame(
        {
            "first": np.repeat(np.arange(count), wanted),
            "second": second.ravel(),
            "similarity": similarity.ravel(),
        }
    )
    # A search that ends early leaves places empty.
    return Approximate(pairs[pairs["second"] >= 0].reset_index(drop=True), reached)


def _tune(index: Any, unit: Vectors, wanted: int, recall: float, seed: int) -> float:
    """Raise the effort until the search finds the share that is wanted; return what it finds."""
    import faiss  # noqa: PLC0415

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(unit), min(ASKED, len(unit)), replace=False))
    asked = unit[rows]
    found, places = faiss.knn(asked, unit, wanted + 1, metric=faiss.METRIC_INNER_PRODUCT)
    true, _ = _without_itself(rows, places, found)
    effort, reached = max(_LEAST_EFFORT, wanted + 1), 0.0
    while True:
        index.hnsw.efSearch = effort
        found, places = index.search(asked, wanted + 1)
        second, _ = _without_itself(rows, places, found)
        hits = sum(len(np.intersect1d(*both)) for both in zip(true, second, strict=True))
        reached = hits / max(1, true.size)
        if reached >= recall or effort >= _MOST_EFFORT:
            return reached
        effort *= 2


def _without_itself(rows: Rows, places: Rows, found: Any) -> tuple[Rows, Any]:
    """Leave each row itself out of its neighbours, or the last one where it was not found."""
    itself = places == rows[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(rows), places.shape[1] - 1)
    return places[~itself].reshape(shape), found[~itself].reshape(shape)
