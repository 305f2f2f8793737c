"""Tables: what the rows of a user's own table say of images and labels."""

import numbers
import os.path
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from peta_viz.errors import InvalidDataError
from peta_viz.fetching import is_url, local_path
from peta_viz.origin import Mask, Origin, words_of
from peta_viz.rules import TEXT, shown
from peta_viz.words import counted

_YES, _NO = ("yes", "y", "true", "t", "1"), ("no", "n", "false", "f", "0")
_ANSWERS = ", ".join(map("/".join, zip(_YES, _NO, strict=True)))


@dataclass(frozen=True, eq=False)
class Rows:
    """What the rows of a table say, checked; images have not been looked at.

    Parameters
    ----------
    frame
        The table, its columns named by texts.
    named, labels
        Columns that were named, and those of yes and no among them.
    ids, files
        The id of each row, and where its image is.
    values, known
        The labels as `ImageSet` holds them, rows as in `frame`.
    classes
        By column of class names: the labels that its classes became.
    origin
        How the table is written.

    """

    frame: pd.DataFrame
    named: tuple[str, ...]
    labels: tuple[str, ...]
    ids: "pd.Series[str]"
    files: list[str]
    values: pd.DataFrame
    known: pd.DataFrame
    classes: Mapping[str, tuple[str, ...]]
    origin: Origin


def read_rows(
    frame: pd.DataFrame,
    *,
    path: str,
    labels: Sequence[str] = (),
    classes: Sequence[str] = (),
    image_id: str | None = None,
    subset: str | None = None,
    person_id: str | None = None,
    root: str | Path | None = None,
    missing: Literal["error", "unknown"] = "error",
) -> Rows:
    """Read a table as `ImageSet.from_frame` does, without opening any image.

    Raises
    ------
    InvalidDataError
        As `ImageSet.from_frame`.

    """
    names = [str(name) for name in frame.columns]
    problems = [
        f"the column name {shown(name)} cannot be written: rename it"
        for name in names
        if not TEXT.fits(name)
    ]
    if problems:
        raise InvalidDataError("the table", problems)
    frame = frame.set_axis(names, axis=1)
    # Columns of a table without a header are called by numbers.
    labels, classes = ([one] if isinstance(one, str) else one for one in (labels, classes))
    path, labels, classes = str(path), list(map(str, labels)), list(map(str, classes))
    single = {"image_id": image_id, "subset": subset, "person_id": person_id}
    roles = {"path": [path], "classes": classes}
    roles |= {role: [str(name)] for role, name in single.items() if name is not None}
    texts = [name for columns in roles.values() for name in columns]
    problems = _frame_problems(frame, {**roles, "labels": labels})
    if problems:
        raise InvalidDataError("the table", problems)

    id_column = path if image_id is None else str(image_id)
    ids = frame[id_column].astype("string").astype("str")
    files, outside = resolve_paths(frame[path].astype("str"), root)
    values, known, became, bad = _label_matrices(frame, labels, classes)
    of_what = "" if image_id else ", of image files,"
    problems += id_problems(ids, f"column {id_column!r}{of_what}")
    problems += [f"path {name!r} leads out of the folder {root}" for name in outside]
    problems += bad
    if missing == "error" and not known.to_numpy().all():
        problems += [
            f"column {column!r} has {counted(count, 'empty cell')}: fill what is empty, drop the "
            "rows, "
            'or give missing="unknown" if nobody gave that label'
            for column, count in _empty_cells(frame, [*labels, *classes])
        ]
    if problems:
        raise InvalidDataError("the table", problems)
    columns = {role: None if name is None else str(name) for role, name in single.items()}
    words = {
        name: words_of(
            frame[name], values[name].to_numpy(), (known[name] & ~values[name]).to_numpy()
        )
        for name in labels
    }
    return Rows(
        frame=frame,
        named=(*texts, *labels),
        labels=tuple(labels),
        ids=ids,
        files=files,
        values=values,
        known=known,
        classes=became,
        origin=Origin(
            columns=names,
            path=path,
            root=None if root is None else str(where_paths_start(root)),
            words=words,
            **columns,
        ),
    )


