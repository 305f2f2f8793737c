"""A run folder in blocks of whole components, though its table may be larger than memory.

An external sort: batches of rows are sorted by component and put aside as Arrow files, in which
labels are bits; a block is then what each of these files has of a range of components.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from peta_viz.arrow import cells, label_names
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head, ImageSet, heads_of
from peta_viz.parquet import checked_schema
from peta_viz.tally import Groups, Ints, Mask, Tally, pack, runs

BLOCK_IMAGES = 65_536
_BLOCKS_READ = 4  # rows that are sorted together, in blocks


@dataclass(frozen=True, eq=False)
class Block:
    """Some components, with all their images.

    Parameters
    ----------
    images
        The chosen columns of ``images.parquet``, by component, those of one component in the
        order of the file.
    labels, known
        bool, shape ``(images, labels)``.

    """

    images: pa.Table
    labels: Mask
    known: Mask

    def tally(self) -> Tally:
        """Return the labels as bits, joined by component."""
        groups = Groups.of(self.images["component_id"].to_numpy())
        return Tally(groups, self.labels.shape[1], pack(self.labels), pack(self.known))


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks of a run folder; can be gone through several times.

    Parameters
    ----------
    images
        Schema of the chosen columns of ``images.parquet``.
    index
        The column with the image ids.
    names, heads
        The labels, and how they are grouped.
    count
        How many blocks there are.
    files
        Where the sorted batches lie.

    """

    images: pa.Schema
    index: str
    names: list[str]
    heads: tuple[Head, ...]
    count: int
    files: list[Path]

    @classmethod
    @contextmanager
    def of(
        cls,
        folder: str | Path,
        columns: list[str] | None = None,
        *,
        block_images: int = BLOCK_IMAGES,
        scratch: str | Path | None = None,
    ) -> Iterator[Self]:
        """Sort a run folder into a temporary folder, which goes with the block of ``with``.

        Parameters
        ----------
        folder
            Holds ``images.parquet``, with `component_id`, and ``labels.parquet``.
        columns
            Of ``images.parquet``; by default all.
        block_images
            So many images are in memory together, or one component, where that is larger.
        scratch
            Where the temporary folder is made; by default where the system has it.

        Raises
        ------
        InvalidDataError
            If `folder` does not hold the two files, they do not belong together, or there is no
            `component_id` yet.

        """
        tables = _Tables.of(Path(folder))
        edges = _edges(tables.components(), block_images)
        with TemporaryDirectory(dir=scratch, prefix="peta-viz-") as aside:
            wanted = tables.schema if columns is None else _chosen(tables.schema, columns)
            files: list[Path] = []
            for batch in tables.batches(wanted.names, _BLOCKS_READ * block_images):
                files.append(Path(aside, f"{len(files)}.arrow"))
                _put_aside(batch, batch[wanted.names.index("component_id")], edges, files[-1])
            count = len(edges) + 1
            yield cls(wanted, tables.index, tables.names, tables.heads, count, files)

    def __iter__(self) -> Iterator[Block]:
        for number in range(self.count):
            batches = [_batch(file, number) for file in self.files]
            table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
            width = len(self.images.names)
            ids = table.column(self.images.names.index("component_id")).to_numpy()
            table = table.take(np.argsort(ids, kind="stable"))
            images = pa.Table.from_arrays(table.columns[:width], schema=self.images)
            yield Block(images, *cells(table.select(range(width, table.num_columns))))

    def imageset(self, block: Block) -> ImageSet:
        """Return a block as an image set; needs all columns."""
        images = block.images.to_pandas()
        labels = pd.DataFrame(block.labels, images.index, self.names, copy=False)
        known = pd.DataFrame(block.known, images.index, self.names, copy=False)
        return ImageSet(images, labels, known, self.heads)


@dataclass(frozen=True, eq=False)
class _Tables:
    folder: Path
    schema: pa.Schema
    index: str
    names: list[str]
    heads: tuple[Head, ...]

    @classmethod
    def of(cls, folder: Path) -> Self:
        lacks = [f for f in ("images", "labels") if not (folder / f"{f}.parquet").is_file()]
        if lacks:
            words = f"there is no {lacks[0]}.parquet: run 01_components for it, or name another"
            raise InvalidDataError(f"the run folder {folder}", [words])
        images = checked_schema(folder / "images.parquet")
        labels = checked_schema(folder / "labels.parquet")
        if "component_id" not in images.names:
            words = "it has no component_id: call cluster() first"
            raise InvalidDataError(f"the run folder {folder}", [words])
        heads = heads_of(labels, folder / "labels.parquet")
        index = labels.pandas_metadata["index_columns"][0]
        return cls(folder, images, index, label_names(labels), heads)

    def components(self) -> Ints:
        table = pq.read_table(self.folder / "images.parquet", columns=["component_id"])
        return table["component_id"].to_numpy()  # type: ignore[no-any-return]

    def batches(self, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the columns of both tables, first those of the images; columns are numbered."""
        with (
            pq.ParquetFile(self.folder / "images.parquet") as images,
            pq.ParquetFile(self.folder / "labels.parquet") as labels,
        ):
            if images.metadata.num_rows != labels.metadata.num_rows or self.index not in (
                self.schema.names
            ):
                raise self._apart()
            wanted = [*dict.fromkeys([*columns, self.index])]
            pairs = _side_by_side(
                images.iter_batches(rows, columns=wanted),
                labels.iter_batches(rows, columns=[*self.names, self.index]),
            )
            for left, right in pairs:
                ids = left[self.index].cast(right[self.index].type)
                if not ids.equals(right[self.index]):
                    raise self._apart()
                arrays = [left[name] for name in columns] + [right[name] for name in self.names]
                yield pa.RecordBatch.from_arrays(arrays, [str(n) for n in range(len(arrays))])

    def _apart(self) -> InvalidDataError:
        words = "images.parquet and labels.parquet do not hold the same images in the same order"
        return InvalidDataError(f"the run folder {self.folder}", [words])


def _chosen(schema: pa.Schema, columns: list[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in columns])


def _edges(components: Ints, most: int) -> "np.ndarray[Any, Any]":
    """Return the first component of every block but the first."""
    ids, sizes = np.unique(components, return_counts=True)
    return ids[[some.start for some in runs(sizes, most)][1:]]


def _side_by_side(
    left: Iterator[pa.RecordBatch], right: Iterator[pa.RecordBatch]
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Cut two streams of rows so that their batches are equally long."""
    one, other = next(left, None), next(right, None)
    while one is not None and other is not None:
        count = min(one.num_rows, other.num_rows)
        if count:
            yield one.slice(0, count), other.slice(0, count)
        one, other = one.slice(count), other.slice(count)
        one = one if one.num_rows else next(left, None)
        other = other if other.num_rows else next(right, None)


def _put_aside(
    batch: pa.RecordBatch, components: pa.Array, edges: "np.ndarray[Any, Any]", file: Path
) -> None:
    """Write a batch by component, as one record batch for every block."""
    ids = components.to_numpy()
    order = np.argsort(ids, kind="stable")
    ordered = batch.take(pa.array(order))
    cuts = [0, *np.searchsorted(ids[order], edges), len(ids)]
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        for first, last in pairwise(cuts):
            writer.write_batch(ordered.slice(first, last - first))


def _batch(file: Path, number: int) -> pa.RecordBatch:
    with pa.OSFile(str(file), "rb") as source:
        return pa.ipc.open_file(source).get_batch(number)
