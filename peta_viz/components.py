"""Groups near-identical images into components. The only place that imports fastdup."""

import contextlib
import io
import logging
import os
import re
import select
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from tqdm import tqdm

from peta_viz.approximate import ASKED, EXACT_UP_TO, approximate_pairs
from peta_viz.embedding import Vectors
from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.images import problems_of
from peta_viz.imageset import ImageSet, refuse_other
from peta_viz.links import (
    MELTED_SHARE,
    Links,
    Rows,
    nearest_pairs,
    pairs_above,
    suggest_threshold,
    unique_pairs,
)
from peta_viz.progress import bar_fits

Backend = Literal["fastdup", "exact", "approximate", "auto"]

FASTDUP_THRESHOLD = 0.96
REID_THRESHOLD = 0.70
_EXHAUSTIVE_UP_TO = 20_000  # vectors that fastdup compares all with all
_HOW_FAR = re.compile(r"(\d+)% Estimated")
_FIGURES = ["blur", "mean", "stdv"]
NO_NUMBER = "its vector is not a number"
_NO_FEATURES = "fastdup gave no features for it (it may be under 10×10 pixels)"


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
    an image like no other is a singleton of its own. This is `find_pairs` and then `link`.

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
        ``"fastdup"``; or without it, by `vectors`: ``"exact"`` compares all with all, in bounded
        memory, and gives the same components; ``"approximate"`` finds 99 % of the neighbours by a
        graph of vectors; ``"auto"`` is exact up to 200,000 images and approximate beyond.
    work_dir
        Folder for fastdup's own files, replaced; a temporary one by default.

    Returns
    -------
    ImageSet
        With `component_id` (int64, numbered by first image) and the columns that `find_pairs`
        adds.

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
    threshold = default_threshold(vectors) if threshold is None else threshold
    imageset, pairs = find_pairs(
        imageset,
        threshold=threshold,
        vectors=vectors,
        neighbours=neighbours,
        backend=backend,
        work_dir=work_dir,
    )
    return _link(imageset, pairs, threshold)


def default_threshold(vectors: Vectors | str | None) -> float:
    """Return the threshold where none is given: 0.96, or 0.70 for vectors, or their network."""
    return FASTDUP_THRESHOLD if vectors is None else REID_THRESHOLD


def find_pairs(
    imageset: ImageSet,
    *,
    threshold: float | None = None,
    vectors: Vectors | None = None,
    neighbours: int | None = None,
    backend: Backend = "fastdup",
    work_dir: str | Path | None = None,
) -> tuple[ImageSet, pd.DataFrame]:
    """Find each image's nearest neighbours: the first step of `cluster`.

    Parameters
    ----------
    imageset, vectors, neighbours, backend, work_dir
        As for `cluster`.
    threshold
        As for `cluster`. All pairs are found whatever it is; where fastdup's table, rounded to
        six digits, leaves open on which side of it a pair lies, fastdup's own components decide.

    Returns
    -------
    imageset : ImageSet
        With these columns of `images` added: `outlier_distance` (float32, 1 − similarity of the
        nearest neighbour), `problem` filled for every image that could not be used, and with
        fastdup `blur` (variance of the Laplacian: lower is blurrier), `brightness` (mean, 0–255)
        and `contrast` (standard deviation).
    pairs : DataFrame
        `first` and `second` (text: `image_id`, the first one earlier in the image set) and
        `similarity` (cosine, float32): each unordered pair once, greatest similarity first. Their
        ``attrs["search"]`` says in words how they were found.

    Raises
    ------
    InvalidDataError, MissingPartError
        As `cluster`.

    """
    threshold = default_threshold(vectors) if threshold is None else threshold
    if neighbours is None:
        neighbours = 2 if vectors is None else 20
    _check(imageset, threshold, vectors, neighbours, backend)

    if vectors is None:
        # fastdup takes truncated pictures, which nothing after it could decode.
        imageset = _explain(imageset, np.ones(len(imageset), dtype=bool))
    else:
        lost = np.isnan(vectors).any(axis=1)
        imageset = _explain(imageset, lost, otherwise=NO_NUMBER)
    usable = (imageset.images["problem"] == "").to_numpy()
    if backend != "fastdup":
        assert vectors is not None
        found, search = _search(vectors, usable, neighbours, backend)
        imageset, pairs = with_pairs(imageset, found)
        pairs.attrs["search"] = search
        return imageset, pairs
    rows = np.flatnonzero(usable)
    own = None if vectors is None else vectors[rows]
    paths = imageset.images["path"].to_numpy()[rows].tolist()
    with _fastdup_folder(work_dir) as folder:
        found, figures = _run_fastdup(folder, paths, own, threshold, neighbours)
    found = found.assign(first=rows[found["first"]], second=rows[found["second"]])
    columns: dict[str, Any] = {}
    for name in figures.columns:
        column = np.full(len(imageset), np.nan, dtype=np.float32)
        column[rows] = figures[name].to_numpy()
        columns[name] = column
    imageset, pairs = with_pairs(imageset, found)
    pairs.attrs["search"] = "by fastdup"
    imageset = imageset.with_columns(**columns)
    lost = np.zeros(len(imageset), dtype=bool)
    lost[rows] = figures.isna().any(axis=1)
    return _explain(imageset, lost, otherwise=_NO_FEATURES), pairs


