"""What a worker does: the vectors of one shard of images, the neighbours of one block of rows."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa

from peta_viz.components import NO_NUMBER
from peta_viz.distributed.store import Store, pairs_table, vectors_of, vectors_table
from peta_viz.embedding import infer, load_network
from peta_viz.fetching import is_url
from peta_viz.images import problems_of
from peta_viz.links import Nearest, Tile, above, no_pairs, normalised

_Given = TypeVar("_Given")
_Got = TypeVar("_Got")


@dataclass(frozen=True)
class Plan:
    """What all workers know of a run.

    Parameters
    ----------
    store
        Where the run's files lie.
    count
        How many images there are.
    shard
        How many images a shard holds; the last one may hold fewer.
    block
        How many shards of rows one task of the search looks up.
    batch
        Images per inference.
    network
        The names of the network's files in `store`, the one to be loaded first.

    """

    store: Store
    count: int
    shard: int
    block: int
    batch: int
    network: tuple[str, ...]

    @property
    def shards(self) -> range:
        """The numbers of the shards."""
        return range(-(-self.count // self.shard))

    @property
    def blocks(self) -> range:
        """The numbers of the blocks of shards."""
        return range(-(-len(self.shards) // self.block))


@dataclass(frozen=True)
class Search:
    """What is searched for.

    Parameters
    ----------
    folder
        The name of the folder of the results; it says what was searched for and in what.
    neighbours
        How many of each image.
    near
        Every pair more similar than this is found as well; None means no such pairs.

    """

    folder: str
    neighbours: int
    near: float | None


def shard_name(number: int) -> str:
    """Return the file name of a table of images, vectors or pairs."""
    return f"{number:06d}.parquet"


def embed_shard(plan: Plan, number: int) -> str:
    """Write the vectors of one shard, unless they are there already.

    Parameters
    ----------
    plan
        The run.
    number
        The shard.

    Returns
    -------
    str
        The stamp of the shard: another one if one of its files has changed since.

    """
    paths = plan.store.inside("images").read_table(shard_name(number))["path"].to_pylist()
    stamp, target = _stamp(paths), plan.store.inside("vectors")
    if not target.has(shard_name(number), stamp):
        vectors = infer(_network(plan), paths, plan.batch)
        lost = np.flatnonzero(np.isnan(vectors).any(axis=1))
        problems = np.full(len(paths), "", dtype=object)
        # Those without a path have a problem that is known already.
        named = [row for row in lost if paths[row]]
        reasons = problems_of([paths[row] for row in named])
        problems[named] = [reason or NO_NUMBER for reason in reasons]
        target.write_table(shard_name(number), vectors_table(vectors, problems.tolist()), stamp)
    return stamp


def search_block(plan: Plan, search: Search, number: int) -> None:
    """Write the pairs of one block of rows with all rows, unless they are there already.

    Memory is that of the block's vectors and of one tile's similarities, however many images there
    are, and of the pairs that are found.

    Parameters
    ----------
    plan
        The run.
    search
        What is wanted. Pairs are row numbers in the form of `nearest_pairs`; the near ones are
        each found once.
    number
        The block.

    """
    results, stamp = plan.store.inside(search.folder), search.folder
    nearest_at, near_at = results.inside("nearest"), results.inside("near")
    if nearest_at.has(shard_name(number), stamp) and near_at.has(shard_name(number), stamp):
        return
    numbers = plan.shards[number * plan.block : (number + 1) * plan.block]
    block = [_tile(plan, shard) for shard in numbers]
    found = [Nearest(rows, search.neighbours) for rows in block]
    near: list[pd.DataFrame] = []
    for others in _ahead(lambda shard: _tile(plan, shard), plan.shards):
        for rows, nearest in zip(block, found, strict=True):
            nearest.add(others)
            if search.near is not None and others.start >= rows.start:
                near.append(above(rows, others, search.near))
    near_at.write_table(shard_name(number), _joined(near), stamp)
    nearest_at.write_table(shard_name(number), _joined(one.pairs() for one in found), stamp)


def _tile(plan: Plan, shard: int) -> Tile:
    table = plan.store.inside("vectors").read_table(shard_name(shard), ["vector"])
    return Tile(shard * plan.shard, normalised(vectors_of(table)))


def _joined(pairs: Iterable[pd.DataFrame]) -> pa.Table:
    return pairs_table(pd.concat([no_pairs(), *pairs], ignore_index=True))


def _ahead(read: Callable[[_Given], _Got], places: Iterable[_Given]) -> Iterator[_Got]:
    """Read one place after the other, the next one while the last one is in use."""
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for place in places:
            before, coming = coming, pool.submit(read, place)
            if before is not None:
                yield before.result()
        if coming is not None:
            yield coming.result()


@lru_cache(maxsize=1)
def _network(plan: Plan) -> Any:
    """Load the network of a run, once in a process."""
    with tempfile.TemporaryDirectory(prefix="peta-viz-") as folder:
        for name in plan.network:
            (Path(folder) / name).write_bytes(plan.store.inside("network").read(name))
        return load_network(Path(folder) / plan.network[0], plan.batch, threads=1)


def _stamp(paths: Sequence[str]) -> str:
    with ThreadPoolExecutor(16) as pool:
        states = list(pool.map(_state, paths))
    return hashlib.sha256("\0".join(states).encode("utf-8", "surrogatepass")).hexdigest()


def _state(path: str) -> str:
    """Return a text that is another one when the file has changed, as far as can be told."""
    if not path:
        return ""
    try:
        if is_url(path):
            system, name = fsspec.core.url_to_fs(path)
            return f"{path} {system.ukey(name)}"
        state = Path(path).stat()
    except Exception as error:  # noqa: BLE001 - whatever it is, reading the image will tell
        return f"{path} {type(error).__name__}"
    return f"{path} {state.st_size} {state.st_mtime_ns}"
