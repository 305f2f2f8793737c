"""Still confusion matrices: HTML in which a number opens its images, without any code."""

import itertools
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from peta_viz.errors import UnreadableImageError
from peta_viz.images import jpeg_uri
from peta_viz.imageset import ImageSet
from peta_viz.loader import ImageLoader
from peta_viz.markup import Still, templates
from peta_viz.widgets.catalogue import Catalogue
from peta_viz.widgets.matrices import Cell, Matrices, Matrix, Question, payload

_MOST = {True: 4, False: 10}  # components shown of a cell that is right, and of one that is wrong
_RULE_BYTES = 120  # what a picture costs beside itself
_RIGHT, _WRONG = "46, 125, 50", "179, 38, 30"


def show_confusion(
    imageset: ImageSet,
    matrices: Matrices,
    question: Question,
    *,
    thumb_px: int = 96,
    byte_budget: int = 4_000_000,
) -> Still:
    """Show the matrices of every head, the one asked about first.

    Parameters
    ----------
    imageset
        The images of the components.
    matrices
        What was predicted.
    question
        Which experiment and which components.
    thumb_px
        Height of the pictures.
    byte_budget
        In bytes. Pictures stop where the HTML would grow larger; wrong predictions come first.

    Returns
    -------
    Still
        HTML that says what it leaves out. Each picture is in it once, however many cells show it.

    """
    key = uuid.uuid4().hex[:8]
    catalogue = Catalogue.of(imageset, pd.DataFrame())  # nothing of them is measured here
    names = sorted(matrices.heads, key=lambda name: name != question.head)
    heads = [
        _head(catalogue, matrices, replace(question, head=name), f"pv-{key}-{number}")
        for number, name in enumerate(names)
    ]
    who = question.experiment + (f" minus those of {question.against}" if question.against else "")
    page = partial(
        templates().get_template("confusion.html.j2").render,
        heads=heads,
        key=key,
        question=question,
        who=who,
        thumb_px=thumb_px,
    )
    room = byte_budget - len(page(pictures={}, left_out=0).encode())
    pictures, left_out = _pictures(catalogue, heads, thumb_px, room)
    return Still(page(pictures=pictures, left_out=left_out))


def _head(
    catalogue: Catalogue, matrices: Matrices, question: Question, anchor: str
) -> dict[str, Any]:
    found = matrices.matrices(question)
    painted = payload(found, rates=question.rates, difference=bool(question.against))
    cells = []
    for number, (matrix, paint) in enumerate(zip(found, painted, strict=True)):
        for row, column in itertools.product(range(len(matrix.names)), repeat=2):
            cell = paint["cells"][row][column]
            cell["anchor"] = f"{anchor}-{number}-{row}-{column}"
            cell["colour"] = _colour(cell)
            shown = _cell(catalogue, matrices, question, matrix, row, column)
            cell["count"] = shown["count"]  # of a difference: those that are in one of the two
            if shown["count"]:
                cells.append(
                    {
                        **shown,
                        "anchor": cell["anchor"],
                        "words": cell["words"],
                        "good": cell["good"],
                    }
                )
    return {"name": question.head, "anchor": anchor, "matrices": painted, "cells": cells}


def _cell(
    catalogue: Catalogue,
    matrices: Matrices,
    question: Question,
    matrix: Matrix,
    row: int,
    column: int,
) -> dict[str, Any]:
    cell = Cell(matrix.label, matrix.names[row], matrix.names[column])
    ids = matrices.inside(question, cell)
    ids = ids[ids.isin(catalogue.components.index)]
    chosen = ids[: _MOST[row == column]]
    codes = catalogue.components.index.get_indexer(chosen).tolist()
    notes = matrices.words(question, cell, chosen)
    return {
        "count": len(ids),
        "left_out": len(ids) - len(chosen),
        "components": [_component(catalogue, *one) for one in zip(codes, notes, strict=True)],
    }


def _component(catalogue: Catalogue, code: int, note: str) -> dict[str, Any]:
    members = catalogue.members(code)
    row = int(members[0])
    return {
        "row": row,
        "id": str(catalogue.ids[row]),
        "component": str(catalogue.components.index[code]),
        "size": len(members),
        "note": note,
        "reason": "",
    }


def _pictures(
    catalogue: Catalogue, heads: list[dict[str, Any]], thumb_px: int, room: int
) -> tuple[dict[int, dict[str, Any]], int]:
    """Encode each picture once, of wrong cells first, as far as `room` (bytes) goes."""
    cells = [cell for head in heads for cell in head["cells"]]
    cells.sort(key=lambda cell: cell["good"])
    wanted = [one for cell in cells for one in cell["components"]]
    pictures: dict[int, dict[str, Any]] = {}
    problems: dict[int, str] = {}
    left_out: set[int] = set()
    paths = catalogue.imageset.images["path"]
    for one in wanted:
        row = one["row"]
        if row not in pictures and row not in problems and not left_out:
            try:
                uri = jpeg_uri(ImageLoader(paths.iloc[row]).jpeg(thumb_px))
            except UnreadableImageError as error:
                problems[row] = error.reason
            else:
                room -= len(uri) + _RULE_BYTES
                if room >= 0:
                    width = max(8, round(float(catalogue.aspects_of([row])[0]) * thumb_px))
                    pictures[row] = {"uri": uri, "width": width}
        one["reason"] = problems.get(row, "")
        if row not in pictures and row not in problems:
            left_out.add(row)
    return pictures, len(left_out)


def _colour(cell: dict[str, Any]) -> str:
    good = cell["good"] if cell["shade"] >= 0 else not cell["good"]
    return f"rgba({_RIGHT if good else _WRONG}, {min(1.0, abs(cell['shade'])) * 0.5:.2f})"
