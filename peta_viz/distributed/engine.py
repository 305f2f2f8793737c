"""Similar pairs found by a Ray cluster. The only place that imports ray."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

import peta_viz
from peta_viz.components import named_pairs, with_pairs
from peta_viz.distributed.store import Store, vectors_of
from peta_viz.distributed.work import Plan, Search, embed_shard, search_block, shard_name
from peta_viz.embedding import Vectors, load_network, network_files
from peta_viz.errors import InvalidDataError, MissingPartError, PetaVizError
from peta_viz.fetching import is_url
from peta_viz.imageset import ImageSet
from peta_viz.links import TILE, unique_pairs

_BATCH = 16
_BLOCK = 4
_MANIFEST = "manifest.json"
_LOCAL_STORE_BYTES = 256 * 2**20  # shards lie in the work folder; Ray's own store holds names
_NEEDS_REID = (
    "the engine 'ray' needs a re-identification network (--reid): fastdup's own features are "
    "computed on one machine only; docs/components.md says where to get a network"
)


def find_pairs_ray(
    imageset: ImageSet,
    model: str | Path | None,
    work_dir: str | Path,
    *,
    neighbours: int = 20,
    near: float | None = None,
    address: str | None = None,
    shard_images: int = TILE,
    progress: bool = True,
) -> tuple[ImageSet, pd.DataFrame]:
    """Find each image's nearest neighbours on a Ray cluster: `embed` and `find_pairs` in one.

    What is done is kept in `work_dir`: the same call after an interruption carries on, and a
    machine that is lost costs what it had under way.

    Parameters
    ----------
    imageset
        The images. Their paths (or URLs that fsspec knows) must mean the same on every machine.
        Images with a `problem` are left out.
    model
        As for `embed`; only this machine needs the file.
    work_dir
        A folder that all machines share, or a URL of fsspec. Of what other networks, options or
        files left there nothing is used.
    neighbours
        How many nearest neighbours of each image are looked for.
    near
        Also find every pair more similar than this, for `read_near`.
    address
        Address of a running cluster, ``"auto"`` for the one on this machine; by default Ray is
        started on this machine, listens on its loopback only, and stops in the end.
    shard_images
        Images per file and task. With the default, `find_pairs` compares blocks of the same shape
        and finds the same similarities, but for the last bit of a few.
    progress
        Show progress bars on standard error.

    Returns
    -------
    imageset : ImageSet
        As `find_pairs` with ``backend="exact"``.
    pairs : DataFrame
        As `find_pairs`; `link` makes components of it.

    Raises
    ------
    InvalidDataError
        If an option is out of range or the network cannot be used.
    MissingPartError
        If the extra ``ray`` or ``reid`` or the network is not there.
    PetaVizError
        If the cluster cannot be reached or its work failed.

    """
    if model is None:
        raise MissingPartError(_NEEDS_REID)
    if neighbours < 1 or shard_images < 1:
        words = f"neighbours and shard_images must be 1 or more: {neighbours}, {shard_images}"
        raise InvalidDataError("clustering with these options", [words])
    ray = _import_ray(alone=address is None)
    load_network(Path(model), 1)  # says what is wrong with it before a cluster is troubled
    plan = _prepare(imageset, Path(model), Store.at(work_dir), shard_images)
    with _connected(ray, address):
        stamps = _run(ray, "vectors", plan.shards, _embed, progress=progress, plan=plan)
        search = _search_for(stamps, neighbours, near)
        given = {"plan": plan, "search": search}
        _run(ray, "search", plan.blocks, _search, progress=progress, **given)
    manifest = {"run": plan.store.url.rsplit("/", 1)[1], "search": search.folder}
    sizes = {"images": plan.count, "shards": len(plan.shards), "blocks": len(plan.blocks)}
    Store.at(work_dir).write_json(_MANIFEST, manifest | sizes)
    found = _read_pairs(plan.store.inside(search.folder).inside("nearest"), len(plan.blocks))
    return with_pairs(_explained(imageset, plan), found)


def read_near(imageset: ImageSet, work_dir: str | Path) -> pd.DataFrame:
    """Read the near pairs that the last `find_pairs_ray` in a folder found, as `near_pairs`."""
    run, manifest = _last_run(work_dir)
    found = _read_pairs(run.inside(manifest["search"]).inside("near"), manifest["blocks"])
    return named_pairs(imageset, unique_pairs(len(imageset), found))


def read_vectors(work_dir: str | Path) -> Vectors:
    """Read the vectors that the last `find_pairs_ray` in a folder made, as `embed` returns them."""
    run, manifest = _last_run(work_dir)
    store = run.inside("vectors")
    names = map(shard_name, range(manifest["shards"]))
    return np.concatenate([vectors_of(store.read_table(name, ["vector"])) for name in names])


def _prepare(imageset: ImageSet, model: Path, store: Store, shard: int) -> Plan:
    """Lay the paths and the network into the folder of this run, named by what they are."""
    readable = (imageset.images["problem"] == "").tolist()
    given = zip(imageset.images["path"].tolist(), readable, strict=True)
    paths = [_everywhere(path) if there else "" for path, there in given]
    files = {file.name: file.read_bytes() for file in network_files(model)}
    digest = hashlib.sha256(f"{peta_viz.__version__} {shard} {_BATCH}".encode())
    for data in files.values():
        digest.update(hashlib.sha256(data).digest())
    digest.update("\0".join(paths).encode("utf-8", "surrogatepass"))
    run = digest.hexdigest()[:16]
    plan = Plan(store.inside(run), len(paths), shard, _BLOCK, _BATCH, tuple(files))
    for name, data in files.items():
        plan.store.inside("network").write(name, data)
    images = plan.store.inside("images")
    for number in plan.shards:
        if not images.has(shard_name(number), run):
            part = paths[number * shard : (number + 1) * shard]
            images.write_table(shard_name(number), pa.table({"path": pa.array(part)}), run)
    return plan


def _everywhere(path: str) -> str:
    return path if is_url(path) else str(Path(path).absolute())


def _search_for(stamps: list[str], neighbours: int, near: float | None) -> Search:
    digest = hashlib.sha256(f"{neighbours} {near} {_BLOCK} {' '.join(stamps)}".encode())
    return Search(f"search-{digest.hexdigest()[:16]}", neighbours, near)


def _last_run(work_dir: str | Path) -> tuple[Store, dict[str, Any]]:
    store = Store.at(work_dir)
    try:
        manifest = store.read_json(_MANIFEST)
    except FileNotFoundError:
        raise InvalidDataError(store.url, ["find_pairs_ray has not finished there"]) from None
    return store.inside(manifest["run"]), manifest


def _read_pairs(store: Store, blocks: int) -> pd.DataFrame:
    tables = [store.read_table(shard_name(number)) for number in range(blocks)]
    return pa.concat_tables(tables).to_pandas()  # type: ignore[no-any-return]


def _explained(imageset: ImageSet, plan: Plan) -> ImageSet:
    store = plan.store.inside("vectors")
    names = map(shard_name, plan.shards)
    parts = [store.read_table(name, ["problem"])["problem"].to_pylist() for name in names]
    known = imageset.images["problem"]
    told = pd.Series([text for part in parts for text in part], index=known.index, dtype="str")
    return imageset.with_columns(problem=known.where(known != "", told))


def _embed(batch: dict[str, Any], plan: Plan) -> dict[str, Any]:
    return {**batch, "stamp": np.array([embed_shard(plan, int(n)) for n in batch["number"]])}


def _search(batch: dict[str, Any], plan: Plan, search: Search) -> dict[str, Any]:
    for number in batch["number"]:
        search_block(plan, search, int(number))
    return {**batch, "stamp": np.full(len(batch["number"]), search.folder)}


def _run(
    ray: Any, words: str, numbers: range, work: Callable[..., Any], *, progress: bool, **given: Any
) -> list[str]:
    """Let the cluster do a piece of work for every number; return the stamps in their order."""
    # Tasks and not actors: an actor whose machine is lost waits, with its work, for another one.
    items = ray.data.from_items([{"number": n} for n in numbers], override_num_blocks=len(numbers))
    done = items.map_batches(work, batch_size=1, num_cpus=1, fn_kwargs=given)
    stamps: dict[int, str] = {}
    try:
        with tqdm(total=len(numbers), desc=words, unit="task", disable=not progress) as bar:
            for row in done.iter_rows():
                stamps[int(row["number"])] = str(row["stamp"])
                bar.update()
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise PetaVizError(f"the Ray cluster could not do its work ({words}): {reason}") from error
    return [stamps[number] for number in numbers]


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one on this machine, unless this process has one already."""
    context = ray.data.DataContext.get_current()
    bars, context.enable_progress_bars = context.enable_progress_bars, False
    ours = not ray.is_initialized()
    try:
        if ours:
            _start(ray, address)
        yield
    finally:
        context.enable_progress_bars = bars
        if ours:
            ray.shutdown()


def _start(ray: Any, address: str | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    if address is None:
        options |= {
            "num_cpus": len(os.sched_getaffinity(0)),
            "object_store_memory": _LOCAL_STORE_BYTES,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        ray.init(address=address or "local", **options)
    except Exception as error:
        words = f"no Ray cluster answers at {address}" if address else "Ray did not start"
        raise PetaVizError(f"{words} ({error}); docs/scale.md says how to start one") from error


def _import_ray(*, alone: bool) -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it reports its use to its maker
    if alone:  # else it puts an address that others can reach in the place of the loopback's
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray  # noqa: PLC0415
        import ray.data  # noqa: PLC0415
    except ImportError as error:
        raise MissingPartError("the engine 'ray' needs Ray: pip install 'peta-viz[ray]'") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