def _search(
    vectors: Vectors, usable: "np.ndarray[Any, np.dtype[np.bool_]]", neighbours: int, backend: str
) -> tuple[pd.DataFrame, str]:
    """Find nearest neighbours among the usable vectors; return them, and in words how."""
    rows = np.flatnonzero(usable)
    if backend == "exact" or (backend == "auto" and len(rows) <= EXACT_UP_TO):
        there = np.where(usable[:, None], vectors, np.float32(np.nan))
        return nearest_pairs(there, neighbours), "by comparing all with all"
    found = approximate_pairs(vectors[rows], neighbours)
    pairs = found.pairs.assign(first=rows[found.pairs["first"]], second=rows[found.pairs["second"]])
    asked = min(ASKED, len(rows))
    words = f"which finds {found.recall:.1%} of them, measured on {asked:,} images"
    return pairs, f"by a graph of vectors, {words}"


def with_pairs(imageset: ImageSet, found: pd.DataFrame) -> tuple[ImageSet, pd.DataFrame]:
    """Put what a search found into the form of `find_pairs`.

    Parameters
    ----------
    imageset
        The images.
    found
        `first`, `second` (row numbers) and `similarity`, as `nearest_pairs` returns them.

    Returns
    -------
    imageset : ImageSet
        With `outlier_distance`.
    pairs : DataFrame
        As `find_pairs`.

    """
    pairs = unique_pairs(len(imageset), found)
    imageset = imageset.with_columns(outlier_distance=_outlier_distance(len(imageset), pairs))
    return imageset, named_pairs(imageset, pairs)


