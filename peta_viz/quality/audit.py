"""From a table of images and labels to the groups that are most worth an hour of a person."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from peta_viz.agreement import component_ids, measure_components
from peta_viz.columns import fill_columns, guessed_words
from peta_viz.components import check_threshold, default_threshold, find_pairs, link
from peta_viz.curation.reading import LOG_FILE, decisions_of_run
from peta_viz.embedding import embed
from peta_viz.errors import InvalidDataError
from peta_viz.files import atomic, is_file, name_of, refuse_file
from peta_viz.imageset import ImageSet
from peta_viz.origin import Origin
from peta_viz.parquet import read_frame
from peta_viz.quality.answers import LISTED
from peta_viz.quality.pages import write_worst
from peta_viz.quality.reading import WORST_PAGE, keep_vectors, quality_of_run
from peta_viz.quality.scores import EVEN, LabelQuality
from peta_viz.sources import (
    class_notes,
    read_folder,
    read_table,
    refuse_unreadable,
)
from peta_viz.widgets.curator import Curator
from peta_viz.words import counted, first_of

_FIRST = 5  # of many
_NEARLY = 0.05  # so much below the threshold images are nearly linked
_STEP = 0.01  # of the threshold, to try


def audit(
    data: "ImageSet | pd.DataFrame | str | Path",
    *,
    folder: str | Path | None = None,
    groups: int = 40,
    path: str | None = None,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    root: str | Path | None = None,
    reid: str | Path | None = None,
    threshold: float | None = None,
    person: str = "",
) -> Curator:
    """Show the groups of near-identical images, and single images, most worth a look.

    Parameters
    ----------
    data
        A table with one row per image (or its file), an image set, a folder as for `read_folder`,
        or the folder of a run.
    folder
        Where components, decisions and the list of likely wrong labels are kept; by default
        ``audit/`` and the name of the table's file or of the folder, ``audit/table`` for a frame,
        and the run folder itself.
        Images that were grouped there before are grouped again; decisions stay.
    groups
        How many groups.
    path, labels, classes, root
        Columns of a table, and where its paths start, as for `ImageSet.from_frame`; what is not
        given is guessed. Empty cells are taken for labels that nobody gave.
    reid, threshold
        How images are grouped, as for `embed` and `find_pairs`; by default by fastdup's own
        features.
    person
        Who decides.

    Returns
    -------
    Curator
        With the groups in its queue, those first in which most labels are expected to be wrong,
        or that likely hold different things; each with what is likely wrong of it, and why.

    Raises
    ------
    InvalidDataError
        If the table cannot be used as it is; the message says what to name.

    """
    found = read_source(data, path=path, labels=labels, classes=classes, root=root)
    folder = default_folder(data) if folder is None or found is None else folder
    if found is not None:
        lines = told(found)
        if is_guessed(data, labels, classes):
            *own, others = columns_in(found)
            lines.append(guessed_words("labels={}, classes={}".format(*own), others))
        said = len(lines)
        print(*lines, sep="\n")  # noqa: T201 - a person looks
        used = group(found, folder, reid=reid, threshold=threshold)
    quality = quality_of_run(folder)
    if found is not None:
        pairs = read_frame(Path(folder) / "pairs.parquet")
        lines += unreadable(quality.imageset)
        lines += grouped_words(quality, pairs, used, "threshold=…")
        worst = write_worst(quality, folder, told=lines)
        print(  # noqa: T201
            *lines[said:],
            *found_words(quality, worst),
            *told_of_decisions(folder),
            f"components, decisions and the list of likely wrong labels are kept in {folder}; "
            f"the list with pictures: {Path(folder) / WORST_PAGE}",
            sep="\n",
        )
    return Curator(
        quality.imageset,
        Path(folder) / LOG_FILE,
        measure_components(quality.imageset).join(
            quality.components[["wrong_labels", "different"]]
        ),
        queue=worst_groups(quality).head(groups),
        pairs=read_frame(Path(folder) / "pairs.parquet"),
        doubts=quality.worst(quality.scores.size, least=EVEN),
        name="audit",
        person=person,
    )


def group(
    imageset: ImageSet,
    folder: str | Path,
    *,
    reid: str | Path | None = None,
    threshold: float | None = None,
) -> float:
    """Group images, and keep in a folder what `quality_of_run` reads.

    Parameters
    ----------
    imageset
        The images.
    folder
        Where ``images.parquet``, ``labels.parquet``, ``pairs.parquet`` and vectors are written.
    reid, threshold
        As for `audit`.

    Returns
    -------
    float
        The threshold.

    Raises
    ------
    InvalidDataError
        If the folder holds other images, and none of these, or decisions about others; or if
        `threshold` is out of range.

    """
    folder = Path(folder)
    if threshold is not None:
        check_threshold(threshold)
    refuse_file(folder)
    _refuse_others(folder, imageset)
    folder.mkdir(parents=True, exist_ok=True)
    vectors = None if reid is None else embed(imageset, reid, cache=folder / "cache")
    threshold = default_threshold(vectors) if threshold is None else threshold
    imageset, pairs = find_pairs(imageset, threshold=threshold, vectors=vectors)
    link(imageset, pairs, threshold).to_parquet(folder)
    keep_vectors(folder, vectors)
    with atomic(folder / "pairs.parquet") as partial:
        pairs.to_parquet(partial, index=False)
    return threshold


def default_folder(data: "ImageSet | pd.DataFrame | str | Path") -> Path:
    """Return where an audit is kept by default.

    That is the run folder if one is given, else ``audit/`` and the name of the table's file or of
    the folder, and ``audit/table`` for what has no name.
    """
    if not isinstance(data, str | Path):
        return Path("audit", "table")
    if is_file(Path(data) / "images.parquet"):
        return Path(data)
    return Path("audit", name_of(data))


def _refuse_others(folder: Path, imageset: ImageSet) -> None:
    file = folder / "images.parquet"
    if not is_file(file):
        return
    ids = imageset.images.index
    there = ImageSet.from_parquet(folder).images.index
    if len(there) and not there.isin(ids).any():
        words = f"it holds {counted(len(there), 'other image')}: name another folder with folder=…"
        raise InvalidDataError(str(folder), [words])
    entries = decisions_of_run(folder).entries
    decided = {change.cell.image_id for entry in entries for change in entry.act.changes}
    lost = sorted(decided.difference(ids))
    if lost:
        words = (
            f"the decisions in it are about {counted(len(lost), 'image')} that are not in this "
            f"data, such as {lost[0]}: name another folder with folder=…"
        )
        raise InvalidDataError(str(folder), [words])


def told_of_decisions(folder: str | Path) -> list[str]:
    """Say, in lines, that the list is not of what people decided."""
    if not decisions_of_run(folder).entries:
        return []
    return [f"the labels are judged as they came, not as {Path(folder) / LOG_FILE} has them"]


def is_guessed(
    data: "ImageSet | pd.DataFrame | str | Path",
    labels: Sequence[str] | None,
    classes: Sequence[str] | None,
) -> bool:
    """Tell whether `read_source` guesses which columns of a table are labels."""
    is_table = isinstance(data, pd.DataFrame) or (isinstance(data, str | Path) and is_file(data))
    return is_table and not labels and not classes


def columns_in(imageset: ImageSet) -> tuple[list[str], list[str], list[str]]:
    """Return what a table's columns became: yes and no, class names, and neither."""
    kinds = {
        kind: [h for h in imageset.heads if h.kind == kind] for kind in ("multiple", "exclusive")
    }
    labels = [label for head in kinds["multiple"] for label in head.labels]
    classes = [head.name for head in kinds["exclusive"]]
    origin = Origin.of(imageset.images)
    taken = {*labels, *classes, *([origin.path] if origin else [])}
    return labels, classes, [one for one in (origin.columns if origin else []) if one not in taken]


