"""Groups near-identical images into components. The only place that imports fastdup."""

import contextlib
import io
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from peta_viz.embedding import Vectors
from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.images import problems_of
from peta_viz.imageset import ImageSet

Backend = Literal["fastdup", "exact"]

FASTDUP_THRESHOLD = 0.96
REID_THRESHOLD = 0.70
MELTED_SHARE = 0.05
_BLOCK_BYTES = 256 * 2**20
_FIGURES = ["blur", "mean", "stdv"]


class MeltedWarning(UserWarning):
    """One component holds a large share of all images: the threshold is too low."""


def cluster(
    imageset: ImageSet,
    *,
    threshold: float | None = None,
    vectors: Vectors | None = None,
    neighbours: int | None = None,
    backend: Backend = "fastdup",
    work_dir: str | Path | None = None,
) -> ImageSet:
    """Group images into components: connected by pairs more similar than a threshold.

    Two images are linked when one is among the nearest neighbours of the other and their cosine
    similarity is above `threshold`. Components are what is connected; every image is in one, and
    an image like no other is a singleton of its own.

    Parameters
    ----------
    imageset
        The images.
    threshold
        Similarity from 0 to 1; by default 0.96 for fastdup's own features (its default) and 0.70
        for `vectors`, which suits ``person-reidentification-retail-0277``.
    vectors
        float32, shape ``(images, features)``, as `embed` returns; NaN rows have no neighbours.
        Without them fastdup computes its own features.
    neighbours
        How many nearest neighbours of each image are looked at; by default 2 for fastdup's own
        features (its default) and 20 for `vectors`.
    backend
        ``"fastdup"``, or ``"exact"``: a blocked matrix product that needs `vectors`, takes bounded
        memory and gives the same components.
    work_dir
        Folder for fastdup's own files, replaced; a temporary one by default.

    Returns
    -------
    ImageSet
        With these columns of `images` added: `component_id` (int64, numbered by first image),
        `outlier_distance` (float32, 1 − similarity of the nearest neighbour), `problem` filled for
        every image that could not be decoded, and with fastdup `blur` (variance of the Laplacian:
        lower is blurrier), `brightness` (mean, 0–255) and `contrast` (standard deviation).

    Raises
    ------
    InvalidDataError
        If `vectors` do not fit the images, or `threshold` or `neighbours` are out of range.
    MissingPartError
        If fastdup is not there or refuses to run; the message names the way without it.

    Warns
    -----
    MeltedWarning
        If the largest component holds more than 5 % of the images; a better threshold is named.

    """
    if threshold is None:
        threshold = FASTDUP_THRESHOLD if vectors is None else REID_THRESHOLD
    if neighbours is None:
        neighbours = 2 if vectors is None else 20
    _check(imageset, threshold, vectors, neighbours, backend)

    usable = (imageset.images["problem"] == "").to_numpy(copy=True)
    if vectors is None:
        # fastdup takes truncated pictures, which nothing after it could decode.
        imageset = imageset.with_columns(problem=_decoding_problems(imageset))
        usable = (imageset.images["problem"] == "").to_numpy()
    else:
        usable &= ~np.isnan(vectors).any(axis=1)
    rows = np.flatnonzero(usable)
    paths = imageset.images["path"].to_numpy()[rows].tolist()
    if backend == "exact":
        assert vectors is not None
        pairs = nearest_pairs(vectors[rows], neighbours)
        figures = pd.DataFrame(index=pd.RangeIndex(len(rows)))
    else:
        with _fastdup_folder(work_dir) as folder:
            own = None if vectors is None else vectors[rows]
            pairs, figures = _run_fastdup(folder, paths, own, threshold, neighbours)
    pairs = pairs.assign(first=rows[pairs["first"]], second=rows[pairs["second"]])
    component_id = connect(len(imageset), pairs[pairs["similarity"] > threshold])
    _warn_if_melted(component_id, pairs, threshold)

    columns: dict[str, Any] = {
        "component_id": component_id,
        "outlier_distance": _outlier_distance(len(imageset), pairs),
        "problem": _problems(imageset, usable, rows, figures),
    }
    for name in figures.columns:
        column = np.full(len(imageset), np.nan, dtype=np.float32)
        column[rows] = figures[name].to_numpy()
        columns[name] = column
    return imageset.with_columns(**columns)


