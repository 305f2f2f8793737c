"""Labels as Arrow tables, a bit per cell and null where not known, and back."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from peta_viz.errors import InvalidDataError, in_a_line
from peta_viz.files import is_file

if TYPE_CHECKING:
    from peta_viz.imageset import Head

HEADS_KEY = b"peta_viz.heads"

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def read_frame(file: Path) -> pd.DataFrame:
    """Read a Parquet file as a frame.

    Raises
    ------
    InvalidDataError
        If there is no such file, or it is damaged or something else.

    """
    with told(file):
        return pd.read_parquet(file)


@contextmanager
def told(file: Path) -> Iterator[None]:
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


def labels_table(
    index: "pd.Index[Any]", names: Sequence[Any], labels: Mask, known: Mask, heads: "Iterable[Head]"
) -> pa.Table:
    """Return what ``labels.parquet`` holds.

    Parameters
    ----------
    index, names
        The image ids, and the labels' names.
    labels, known
        bool, shape ``(images, labels)``.
    heads
        Go into the metadata under the key ``peta_viz.heads``, as JSON.

    """
    # An empty frame of these columns knows what pandas wants to find in the metadata.
    like = pd.DataFrame(index=index[:0], columns=pd.Index(names), dtype="boolean")
    schema = pa.Schema.from_pandas(like)
    columns = [
        pa.array(np.ascontiguousarray(values), mask=np.ascontiguousarray(empty))
        for values, empty in zip(labels.T, ~known.T, strict=True)
    ]
    ids = pa.array(index.array).cast(schema.field(len(columns)).type)
    told = json.dumps([vars(head) for head in heads])
    metadata = {**schema.metadata, HEADS_KEY: told.encode()}
    return pa.Table.from_arrays([*columns, ids], schema=schema.with_metadata(metadata))


def label_names(schema: pa.Schema) -> list[str]:
    """Return the labels that the schema of ``labels.parquet`` names: all but the image ids."""
    index = schema.pandas_metadata["index_columns"]
    return [name for name in schema.names if name not in index]


def cells(table: pa.Table) -> tuple[Mask, Mask]:
    """Return the labels and which are known, each bool, shape ``(images, labels)``.

    `table` has nothing but labels.
    """
    labels, known = (np.empty(table.shape, dtype=bool, order="F") for _ in range(2))
    for number, column in enumerate(table.columns):
        labels[:, number] = pc.fill_null(column, fill_value=False).to_numpy()
        known[:, number] = pc.is_valid(column).to_numpy()
    return labels, known
