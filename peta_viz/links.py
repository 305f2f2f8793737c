"""Similar pairs of images: finding them exactly, and what they connect above a threshold."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from peta_viz.embedding import Vectors
from peta_viz.tables import is_text

Rows = np.ndarray[Any, np.dtype[np.int64]]
Similarities = np.ndarray[Any, np.dtype[np.float32]]

MELTED_SHARE = 0.05
TILE = 2_048


@dataclass(frozen=True, eq=False)
class Links:
    """Similar pairs, and the forest of them that connects the same images at every threshold.

    The forest is a maximum spanning forest: as long as a threshold leaves two images connected,
    the links of the forest above that threshold connect them too. A threshold is compared as
    float32, as similarities are.

    Parameters
    ----------
    count
        How many images there are.
    first, second
        int64, shape ``(pairs,)``: row numbers from 0 to ``count − 1``, ``first < second``; each
        pair once, sorted by similarity, greatest first.
    similarity
        float32, shape ``(pairs,)``: the greatest that was given for the pair.
    tree_first, tree_second, tree_similarity
        The forest in the same form and order, with ``count − 1`` links at most.

    """

    count: int
    first: Rows
    second: Rows
    similarity: Similarities
    tree_first: Rows
    tree_second: Rows
    tree_similarity: Similarities

    @classmethod
    def of(cls, index: pd.Index, pairs: pd.DataFrame) -> Self:
        """Look up the rows of pairs of images and find the forest.

        Parameters
        ----------
        index
            The ids of the images, unique; row numbers are places in it.
        pairs
            Columns `first` and `second` (ids) and `similarity` (float), either way round and as
            often as may be. Pairs with an id that is not in `index` are left out, and pairs of an
            image with itself.

        """
        rows = pairs.assign(**{end: find_rows(index, pairs[end]) for end in ("first", "second")})
        there = (rows["first"] >= 0) & (rows["second"] >= 0)
        once = unique_pairs(len(index), rows[there])
        first, second = once["first"].to_numpy(), once["second"].to_numpy()
        similarity = once["similarity"].to_numpy()
        tree = _spanning_forest(len(index), first, second)
        return cls(
            len(index), first, second, similarity, first[tree], second[tree], similarity[tree]
        )

    def components(self, threshold: float) -> Rows:
        """Find the components that links more similar than `threshold` make.

        Returns
        -------
        ndarray
            int64, shape ``(count,)``: the component of each image, numbered by first image.

        """
        strong = _how_many_above(self.tree_similarity, threshold)
        return _connected(self.count, self.tree_first[:strong], self.tree_second[:strong])

    def weakest(self, component: Rows) -> pd.DataFrame:
        """Find what holds each component together by least.

        Parameters
        ----------
        component
            int64, shape ``(count,)``: the number of each image's component, in whatever way it was
            made; numbers that lie close together.

        Returns
        -------
        DataFrame
            One row per component with a link of the forest inside it, indexed by `component_id`,
            ascending: `similarity` (float32), `first` and `second` (int64 rows) of the least
            similar of these links; of equal ones the one last in the forest.

        """
        home = component[self.tree_first]
        inside = np.flatnonzero(home == component[self.tree_second])
        home = home[inside]
        low = int(home.min(initial=0))
        # Of what is written to one place, the last stays: the least similar.
        last = np.full(int(home.max(initial=low)) - low + 1, -1, dtype=np.int64)
        last[home - low] = inside
        found = np.flatnonzero(last >= 0)
        weakest = last[found]
        return pd.DataFrame(
            {
                "similarity": self.tree_similarity[weakest],
                "first": self.tree_first[weakest],
                "second": self.tree_second[weakest],
            },
            index=pd.Index(found + low, name="component_id"),
        )

    def nearest(self, threshold: float, most: int) -> Rows:
        """Find the pairs whose similarity is nearest to a threshold, on either side of it.

        Parameters
        ----------
        threshold
            The similarity.
        most
            How many pairs at most.

        Returns
        -------
        ndarray
            int64, shape ``(min(most, pairs),)``: positions in `first`, `second` and `similarity`,
            nearest first; equally near ones in their order there.

        """
        middle = _how_many_above(self.similarity, threshold)
        start = max(middle - most, 0)
        around = self.similarity[start : middle + most].astype(np.float64)
        order = np.argsort(np.abs(around - threshold), kind="stable")[:most]
        return (order + start).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Tile:
    """Neighbouring rows of the vectors.

    Parameters
    ----------
    start
        The number of the first row.
    unit
        float32, shape ``(rows, features)``, as `normalised` returns.

    """

    start: int
    unit: Vectors


class Nearest:
    """The nearest neighbours of the rows of one tile among all tiles that were added.

    Parameters
    ----------
    rows
        The tile.
    neighbours
        How many of each row are kept.

    """

    def __init__(self, rows: Tile, neighbours: int) -> None:
        self._rows = rows
        self._second = np.zeros((len(rows.unit), neighbours), dtype=np.int64)
        self._similarity = np.full((len(rows.unit), neighbours), -np.inf, dtype=np.float32)

    def add(self, others: Tile) -> None:
        """Take in another tile; their order matters where similarities are equal."""
        import faiss  # noqa: PLC0415 - not everybody who needs links searches

        wanted = self._similarity.shape[1]
        metric = faiss.METRIC_INNER_PRODUCT
        found, places = faiss.knn(self._rows.unit, others.unit, wanted + 1, metric=metric)
        # Itself, or nothing: there are fewer, or it has NaN.
        itself = places + others.start == np.arange(len(places))[:, None] + self._rows.start
        found[itself | (places < 0)] = -np.inf
        second = np.hstack([self._second, places + others.start])
        similarity = np.hstack([self._similarity, found])
        kept = np.argpartition(similarity, -wanted, axis=1)[:, -wanted:]
        self._second = np.take_along_axis(second, kept, axis=1)
        self._similarity = np.take_along_axis(similarity, kept, axis=1)

    def pairs(self) -> pd.DataFrame:
        """Return what was found, in the form of `nearest_pairs`."""
        rows, places = np.nonzero(self._similarity > -np.inf)
        return _frame(
            rows + self._rows.start, self._second[rows, places], self._similarity[rows, places]
        )


def nearest_pairs(vectors: Vectors, neighbours: int, *, tile: int = TILE) -> pd.DataFrame:
    """Find the nearest neighbours of every vector by exact cosine search.

    Parameters
    ----------
    vectors
        float32, shape ``(N, features)``. A row with NaN has no neighbours and is none.
    neighbours
        How many for each.
    tile
        Vectors are compared in blocks of so many with so many.

    Returns
    -------
    DataFrame
        ``N × min(neighbours, N − 1)`` rows for N rows without NaN: `first`, `second` (row numbers)
        and `similarity` (cosine, float32); sorted by `first`, neighbours of one in no particular
        order.

    """
    tiles = list(_tiles(normalised(vectors), tile))
    found = []
    for rows in tiles:
        nearest = Nearest(rows, neighbours)
        for other in tiles:
            nearest.add(other)
        found.append(nearest.pairs())
    return pd.concat([no_pairs(), *found], ignore_index=True)


def pairs_above(vectors: Vectors, threshold: float, *, tile: int = TILE) -> pd.DataFrame:
    """Find every pair of rows that is more similar than a threshold, by comparing all with all.

    Parameters
    ----------
    vectors
        float32, shape ``(N, features)``; a row with NaN has no pair.
    threshold
        Cosine similarity, compared as float32.
    tile
        As for `nearest_pairs`.

    Returns
    -------
    DataFrame
        As `unique_pairs`.

    """
    tiles = list(_tiles(normalised(vectors), tile))
    found = [
        above(rows, other, threshold) for place, rows in enumerate(tiles) for other in tiles[place:]
    ]
    return unique_pairs(len(vectors), pd.concat([no_pairs(), *found], ignore_index=True))


def normalised(vectors: Vectors) -> Vectors:
    """Return vectors of length 1 (float32); zeros stay zeros, rows with NaN stay NaN."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def above(rows: Tile, others: Tile, threshold: float) -> pd.DataFrame:
    """Compare a tile with itself or a later one, and return what is above a threshold.

    Returns
    -------
    DataFrame
        `first`, `second` (row numbers, ``first < second``) and `similarity`, each pair once.

    """
    block = rows.unit @ others.unit.T
    first, second = np.nonzero(block > np.float32(threshold))
    once = first + rows.start < second + others.start
    first, second = first[once], second[once]
    return _frame(first + rows.start, second + others.start, block[first, second])


