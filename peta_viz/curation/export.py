"""Corrected labels in the user's own columns, and what was changed, for a person to read."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from peta_viz.curation.decisions import Decisions, part_id
from peta_viz.files import atomic
from peta_viz.imageset import Head, ImageSet

LABELS_FILE = "corrected_labels.csv"
CHANGES_FILE = "label_changes.csv"
# What peta-viz measured of an image, or made of it.
_OURS = (
    *("width", "height", "problem", "split", "unit"),
    *("outlier_distance", "blur", "brightness", "contrast"),
)


def corrected_table(imageset: ImageSet, decisions: Decisions) -> pd.DataFrame:
    """Lay out the curated set as `ImageSet.from_frame` took it.

    Returns
    -------
    DataFrame
        One row per image that was not dropped, in the order of `imageset`: its id and `path`,
        your other columns, `component_id`, `label_error`, `model_mistake`, `verdict`, `note`, then
        the labels as 1 and 0. A head that was made of a column of classes is such a column again.
        What is not known is empty.

    """
    curated = decisions.apply(imageset)
    table = curated.images.drop(columns=list(_OURS), errors="ignore")
    in_classes: set[str] = set()
    for head in imageset.heads:
        if _is_column(head):
            table[head.name] = _classes(curated, head)
            in_classes |= set(head.labels)
    plain = [name for name in curated.labels.columns if name not in in_classes]
    values = curated.labels[plain].astype("Int8").where(curated.known[plain])
    return table.join(values, rsuffix=" (label)")


def write_corrected(
    imageset: ImageSet, decisions: Decisions, folder: str | Path
) -> tuple[Path, Path]:
    """Write the corrected labels and the list of changes as CSV files; returns their paths."""
    labels, changes = Path(folder) / LABELS_FILE, Path(folder) / CHANGES_FILE
    with atomic(labels) as partial:
        corrected_table(imageset, decisions).to_csv(partial)
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
            f"{label}: {raw} → {now} ({_images(count)})"
            for (label, raw, now), count in sorted(labels.items())
        ]
        for field, what in (("image", "dropped"), ("component", "split off")):
            count = int((own["field"] == field).sum())
            words += [f"{_images(count)} {what}"] if count else []
        found[component] = (len(own), ", ".join(words))
    order = sorted(found, key=lambda component: -found[component][0])
    return {int(component): found[component][1] for component in order}


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _is_column(head: Head) -> bool:
    """Tell whether a head was made of a column of classes, whose labels are ``name=class``."""
    named = all(label.startswith(f"{head.name}=") for label in head.labels)
    return head.kind == "exclusive" and named


def _classes(imageset: ImageSet, head: Head) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    labels = list(head.labels)
    values = imageset.labels[labels].to_numpy()
    names = np.array([label.removeprefix(f"{head.name}=") for label in labels], dtype="O")
    return np.where(values.sum(axis=1) == 1, names[values.argmax(axis=1)], "")
