"""Confusion matrices as plain data: what stands in each cell, and which components are in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from peta_viz.confusion import (
    Judged,
    class_cell,
    class_matrix,
    judged,
    label_cell,
    label_table,
    size_mask,
)
from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import HEADLINE, IMAGE_SIZES, SIZES, component_image_sizes
from peta_viz.imageset import Head, ImageSet
from peta_viz.metrics import YES_ABOVE
from peta_viz.words import counted

Order = Literal["as given", "F1", "support"]
ORDERS: tuple[Order, ...] = ("as given", "F1", "support")
_ANSWERS = ("yes", "no")
_CELLS: Mapping[tuple[str, str], Literal["tp", "fp", "fn", "tn"]] = {
    ("yes", "yes"): "tp",
    ("yes", "no"): "fn",
    ("no", "yes"): "fp",
    ("no", "no"): "tn",
}


@dataclass(frozen=True)
class Question:
    """What a matrix is asked to show.

    Parameters
    ----------
    experiment
        Whose predictions.
    head
        The head's name.
    against
        Another experiment that is subtracted, over the components that both judged.
    rates
        Shares of the true class instead of counts.
    component_size, image_size
        One of `peta_viz.evaluation.SIZES` and of `IMAGE_SIZES`.
    order
        How the labels of a multiple head are ordered: by F1 or support, smallest first.

    """

    experiment: str
    head: str
    against: str = ""
    rates: bool = False
    component_size: str = HEADLINE
    image_size: str = "all"
    order: Order = "as given"


@dataclass(frozen=True)
class Cell:
    """A cell: `label` is empty for an exclusive head, whose cells are named by class."""

    label: str
    true: str
    predicted: str


@dataclass(frozen=True)
class Matrix:
    """Numbers of one matrix.

    Parameters
    ----------
    label
        The label it is about; empty for an exclusive head.
    names
        Names of rows (true) and columns (predicted).
    counts
        int64, shape ``(K, K)``; differences where two experiments are compared.
    rates
        float64, shape ``(K, K)``: share of the row; NaN where the row is empty.
    f1
        F1 of the label or macro F1, or their difference; NaN where nothing occurs.
    support
        Components that carry the label, or that count.

    """

    label: str
    names: tuple[str, ...]
    counts: "np.ndarray[Any, np.dtype[np.int64]]"
    rates: "np.ndarray[Any, np.dtype[np.float64]]"
    f1: float
    support: int


class Matrices:
    """Confusion matrices of all experiments.

    Parameters
    ----------
    imageset
        The images, for the heads and for the sizes of the images.
    predictions
        As `peta_viz.run_experiments` returns.

    """

    def __init__(self, imageset: ImageSet, predictions: pd.DataFrame) -> None:
        self.judged = judged(predictions)
        if not self.judged:
            raise InvalidDataError("the predictions", ["there is no experiment in them"])
        labels = {str(name) for name in next(iter(self.judged.values())).truth.columns}
        self.heads = {h.name: h for h in imageset.heads if labels.issuperset(h.labels)}
        if not self.heads:
            raise InvalidDataError("the predictions", ["they have all labels of none of the heads"])
        self.image_sizes = component_image_sizes(imageset)

    def matrices(self, question: Question) -> list[Matrix]:
        """Return one matrix for an exclusive head, or one 2×2 per label of a multiple one.

        Raises
        ------
        InvalidDataError
            If the question names what is not there.

        """
        self.check(question)
        head = self.heads[question.head]
        first = self._count(question.experiment, head, question)
        if question.against:
            second = self._count(question.against, head, question)
            first = [_minus(a, b) for a, b in zip(first, second, strict=True)]
        if question.order == "as given" or head.kind == "exclusive":
            return first
        key = "f1" if question.order == "F1" else "support"
        values = pd.Series([getattr(matrix, key) for matrix in first], dtype=float)
        return [first[place] for place in values.sort_values(kind="stable").index]

    def members(self, question: Question, cell: Cell) -> "pd.Series[str]":
        """Find the components in a cell.

        Returns
        -------
        Series
            A text by `component_id`, ascending: what is true and what was predicted. Of two
            experiments those are returned that are in the cell of one and not of the other.

        Raises
        ------
        InvalidDataError
            If the question or the cell names what is not there.

        """
        ids = self.inside(question, cell)
        return pd.Series(self.words(question, cell, ids), index=ids, dtype="str")

    def inside(self, question: Question, cell: Cell) -> pd.Index:
        """Find the ids of the components in a cell, ascending; as `members` without the texts."""
        self.check(question, cell)
        here = self._inside(question.experiment, question, cell)
        if question.against:
            here = here.symmetric_difference(self._inside(question.against, question, cell))
        return here

    def words(self, question: Question, cell: Cell, ids: pd.Index) -> list[str]:
        """Write of some components of a cell what is true and what was predicted."""
        texts = self._words(self.judged[question.experiment], question, cell, ids)
        if not question.against:
            return texts
        others = self._words(self.judged[question.against], question, cell, ids)
        return [
            f"{question.experiment}: {one} · {question.against}: {other}"
            for one, other in zip(texts, others, strict=True)
        ]

    def components(self, question: Question) -> pd.Index:
        """Return the ids of the components that the question is about."""
        return self.judged[question.experiment].truth.index[
            self._mask(question.experiment, question)
        ]

    def _mask(self, name: str, question: Question) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        one = self.judged[name]
        mask = size_mask(one, question.component_size, question.image_size, self.image_sizes)
        if question.against:
            other = question.against if name == question.experiment else question.experiment
            mask = mask & one.truth.index.isin(self.judged[other].truth.index)
        return mask

    def _count(self, name: str, head: Head, question: Question) -> list[Matrix]:
        one, mask = self.judged[name], self._mask(name, question)
        if head.kind == "exclusive":
            counts = class_matrix(one, head, mask).to_numpy()
            return [_matrix("", head.labels, counts, _macro_f1(counts), int(counts.sum()))]
        table = label_table(one, head, mask)
        return [
            _matrix(
                str(label),
                _ANSWERS,
                np.array([[row["tp"], row["fn"]], [row["fp"], row["tn"]]], dtype=np.int64),
                float(row["f1"]),
                int(row["support"]),
            )
            for label, row in table.iterrows()
        ]

    def _inside(self, name: str, question: Question, cell: Cell) -> pd.Index:
        one, mask = self.judged[name], self._mask(name, question)
        if cell.label:
            return label_cell(one, cell.label, _CELLS[cell.true, cell.predicted], mask)
        return class_cell(one, self.heads[question.head], cell.true, cell.predicted, mask)

    def _words(self, one: Judged, question: Question, cell: Cell, ids: pd.Index) -> list[str]:
        """Write for each component what is true, what was predicted, and how probable that was."""
        rows = one.truth.index.get_indexer(ids)
        truths, probabilities = one.truth.iloc[rows], one.probability.iloc[rows]
        one = Judged(one.name, truths, probabilities, one.sizes.iloc[rows])
        if cell.label:
            truth = one.truth[cell.label].to_numpy()
            probability = one.probability[cell.label].to_numpy()
            true = np.array(["no", "yes", "unknown"])[truth]
            said = np.where(probability > YES_ABOVE, "yes", "no")
            sure = np.where(probability > YES_ABOVE, probability, 1 - probability)
        else:
            head = self.heads[question.head]
            names = np.array([*shortened(head.labels), "unknown"])
            true = names[one.true_class(head)]
            said = names[one.predicted_class(head)]
            sure = one.probability[list(head.labels)].to_numpy().max(axis=1, initial=0)
        return [
            f"true {a}, predicted {b} ({p:.2f})" for a, b, p in zip(true, said, sure, strict=True)
        ]

    def check(self, question: Question, cell: Cell | None = None) -> None:
        """Raise an InvalidDataError if a question, or a cell under it, names what is not there."""
        choices: dict[str, Any] = {
            "experiment": list(self.judged),
            "against": ["", *self.judged],
            "head": list(self.heads),
            "component_size": list(SIZES),
            "image_size": list(IMAGE_SIZES),
            "order": ORDERS,
        }
        problems = [
            f"there is no {name} {getattr(question, name)!r}; "
            f"there are {', '.join(map(repr, allowed))}"
            for name, allowed in choices.items()
            if getattr(question, name) not in allowed
        ]
        if problems:
            raise InvalidDataError("the confusion matrix", problems)
        if cell is not None:
            head = self.heads[question.head]
            single = head.kind == "exclusive"
            names = head.labels if single else _ANSWERS
            if (
                cell.label not in ([""] if single else head.labels)
                or cell.true not in names
                or cell.predicted not in names
            ):
                raise InvalidDataError("the cell", [f"the head {head.name!r} has no {cell}"])


class CellNotes(Mapping[Any, str]):
    """The texts of `Matrices.members` by `component_id`, each written when it is asked for.

    Parameters
    ----------
    matrices, question, cell
        Which cell.
    ids
        Its components.

    """

    def __init__(self, matrices: Matrices, question: Question, cell: Cell, ids: pd.Index) -> None:
        self._write = partial(matrices.words, question, cell)
        self._ids = ids

    def __getitem__(self, component_id: Any) -> str:
        if component_id not in self._ids:
            raise KeyError(component_id)
        return self._write(pd.Index([component_id]))[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def payload(matrices: list[Matrix], *, rates: bool, difference: bool) -> list[dict[str, Any]]:
    """Write matrices as what is painted.

    Returns
    -------
    list of dict
        `label`, `title`, `figures` (text), `names` (shown, without what all begin with), `cells`:
        by row and column `text`, `shade` (−1 to 1, how strongly it is painted), `good` (on the
        diagonal), `count` and `words` (for those who cannot see it).

    """
    return [
        {
            "label": matrix.label,
            "title": matrix.label,
            "figures": _figures(matrix, difference=difference),
            "names": shortened(matrix.names),
            "full": list(matrix.names),
            "cells": [
                [
                    _cell(matrix, row, column, rates=rates, difference=difference)
                    for column in range(len(matrix.names))
                ]
                for row in range(len(matrix.names))
            ],
        }
        for matrix in matrices
    ]


def shortened(names: tuple[str, ...]) -> list[str]:
    """Leave out the words that all names begin with: ``personalMale`` beside ``personalFemale``."""
    common = min(map(len, names))
    while common and not (
        len({name[:common] for name in names}) == 1
        and all(_word_starts(name, common) for name in names)
    ):
        common -= 1
    return [name[common:] for name in names]


def _word_starts(name: str, place: int) -> bool:
    if place >= len(name):
        return False
    return name[place].isupper() or not name[place - 1].isalnum()


def _cell(
    matrix: Matrix, row: int, column: int, *, rates: bool, difference: bool
) -> dict[str, Any]:
    count, rate = int(matrix.counts[row, column]), float(matrix.rates[row, column])
    sign = "+" if difference else ""
    share = "–" if np.isnan(rate) else f"{100 * rate:{sign}.0f} %"
    strength = rate
    if difference:
        of, value = (matrix.rates, rate) if rates else (matrix.counts, float(count))
        strength = value / (float(np.nanmax(np.abs(of), initial=0)) or 1)
    true, predicted = matrix.names[row], matrix.names[column]
    about = f"{matrix.label}: " if matrix.label else ""
    of_what = "component" if abs(count) == 1 else "components"
    return {
        "text": share if rates else f"{count:{sign},}",
        "shade": 0.0 if np.isnan(strength) else round(float(strength), 3),
        "good": row == column,
        "count": count,
        "words": f"{about}true {true}, predicted {predicted}: {count:{sign},} {of_what} ({share})",
    }


def _figures(matrix: Matrix, *, difference: bool) -> str:
    kind = "F1" if matrix.label else "macro F1"
    f1 = "–" if np.isnan(matrix.f1) else f"{matrix.f1:{'+' if difference else ''}.3f}"
    of = f"{matrix.support:,} with it" if matrix.label else counted(matrix.support, "component")
    return f"{kind} {f1} · {of}"


def _matrix(
    label: str,
    names: tuple[str, ...],
    counts: "np.ndarray[Any, np.dtype[np.int64]]",
    f1: float,
    support: int,
) -> Matrix:
    rows = counts.sum(axis=1, keepdims=True)
    rates = np.where(rows > 0, counts / np.maximum(rows, 1), np.nan)
    return Matrix(label, tuple(names), counts, rates, f1, support)


def _minus(first: Matrix, second: Matrix) -> Matrix:
    return Matrix(
        first.label,
        first.names,
        first.counts - second.counts,
        first.rates - second.rates,
        first.f1 - second.f1,
        first.support,
    )


def _macro_f1(counts: "np.ndarray[Any, np.dtype[np.int64]]") -> float:
    """Return macro F1 over the classes that occur."""
    true, predicted = counts.sum(axis=1), counts.sum(axis=0)
    occurs = true > 0
    f1 = 2 * np.diag(counts) / np.maximum(true + predicted, 1)
    return float(f1[occurs].mean()) if occurs.any() else np.nan