def named_pairs(imageset: ImageSet, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return pairs of row numbers as pairs of `image_id`."""
    ids = imageset.images.index
    return pairs.assign(first=ids[pairs["first"]], second=ids[pairs["second"]])


def near_pairs(
    imageset: ImageSet, pairs: pd.DataFrame, above: float, vectors: Vectors | None = None
) -> pd.DataFrame:
    """Find the pairs that a split should not part: those more similar than a threshold.

    Parameters
    ----------
    imageset
        The images.
    pairs
        As `find_pairs` returns. It holds only the nearest neighbours of each image: of a group of
        look-alikes larger than that it misses some.
    above
        Similarity.
    vectors
        Those of `embed`, rows as in `imageset`: with them all are compared with all, up to 200,000
        images.

    Returns
    -------
    DataFrame
        In the form of `pairs`.

    """
    if vectors is None or len(vectors) > EXACT_UP_TO:
        return pairs[pairs["similarity"] > above]
    return named_pairs(imageset, pairs_above(vectors, above))


def link(imageset: ImageSet, pairs: pd.DataFrame, threshold: float) -> ImageSet:
    """Group images into components by the pairs between them: the second step of `cluster`.

    Parameters
    ----------
    imageset
        The images.
    pairs
        As `find_pairs` returns; pairs of images that are not in `imageset` are left out.
    threshold
        Similarity from 0 to 1, compared as float32: pairs that are more similar are linked.

    Returns
    -------
    ImageSet
        With `component_id` (int64, numbered by first image).

    Raises
    ------
    InvalidDataError
        If `threshold` is out of range.

    Warns
    -----
    MeltedWarning
        If the largest component holds more than 5 % of the images; a better threshold is named.

    """
    check_threshold(threshold)
    return _link(imageset, pairs, threshold)


def check_threshold(threshold: float) -> None:
    """Raise `InvalidDataError` if `threshold` is no similarity from 0 to 1."""
    problems = _threshold_problems(threshold)
    if problems:
        raise InvalidDataError("the threshold", problems)


def _link(imageset: ImageSet, pairs: pd.DataFrame, threshold: float) -> ImageSet:
    links = Links.of(imageset.images.index, pairs)
    component_id = links.components(threshold)
    _warn_if_melted(component_id, links, threshold)
    return imageset.with_columns(component_id=component_id)


def _check(
    imageset: ImageSet,
    threshold: float,
    vectors: Vectors | None,
    neighbours: int,
    backend: str,
) -> None:
    refuse_other(imageset)
    problems = _threshold_problems(threshold)
    if neighbours < 1:
        problems.append(f"neighbours must be 1 or more, but is {neighbours}")
    if backend not in get_args(Backend):
        problems.append(f"backend must be one of {', '.join(get_args(Backend))}, not {backend!r}")
    elif backend != "fastdup" and vectors is None:
        words = f"backend={backend!r} needs vectors=…, such as embed(imageset, model) returns"
        problems.append(words)
    if vectors is not None and (vectors.ndim != 2 or len(vectors) != len(imageset)):  # noqa: PLR2004
        problems.append(
            f"vectors must have the shape ({len(imageset)}, features), but have {vectors.shape}"
        )
    if problems:
        raise InvalidDataError("clustering with these options", problems)


def _threshold_problems(threshold: float) -> list[str]:
    return [] if 0 <= threshold <= 1 else [f"threshold must be from 0 to 1, but is {threshold}"]


def _outlier_distance(count: int, pairs: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float32]]:
    nearest = np.zeros(count, dtype=np.float32)
    # Both ways: fastdup's search is approximate, and what one image misses the other has found.
    for end in ("first", "second"):
        np.maximum.at(nearest, pairs[end].to_numpy(), pairs["similarity"].to_numpy(np.float32))
    return 1 - nearest


def _explain(
    imageset: ImageSet, lost: "np.ndarray[Any, np.dtype[np.bool_]]", otherwise: str = ""
) -> ImageSet:
    """Fill in the `problem` of lost images without one: why they cannot be decoded, if so."""
    problem = imageset.images["problem"].copy()
    silent = lost & (problem == "").to_numpy()
    reasons = problems_of(imageset.images["path"][silent])
    problem[silent] = np.array([reason or otherwise for reason in reasons], dtype=object)
    return imageset.with_columns(problem=problem)


def _warn_if_melted(component_id: Rows, links: Links, threshold: float) -> None:
    count, largest = len(component_id), int(np.bincount(component_id).max())
    # In a handful of images a pair is more than 5 %, and nothing is wrong with that.
    if largest <= max(MELTED_SHARE * count, 20):
        return
    better = suggest_threshold(links)
    advice = f"try threshold={better:.2f}" if better else "these features do not tell images apart"
    warnings.warn(
        f"the largest component holds {largest:,} of {count:,} images "
        f"({largest / count:.0%}) at threshold {threshold:.2f}: {advice}",
        MeltedWarning,
        stacklevel=4,  # whoever called cluster or link
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
    options: dict[str, Any] = {
        "ccthreshold": threshold,
        "threshold": 0.0,
        "nearest_neighbors_k": neighbours,
    }
    if vectors is None:
        _call_fastdup(fastdup, folder / "features", annotations=paths, **options)
        stats = folder / "features"
    else:
        stats = folder / "stats"
        _call_fastdup(fastdup, stats, annotations=paths, run_stats_only=True)
        own = np.ascontiguousarray(vectors, dtype=np.float32)
        if len(own) <= _EXHAUSTIVE_UP_TO:
            options["nnf_mode"] = "Flat"  # its usual index misses a few neighbours
        _call_fastdup(fastdup, folder / "features", annotations=paths, embeddings=own, **options)
    pairs = pd.read_csv(folder / "features" / "similarity.csv")
    pairs = pairs.rename(columns={"from": "first", "to": "second", "distance": "similarity"})
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
    edge = np.float32(threshold)
    pairs.loc[near & same, "similarity"] = np.nextafter(edge, np.float32(2))
    pairs.loc[near & ~same, "similarity"] = edge


@contextmanager
def _fastdup_told() -> Iterator[None]:
    """Show what fastdup's compiled part prints: how far it is as a bar, the rest as it is."""
    kept = os.dup(1)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.dup2(writing, 1)
    os.close(writing)
    done = threading.Event()
    with tqdm(desc="grouping", total=100, unit="%", disable=not bar_fits()) as bar:
        reader = threading.Thread(target=_follow, args=(reading, bar, done))
        reader.start()
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            done.set()
            reader.join()
            os.close(reading)


def _follow(reading: int, bar: "tqdm[Any]", done: threading.Event) -> None:
    """Read until there is no more; a child that lives on may never close the pipe."""
    ends, text = False, b""
    while not ends:
        was_done = done.is_set()
        ready = select.select([reading], [], [], 0.1)[0]
        came = os.read(reading, 1 << 16) if ready else b""
        ends = not came and (bool(ready) or was_done)
        *lines, text = re.split(rb"[\r\n]+", text + came)
        for line in [*lines, text] if ends else lines:
            words = line.decode(errors="replace").strip()
            percent = _HOW_FAR.search(words)
            if percent:
                bar.update(max(0, int(percent[1]) - bar.n))
            elif words:
                tqdm.write(words, file=sys.stderr)


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
        with contextlib.redirect_stdout(io.StringIO()), _fastdup_told():
            project = fastdup.create(work_dir=str(folder), input_dir=os.sep)
            failed = project.run(overwrite=True, print_summary=False, **options)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is a way without fastdup
        failed = error
    if failed or not (folder / "atrain_features.dat.csv").is_file():
        raise MissingPartError(
            f"fastdup did not run ({failed or 'no output'}); with vectors from embed(), "
            'cluster(…, backend="exact") works without it'
        )
