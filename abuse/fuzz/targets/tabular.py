"""Tables that are nearly right: a sound frame, a few edits, and a file made of it with options."""

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from abuse.fuzz.targets.drawing import anything, damaged, mostly, scalars, some, texts

_ODD = st.one_of(
    scalars,
    anything,
    st.binary(max_size=4),
    st.datetimes(),
    st.sampled_from(
        ["", " ", "NA", "None", "yes", "no", "True", "1.0", "2", "nan", "\0", "\udc80"]
    ),
    st.sampled_from([None, pd.NA, pd.NaT, float("nan"), pd.Timestamp(0), pd.Timedelta(1)]),
)
_TYPES = (
    *("category", "string", "str", "object", "float16", "float32", "Int64", "uint8", "boolean"),
    *("datetime64[ns]", "datetime64[ns, UTC]", "timedelta64[ns]", "complex128", "Sparse[float]"),
)
ARROW = (
    *(pa.string(), pa.large_string(), pa.binary(), pa.null(), pa.bool_(), pa.int8(), pa.float16()),
    *(pa.decimal128(20, 3), pa.date32(), pa.time64("us"), pa.timestamp("ns", "UTC"), pa.uint64()),
    *(pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.string()), pa.string_view()),
)
_ENCODINGS = ("utf-8-sig", "latin-1", "utf-16", "utf-8", "cp1251", "utf-32")
_SEPARATORS = (";", "\t", "|", " ", ", ")


def some_edits(frames: SearchStrategy[pd.DataFrame]) -> SearchStrategy[pd.DataFrame]:
    """Draw frames of which nearly half are as they were, and others have an edit or a few."""
    return st.builds(_Drawn, frames, some(_EDITS), st.data()).map(_Drawn.made)


def csv_files(frames: SearchStrategy[pd.DataFrame]) -> SearchStrategy[bytes]:
    """Draw CSV files of frames, a few in other encodings, with other marks, or damaged."""
    options = st.fixed_dictionaries(
        {
            "sep": mostly(st.just(","), st.sampled_from(_SEPARATORS), of=14),
            "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
            "na_rep": mostly(st.just(""), st.sampled_from(["NA", "nan", "None", "-"])),
            "index": mostly(st.just(False), st.just(True)),
            "header": mostly(st.just(True), st.just(False), of=20),
            "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
        }
    )
    encodings = mostly(st.just("utf-8"), st.sampled_from(_ENCODINGS))
    files = st.builds(_as_csv, frames, options, encodings)
    return mostly(files, damaged(files))


def parquet_files(frames: SearchStrategy[pd.DataFrame]) -> SearchStrategy[bytes]:
    """Draw Parquet files of frames, a few with columns of odd types, or damaged."""
    kinds = mostly(
        st.just([]),
        st.lists(st.tuples(st.integers(0, 30), st.sampled_from(ARROW)), max_size=2),
        of=3,
    )
    compressions = st.sampled_from(["snappy", "none", "gzip", "zstd", "lz4", "brotli"])
    files = st.builds(_as_parquet, frames, kinds, compressions)
    return mostly(files, damaged(files))


def _as_csv(frame: pd.DataFrame, options: dict[str, Any], encoding: str) -> bytes:
    options = options if len(options["sep"]) == 1 else {**options, "sep": ","}
    try:
        text = frame.to_csv(**options)
    except (ValueError, TypeError, OverflowError, pa.ArrowException, csv.Error):
        text = "".join(f"{line}\n" for line in frame.to_numpy().tolist())
    return text.encode(encoding, "replace")


def _as_parquet(
    frame: pd.DataFrame, kinds: Sequence[tuple[int, pa.DataType]], compression: str
) -> bytes:
    columns = [_array(frame.iloc[:, place]) for place in range(frame.shape[1])]
    for number, kind in kinds if columns else ():
        place = number % len(columns)
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            columns[place] = columns[place].cast(kind, safe=False)
    table = pa.table(columns, [_sound(str(name)) for name in frame.columns])
    return parquet_bytes(table, compression=compression)