def no_pairs() -> pd.DataFrame:
    """Return a frame of pairs (`first`, `second`, `similarity`) without any."""
    return _frame(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def find_rows(index: pd.Index, ids: "pd.Series[Any]") -> Rows:
    """Return the row of each id in a unique index, −1 where it is not there; int64, ``(ids,)``."""
    if not (is_text(index) and is_text(ids)):
        return np.asarray(index.get_indexer(pd.Index(ids)), dtype=np.int64)
    # By Arrow: pandas would make a Python object of each id, and keep them with the index.
    found = pc.index_in(pa.array(ids.array), value_set=pa.array(index.array))
    return np.asarray(found.fill_null(-1), dtype=np.int64)


def unique_pairs(count: int, pairs: pd.DataFrame) -> pd.DataFrame:
    """Give each unordered pair of rows once, with its greatest similarity.

    Parameters
    ----------
    count
        How many rows there are.
    pairs
        `first`, `second` (row numbers from 0 to ``count − 1``) and `similarity`.

    Returns
    -------
    DataFrame
        `first` and `second` (int64, ``first < second``) and `similarity` (float32), sorted by
        similarity, greatest first, equal ones by `first` and `second`. Pairs of a row with itself
        are left out.

    Examples
    --------
    >>> pairs = {"first": [1, 0, 2], "second": [0, 1, 2], "similarity": [0.5, 0.75, 1.0]}
    >>> unique_pairs(3, pd.DataFrame(pairs)).values.tolist()
    [[0.0, 1.0, 0.75]]

    """
    ends = pairs[["first", "second"]].to_numpy(dtype=np.int64)
    first, second = ends.min(axis=1), ends.max(axis=1)
    similarity = pairs["similarity"].to_numpy(dtype=np.float32)
    key = first * count + second
    order = np.lexsort((key, -similarity))
    order = order[(first != second)[order]]
    _, places = np.unique(key[order], return_index=True)
    kept = order[np.sort(places)]
    return _frame(first[kept], second[kept], similarity[kept])


def connect(count: int, pairs: pd.DataFrame) -> Rows:
    """Find the connected components of a graph of pairs.

    Parameters
    ----------
    count
        How many nodes there are.
    pairs
        The links: columns `first` and `second`, row numbers from 0 to ``count − 1``.

    Returns
    -------
    ndarray
        int64, shape ``(count,)``; components are numbered in the order of their first node.

    Examples
    --------
    >>> connect(4, pd.DataFrame({"first": [3], "second": [1]})).tolist()
    [0, 1, 2, 1]

    """
    return _connected(count, pairs["first"].to_numpy(), pairs["second"].to_numpy())


def suggest_threshold(links: Links, share: float = MELTED_SHARE) -> float | None:
    """Find the lowest threshold, in steps of 0.01, at which no component exceeds a share.

    Parameters
    ----------
    links
        The similar pairs.
    share
        The largest component allowed, as a share of all images.

    Returns
    -------
    float or None
        The threshold, or None if even 0.99 is too low.

    """
    thresholds = [hundredths / 100 for hundredths in range(1, 100)]
    # Raising the threshold only ever takes components apart.
    place = bisect_left(
        thresholds,
        True,
        key=lambda threshold: np.bincount(links.components(threshold)).max() <= share * links.count,
    )
    return thresholds[place] if place < len(thresholds) else None


def _tiles(unit: Vectors, height: int) -> Iterator[Tile]:
    for start in range(0, len(unit), height):
        yield Tile(start, unit[start : start + height])


def _frame(first: Rows, second: Rows, similarity: Similarities) -> pd.DataFrame:
    return pd.DataFrame({"first": first, "second": second, "similarity": similarity})


def _connected(count: int, first: Rows, second: Rows) -> Rows:
    ones = np.ones(len(first), dtype=np.int8)
    graph = coo_array((ones, (first, second)), shape=(count, count)).tocsr()
    _, found = connected_components(graph, directed=False)
    numbers, _ = pd.factorize(found)
    return np.asarray(numbers, dtype=np.int64)


def _spanning_forest(count: int, first: Rows, second: Rows) -> Rows:
    """Return the places of the links of the forest, of pairs sorted by similarity."""
    # The place in the order is the cost: whole numbers, with no ties and no zeros to be dropped.
    places = np.arange(1, len(first) + 1, dtype=np.float64)
    graph = coo_array((places, (first, second)), shape=(count, count)).tocsr()
    forest = minimum_spanning_tree(graph)
    return np.sort(forest.data).astype(np.int64) - 1


def _how_many_above(similarity: Similarities, threshold: float) -> int:
    """Count what is above a threshold in similarities sorted greatest first."""
    upwards = similarity[::-1]
    return len(upwards) - int(np.searchsorted(upwards, np.float32(threshold), side="right"))