def told(imageset: ImageSet) -> list[str]:
    """Say what was read, in lines."""
    lines = [f"{counted(len(imageset), 'image')}, and of each:"]
    for head in imageset.heads:
        what = f"{head.name}: one of" if head.kind == "exclusive" else "yes or no:"
        lines.append(f"  {what} {first_of(head.short)}")
    origin = Origin.of(imageset.images)
    if origin and origin.subset:
        parts = sorted(set(imageset.images["subset"]))
        lines.append(f"  no label, but part of the set: {first_of(parts)}")
    exclusive = [list(head.labels) for head in imageset.heads if head.kind == "exclusive"]
    single = imageset.known.columns.difference([label for own in exclusive for label in own])
    empty = int((~imageset.known[single]).to_numpy().sum())
    empty += sum(int((~imageset.known[own]).all(axis=1).sum()) for own in exclusive)
    if empty:
        lines.append(f"{counted(empty, 'answer is', 'answers are')} not known (empty cells)")
    return lines + class_notes(imageset)


def unreadable(imageset: ImageSet) -> list[str]:
    """Say which images cannot be read, in lines; once they were grouped, also what is damaged."""
    lost = imageset.images.loc[imageset.images["problem"] != "", "problem"]
    lines = [f"cannot be read: {one}: {problem}" for one, problem in lost.head(_FIRST).items()]
    return lines + ([f"and {len(lost) - _FIRST:,} more"] if len(lost) > _FIRST else [])