def id_problems(ids: "pd.Series[Any]", column: str) -> list[str]:
    """Say what keeps a column from naming rows: it has to hold texts, each once."""
    problems = []
    if ids.isna().any():
        problems.append(f"{column} is empty in {counted(int(ids.isna().sum()), 'row')}")
    if not is_text(ids) and not all(isinstance(value, str) for value in ids.dropna()):
        problems.append(f"{column} must be text")
    if is_text(ids) and pc.count_distinct(pa.array(ids.array), mode="all").as_py() == len(ids):
        return problems
    repeated = ids[ids.duplicated()].unique()
    if len(repeated):
        many = counted(len(repeated), "value repeats", "values repeat")
        problems.append(f"{column} must be unique, but {many}, such as {repeated[0]!r}")
    return problems


def is_text(column: "pd.Index | pd.Series[Any]") -> bool:
    """Tell whether a column is text that Arrow holds."""
    return isinstance(column.dtype, pd.StringDtype) and column.dtype.storage == "pyarrow"


def _frame_problems(frame: pd.DataFrame, roles: Mapping[str, Sequence[str]]) -> list[str]:
    (path,) = roles["path"]
    texts = [name for role, named in roles.items() if role != "labels" for name in named]
    problems = [
        f"{role}=…: there is no column {column!r}{meant(column, frame.columns)}; "
        f"the columns are {', '.join(map(repr, frame.columns))}"
        for role, named in roles.items()
        for column in dict.fromkeys(named)
        if column not in frame.columns
    ]
    if not len(frame):
        problems.append("there is no image in it")
    twice = frame.columns[frame.columns.duplicated()].unique()
    problems += [f"there is more than one column {column!r}" for column in twice]
    if twice.size:
        return problems
    if path in frame.columns and frame[path].isna().any():
        empty = int(frame[path].isna().sum())
        problems.append(f"column {path!r} is empty in {counted(empty, 'row')}")
    for column in dict.fromkeys(name for name in texts if name in frame.columns):
        odd = frame[column][~_is_wordy(frame[column])]
        if len(odd):
            problems.append(
                f"column {column!r} must hold text, but has {shown(odd.iloc[0])} "
                f"in {_row(odd.index[0], frame)}"
            )
    if not roles["labels"] and not roles["classes"]:
        others = [str(column) for column in frame.columns if column != path]
        yes_no = [c for c in others if frame[c].notna().any() and is_yes_no(frame[c].dropna())]
        hint = f"; these look like labels: {', '.join(yes_no)}" if yes_no else ""
        words = f"; the columns are {', '.join(map(repr, frame.columns))}" if not problems else ""
        problems.append(f"no label is named (labels=… or classes=…){hint}{words}")
    return problems


