"""Corrected labels in the user's own columns, and what was changed, for a person to read."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from peta_viz.curation.decisions import Decisions, part_id
from peta_viz.files import atomic
from peta_viz.imageset import IMAGE_COLUMNS, Head, ImageSet
from peta_viz.origin import Origin, Word
from peta_viz.words import counted

LABELS_FILE = "corrected_labels.csv"
CHANGES_FILE = "label_changes.csv"
_COMPONENT = "component_id"
# What peta-viz measured of an image, or made of it.
_OURS = (
    *("width", "height", "problem", "split", "unit"),
    *("outlier_distance", "blur", "brightness", "contrast"),
)


def corrected_table(imageset: ImageSet, decisions: Decisions) -> pd.DataFrame:
    """Lay out the curated set as the table was that `ImageSet.from_frame` took.

    Returns
    -------
    DataFrame
        One row per image that was not dropped, indexed by `image_id`, in the order of `imageset`:
        the table's columns by name and in order, paths and other texts as they stood, labels in
        the words of their column; then `component_id`, `label_error`, `model_mistake`, `verdict`
        and `note`. What is not known is empty. Left out are columns that peta-viz has its own of,
        such as `width` or `split`. Of what was no table (PETA) the columns are those of `images`,
        and the labels 1 and 0.

    """
    curated = decisions.apply(imageset)
    added = curated.images.columns.difference(imageset.images.columns, sort=False)
    extra = curated.images[[n for n in (_COMPONENT, *added) if n in curated.images]]
    origin = Origin.of(imageset.images)
    if origin is not None:
        return _as_written(curated, origin).join(extra, rsuffix=" (decided)")
    table = curated.images.drop(columns=list(_OURS), errors="ignore")
    heads = {head.name: head for head in imageset.heads if _is_column(head)}
    table = table.assign(**{name: _classes(curated, head) for name, head in heads.items()})
    in_classes = {label for head in heads.values() for label in head.labels}
    plain = [name for name in curated.labels.columns if name not in in_classes]
    values = curated.labels[plain].astype("Int8").where(curated.known[plain])
    return table.join(values, rsuffix=" (label)")


def _as_written(curated: ImageSet, origin: Origin) -> pd.DataFrame:
    """Return the columns of a table, in its own words."""
    images = curated.images
    ids = images.index.to_series()
    paths = images["path"].str.removeprefix(f"{origin.root}/") if origin.image_id else ids
    plain = [name for name in curated.labels.columns if name in origin.words]
    # Who had no person is one of its own.
    persons = images["person_id"].where(images["person_id"] != ids, "")
    ours = {*IMAGE_COLUMNS, *_OURS, _COMPONENT}
    columns: dict[str | None, Any] = {
        **{str(name): images[name] for name in images if name not in ours},
        **{head.name: _classes(curated, head) for head in curated.heads if _is_column(head)},
        **{name: _in_words(curated, name, origin.words[name]) for name in plain},
        origin.subset: images["subset"],
        origin.person_id: persons,
        origin.image_id: ids,
        origin.path: paths,
    }
    kept = {name: columns[name] for name in origin.columns if name in columns}
    return pd.DataFrame(kept, images.index)


def _in_words(curated: ImageSet, name: str, words: list[Word]) -> "np.ndarray[Any, Any]":
    said: np.ndarray[Any, Any] = np.array(words, dtype=object)[
        curated.labels[name].to_numpy(dtype=int)
    ]
    said[~curated.known[name].to_numpy()] = None
    return said


def write_corrected(
    imageset: ImageSet, decisions: Decisions, folder: str | Path
) -> tuple[Path, Path]:
    """Write the corrected labels and the list of changes as CSV files; returns their paths."""
    labels, changes = Path(folder) / LABELS_FILE, Path(folder) / CHANGES_FILE
    is_own = Origin.of(imageset.images) is not None  # the ids are in a column of the table
    with atomic(labels) as partial:
        corrected_table(imageset, decisions).to_csv(partial, index=not is_own)
    with atomic(changes) as partial:
        changed = decisions.diff(imageset)
        parts = (changed["field"] == "component") & changed["now"].str.contains("/")
        changed.loc[parts, "now"] = [str(part_id(name)) for name in changed.loc[parts, "now"]]
        changed.to_csv(partial, index=False)
    return labels, changes


def changes_in_words(imageset: ImageSet, changes: pd.DataFrame) -> dict[int, str]:
    """Say what was changed in each component, most changes first.

    Parameters
    ----------
    imageset
        Images with `component_id`, as they were.
    changes
        As `Decisions.diff` returns; marks and notes are left out.

    Returns
    -------
    dict
        By `component_id`, such as ``"hat: no → yes (3 images), 1 image split off"``.

    """
    real = changes[~changes["field"].isin(["mark", "note"])]
    home = imageset.images["component_id"].reindex(real["image_id"]).to_numpy()
    found = {}
    for component, own in real.groupby(pd.Series(home, real.index)):
        cells = own.loc[own["field"] == "label", ["label", "raw", "now"]]
        labels = Counter(map(tuple, cells.to_numpy().tolist()))
        words = [
            f"{label}: {raw} → {now} ({counted(count, 'image')})"
            for (label, raw, now), count in sorted(labels.items())
        ]
        for field, what in (("image", "dropped"), ("component", "split off")):
            count = int((own["field"] == field).sum())
            words += [f"{counted(count, 'image')} {what}"] if count else []
        found[component] = (len(own), ", ".join(words))
    order = sorted(found, key=lambda component: -found[component][0])
    return {int(component): found[component][1] for component in order}


def _is_column(head: Head) -> bool:
    """Tell whether a head was made of a column of classes, whose labels are ``name=class``."""
    named = all(label.startswith(f"{head.name}=") for label in head.labels)
    return head.kind == "exclusive" and named


def _classes(imageset: ImageSet, head: Head) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    values = imageset.labels[list(head.labels)].to_numpy()
    names = np.array(head.short, dtype="O")
    return np.where(values.sum(axis=1) == 1, names[values.argmax(axis=1)], "")