def grouped_words(
    quality: LabelQuality, pairs: pd.DataFrame, threshold: float, name: str
) -> list[str]:
    """Say in lines which components there are at a threshold, which the user calls `name`.

    Where single images have one that is nearly as alike, the nearest ones of `pairs` are named.
    """
    sizes, images = quality.components["size"], quality.imageset.images
    single = sizes.index[sizes == 1]
    near_copies = f"images more similar than {threshold:g} ({name}) are near-copies"
    lines = [near_copies, components_told(quality)]
    alone = images.index[images["component_id"].isin(single)]
    ends = pairs["first"].isin(alone) | pairs["second"].isin(alone)
    near = pairs[ends & (pairs["similarity"] > threshold - _NEARLY)]
    near = near.sort_values("similarity", ascending=False, kind="stable")
    nearly = int(alone.isin(pd.concat([near["first"], near["second"]])).sum())
    if nearly:
        each = near[["first", "second", "similarity"]].head(_FIRST).itertuples(index=False)
        many = counted(nearly, "of these has", "of these have")
        lines.append(f"{many} an image that is nearly as alike, the most alike first:")
        lines += [f"  {one} and {other} ({similarity:.3f})" for one, other, similarity in each]
        words = f"where such show the same, lower the threshold ({name}) step by step"
        at_first = f"{threshold - _STEP:g} at first"
        lines.append(f"{words}, to {at_first}; whether it is too low is told then")
    return lines


def components_told(quality: LabelQuality) -> str:
    """Say in a line how many components there are, and how large."""
    sizes = quality.components["size"]
    several = sizes[sizes > 1]
    return (
        f"{counted(len(several), 'component')} of two and more images, with "
        f"{counted(int(several.sum()), 'image')}, the largest of {sizes.max()}; "
        f"{counted(int((sizes == 1).sum()), 'image')} like no other"
    )


def found_words(quality: LabelQuality, worst: pd.DataFrame) -> list[str]:
    """Say in lines how much of a list is expected to be wrong, and what to bear in mind."""
    if worst.empty:
        return [f"no label is wrong with a probability of {LISTED:.0%} or more"]
    lines = quality.cautions
    for first, wrong in quality.expect_wrong(worst)[["first", "wrong"]].to_numpy():
        many = counted(int(first), "doubted label")
        lines.append(f"of the first {many} about {wrong:.0f} are wrong")
    return lines


def worst_groups(quality: LabelQuality) -> pd.DataFrame:
    """Order the groups by how much a person can mend in them.

    Returns
    -------
    DataFrame
        `component_id` and `score`, greatest first: the labels expected to be wrong, and one more
        if the images show different things; of components, also of one image, that are contested
        or hold a label that is likelier wrong than right.

    """
    contested = measure_components(quality.imageset)["contested"]
    rows = quality.doubted.any(axis=1)
    doubted = np.isin(contested.index, component_ids(quality.imageset)[rows])
    own = quality.components.loc[contested.index[contested.to_numpy() | doubted]]
    score = (own["wrong_labels"] + own["different"]).astype("float64")
    ordered = score.sort_values(ascending=False, kind="stable")
    return pd.DataFrame({"component_id": ordered.index, "score": ordered.to_numpy()})


def read_source(
    data: "ImageSet | pd.DataFrame | str | Path",
    *,
    path: str | None = None,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    root: str | Path | None = None,
) -> ImageSet | None:
    """Read images and labels from wherever they are; None if `data` is the folder of a run.

    Parameters
    ----------
    data, path, labels, classes, root
        As for `audit`.

    """
    if isinstance(data, ImageSet):
        return data
    otherwise = "in the current folder" if isinstance(data, pd.DataFrame) else "where the table is"
    if not isinstance(data, pd.DataFrame):
        if is_file(Path(data) / "images.parquet"):
            return None
        if not is_file(data):
            return read_folder(data)
        root = Path(data).parent if root is None else root
        data = read_table(Path(data))
    path, labels, classes = fill_columns(data, path, labels or (), classes or ())
    imageset = ImageSet.from_frame(
        data,
        path=path,
        labels=labels,
        classes=classes,
        root=root,
        missing="unknown",
    )
    refuse_unreadable(imageset, otherwise)
    return imageset