def parquet_bytes(table: pa.Table, **options: Any) -> bytes:
    """Return a table as a Parquet file, or without those columns that Parquet cannot hold."""
    buffer = io.BytesIO()
    try:
        pq.write_table(table, buffer, **options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts_only = [column.type in (pa.string(), pa.bool_()) for column in table.columns]
        names = [place for place, whole in enumerate(texts_only) if whole]
        return parquet_bytes(table.select(names)) if not all(texts_only) else b""
    return buffer.getvalue()


def _array(column: "pd.Series[Any]") -> pa.Array:
    try:
        made = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        made = pa.array(
            [None if cell is None else _sound(str(cell)) for cell in column], pa.string()
        )
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class _Drawn:
    """A frame with the edits that are made on it."""

    def __init__(self, frame: pd.DataFrame, edits: "Sequence[_Edit]", data: Any) -> None:
        self.frame, self.edits, self.draw = frame, edits, data.draw

    def made(self) -> pd.DataFrame:
        frame = self.frame.copy()
        for edit in self.edits:
            if frame.shape[1] and len(frame):
                # What pandas itself cannot make is nothing to read.
                with suppress(ValueError, TypeError, OverflowError, pa.ArrowException):
                    frame = edit(self.draw, frame)
        return frame


_Edit = Callable[[DrawFn, pd.DataFrame], pd.DataFrame]


def _place(draw: DrawFn, frame: pd.DataFrame) -> int:
    return draw(st.integers(0, frame.shape[1] - 1))


def _put(frame: pd.DataFrame, place: int, cells: Sequence[Any]) -> pd.DataFrame:
    frame.isetitem(place, column(cells).array)
    return frame


def column(cells: Sequence[Any]) -> "pd.Series[Any]":
    """Return cells as pandas would have them, or as any objects where that cannot be."""
    made = pd.Series([None] * len(cells), dtype=object)
    for number, cell in enumerate(cells):
        made.array[number] = cell
    try:
        return made.infer_objects()
    except (OverflowError, ValueError, TypeError):
        return made


def _cell(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    place, row = _place(draw, frame), draw(st.integers(0, len(frame) - 1))
    cells = frame.iloc[:, place].tolist()
    cells[row] = draw(_ODD)
    return _put(frame, place, cells)


def _alike(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    place = _place(draw, frame)
    first = frame.iloc[0, place]
    return _put(frame, place, [first] * len(frame))


def _any_column(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    cells = st.lists(_ODD, min_size=len(frame), max_size=len(frame))
    return _put(frame, _place(draw, frame), draw(cells))


def _retyped(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    place, kind = _place(draw, frame), draw(st.sampled_from(_TYPES))
    with suppress(Exception):
        frame.isetitem(place, frame.iloc[:, place].astype(kind).array)
    return frame


def _renamed(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    names = frame.columns.tolist()
    reserved = ["width", "problem", "image_id", "component_id", "split", "subset", "index"]
    odd = st.one_of(texts, st.sampled_from(reserved), st.sampled_from(names), scalars)
    names[_place(draw, frame)] = draw(odd)
    return frame.set_axis(pd.Index(names, dtype=object), axis=1)


def _dropped(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    place = _place(draw, frame)
    return frame.iloc[:, [number for number in range(frame.shape[1]) if number != place]]


def _rows_again(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    rows = st.lists(st.integers(0, len(frame) - 1), max_size=len(frame) + 2)
    return frame.iloc[draw(rows)]


def _turned(_: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[::-1]


def _indexed(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    labels = draw(st.lists(scalars, min_size=len(frame), max_size=len(frame)))
    return frame.set_axis(pd.Index(labels, dtype=object), axis=0)


def _more(draw: DrawFn, frame: pd.DataFrame) -> pd.DataFrame:
    made = pd.Series(draw(st.lists(_ODD, min_size=len(frame), max_size=len(frame))), dtype=object)
    return pd.concat([frame, made.set_axis(frame.index).rename(draw(texts))], axis=1)


_EDITS: tuple[_Edit, ...] = (
    *(_cell, _cell, _cell, _alike, _any_column, _retyped, _retyped, _renamed, _dropped),
    *(_rows_again, _turned, _indexed, _more),
)
