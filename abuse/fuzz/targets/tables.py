"""Tables of one row per image: any frame, CSV and Parquet files, and what a run folder holds."""

import io
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from PIL import Image

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import anything, damaged, mostly, scalars, some, texts
from abuse.fuzz.targets.tabular import (
    ARROW,
    column,
    csv_files,
    parquet_bytes,
    parquet_files,
    some_edits,
)
from peta_viz.arrow import HEADS_KEY
from peta_viz.columns import fill_columns
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head, ImageSet
from peta_viz.sources import find_images, read_images, read_table, table_paths

_READABLE = tuple(f"{number}.{kind}" for number in range(4) for kind in ("png", "jpg", "webp"))
_ODD_PATHS = (
    *("broken.jpg", "gone.png", "../out.png", "/etc/passwd", "", "a\0b", "s3://b/c", "é.png", "."),
    *("0.png/", "./0.png", "x" * 300, "file:///etc/passwd", "http:", "~/0.png", "-", "nul\n.png"),
)
_WORDS = ("path", "a", "b", "kind", "person", "place")
_YES_NO: tuple[tuple[Any, ...], ...] = (
    *((True, False), (1, 0), (1.0, 0.0), (True, 0)),
    *((True, False, None), (1.0, 0.0, float("nan")), (True, False, pd.NA)),
)
_CSV = (
    b"path,a,kind,person\n0.png,1,red,p\n1.png,0,blue,p\nbroken.jpg,1,red,q\ngone.png,0,red,\n",
    b"path,a,kind,person\n0.png,True,red,p\n1.png,,blue,\n",
    b'\xef\xbb\xbfpath;a\n"1.png";1\n',
    b"path,a,a,kind\n1.png,1,0,x\n1.png,2,0,y\n",
    "path,a,kind,person\n\u00e9.png,1,\u4e2d,1\n/etc/passwd,0,x,2\n".encode("latin-1", "replace"),
)


@st.composite
def tables(draw: DrawFn) -> pd.DataFrame:
    """Draw a sound table of images that are there, most of which can be read."""
    count = draw(st.integers(2, 8))
    named = st.lists(st.sampled_from(_READABLE), min_size=count, max_size=count, unique=True)
    paths = draw(named)
    if draw(st.integers(0, 2)) == 0:
        paths[draw(st.integers(0, count - 1))] = draw(st.sampled_from(_ODD_PATHS))
    columns = {"path": paths}
    for name in ("a", "b"):
        columns[name] = _cells(draw, draw(st.sampled_from(_YES_NO)), count)
    for name, words in (("kind", ("red", "blue", "green")), ("person", "pqr"), ("place", "xy")):
        likely = (*words, None) if draw(st.integers(0, 3)) == 0 else words
        columns[name] = _cells(draw, draw(mostly(st.just(likely), st.just((texts,)))), count)
    columns["kind"][:2] = ["red", "blue"]
    return pd.DataFrame({name: column(cells) for name, cells in columns.items()})


def _cells(draw: DrawFn, values: Sequence[Any], count: int) -> list[Any]:
    odd = isinstance(values[0], SearchStrategy)
    one = values[0] if odd else st.sampled_from(values)
    return draw(st.lists(one, min_size=count, max_size=count))


def frame(folder: Path) -> Target:
    """Make image sets of frames that are nearly sound, with arguments that nearly fit them."""
    _images(folder)
    cases = st.tuples(some_edits(tables()), _arguments())
    return Target(cases, lambda case: _from_frame(folder, *case))


@st.composite
def _arguments(draw: DrawFn) -> dict[str, Any]:
    labels, classes = draw(st.sampled_from([(["a"], ["kind"]), (["a", "b"], []), ([], ["kind"])]))
    options: dict[str, Any] = {
        "path": "path",
        "labels": labels,
        "classes": classes,
        "image_id": None,
        "subset": draw(st.sampled_from([None, "place"])),
        "person_id": draw(st.sampled_from([None, "person"])),
        "missing": draw(mostly(st.just("unknown"), st.just("error"), of=3)),
        "root": draw(mostly(st.just(True), st.just(False))),
    }
    names = st.sampled_from(_WORDS) | texts | scalars
    for edit in draw(some(_OPTIONS, likely=(0, 0, 0, 0, 1, 1, 2))):
        if edit in ("labels", "classes"):
            options[edit] = [*options[edit][:1], *draw(st.lists(names, max_size=2))]
        elif edit == "heads":
            options[edit] = draw(_heads(options["labels"]))
        else:
            options[edit] = draw(st.sampled_from(_WORDS) if edit == "path" else names)
    return options