def nearest_pairs(
    vectors: Vectors, neighbours: int, *, block_bytes: int = _BLOCK_BYTES
) -> pd.DataFrame:
    """Find the nearest neighbours of every vector by exact cosine search.

    Parameters
    ----------
    vectors
        float32, shape ``(N, features)``; no NaN.
    neighbours
        How many for each.
    block_bytes
        Memory for one block of similarities.

    Returns
    -------
    DataFrame
        ``N × min(neighbours, N − 1)`` rows: `first`, `second` (row numbers) and `similarity`
        (cosine, float32); sorted by `first`, neighbours of one in no particular order.

    """
    count = len(vectors)
    wanted = min(neighbours, count - 1)
    if wanted < 1:
        return _pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    height = max(1, block_bytes // (3 * 4 * count))
    second = np.empty((count, wanted), dtype=np.int64)
    similarity = np.empty((count, wanted), dtype=np.float32)
    for start in range(0, count, height):
        block = unit[start : start + height] @ unit.T
        inside = np.arange(len(block))
        block[inside, inside + start] = -np.inf
        nearest = np.argpartition(block, -wanted, axis=1)[:, -wanted:]
        second[start : start + height] = nearest
        similarity[start : start + height] = np.take_along_axis(block, nearest, axis=1)
    first = np.repeat(np.arange(count), wanted)
    return _pairs(first, second.ravel(), similarity.ravel())


def connect(count: int, pairs: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
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
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, (pairs["first"], pairs["second"])), shape=(count, count))
    _, found = connected_components(graph.tocsr(), directed=False)
    numbers, _ = pd.factorize(found)
    return np.asarray(numbers, dtype=np.int64)


def suggest_threshold(count: int, pairs: pd.DataFrame, share: float = MELTED_SHARE) -> float | None:
    """Find the lowest threshold, in steps of 0.01, at which no component exceeds a share.

    Parameters
    ----------
    count
        How many images there are.
    pairs
        Columns `first`, `second`, `similarity`.
    share
        The largest component allowed, as a share of all images.

    Returns
    -------
    float or None
        The threshold, or None if even 0.99 is too low.

    """
    # A maximum spanning tree connects the same nodes at every threshold, with N − 1 links at most.
    cost = 2.0 - pairs["similarity"].to_numpy(dtype=float)
    ends = np.sort(pairs[["first", "second"]].to_numpy(), axis=1)
    links = pd.DataFrame({"first": ends[:, 0], "second": ends[:, 1], "cost": cost})
    links = links.groupby(["first", "second"], as_index=False).min()
    graph = coo_array(
        (links["cost"], (links["first"], links["second"])), shape=(count, count)
    ).tocsr()
    tree = minimum_spanning_tree(graph).tocoo()
    similarity = 2.0 - tree.data
    for threshold in np.arange(0.01, 1.0, 0.01).round(2):
        strong = similarity > threshold
        strong_links = pd.DataFrame({"first": tree.row[strong], "second": tree.col[strong]})
        if np.bincount(connect(count, strong_links)).max() <= share * count:
            return float(threshold)
    return None


def _check(
    imageset: ImageSet,
    threshold: float,
    vectors: Vectors | None,
    neighbours: int,
    backend: str,
) -> None:
    problems = []
    if not 0 <= threshold <= 1:
        problems.append(f"threshold must be from 0 to 1, but is {threshold}")
    if neighbours < 1:
        problems.append(f"neighbours must be 1 or more, but is {neighbours}")
    if backend not in ("fastdup", "exact"):
        problems.append(f"backend must be 'fastdup' or 'exact', but is {backend!r}")
    if backend == "exact" and vectors is None:
        problems.append("backend='exact' needs vectors=…, such as embed(imageset, model) returns")
    if vectors is not None and (vectors.ndim != 2 or len(vectors) != len(imageset)):  # noqa: PLR2004
        problems.append(
            f"vectors must have the shape ({len(imageset)}, features), but have {vectors.shape}"
        )
    if problems:
        raise InvalidDataError("clustering with these options", problems)


def _pairs(
    first: np.ndarray[Any, Any], second: np.ndarray[Any, Any], similarity: np.ndarray[Any, Any]
) -> pd.DataFrame:
    return pd.DataFrame({"first": first, "second": second, "similarity": similarity})


def _outlier_distance(count: int, pairs: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float32]]:
    nearest = np.zeros(count, dtype=np.float32)
    # Both ways: fastdup's search is approximate, and what one image misses the other has found.
    for end in ("first", "second"):
        np.maximum.at(nearest, pairs[end].to_numpy(), pairs["similarity"].to_numpy(np.float32))
    return 1 - nearest


def _decoding_problems(imageset: ImageSet) -> "pd.Series[str]":
    problem = imageset.images["problem"]
    found = problems_of(imageset.images["path"])
    return problem.where(problem != "", pd.Series(found, index=problem.index, dtype="str"))


