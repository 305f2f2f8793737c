"""Which images a gallery shows, and in which order."""

import ast
import difflib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype

from peta_viz.errors import InvalidDataError
from peta_viz.widgets.catalogue import Catalogue, Mask, Rows

LabelState = Literal["carried", "absent", "unknown", "contested"]
LABEL_STATES: tuple[LabelState, ...] = get_args(LabelState)
# What a query may ask of a column: other methods of pandas write files, or call what they get.
METHODS = frozenset(
    [
        *("str", "contains", "startswith", "endswith", "match", "fullmatch"),
        *("len", "lower", "upper", "strip"),
        *("dt", "year", "month", "day", "hour"),
        *("isin", "isna", "isnull", "notna", "notnull", "between", "abs", "round"),
    ]
)
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?P<name>[^`]*)`""")


@dataclass(frozen=True)
class Filters:
    """What must hold; each that is empty lets everything pass.

    Parameters
    ----------
    label, label_state
        Images that carry the label, lack it, do not know it, or whose component contests it.
    head
        Components that contest a label of this head; with `result`, the head that is meant.
    flag
        A yes/no column of the components.
    min_size, max_size
        Images in the component; `max_size` 0 is no limit.
    subset
        The images' subset.
    result
        One of `result_names`, such as ``"A right, C wrong"``.
    query
        Text for ``DataFrame.query`` over images: it can name `image_id`, and the columns of images,
        components and labels. A label that is not known is False.

    """

    label: str = ""
    label_state: LabelState = "carried"
    head: str = ""
    flag: str = ""
    min_size: int = 0
    max_size: int = 0
    subset: str = ""
    result: str = ""
    query: str = ""


def image_mask(catalogue: Catalogue, filters: Filters) -> Mask:
    """Find the images that pass, as a mask of shape ``(images,)``.

    Raises
    ------
    InvalidDataError
        If a filter names what is not there, or the query cannot be understood.

    """
    _check(catalogue, filters)
    fits = _component_mask(catalogue, filters)[catalogue.codes]
    if filters.subset:
        fits &= (catalogue.imageset.images["subset"] == filters.subset).to_numpy(dtype=bool)
    if filters.label and filters.label_state != "contested":
        carried, known = catalogue.label(filters.label)
        states = {"carried": carried, "absent": known & ~carried, "unknown": ~known}
        fits &= states[filters.label_state]
    if filters.query.strip():
        fits &= _query(catalogue, filters.query.strip())
    return fits


def component_order(catalogue: Catalogue, images: Mask, sort_by: str, *, descending: bool) -> Rows:
    """Put the components that have any of the images in order; returns their codes.

    By a column of images or labels a component stands where the first of its images stands.

    Raises
    ------
    InvalidDataError
        If the column has no order.

    """
    some = np.bincount(catalogue.codes[images], minlength=len(catalogue.components)) > 0
    codes = np.flatnonzero(some)
    if not sort_by:
        return codes
    if sort_by in catalogue.components:
        values = catalogue.components[sort_by].iloc[codes]
        return codes[_ranks(values, descending=descending)]
    rows = image_order(catalogue, images, "", descending=descending)
    rows = rows[_ranks(catalogue.column(sort_by).iloc[rows], descending=descending)]
    # Written backwards, so that the first image of a component has the last word.
    first = np.empty(len(some), dtype=np.int64)
    first[catalogue.codes[rows[::-1]]] = np.arange(len(rows))[::-1]
    return codes[np.argsort(first[codes], kind="stable")]


def image_order(catalogue: Catalogue, images: Mask, sort_by: str, *, descending: bool) -> Rows:
    """Put the images in order; returns their rows. Without a column: by component.

    Raises
    ------
    InvalidDataError
        If the column has no order.

    """
    rows = catalogue.by_component
    if sort_by:
        orders, wanted = catalogue.orders, (sort_by, descending)
        if wanted not in orders:
            orders.clear()
            orders[wanted] = _ranks(catalogue.column(sort_by), descending=descending)
        rows = orders[wanted]
    found: Rows = rows[images[rows]]
    return found


def result_names(catalogue: Catalogue) -> list[str]:
    """Return what can be asked about the experiments."""
    return list(_results(catalogue))


def _results(catalogue: Catalogue) -> dict[str, list[tuple[str, bool]]]:
    """Return by name which experiments must be right, and which wrong."""
    names = list(catalogue.results)
    asked: list[list[tuple[str, bool]]] = [[(name, r)] for name in names for r in (True, False)]
    asked += [[(a, True), (b, False)] for a, b in itertools.permutations(names, 2)]
    words = {True: "right", False: "wrong"}
    return {", ".join(f"{name} {words[right]}" for name, right in one): one for one in asked}


def _ranks(values: "pd.Series[Any]", *, descending: bool) -> Rows:
    """Order stably, what is missing last; returns places, int32."""
    positions = values.reset_index(drop=True)
    try:
        ordered = positions.sort_values(ascending=not descending, kind="stable", na_position="last")
    except TypeError as error:
        raise InvalidDataError("the order", [f"{values.name!r} has no order: {error}"]) from error
    return ordered.index.to_numpy().astype(np.int32)


def _component_mask(catalogue: Catalogue, filters: Filters) -> Mask:
    size = catalogue.components["size"].to_numpy()
    fits = size >= filters.min_size
    if filters.max_size:
        fits &= size <= filters.max_size
    if filters.flag:
        fits &= catalogue.components[filters.flag].to_numpy(dtype=bool)
    if filters.label and filters.label_state == "contested":
        fits &= catalogue.contested([filters.label])
    if filters.result:
        for experiment, right in _results(catalogue)[filters.result]:
            fits &= _result(catalogue, experiment, filters.head, right=right)
    elif filters.head:
        (head,) = (head for head in catalogue.imageset.heads if head.name == filters.head)
        fits &= catalogue.contested(head.labels)
    return fits


def _result(catalogue: Catalogue, experiment: str, head: str, *, right: bool) -> Mask:
    """Components that are right in every head that counts (or this one), or wrong in any."""
    table = catalogue.results[experiment]
    columns = table[[head]] if head else table
    counted = columns.notna().any(axis=1)
    wrong = (columns == False).fillna(value=False).any(axis=1)  # noqa: E712 - elementwise, with <NA>
    answer = counted & (~wrong if right else wrong)
    return answer.reindex(catalogue.components.index, fill_value=False).to_numpy(dtype=bool)


def _query(catalogue: Catalogue, text: str) -> Mask:
    named = [name for name in catalogue.columns if re.search(_word(name), text)]
    columns = {name: catalogue.column(name).array for name in named}
    by_id = re.search(_word("image_id"), text) or re.search(_word("index"), text)
    ids = catalogue.ids.rename("image_id") if by_id else pd.RangeIndex(len(catalogue))
    frame = pd.DataFrame(columns, index=ids)
    text, names = _plain(text, [*catalogue.columns, "image_id", "index"])
    frame = frame.rename(columns=names).rename_axis(index=names)
    try:
        _check_asked(text)
        # Empty scopes: "@name" is to find nothing of ours.
        answer: Any = frame.eval(text, local_dict={}, global_dict={}, engine="python")
    except Exception as error:
        raise InvalidDataError("the query", [_explain(catalogue, error)]) from error
    if np.shape(answer) != (len(catalogue),) or not is_bool_dtype(answer):
        raise InvalidDataError(
            "the query", ["it must be yes or no for every image, such as size > 3 and hairLong"]
        )
    return pd.Series(answer).fillna(value=False).to_numpy(dtype=bool)


def _plain(text: str, known: Sequence[str]) -> tuple[str, dict[str | int, str]]:
    """Name what stands in backticks otherwise, so that what is checked is what is evaluated."""
    names: dict[str | int, str] = {}

    def named(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return found[0]
        if name not in known:
            words = f"there is no column {name!r}{did_you_mean(name, known)}"
            raise InvalidDataError("the query", [words])
        return names.setdefault(name, f"column_in_backticks_{len(names)}")

    plain = _QUOTED.sub(named, text.strip())
    if "`" in plain:
        raise InvalidDataError("the query", ["a backtick goes only around a column's name"])
    return plain, names


def _check_asked(text: str) -> None:
    for node in ast.walk(ast.parse(text, mode="eval")):
        if isinstance(node, ast.Attribute) and node.attr not in METHODS:
            known = ", ".join(sorted(METHODS))
            raise ValueError(f"there is no .{node.attr} in a query, only {known}")


def _word(name: str) -> str:
    return rf"(?<!\w){re.escape(name)}(?!\w)"


def _explain(catalogue: Catalogue, error: Exception) -> str:
    unknown = re.search(r"name '(.+)' is not defined", str(error))
    if not unknown:
        return f"it cannot be understood: {error}"
    return f"there is no column {unknown[1]!r}{did_you_mean(unknown[1], catalogue.columns)}"


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """Return a hint at what is there, or nothing."""
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _check(catalogue: Catalogue, filters: Filters) -> None:
    heads = [head.name for head in catalogue.imageset.heads]
    choices = {
        "label": catalogue.names,
        "label_state": LABEL_STATES,
        "head": heads,
        "flag": catalogue.flags,
        "subset": catalogue.subsets,
        "result": result_names(catalogue),
    }
    problems = []
    for name, allowed in choices.items():
        value = getattr(filters, name)
        if value and value not in allowed:
            problems.append(f"there is no {name} {value!r}{did_you_mean(value, allowed)}")
    if problems:
        raise InvalidDataError("the filter", problems)