_OPTIONS = ("path", "labels", "classes", "image_id", "subset", "person_id", "heads", "heads")


def _heads(labels: Sequence[Any]) -> SearchStrategy[list[Head]]:
    names = mostly(st.sampled_from([*labels, "a"]), texts)
    one = st.builds(
        Head,
        mostly(st.sampled_from(["one", "two"]), texts),
        st.lists(names, max_size=3).map(tuple),
        mostly(st.just("multiple"), st.sampled_from(["exclusive", "odd"]), of=4),
    )
    return st.lists(one, max_size=2)


def _from_frame(folder: Path, frame: pd.DataFrame, options: dict[str, Any]) -> Sequence[str]:
    root = folder if options["root"] else None
    imageset = ImageSet.from_frame(frame, **{**options, "root": root})
    with suppress(InvalidDataError):
        fill_columns(frame)
    imageset.to_parquet(folder / "out")
    again = ImageSet.from_parquet(folder / "out")
    assert again.labels.equals(imageset.labels), "it is not read as it was written"
    return problems(imageset)


def problems(imageset: ImageSet) -> Sequence[str]:
    """Return why images of a set cannot be read."""
    told = imageset.images["problem"]
    return [str(words) for words in told[told != ""]]


def csv(folder: Path) -> Target:
    """Read CSV tables as a run does."""
    cases = csv_files(some_edits(tables()))
    return Target(cases, _Reader(folder, "table.csv"), read=bytes, seeds=_CSV)


def parquet(folder: Path) -> Target:
    """Read Parquet tables as a run does."""
    found = [pd.read_csv(io.BytesIO(text)) for text in (_CSV[0], _CSV[1])]
    found.append(found[0].assign(person=[[1], [2], [], None], kind=pd.Timestamp(0)))
    seeds = [table.to_parquet(None) for table in found]
    seeds.append(
        parquet_bytes(pa.table({"path": pa.array(["1.png"]).dictionary_encode(), "a": [1]}))
    )
    seeds.append(parquet_bytes(pa.table({"path": [b"1.png", b"\xff"], "a": [True, None]})))
    cases = parquet_files(some_edits(tables()))
    return Target(cases, _Reader(folder, "table.parquet"), read=bytes, seeds=seeds)


