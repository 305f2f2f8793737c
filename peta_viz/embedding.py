"""Re-identification vectors: one per image, compared by cosine, from an OpenVINO network."""

import hashlib
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.files import atomic, content_of
from peta_viz.images import load_batch
from peta_viz.imageset import ImageSet

_DECODE_THREADS = 2
_BATCHES_AHEAD = 4

Vectors = np.ndarray[Any, np.dtype[np.float32]]


def embed(
    imageset: ImageSet,
    model: str | Path,
    *,
    batch_size: int = 16,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Vectors:
    """Run a person re-identification network over all images.

    Images are decoded by threads a few batches ahead of the network.

    Parameters
    ----------
    imageset
        The images.
    model
        An OpenVINO IR (``.xml`` beside its ``.bin``) or an ONNX file with one input
        ``1×3×height×width`` that takes BGR, 0 to 255, as Open Model Zoo's networks do.
    batch_size
        Images per inference.
    cache
        Folder in which the vectors are kept; a later call with the same network and files of the
        same content reads them from there.
    progress
        Show a progress bar on standard error.

    Returns
    -------
    ndarray
        float32, shape ``(images, features)``, rows as in `imageset`; NaN where an image cannot
        be decoded.

    Raises
    ------
    MissingPartError
        If the package openvino or the model file is not there.
    InvalidDataError
        If the network does not take one image of three channels.

    """
    network = load_network(Path(model), batch_size)
    paths = imageset.images["path"].tolist()
    kept = Path(cache) / f"vectors-{_fingerprint(Path(model), paths)}.npy" if cache else None
    if kept and kept.is_file():
        return np.load(kept, allow_pickle=False)  # type: ignore[no-any-return]
    vectors = infer(network, paths, batch_size, progress=progress)
    if kept:
        with atomic(kept) as partial:
            np.save(partial, vectors)
    return vectors


def infer(network: Any, paths: list[str], batch_size: int, *, progress: bool = False) -> Vectors:
    """Run what `load_network` returned over image files; the vectors are as in `embed`."""
    height, width = (int(network.input(0).shape[axis]) for axis in (2, 3))
    vectors = np.full((len(paths), int(network.output(0).shape[1])), np.nan, dtype=np.float32)
    # Not openvino.AsyncInferQueue: its callbacks wait for Python's lock on OpenVINO's threads, and
    # if the network is let go of at that moment, both wait for ever.
    at_once = network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    free = [network.create_infer_request() for _ in range(at_once)]
    running: deque[tuple[Any, int, Any]] = deque()
    starts = deque(range(0, len(paths), batch_size))
    ahead: deque[tuple[int, Future[Any]]] = deque()

    def store() -> None:
        request, start, readable = running.popleft()
        request.wait()
        found = request.get_output_tensor(0).data.reshape(batch_size, -1)[: len(readable)]
        vectors[start : start + len(readable)][readable] = found[readable]
        free.append(request)
        bar.update(len(readable))

    with (
        tqdm(total=len(paths), desc="embedding", unit="image", disable=not progress) as bar,
        ThreadPoolExecutor(_DECODE_THREADS) as pool,
    ):
        while starts or ahead:
            while starts and len(ahead) < _BATCHES_AHEAD:
                start = starts.popleft()
                batch = paths[start : start + batch_size]
                ahead.append((start, pool.submit(load_batch, batch, (width, height))))
            start, decoded = ahead.popleft()
            pixels, readable = decoded.result()
            if not free:
                store()
            request = free.pop()
            request.start_async({0: _network_input(pixels, batch_size)})
            running.append((request, start, readable))
        while running:
            store()
    return vectors


def _network_input(pixels: np.ndarray[Any, Any], batch_size: int) -> Vectors:
    """Turn RGB ``(n, height, width, 3)`` into BGR ``(batch_size, 3, height, width)``."""
    batch = np.zeros((batch_size, 3, *pixels.shape[1:3]), dtype=np.float32)
    batch[: len(pixels)] = pixels[..., ::-1].transpose(0, 3, 1, 2)
    return batch


def load_network(model: Path, batch_size: int, *, threads: int = 0) -> Any:
    """Load a network for batches of `batch_size`, on so many threads; 0 means as many as suit.

    Raises
    ------
    MissingPartError, InvalidDataError
        As `embed`.

    """
    if not model.is_file():
        raise MissingPartError(
            f"there is no network at {model}: docs/components.md says where to get one"
        )
    core = import_openvino().Core()
    try:
        network = core.read_model(model)
        shape = network.input(0).partial_shape
        size = [shape[axis].get_length() for axis in (1, 2, 3)]
        if len(network.inputs) != 1 or size[0] != 3:  # noqa: PLR2004
            raise InvalidDataError(
                str(model), [f"expected one input of 1×3×height×width, but it takes {shape}"]
            )
        network.reshape([batch_size, *size])
        options = {"INFERENCE_NUM_THREADS": threads} if threads else {}
        return core.compile_model(network, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", **options})
    except (RuntimeError, IndexError) as error:
        raise InvalidDataError(str(model), [f"OpenVINO cannot load it ({error})"]) from error


def import_openvino() -> Any:
    """Return the module, loaded without its telemetry.

    Raises
    ------
    MissingPartError
        If it is not installed.

    """
    with _without_telemetry():
        try:
            import openvino  # noqa: PLC0415
        except ImportError as error:
            raise MissingPartError(
                f"a re-identification network needs OpenVINO ({error}): "
                "pip install 'peta-viz[reid]'"
            ) from error
    return openvino


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Keep ``import openvino`` from reporting itself: it does so whenever it finds this module."""
    name = "openvino_telemetry"
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


def network_files(model: Path) -> list[Path]:
    """Return the files that a network consists of: an ``.xml`` has its ``.bin`` beside it."""
    weights = model.with_suffix(".bin")
    return [model, weights] if weights.is_file() else [model]


def _fingerprint(model: Path, paths: list[str]) -> str:
    digest = hashlib.sha256()
    for file in network_files(model):
        digest.update(file.read_bytes())
    digest.update(content_of(paths).encode())
    return digest.hexdigest()[:16]