def meant(name: str, names: Iterable[str]) -> str:
    """Ask whether the most similar of some names was meant, where one is similar."""
    close = get_close_matches(str(name), [str(one) for one in names], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _row(label: Any, frame: pd.DataFrame) -> str:
    """Name a row: by its label, or as people count where nobody has labelled the rows."""
    if isinstance(frame.index, pd.RangeIndex):
        return f"row {frame.index.get_indexer(pd.Index([label]))[0] + 1} below the header"
    return f"row {label!r}"


def filled_text(column: "pd.Series[Any]", empty: "str | pd.Series[str]") -> "np.ndarray[Any, Any]":
    """Return a column as text, with something else where it is empty."""
    return column.astype("string").fillna(empty).to_numpy(dtype=object)


def _is_wordy(column: "pd.Series[Any]") -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Tell which cells are text, or can be written as one, or are empty."""
    if not pd.api.types.is_object_dtype(column):
        return np.ones(len(column), dtype=bool)
    kinds = (str, numbers.Number, np.bool_, date, pd.Timedelta)
    return np.array(
        [
            (isinstance(cell, kinds) and _is_sound(cell)) or cell is None or cell is pd.NA
            for cell in column
        ],
        dtype=bool,
    )


def _is_sound(cell: Any) -> bool:
    return not isinstance(cell, str) or cell.encode("utf-8", "replace").decode() == cell


def in_words(column: "pd.Series[Any]") -> "pd.Series[str]":
    """Return a column of any objects as text that can be written; what is empty stays so."""
    if not pd.api.types.is_object_dtype(column):
        return column.astype("str")
    words = [
        None if cell is None or cell is pd.NA else str(cell).encode("utf-8", "replace").decode()
        for cell in column
    ]
    return pd.Series(words, index=column.index, dtype="str")


def _answers(column: "pd.Series[Any]") -> "tuple[Mask, Mask]":
    """Tell which cells say yes and which say no: True and False, 1 and 0, or words for it."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.StringDtype):
        words = column.str.strip().str.lower()
        return words.isin(_YES).to_numpy(dtype=bool), words.isin(_NO).to_numpy(dtype=bool)
    if not pd.api.types.is_object_dtype(column):
        return column.isin([1]).to_numpy(dtype=bool), column.isin([0]).to_numpy(dtype=bool)
    said = [_answer(cell) for cell in column]
    return np.array([one is True for one in said]), np.array([one is False for one in said])


def _answer(cell: Any) -> bool | None:
    if isinstance(cell, str):
        word = cell.strip().lower()
        return True if word in _YES else False if word in _NO else None
    is_number = isinstance(cell, numbers.Real | np.bool_)
    return bool(cell) if is_number and cell in (0, 1) else None


def is_yes_no(column: "pd.Series[Any]") -> bool:
    """Tell whether every cell says yes or no: True or False, 1 or 0, or a word for it."""
    yes, no = _answers(column)
    return bool((yes | no).all())


def _empty_cells(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, int]]:
    counts = frame[list(columns)].isna().sum()
    return [(str(column), int(count)) for column, count in counts.items() if count]


def resolve_paths(paths: "pd.Series[str]", root: str | Path | None) -> tuple[list[str], list[str]]:
    """Join paths to `root`, if there is one; also return those that would lead out of it.

    URLs of other file systems stay as they are.
    """
    if root is None:
        return paths.tolist(), []
    base = where_paths_start(root)
    names = [local_path(name) for name in paths]
    joined = [name if is_url(name) else _normal(base / name) for name in names]
    outside = [
        name
        for name, file in zip(paths, joined, strict=True)
        if not is_url(file) and not Path(file).is_relative_to(base)
    ]
    return joined, outside


def where_paths_start(root: str | Path) -> Path:
    """Return a folder as an absolute path without ``..``."""
    folder = Path(root).absolute()
    return folder.resolve() if ".." in folder.parts else folder


def _normal(path: Path) -> str:
    # normpath and not resolve(): one string operation instead of a system call per part.
    return os.path.normpath(path)


def _label_matrices(
    frame: pd.DataFrame, labels: Sequence[str], classes: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, tuple[str, ...]], list[str]]:
    values: dict[str, Any] = {}
    known: dict[str, Any] = {}
    became: dict[str, tuple[str, ...]] = {}
    problems = []
    for column in labels:
        given = frame[column]
        known[column] = given.notna().to_numpy()
        yes, no = _answers(given)
        odd = given[given.notna().to_numpy() & ~yes & ~no]
        if len(odd):
            problems.append(
                f"column {column!r} must hold yes and no ({_ANSWERS}), "
                f"but has {shown(odd.iloc[0])} in {_row(odd.index[0], frame)}"
                + (f" and {len(odd) - 1} more" if len(odd) > 1 else "")
                + (
                    "; columns of class names go into classes=…"
                    if isinstance(odd.iloc[0], str)
                    else ""
                )
            )
        values[column] = yes
    for column in classes:
        given = frame[column].astype("string")
        names = {f"{column}={value}": value for value in sorted(given.dropna().unique())}
        for name, value in names.items():
            values[name] = (given == value).fillna(value=False).to_numpy(dtype=bool)
            known[name] = given.notna().to_numpy()
        if len(names) < 2:  # noqa: PLR2004
            problems.append(f"column {column!r} needs at least two classes, but has {len(names)}")
        became[column] = tuple(names)
    to_frame: Callable[[dict[str, Any]], pd.DataFrame] = lambda columns: pd.DataFrame(  # noqa: E731
        columns, index=frame.index, dtype=bool
    )
    return to_frame(values), to_frame(known), became, problems
