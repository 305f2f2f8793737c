"""Parquet files of whoever wrote them: nothing in them is executed.

An Arrow type may name an extension that somebody registered, and Ray registers one whose values
are pickles: in a process that has Ray, a table with it would run what its writer wants.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from peta_viz.errors import InvalidDataError, in_a_line
from peta_viz.files import is_file
from peta_viz.tables import is_text

_TRUSTED = ("pyarrow", "pandas")  # whose extensions are kinds of numbers and texts


def read_frame(file: str | Path, **options: Any) -> pd.DataFrame:
    """Read a Parquet file as a frame.

    Raises
    ------
    InvalidDataError
        If there is no such file, it is damaged or something else, or as `checked_schema`.

    """
    with told(file):
        checked_schema(file)
        frame = pd.read_parquet(file, **options)
        for column in (frame.index, *(frame[name] for name in frame.columns.unique())):
            if isinstance(column, pd.Index | pd.Series) and is_text(column):
                pa.array(column.array).validate(full=True)  # are its bytes UTF-8?
        return frame


@contextmanager
def told(file: str | Path) -> Iterator[None]:
    """Say which Parquet file cannot be read, whatever Arrow or pandas raise of it."""
    if not is_file(file):
        raise InvalidDataError(str(file), ["there is no such file"])
    try:
        yield
    except InvalidDataError:
        raise
    except Exception as error:
        words = f"it cannot be read ({in_a_line(error)}): is it a Parquet file, and whole?"
        raise InvalidDataError(str(file), [words]) from error


def read_table(
    file: str | Path | BinaryIO, columns: Sequence[str] | None = None, *, name: str = ""
) -> pa.Table:
    """Read a Parquet file as an Arrow table; see `checked_schema` for what is refused."""
    checked_schema(file, name)
    return pq.read_table(file, columns=columns)


def checked_schema(file: str | Path | BinaryIO, name: str = "") -> pa.Schema:
    """Return the schema of a Parquet file; `name` is what an error calls it, by default its path.

    Raises
    ------
    InvalidDataError
        If a column has an Arrow extension type that is neither Arrow's own nor pandas': only the
        library that it is of knows what reading it does.

    """
    schema = pq.read_schema(file)
    foreign = {column.name: kind for column in schema for kind in _foreign(column.type)}
    if foreign:
        words = [
            f"the column {column!r} is of the foreign type {kind}: write it as numbers or texts"
            for column, kind in foreign.items()
        ]
        raise InvalidDataError(name or str(file), words)
    return schema


def _foreign(kind: pa.DataType) -> list[str]:
    """Name the foreign types in a type, which may hold others."""
    found = []
    if isinstance(kind, pa.BaseExtensionType):
        if type(kind).__module__.partition(".")[0] not in _TRUSTED:
            found.append(kind.extension_name)
        found += _foreign(kind.storage_type)
    if pa.types.is_dictionary(kind):
        found += _foreign(kind.value_type)
    for number in range(kind.num_fields):
        found += _foreign(kind.field(number).type)
    return found
