"""The image set: images, their labels, which labels are known, and the heads."""

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from peta_viz.arrow import HEADS_KEY, cells, label_names, labels_table
from peta_viz.errors import InvalidDataError, in_a_line
from peta_viz.files import atomic, is_file
from peta_viz.images import inspect_headers
from peta_viz.parquet import checked_schema, read_frame, told
from peta_viz.rules import shown
from peta_viz.tables import filled_text, id_problems, in_words, read_rows
from peta_viz.words import counted

HeadKind = Literal["exclusive", "multiple"]

_UNWRITTEN = "Oc"  # kinds of columns that Parquet may not hold: objects and complex numbers
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

    @property
    def short(self) -> tuple[str, ...]:
        """What its labels are called without it: ``red`` for ``colour=red``."""
        return tuple(label.removeprefix(f"{self.name}=") for label in self.labels)

    @property
    def by_short(self) -> dict[str, str]:
        """Its labels by their short names."""
        return dict(zip(self.short, self.labels, strict=True))


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with their labels; the one object that travels through peta-viz.

    Parameters
    ----------
    images
        One row per image, indexed by `image_id` (unique text), with the columns `path`, `subset`,
        `person_id` (text) and `width`, `height` (pixels; 0 where the file could not be read).
        More columns are welcome; peta-viz itself adds `problem` (why an image cannot be read;
        empty where it can, and where the column is missing), `component_id` and `split`.
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
        if "problem" not in self.images:
            object.__setattr__(self, "images", self.images.assign(problem=""))
        problems = [*_table_problems(self), *_head_problems(self)]
        if problems:
            raise InvalidDataError("the image set", problems)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return (
            f"ImageSet({counted(len(self), 'image')}, {counted(self.labels.shape[1], 'label')}, "
            f"{counted(len(self.heads), 'head')})"
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
                "subset": filled_text(frame[str(subset)], "") if subset else "",
                "person_id": filled_text(frame[str(person_id)], ids) if person_id else index,
            },
            index=index,
        )
        images = images.join(inspect_headers(images["path"]))
        others = [c for c in frame.columns if c not in {*read.named, *images.columns}]
        extra = frame[others].set_axis(index)
        mixed = [name for name in extra.columns if extra[name].dtype.kind in _UNWRITTEN]
        images = images.join(extra.assign(**{name: in_words(extra[name]) for name in mixed}))
        if heads is None:
            heads = [Head("labels", read.labels)] if read.labels else []
        read.origin.keep(images)
        values, known = read.values.set_axis(index), read.known.set_axis(index)
        class_heads = [Head(column, names, "exclusive") for column, names in read.classes.items()]
        return cls(images, values, known, (*heads, *class_heads))

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
                    f"{counted(len(unknown), 'id is', 'ids are')} not in this image set, "
                    f"such as {unknown[0]!r}"
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


def refuse_other(value: Any) -> None:
    """Refuse what is no `ImageSet`, and say how to make one."""
    if isinstance(value, ImageSet):
        return
    ways = {
        pd.DataFrame: "ImageSet.from_frame(frame, path=…, labels=…, classes=…) makes one of it",
        str | Path: "ImageSet.from_parquet(…) reads one from a run folder, read_peta(…) a release",
    }
    way = next((words for kind, words in ways.items() if isinstance(value, kind)), "")
    raise InvalidDataError(
        f"what was given, of type {type(value).__name__},",
        ["expected an ImageSet" + (f": {way}" if way else "")],
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
    problems += id_problems(images.index.to_series(), "image_id")
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
            problems.append(
                f"{counted(count, 'cell is', 'cells are')} true in labels and False in known"
            )
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
            problems.append(
                f"head {head.name!r} ({head.kind}) has {counted(len(head.labels), 'label')}"
            )
        for label in head.labels:
            if label not in imageset.labels.columns:
                problems.append(f"head {head.name!r} names the label {label!r}, which is not there")
            if label in seen:
                problems.append(
                    f"label {label!r} is in two heads, {seen[label]!r} and {head.name!r}"
                )
            seen[label] = head.name
    return problems
