"""Measures and strategies for run folders whose tables are larger than memory."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from peta_viz.agreement import Flag, FlagRule, flag_name, measure_components, measures_of
from peta_viz.arrow import labels_table
from peta_viz.blocks import BLOCK_IMAGES, Block, Blocks
from peta_viz.cleaning import Cleaning, carried_out, changes_of, no_changes
from peta_viz.errors import InvalidDataError
from peta_viz.files import atomic
from peta_viz.imageset import ImageSet
from peta_viz.pruning import ComponentPruning, LabelCorrection, Strategy


def measure_folder(
    folder: str | Path,
    *,
    block_images: int = BLOCK_IMAGES,
    scratch: str | Path | None = None,
) -> pd.DataFrame:
    """Do what `measure_components` does for a run folder, without loading its label table.

    Parameters
    ----------
    folder
        Holds ``images.parquet``, with `component_id`, and ``labels.parquet``, as
        `ImageSet.to_parquet` writes them.
    block_images
        So many images are in memory together, or one component, where that is larger.
    scratch
        Where a temporary folder is made, of about the size of the label table; by default where
        the system has it.

    Returns
    -------
    DataFrame
        As `measure_components` returns.

    Raises
    ------
    InvalidDataError
        If `folder` does not hold the two files, they do not belong together, or there is no
        `component_id` yet.

    """
    columns = ["component_id"]
    with Blocks.of(folder, columns, block_images=block_images, scratch=scratch) as blocks:
        return pd.concat([measures_of(block.tally()) for block in blocks])


def clean_folder(
    folder: str | Path,
    strategies: Sequence[Strategy],
    out: str | Path,
    *,
    block_images: int = BLOCK_IMAGES,
    scratch: str | Path | None = None,
) -> pd.DataFrame:
    """Do what `clean` does for a run folder, without loading its tables.

    Only numbers of components, and the measures where a flag ranks all of them, grow with the
    table in memory.

    Parameters
    ----------
    folder
        As for `measure_folder`.
    strategies
        What to do, in this order. They see some components at a time, all images of each, so a
        strategy of your own must judge every component by itself; `LabelCorrection` has to be
        given its `quality`.
    out
        Another folder; gets ``cleaning.parquet``, one row per act as in `Cleaning.changes`, but
        block after block, and the cleaned ``images.parquet`` and ``labels.parquet``, by component.
        They are all written, or none is.
    block_images
        So many images are in memory together, or one component, where that is larger.
    scratch
        Where a temporary folder is made, of about the size of both tables; by default where the
        system has it.

    Returns
    -------
    DataFrame
        As `Cleaning.summary` returns.

    Raises
    ------
    InvalidDataError
        If `folder` does not hold the two files, they do not belong together, there is no
        `component_id` yet, a step drops every image, or `out` is `folder`.

    """
    if Path(out).resolve() == Path(folder).resolve():
        raise InvalidDataError(str(out), ["the raw labels never change: name another folder"])
    with Blocks.of(folder, block_images=block_images, scratch=scratch) as blocks:
        chain = _decided(blocks, strategies)
        done = []
        with _written(blocks, Path(out)) as write:
            for block, current, changes in _followed(blocks, chain):
                write(block, current, changes)
                done.append(Cleaning(changes).summary())
        summary = pd.concat([Cleaning(no_changes()).summary(), *done])
        return summary.groupby(["step", "strategy"]).sum().reset_index("strategy")


class _Decided:
    """A flag that was decided with all components in view."""

    def __init__(self, flag: Flag | FlagRule, components: pd.DataFrame) -> None:
        self.__name__ = flag_name(flag).removeprefix("is_bad_component_")
        self.measure = getattr(flag, "measure", "disagreement")
        self.bad = components.index[flag(components).to_numpy()]

    def __call__(self, components: pd.DataFrame) -> "pd.Series[bool]":
        return pd.Series(components.index.isin(self.bad), components.index, dtype=bool)


def _decided(blocks: Blocks, strategies: Iterable[Strategy]) -> list[Strategy]:
    """Replace the flags that need all components at once, by one pass for each."""
    chain: list[Strategy] = []
    for given in strategies:
        strategy = given
        if isinstance(strategy, LabelCorrection) and strategy.quality is None:
            words = "it needs all images at once: give it quality=…, or clean in memory"
            raise InvalidDataError(strategy.name, [words])
        if isinstance(strategy, ComponentPruning):
            flag = strategy.flag
            if not isinstance(flag, Flag) or flag.absolute is None:
                states = (current for _, current, _ in _followed(blocks, chain))
                measured = [measure_components(one) for one in states if one is not None]
                strategy = replace(strategy, flag=_Decided(flag, pd.concat(measured)))
        chain.append(strategy)
    return chain


def _followed(
    blocks: Blocks, chain: Sequence[Strategy]
) -> Iterator[tuple[Block, ImageSet | None, pd.DataFrame]]:
    """Yield each block, what the strategies leave of it (or None), and the acts."""
    left = np.zeros(len(chain), dtype=np.int64)
    for block in blocks:
        current: ImageSet | None = blocks.imageset(block)
        changes = [no_changes()]
        for number, strategy in enumerate(chain):
            assert current is not None
            verdict = strategy(current)
            changes.append(changes_of(number + 1, strategy.name, current, verdict))
            left[number] += np.count_nonzero(~verdict.dropped)
            if verdict.dropped.all():
                current = None
                break
            current = carried_out(current, verdict)
        yield block, current, pd.concat(changes, ignore_index=True)
    for strategy, images in zip(chain, left, strict=True):
        if not images:
            raise InvalidDataError(strategy.name, ["it would drop every image: use a milder rule"])


@contextmanager
def _written(blocks: Blocks, out: Path) -> Iterator[Any]:
    """Give a function that writes a block; the files are there once all are written."""
    none = np.empty((0, len(blocks.names)), dtype=bool)
    ids = blocks.images.empty_table().to_pandas().index
    schemas = {
        "cleaning": pa.Table.from_pandas(no_changes(), preserve_index=False).schema,
        "images": blocks.images,
        "labels": labels_table(ids, blocks.names, none, none, blocks.heads).schema,
    }
    with ExitStack() as stack:
        writers = {}
        for name, schema in schemas.items():
            partial = stack.enter_context(atomic(out / f"{name}.parquet"))
            writers[name] = stack.enter_context(pq.ParquetWriter(partial, schema))

        def write(block: Block, current: ImageSet | None, changes: pd.DataFrame) -> None:
            acts = pa.Table.from_pandas(changes, schemas["cleaning"], preserve_index=False)
            writers["cleaning"].write_table(acts)
            if current is None:
                return
            index = current.images.index
            ids = block.images[blocks.index]
            kept = pc.is_in(ids, value_set=pa.array(index.array).cast(ids.type))
            writers["images"].write_table(block.images.filter(kept))
            cells = current.labels.to_numpy(), current.known.to_numpy()
            writers["labels"].write_table(labels_table(index, blocks.names, *cells, blocks.heads))

        yield write
