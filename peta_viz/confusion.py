"""Confusion: what experiments said of each component, cell by cell, beside what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import IMAGE_SIZES, SIZES
from peta_viz.imageset import Head
from peta_viz.metrics import YES_ABOVE
from peta_viz.training.data import Targets

Cell = Literal["tp", "fp", "fn", "tn"]
Classes = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Judged:
    """What one experiment said of each component, and what each is said to be.

    Parameters
    ----------
    name
        The experiment, such as ``"A"``.
    truth
        int8 frame of shape ``(components, labels)``, indexed by `component_id`, ascending: 1 where
        the label is carried, 0 where not, −1 where it does not count.
    probability
        float32 frame of the same shape, from 0 to 1.
    sizes
        int64 series with the same index: images per component.

    """

    name: str
    truth: pd.DataFrame
    probability: pd.DataFrame
    sizes: "pd.Series[int]"

    def predicted_class(self, head: Head) -> Classes:
        """Return the most probable class of each component in an exclusive head.

        Returns
        -------
        ndarray
            int64, shape ``(components,)``: the number of the label in `head`.

        """
        probability = self.probability[list(head.labels)].to_numpy()
        return np.asarray(probability.argmax(axis=1), dtype=np.int64)

    def true_class(self, head: Head) -> Classes:
        """Return the class that each component is said to be in an exclusive head.

        Returns
        -------
        ndarray
            int64, shape ``(components,)``: as `Targets.classes`, −1 where not exactly one label
            is carried: the component does not count for the head.

        """
        return Targets(self.truth == 1, self.truth >= 0, self.sizes).classes(head)


def judged(predictions: pd.DataFrame) -> dict[str, Judged]:
    """Lay out the predictions of every experiment.

    Parameters
    ----------
    predictions
        Those that `peta_viz.run_experiments` returns: columns `experiment`, `component_id`, `size`,
        `label`, `probability` and `truth`.

    Returns
    -------
    dict
        By name, in order of appearance; labels in order of appearance too.

    Raises
    ------
    InvalidDataError
        If an experiment does not have every one of its labels once for every component, or there
        are several seeds.

    """
    several = sorted(predictions["seed"].unique()) if "seed" in predictions else []
    if len(several) > 1:
        seeds = ", ".join(map(str, several))
        raise InvalidDataError(
            "the predictions",
            [f"choose one of the seeds {seeds}: predictions[predictions['seed'] == …]"],
        )
    found = predictions.groupby("experiment", sort=False)
    return {str(name): _lay_out(str(name), rows) for name, rows in found}


def class_matrix(judged: Judged, head: Head, mask: Mask | None = None) -> pd.DataFrame:
    """Count the components of each true and predicted class of an exclusive head.

    Parameters
    ----------
    judged
        What an experiment said.
    head
        An exclusive head.
    mask
        bool, shape ``(components,)``: which components to count; all by default.

    Returns
    -------
    DataFrame
        int64, shape ``(classes, classes)``: rows are true classes, columns predicted ones, both
        in the order of `head`. Components that do not count for the head are left out.

    """
    true, predicted, counts = _classes(judged, head, mask)
    number = len(head.labels)
    cells = np.bincount(true[counts] * number + predicted[counts], minlength=number**2)
    return pd.DataFrame(
        cells.reshape(number, number).astype(np.int64),
        index=pd.Index(head.labels, name="true", dtype="str"),
        columns=pd.Index(head.labels, name="predicted", dtype="str"),
    )


def label_table(judged: Judged, head: Head, mask: Mask | None = None) -> pd.DataFrame:
    """Count for each label of a multiple head how often yes and no were right.

    Parameters
    ----------
    judged
        What an experiment said.
    head
        The head.
    mask
        bool, shape ``(components,)``: which components to count; all by default.

    Returns
    -------
    DataFrame
        One row per label of `head`, indexed by `label`: `tp`, `fp`, `fn`, `tn`, `support`
        (``tp + fn``; all int64), `precision`, `recall` and `f1` (float64, 0 to 1). These three
        are NaN where the label never occurs, as it does not count for macro F1 then; the precision
        of a label that occurs and is never predicted is 0.

    """
    table = pd.DataFrame(index=pd.Index(head.labels, name="label", dtype="str"))
    for cell in ("tp", "fp", "fn", "tn"):
        table[cell] = [int(_label_mask(judged, label, cell, mask).sum()) for label in head.labels]
    table["support"] = table["tp"] + table["fn"]
    occurs = table["support"] > 0
    predicted = (table["tp"] + table["fp"]).clip(lower=1)
    table["precision"] = (table["tp"] / predicted).where(occurs)
    table["recall"] = (table["tp"] / table["support"].clip(lower=1)).where(occurs)
    both = 2 * table["tp"] + table["fp"] + table["fn"]
    table["f1"] = (2 * table["tp"] / both.clip(lower=1)).where(occurs)
    return table


def class_cell(
    judged: Judged, head: Head, true: str, predicted: str, mask: Mask | None = None
) -> pd.Index:
    """Return the ids of the components in one cell of `class_matrix`, ascending.

    Raises
    ------
    InvalidDataError
        If `true` or `predicted` is no label of the head.

    """
    for name in (true, predicted):
        _one_of(name, head.labels, f"a class of the head {head.name!r}")
    true_class, predicted_class, counts = _classes(judged, head, mask)
    inside = true_class == head.labels.index(true)
    inside &= predicted_class == head.labels.index(predicted)
    found: pd.Index = judged.truth.index[inside & counts]
    return found


def label_cell(judged: Judged, label: str, cell: Cell, mask: Mask | None = None) -> pd.Index:
    """Return the ids of the components in one cell of `label_table`, ascending.

    Raises
    ------
    InvalidDataError
        If there is no such label, or `cell` is none of tp, fp, fn, tn.

    """
    _one_of(label, list(judged.truth.columns), "a label")
    _one_of(cell, ("tp", "fp", "fn", "tn"), "a cell")
    found: pd.Index = judged.truth.index[_label_mask(judged, label, cell, mask)]
    return found


def size_mask(
    judged: Judged, component_size: str, image_size: str, image_sizes: "pd.Series[str]"
) -> Mask:
    """Choose components by how many images they have and how large these are.

    Parameters
    ----------
    judged
        What an experiment said.
    component_size
        One of `peta_viz.evaluation.SIZES`.
    image_size
        One of `peta_viz.evaluation.IMAGE_SIZES`.
    image_sizes
        As `peta_viz.evaluation.component_image_sizes` returns; a component that is not in it is
        only in ``"all"``.

    Returns
    -------
    ndarray
        bool, shape ``(components,)``, in the order of `judged`.

    Raises
    ------
    InvalidDataError
        If a name is not one of these.

    """
    _one_of(component_size, list(SIZES), "a component size")
    _one_of(image_size, IMAGE_SIZES, "an image size")
    chosen = SIZES[component_size](judged.sizes).to_numpy(dtype=bool)
    if image_size == "all":
        return np.asarray(chosen)
    own = image_sizes.reindex(judged.sizes.index)
    return np.asarray(chosen & (own == image_size).to_numpy(dtype=bool))


def right(judged: Judged, heads: Sequence[Head]) -> pd.DataFrame:
    """Tell for each component which heads were predicted right.

    Parameters
    ----------
    judged
        What an experiment said.
    heads
        The heads.

    Returns
    -------
    DataFrame
        ``boolean``, shape ``(components, heads)``, indexed by `component_id`, columns named as the
        heads: True where the class, or every label that counts, is predicted right; missing where
        nothing of the head counts.

    """
    columns = {}
    for head in heads:
        if head.kind == "exclusive":
            true, predicted, counts = _classes(judged, head, None)
            good = true == predicted
        else:
            labels = list(head.labels)
            known = (judged.truth[labels] >= 0).to_numpy()
            said = (judged.probability[labels] > YES_ABOVE).to_numpy()
            good = (~known | (said == (judged.truth[labels] == 1).to_numpy())).all(axis=1)
            counts = known.any(axis=1)
        columns[head.name] = pd.array(good, dtype="boolean")
        columns[head.name][~counts] = pd.NA
    return pd.DataFrame(columns, index=judged.truth.index)


def _lay_out(name: str, rows: pd.DataFrame) -> Judged:
    component, ids = pd.factorize(rows["component_id"], sort=True)
    label, labels = pd.factorize(rows["label"])
    shape = (len(ids), len(labels))
    times = np.bincount(component * len(labels) + label, minlength=len(ids) * len(labels))
    odd = int((times != 1).sum())
    if odd:
        raise InvalidDataError(
            f"the predictions of experiment {name!r}",
            [f"each label must be there once for each component, but {odd} are not"],
        )
    index = pd.Index(ids, name="component_id", dtype="int64")
    columns = pd.Index(labels, dtype="str")
    truth = np.empty(shape, dtype=np.int8)
    truth[component, label] = rows["truth"].astype("Int8").fillna(-1).to_numpy(dtype=np.int8)
    probability = np.empty(shape, dtype=np.float32)
    probability[component, label] = rows["probability"].to_numpy(dtype=np.float32)
    sizes = np.empty(len(ids), dtype=np.int64)
    sizes[component] = rows["size"].to_numpy(dtype=np.int64)
    return Judged(
        name,
        pd.DataFrame(truth, index, columns),
        pd.DataFrame(probability, index, columns),
        pd.Series(sizes, index=index, name="size"),
    )


def _classes(judged: Judged, head: Head, mask: Mask | None) -> tuple[Classes, Classes, Mask]:
    """Return the true and the predicted classes, and which components count."""
    true = judged.true_class(head)
    counts = true >= 0 if mask is None else (true >= 0) & mask
    return true, judged.predicted_class(head), counts


def _label_mask(judged: Judged, label: str, cell: Cell, mask: Mask | None) -> Mask:
    true = judged.truth[label].to_numpy() == int(cell in ("tp", "fn"))
    said = (judged.probability[label].to_numpy() > YES_ABOVE) == (cell in ("tp", "fp"))
    return np.asarray(true & said if mask is None else true & said & mask)


def _one_of(name: str, names: Sequence[str], what: str) -> None:
    if name not in names:
        raise InvalidDataError(
            f"{name!r} as {what}", [f"expected one of {', '.join(map(repr, names))}"]
        )