def _problems(
    imageset: ImageSet,
    usable: np.ndarray[Any, np.dtype[np.bool_]],
    rows: np.ndarray[Any, Any],
    figures: pd.DataFrame,
) -> "pd.Series[str]":
    """Fill in why an image has no vector or no figures; only those are decoded again."""
    suspect = ~usable
    if len(figures.columns):
        suspect[rows] |= figures.isna().any(axis=1).to_numpy()
    problem = imageset.images["problem"].copy()
    silent = suspect & (problem == "").to_numpy()
    problem[silent] = problems_of(imageset.images["path"][silent])
    still = silent & (problem == "").to_numpy()
    problem[still] = "fastdup gave no features for it (it may be under 10×10 pixels)"
    return problem


def _warn_if_melted(
    component_id: np.ndarray[Any, Any], pairs: pd.DataFrame, threshold: float
) -> None:
    count, largest = len(component_id), int(np.bincount(component_id).max())
    # In a handful of images a pair is more than 5 %, and nothing is wrong with that.
    if largest <= max(MELTED_SHARE * count, 20):
        return
    better = suggest_threshold(count, pairs)
    advice = f"try threshold={better:.2f}" if better else "these features do not tell images apart"
    warnings.warn(
        f"the largest component holds {largest:,} of {count:,} images "
        f"({largest / count:.0%}) at threshold {threshold:.2f}: {advice}",
        MeltedWarning,
        stacklevel=3,
    )


@contextmanager
def _fastdup_folder(work_dir: str | Path | None) -> Iterator[Path]:
    if work_dir is None:
        with tempfile.TemporaryDirectory(prefix="peta-viz-") as temporary:
            yield Path(temporary)
    else:
        folder = Path(work_dir)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder


def _run_fastdup(
    folder: Path, paths: list[str], vectors: Vectors | None, threshold: float, neighbours: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pairs and, per row of `paths`, the figures (NaN where fastdup has none)."""
    fastdup = _import_fastdup()
    options = {"ccthreshold": threshold, "threshold": 0.0, "nearest_neighbors_k": neighbours}
    if vectors is None:
        _call_fastdup(fastdup, folder / "features", annotations=paths, **options)
        stats = folder / "features"
    else:
        stats = folder / "stats"
        _call_fastdup(fastdup, stats, annotations=paths, run_stats_only=True)
        own = np.ascontiguousarray(vectors, dtype=np.float32)
        _call_fastdup(fastdup, folder / "features", annotations=paths, embeddings=own, **options)
    pairs = pd.read_csv(folder / "features" / "similarity.csv")
    pairs = _pairs(*(pairs[c].to_numpy() for c in ("from", "to", "distance")))
    components = pd.read_csv(folder / "features" / "connected_components.csv")
    _agree(pairs, components, threshold, len(paths))
    found = pd.read_csv(stats / "atrain_stats.csv", index_col="index")
    figures = found[_FIGURES].reindex(pd.RangeIndex(len(paths)))
    return pairs, figures.rename(columns={"mean": "brightness", "stdv": "contrast"})


def _agree(pairs: pd.DataFrame, components: pd.DataFrame, threshold: float, count: int) -> None:
    """Take fastdup's own components where rounding in its table of pairs would change them."""
    ids = components.set_index("__id")["component_id"].reindex(pd.RangeIndex(count))
    same = (ids.to_numpy()[pairs["first"]] == ids.to_numpy()[pairs["second"]]) & (
        ids.notna().to_numpy()[pairs["first"]]
    )
    near = (pairs["similarity"] - threshold).abs() < 1e-5  # noqa: PLR2004 - printed to six digits
    pairs.loc[near & same, "similarity"] = np.nextafter(threshold, 2)
    pairs.loc[near & ~same, "similarity"] = threshold


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Let the progress that fastdup's compiled part prints go where progress bars go."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _import_fastdup() -> Any:
    # It reports crashes and looks for a newer release of itself unless told not to, before import.
    os.environ["SENTRY_OPT_OUT"] = "1"
    os.environ["FASTDUP_PRODUCTION"] = "1"
    try:
        import fastdup  # noqa: PLC0415
    except ImportError as error:
        raise MissingPartError(
            f"fastdup cannot be loaded ({error}); with vectors from embed(), "
            'cluster(…, backend="exact") works without it'
        ) from error
    return fastdup


def _call_fastdup(fastdup: Any, folder: Path, **options: object) -> None:
    logging.getLogger("fastdup").setLevel(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), _stdout_to_stderr():
            project = fastdup.create(work_dir=str(folder), input_dir=os.sep)
            failed = project.run(overwrite=True, print_summary=False, **options)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is a way without fastdup
        failed = error
    if failed or not (folder / "atrain_features.dat.csv").is_file():
        raise MissingPartError(
            f"fastdup did not run ({failed or 'no output'}); with vectors from embed(), "
            'cluster(…, backend="exact") works without it'
        )
