"""The image set: images, their labels, which labels are known, and the heads."""

import copy
import json
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from peta_viz.arrow import HEADS_KEY, cells, label_names, labels_table
from peta_viz.errors import InvalidDataError, in_a_line
from peta_viz.fetching import is_url, local_path
from peta_viz.files import atomic, is_file
from peta_viz.images import inspect_headers
from peta_viz.origin import Mask, Origin, words_of
from peta_viz.parquet import checked_schema, read_frame, told
from peta_viz.rules import TEXT, shown

HeadKind = Literal["exclusive", "multiple"]

_YES, _NO = ("yes", "y", "true", "t", "1"), ("no", "n", "false", "f", "0")
_ANSWERS = ", ".join(map("/".join, zip(_YES, _NO, strict=True)))
IMAGE_COLUMNS = ("path", "subset", "person_id", "width", "height")


@dataclass(frozen=True)
class Head:
    """A named group of labels that one classifier output predicts.

    Parameters
    ----------
    name
        What the group is called, such as ``"age"``.
    labels
        The labels in it, in output order.
    kind
        ``"exclusive"``: an image has one of them; ``"multiple"``: any of them.

    """

    name: str
    labels: tuple[str, ...]
    kind: HeadKind = "multiple"


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with their labels; the one object that travels through peta-viz.

    Parameters
    ----------
    images
        One row per image, indexed by `image_id` (unique text), with the columns `path`, `subset`,
        `person_id` (text) and `width`, `height` (pixels; 0 where the file could not be read).
        More columns are welcome; peta-viz itself adds `problem`, `component_id` and `split`.
    labels
        Boolean frame of shape ``(images, labels)`` with the same index: does the image carry it?
    known
        Boolean frame of the same shape: was the question answered at all? Where it is False,
        `labels` is False too, and statistics, losses and scores skip the cell.
    heads
        How the labels are grouped for a classifier.

    Raises
    ------
    InvalidDataError
        If anything of the above does not hold; the message lists every problem.

    """

    images: pd.DataFrame
    labels: pd.DataFrame
    known: pd.DataFrame
    heads: tuple[Head, ...]

    def __post_init__(self) -> None:
        problems = [*_table_problems(self), *_head_problems(self)]
        if problems:
            raise InvalidDataError("the image set", problems)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return (
            f"ImageSet({len(self)} images, {self.labels.shape[1]} labels, {len(self.heads)} heads)"
        )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        path: str,
        labels: Sequence[str] = (),
        classes: Sequence[str] = (),
        heads: Sequence[Head] | None = None,
        image_id: str | None = None,
        subset: str | None = None,
        person_id: str | None = None,
        root: str | Path | None = None,
        missing: Literal["error", "unknown"] = "error",
    ) -> Self:
        """Take any table with one row per image.

        Parameters
        ----------
        frame
            The table; it is not changed. Columns that are not named below are kept in `images`.
        path
            Column with the image files.
        labels
            Columns of yes and no, each one label: booleans, numbers 0 and 1, or the words yes/no,
            y/n, true/false, t/f in any case.
        classes
            Columns with one class name per image, each an exclusive head: column ``colour`` with
            the values ``red`` and ``blue`` becomes the labels ``colour=red`` and ``colour=blue``.
        heads
            Groups of `labels`; by default they form one multiple head named ``"labels"``.
        image_id, subset, person_id
            Columns for these; by default the path, ``""`` and the image's own id. Images with the
            same `person_id` show the same thing and stay on one side of a split.
        root
            Folder that relative paths start from. No path may lead out of it.
        missing
            What an empty cell among the labels means: a mistake, or "nobody said".

        Returns
        -------
        ImageSet
            Rows in the order of `frame`; images that cannot be read are kept, with the reason in
            the column `problem`.

        Raises
        ------
        InvalidDataError
            If columns are missing, ids repeat, labels are neither yes nor no, paths leave `root`,
            or there is no image; the message lists every problem.

        Examples
        --------
        >>> frame = pd.DataFrame({"file": ["a.jpg", "b.jpg"], "cat": [True, False]})
        >>> ImageSet.from_frame(frame, path="file", labels=["cat"]).labels["cat"].tolist()
        [True, False]

        """
        read = read_rows(
            frame,
            path=path,
            labels=labels,
            classes=classes,
            image_id=image_id,
            subset=subset,
            person_id=person_id,
            root=root,
            missing=missing,
        )
        frame, ids = read.frame, read.ids
        index = pd.Index(ids.to_numpy(), name="image_id", dtype="str")
        images = pd.DataFrame(
            {
                "path": read.files,
                "subset": _text(frame[str(subset)], "") if subset else "",
                "person_id": _text(frame[str(person_id)], ids) if person_id else index,
            },
            index=index,
        )
        images = images.join(inspect_headers(images["path"]))
        others = [c for c in frame.columns if c not in {*read.named, *images.columns}]
        extra = frame[others].set_axis(index)
        mixed = [name for name in extra.columns if pd.api.types.is_object_dtype(extra[name])]
        images = images.join(extra.assign(**{name: in_words(extra[name]) for name in mixed}))
        if heads is None:
            heads = [Head("labels", read.labels)] if read.labels else []
        read.origin.keep(images)
        values, known = read.values.set_axis(index), read.known.set_axis(index)
        return cls(images, values, known, (*heads, *read.class_heads))

    def subset(self, rows: "pd.Series[bool] | np.ndarray[Any, Any] | Iterable[str]") -> Self:
        """Return the image set of some of the images, in the order of this one.

        Parameters
        ----------
        rows
            A boolean mask over the images, shape ``(images,)``, or the ids to keep.

        """
        if isinstance(rows, pd.Series) and rows.dtype == bool:
            rows = rows.reindex(self.images.index, fill_value=False)
        mask = np.asarray(rows if isinstance(rows, np.ndarray | pd.Series) else list(rows))
        if mask.dtype != bool:
            unknown = pd.Index(mask).difference(self.images.index)
            if len(unknown):
                raise KeyError(
                    f"{len(unknown)} ids are not in this image set, such as {unknown[0]!r}"
                )
            mask = self.images.index.isin(mask)
        return replace(
            self, images=self.images[mask], labels=self.labels[mask], known=self.known[mask]
        )

    def take(self, rows: "np.ndarray[Any, np.dtype[np.int64]]") -> Self:
        """Return the images at these row numbers, in this order; none twice."""
        return replace(
            self,
            images=self.images.iloc[rows],
            labels=self.labels.iloc[rows],
            known=self.known.iloc[rows],
        )

    def with_columns(self, **columns: Any) -> Self:
        """Return the image set with columns added to `images`, or replaced."""
        made = copy.copy(self)  # nothing that is checked can change, and checking ids takes long
        vars(made)["images"] = self.images.assign(**columns)
        return made

    def with_labels(self, labels: pd.DataFrame, known: pd.DataFrame) -> Self:
        """Return the image set with other labels (of the same shape)."""
        return replace(self, labels=labels, known=known)

    def with_cells(
        self,
        labels: "np.ndarray[Any, np.dtype[np.bool_]]",
        known: "np.ndarray[Any, np.dtype[np.bool_]]",
    ) -> Self:
        """Return the image set with other labels, given as boolean arrays of the same shape."""
        index, columns = self.labels.index, self.labels.columns
        return self.with_labels(
            pd.DataFrame(labels, index, columns, copy=False),
            pd.DataFrame(known, index, columns, copy=False),
        )

    def to_parquet(self, folder: str | Path) -> None:
        """Write ``images.parquet`` and ``labels.parquet`` into `folder`, each atomically.

        A label that is not known is written as null; the heads lie in the metadata of
        ``labels.parquet`` under the key ``peta_viz.heads``, as JSON.
        """
        folder = Path(folder)
        labels, known = self.labels.to_numpy(), self.known.to_numpy()
        names = self.labels.columns.tolist()
        table = labels_table(self.images.index, names, labels, known, self.heads)
        with atomic(folder / "labels.parquet") as partial:
            pq.write_table(table, partial)
        with atomic(folder / "images.parquet") as partial:
            self.images.to_parquet(partial)

    @classmethod
    def from_parquet(cls, folder: str | Path) -> Self:
        """Read what `to_parquet` wrote.

        Raises
        ------
        InvalidDataError
            If `folder` does not hold the two files, or they do not belong together.

        """
        folder = Path(folder)
        lacks = [f for f in ("images", "labels") if not is_file(folder / f"{f}.parquet")]
        if lacks:
            words = f"there is no {lacks[0]}.parquet: run 01_components for it, or name another"
            raise InvalidDataError(f"the run folder {folder}", [words])
        images = read_frame(folder / "images.parquet")
        file = folder / "labels.parquet"
        with told(file):
            checked_schema(file)
            table = pq.read_table(file)
            heads = heads_of(table.schema, file)
            names = label_names(table.schema)
            index = table.drop_columns(names).to_pandas().index
            labels, known = cells(table.select(names))
        return cls(
            images=images,
            labels=pd.DataFrame(labels, index, names, copy=False),
            known=pd.DataFrame(known, index, names, copy=False),
            heads=heads,
        )


def heads_of(schema: pa.Schema, file: Path) -> tuple[Head, ...]:
    """Return the heads that the schema of ``labels.parquet`` tells.

    Raises
    ------
    InvalidDataError
        If it tells none.

    """
    metadata = schema.metadata or {}
    if HEADS_KEY not in metadata:
        raise InvalidDataError(str(file), ["it has no heads: peta-viz did not write it"])
    try:
        heads = json.loads(metadata[HEADS_KEY])
        if not isinstance(heads, list):
            raise TypeError(f"expected a list, but got {shown(heads)}")  # noqa: TRY301
        return heads_from((head["name"], head["labels"], head["kind"]) for head in heads)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidDataError(str(file), [f"its heads are none ({in_a_line(error)})"]) from error


def heads_from(told: Iterable[tuple[Any, Any, Any]]) -> tuple[Head, ...]:
    """Return heads as a file tells them: name, labels and kind of each.

    Raises
    ------
    TypeError
        If a name or label is no text, or there is no such kind.

    """
    heads = tuple(Head(name, tuple(labels), kind) for name, labels, kind in told)
    for head in heads:
        odd = [one for one in (head.name, *head.labels) if not isinstance(one, str)]
        if odd or head.kind not in get_args(HeadKind):
            raise TypeError(f"expected a name, labels and a kind, but got {shown(head)}")
    return heads


def _table_problems(imageset: ImageSet) -> list[str]:
    images, labels, known = imageset.images, imageset.labels, imageset.known
    problems = []
    if not len(images):
        problems.append("there is no image in it")
    absent = [column for column in IMAGE_COLUMNS if column not in images.columns]
    if absent:
        problems.append(f"images lacks the columns {', '.join(absent)}")
    problems += _id_problems(images.index.to_series(), "image_id")
    for name, frame in (("labels", labels), ("known", known)):
        if not frame.index.equals(images.index):
            problems.append(f"{name} has another index than images")
        odd = [str(c) for c in frame.columns[[kind != np.dtype(bool) for kind in frame.dtypes]]]
        if odd:
            problems.append(f"{name} must be boolean, but these columns are not: {', '.join(odd)}")
    if not labels.columns.is_unique:
        problems.append("labels has columns of the same name")
    if not labels.columns.equals(known.columns):
        problems.append("labels and known have different columns")
    elif not problems:
        count = np.count_nonzero(labels.to_numpy() > known.to_numpy())
        if count:
            problems.append(f"{count} cells are true in labels and False in known")
    return problems


def _head_problems(imageset: ImageSet) -> list[str]:
    problems: list[str] = []
    seen: dict[str, str] = {}
    names = [head.name for head in imageset.heads]
    problems += [
        f"two heads are named {n!r}" for n in sorted({n for n in names if names.count(n) > 1})
    ]
    for head in imageset.heads:
        if head.kind not in get_args(HeadKind):
            problems.append(
                f"head {head.name!r} has the kind {head.kind!r}, not exclusive or multiple"
            )
        if len(head.labels) < (2 if head.kind == "exclusive" else 1):
            problems.append(f"head {head.name!r} ({head.kind}) has {len(head.labels)} labels")
        for label in head.labels:
            if label not in imageset.labels.columns:
                problems.append(f"head {head.name!r} names the label {label!r}, which is not there")
            if label in seen:
                problems.append(
                    f"label {label!r} is in two heads, {seen[label]!r} and {head.name!r}"
                )
            seen[label] = head.name
    return problems


def _id_problems(ids: "pd.Series[Any]", column: str) -> list[str]:
    problems = []
    if ids.isna().any():
        problems.append(f"{column} is empty in {int(ids.isna().sum())} rows")
    if not is_text(ids) and not all(isinstance(value, str) for value in ids.dropna()):
        problems.append(f"{column} must be text")
    if is_text(ids) and pc.count_distinct(pa.array(ids.array), mode="all").as_py() == len(ids):
        return problems
    repeated = ids[ids.duplicated()].unique()
    if len(repeated):
        many = "1 value repeats" if len(repeated) == 1 else f"{len(repeated)} values repeat"
        problems.append(f"{column} must be unique, but {many}, such as {repeated[0]!r}")
    return problems


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
    values, known, class_heads
        The labels as `ImageSet` holds them, and the heads made of columns of classes.
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
    class_heads: list[Head]
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
    path, labels, classes = str(path), list(map(str, labels)), list(map(str, classes))
    single = {"image_id": image_id, "subset": subset, "person_id": person_id}
    roles = {"path": [path], "classes": classes}
    roles |= {role: [str(name)] for role, name in single.items() if name is not None}
    texts = [name for columns in roles.values() for name in columns]
    problems = _frame_problems(
        frame, {**roles, "labels": labels}, texts=texts, path=path, labels=labels, classes=classes
    )
    if problems:
        raise InvalidDataError("the table", problems)

    id_column = path if image_id is None else str(image_id)
    ids = frame[id_column].astype("string").astype("str")
    files, outside = resolve_paths(frame[path].astype("str"), root)
    values, known, class_heads, bad = _label_matrices(frame, labels, classes)
    problems += _id_problems(ids, f"column {id_column!r}")
    problems += [f"path {name!r} leads out of the folder {root}" for name in outside]
    problems += bad
    if missing == "error" and not known.to_numpy().all():
        problems += [
            f"column {column!r} has {count} empty cells: fill them, drop the rows, "
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
        class_heads=class_heads,
        origin=Origin(
            columns=names,
            path=path,
            root=None if root is None else str(Path(root).absolute()),
            words=words,
            **columns,
        ),
    )


def is_text(column: "pd.Index | pd.Series[Any]") -> bool:
    """Tell whether a column is text that Arrow holds."""
    return isinstance(column.dtype, pd.StringDtype) and column.dtype.storage == "pyarrow"


def _frame_problems(
    frame: pd.DataFrame,
    roles: Mapping[str, Sequence[str]],
    *,
    texts: Sequence[str],
    path: str,
    labels: Sequence[str],
    classes: Sequence[str],
) -> list[str]:
    problems = [
        f"{role}=…: there is no column {column!r}; "
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
        problems.append(f"column {path!r} is empty in {int(frame[path].isna().sum())} rows")
    for column in dict.fromkeys(name for name in texts if name in frame.columns):
        odd = frame[column][~_is_wordy(frame[column])]
        if len(odd):
            problems.append(
                f"column {column!r} must hold text, but has {shown(odd.iloc[0])} "
                f"in row {odd.index[0]!r}"
            )
    if not labels and not classes:
        others = [str(column) for column in frame.columns if column != path]
        yes_no = [c for c in others if frame[c].notna().any() and is_yes_no(frame[c].dropna())]
        hint = f"; these look like labels: {', '.join(yes_no)}" if yes_no else ""
        words = f"; the columns are {', '.join(map(repr, frame.columns))}" if not problems else ""
        problems.append(f"no label is named (labels=… or classes=…){hint}{words}")
    return problems


def _text(column: "pd.Series[Any]", empty: "str | pd.Series[str]") -> "np.ndarray[Any, Any]":
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
    base = Path(root).absolute()
    names = [local_path(name) for name in paths]
    joined = [name if is_url(name) else _normal(base / name) for name in names]
    outside = [
        name
        for name, file in zip(paths, joined, strict=True)
        if not is_url(file) and not Path(file).is_relative_to(base)
    ]
    return joined, outside


def _normal(path: Path) -> str:
    # normpath and not resolve(): one string operation instead of a system call per part.
    import os.path  # noqa: PLC0415

    return os.path.normpath(path)


def _label_matrices(
    frame: pd.DataFrame, labels: Sequence[str], classes: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, list[Head], list[str]]:
    values: dict[str, Any] = {}
    known: dict[str, Any] = {}
    heads, problems = [], []
    for column in labels:
        given = frame[column]
        known[column] = given.notna().to_numpy()
        yes, no = _answers(given)
        odd = given[given.notna().to_numpy() & ~yes & ~no]
        if len(odd):
            problems.append(
                f"column {column!r} must hold yes and no ({_ANSWERS}), "
                f"but has {shown(odd.iloc[0])} in row {odd.index[0]!r}"
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
        heads.append(Head(column, tuple(names), "exclusive"))
    to_frame: Callable[[dict[str, Any]], pd.DataFrame] = lambda columns: pd.DataFrame(  # noqa: E731
        columns, index=frame.index, dtype=bool
    )
    return to_frame(values), to_frame(known), heads, problems