class _Reader:
    """Reads a table in every way there is; its size says what an empty cell means."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.file = folder, folder / name
        _images(folder)

    def __call__(self, data: bytes) -> Sequence[str]:
        self.file.write_bytes(data)
        table_paths(str(self.file), "path")
        frame = read_table(self.file, ["path"])
        with suppress(InvalidDataError):
            fill_columns(frame)
        with suppress(InvalidDataError):
            find_images(self.file, component_column="kind")
        likely = len(data) % 4 > 0
        imageset, _ = read_images(
            table=str(self.file),
            label_columns=["a"],
            class_columns=["kind"],
            person_column="person" if likely else None,
            missing="unknown" if likely else "error",
        )
        return problems(imageset)


def run_folder(folder: Path) -> Target:
    """Read ``images.parquet`` and ``labels.parquet`` of which one has been edited."""
    _images(folder)
    table = pd.read_csv(io.BytesIO(_CSV[0]))
    imageset = ImageSet.from_frame(
        table, path="path", labels=["a"], classes=["kind"], person_id="person", root=folder
    )
    imageset.to_parquet(folder)
    files = {"i": folder / "images.parquet", "l": folder / "labels.parquet"}
    whole = {which: file.read_bytes() for which, file in files.items()}
    found = {which: pq.read_table(file) for which, file in files.items()}
    edited = [
        st.tuples(st.just(found[which]), some(edits, likely=(0, 0, 1, 1, 2)), st.data()).map(
            _arrow_edited
        )
        for which, edits in (("i", _EDITS), ("l", (*_EDITS, _other_heads, _other_heads)))
    ]
    cases = st.one_of(
        *(
            mostly(made.map(parquet_bytes), damaged(st.just(whole[which])), of=10).map(
                f"{which}".encode().__add__
            )
            for which, made in zip(files, edited, strict=True)
        )
    )

    def run(data: bytes) -> Sequence[str]:
        which = "i" if data[:1] < b"j" else "l"
        for name, file in files.items():
            file.write_bytes(data[1:] if name == which else whole[name])
        return problems(ImageSet.from_parquet(folder))

    seeds = [which.encode() + data for which, data in whole.items()]
    return Target(cases, run, read=bytes, seeds=seeds)


def _arrow_edited(case: tuple[pa.Table, Sequence[Callable[..., pa.Table]], Any]) -> pa.Table:
    table, edits, data = case
    for edit in edits:
        if table.num_columns and table.num_rows:
            with suppress(pa.ArrowException, ValueError, TypeError):
                table = edit(data.draw, table)
    return table


def _place(draw: DrawFn, table: pa.Table) -> int:
    return draw(st.integers(0, table.num_columns - 1))


def _without(draw: DrawFn, table: pa.Table) -> pa.Table:
    return table.remove_column(_place(draw, table))


def _cast(draw: DrawFn, table: pa.Table) -> pa.Table:
    place, kind = _place(draw, table), draw(st.sampled_from(ARROW))
    with suppress(pa.ArrowException):
        cells = table.column(place).cast(kind, safe=False)
        return table.set_column(place, table.schema.names[place], cells)
    return table


def _emptied(draw: DrawFn, table: pa.Table) -> pa.Table:
    place, row = _place(draw, table), draw(st.integers(0, table.num_rows - 1))
    column = table.column(place)
    cells = column.to_pylist()
    cells[row] = None
    return table.set_column(place, table.schema.names[place], pa.array(cells, column.type))


def _rows(draw: DrawFn, table: pa.Table) -> pa.Table:
    rows = st.lists(st.integers(0, table.num_rows - 1), max_size=table.num_rows + 1)
    return table.take(pa.array(draw(rows), pa.int64()))


def _turned(_: DrawFn, table: pa.Table) -> pa.Table:
    return table.take(list(range(table.num_rows))[::-1])


def _named(draw: DrawFn, table: pa.Table) -> pa.Table:
    names = list(table.schema.names)
    words = texts.filter(lambda text: text.isprintable())
    names[_place(draw, table)] = draw(st.sampled_from([*names, "split", "width"]) | words)
    return table.rename_columns(names)


def _more(draw: DrawFn, table: pa.Table) -> pa.Table:
    name = draw(st.sampled_from(["component_id", "split", "problem", "kept", "a", "image_id"]))
    return table.append_column(name, pa.array(list(range(table.num_rows))))


def _bare(_: DrawFn, table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({})


def _other_heads(draw: DrawFn, table: pa.Table) -> pa.Table:
    metadata = {**(table.schema.metadata or {}), HEADS_KEY: draw(_HEADS)}
    return table.replace_schema_metadata(metadata)


_HEAD = st.fixed_dictionaries(
    {
        "name": mostly(st.sampled_from(["labels", "kind", "other"]), anything),
        "labels": mostly(
            st.lists(st.sampled_from(["a", "kind=red", "kind=blue", "gone"]), max_size=3), anything
        ),
        "kind": mostly(st.sampled_from(["multiple", "exclusive"]), anything),
    }
)
_HEADS = mostly(
    st.lists(mostly(_HEAD, anything), max_size=3).map(lambda heads: json.dumps(heads).encode()),
    st.binary(max_size=8) | anything.map(lambda value: json.dumps(value).encode()),
)
_EDITS = (_without, _cast, _cast, _emptied, _rows, _turned, _named, _more, _bare)


def _images(folder: Path) -> None:
    for number, name in enumerate(_READABLE):
        Image.new("RGB", (4 + number, 8), (20 * number, 0, 99)).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"no image")
