"""Synthetic label tables: things seen one to six times, in no order, with errors and gaps."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from peta_viz.arrow import labels_table
from peta_viz.imageset import Head, ImageSet

LABELS = [f"label {number}" for number in range(100)]
HEADS = (Head("labels", tuple(LABELS)),)
MOST_SEEN, WRONG, UNKNOWN = 6, 0.002, 0.01
_KINDS, _PIECE, _ROW_GROUP = 65_536, 100_000, 20_000

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class LabelTable:
    """A table that can be made piece by piece.

    Parameters
    ----------
    images
        How many rows.
    components
        int64, shape ``(images,)``: the thing that each row shows.
    kinds
        bool, shape ``(kinds, labels)``: the labels of things; the thing t is of the kind t modulo
        their number.

    """

    images: int
    components: "np.ndarray[Any, np.dtype[np.int64]]"
    kinds: Mask

    @classmethod
    def draw(cls, images: int) -> "LabelTable":
        """Draw the table of this size; always the same."""
        rng = np.random.default_rng(0)
        seen = rng.integers(1, MOST_SEEN, images, endpoint=True)
        things = np.repeat(np.arange(images), seen)[:images]
        share = rng.uniform(0.02, 0.4, len(LABELS))
        kinds = rng.random((_KINDS, len(LABELS)), dtype=np.float32) < share
        return cls(images, rng.permutation(things), kinds)

    def cells(self, first: int, last: int) -> tuple[Mask, Mask]:
        """Return labels and known of these rows, with errors."""
        rng = np.random.default_rng([1, first])
        labels = self.kinds[self.components[first:last] % _KINDS]
        labels ^= rng.random(labels.shape, dtype=np.float32) < WRONG
        known = rng.random(labels.shape, dtype=np.float32) >= UNKNOWN
        return labels & known, known

    def pieces(self) -> Iterator[tuple[pd.DataFrame, Mask, Mask]]:
        """Yield images, labels and known, some rows at a time."""
        for first in range(0, self.images, _PIECE):
            last = min(first + _PIECE, self.images)
            index = pd.Index([f"i{n}" for n in range(first, last)], name="image_id", dtype="str")
            columns = {"path": index, "subset": "", "person_id": index, "width": 8, "height": 8}
            images = pd.DataFrame(columns, index).assign(component_id=self.components[first:last])
            yield images, *self.cells(first, last)

    def imageset(self) -> ImageSet:
        """Return the table as an image set."""
        labels = np.empty((self.images, len(LABELS)), dtype=bool)
        known = np.empty_like(labels)
        images, done = [], 0
        for frame, some_labels, some_known in self.pieces():
            rows = slice(done, done + len(frame))
            labels[rows], known[rows] = some_labels, some_known
            images.append(frame)
            done += len(frame)
        table = pd.concat(images)
        frames = (pd.DataFrame(cells, table.index, LABELS) for cells in (labels, known))
        return ImageSet(table, *frames, HEADS)

    def write(self, folder: Path) -> None:
        """Write the table as `ImageSet.to_parquet` does, a piece at a time."""
        writers: dict[str, pq.ParquetWriter] = {}
        for images, labels, known in self.pieces():
            tables = {
                "images": pa.Table.from_pandas(images),
                "labels": labels_table(images.index, LABELS, labels, known, HEADS),
            }
            for name, table in tables.items():
                if name not in writers:
                    writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
                writers[name].write_table(table, row_group_size=_ROW_GROUP)
        for writer in writers.values():
            writer.close()
