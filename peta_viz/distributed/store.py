"""The folder through which machines work together: tables that are written whole or not at all."""

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from peta_viz.embedding import Vectors
from peta_viz.fetching import is_url
from peta_viz.parquet import read_table

_STAMP = b"peta_viz.stamp"


@dataclass(frozen=True)
class Store:
    """A folder that every machine can reach: a path on a shared disk, or a URL of fsspec.

    Parameters
    ----------
    url
        The folder.

    """

    url: str

    @classmethod
    def at(cls, place: str | Path) -> "Store":
        """Take a path, relative to here, or a URL."""
        text = str(place)
        return cls(text.rstrip("/") if is_url(text) else str(Path(text).absolute()))

    def inside(self, name: str) -> "Store":
        """Return the folder of this name in it; a name that leads out of it raises a ValueError."""
        if name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"expected a folder inside {self.url}, but got {name!r}")
        return Store(f"{self.url}/{name}")

    @cached_property
    def _place(self) -> tuple[Any, str]:
        # The listing of a moment ago may lack what another machine has just written.
        options: dict[str, Any] = {"use_listings_cache": False} if is_url(self.url) else {}
        system, path = fsspec.core.url_to_fs(self.url, **options)
        return system, str(path)

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all; of two writers at once the last one wins."""
        system, folder = self._place
        if "file" not in _protocols(system):  # object stores show a file once it is there
            system.makedirs(folder, exist_ok=True)
            system.pipe_file(f"{folder}/{name}", data)
            return
        Path(folder).mkdir(parents=True, exist_ok=True)
        # Not `atomic`: on a shared disk the number of a process tells nothing of other machines.
        partial = Path(folder) / f".{name}.{uuid.uuid4().hex}.partial"
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(Path(folder) / name)

    def read(self, name: str) -> bytes:
        """Read a file.

        Raises
        ------
        FileNotFoundError
            If it is not there.

        """
        system, folder = self._place
        return bytes(system.cat_file(f"{folder}/{name}"))

    def write_table(self, name: str, table: pa.Table, stamp: str) -> None:
        """Write a table as Parquet, with a stamp that `has` looks for."""
        marked = table.replace_schema_metadata({_STAMP: stamp.encode()})
        buffer = BytesIO()
        pq.write_table(marked, buffer)
        self.write(name, buffer.getvalue())

    def read_table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table; only some columns of it, if they are named."""
        return read_table(BytesIO(self.read(name)), columns, name=f"{self.url}/{name}")

    def has(self, name: str, stamp: str) -> bool:
        """Tell whether a whole table with this stamp is there."""
        system, folder = self._place
        try:
            with system.open(f"{folder}/{name}", "rb") as file:
                found = pq.read_schema(file).metadata or {}
        except (FileNotFoundError, pa.ArrowInvalid):
            return False
        return bool(found.get(_STAMP) == stamp.encode())

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a small file for machines and people."""
        self.write(name, json.dumps(content, indent=1).encode())

    def read_json(self, name: str) -> dict[str, Any]:
        """Read what `write_json` wrote."""
        content: dict[str, Any] = json.loads(self.read(name))
        return content


def vectors_table(vectors: Vectors, problems: Sequence[str]) -> pa.Table:
    """Put vectors, float32 of shape ``(images, features)``, and problems into a table."""
    flat = pa.array(vectors.ravel(), pa.float32())
    column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table({"vector": column, "problem": pa.array(problems, pa.string())})


def vectors_of(table: pa.Table) -> Vectors:
    """Take the vectors out of a table, float32 of shape ``(images, features)``."""
    column = table["vector"]
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(table), column.type.list_size)


def pairs_table(pairs: pd.DataFrame) -> pa.Table:
    """Put pairs of row numbers with their similarity into a table."""
    return pa.Table.from_pandas(pairs, preserve_index=False)


def _protocols(system: Any) -> tuple[str, ...]:
    named = system.protocol
    return (named,) if isinstance(named, str) else tuple(named)
