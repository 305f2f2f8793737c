"""What the gallery costs at up to ten million images: seconds, memory and bytes per act.

Run it as ``make bench-scale`` or ``python -m benchmarks.gallery_scale``. It writes
``benchmarks/gallery_scale.md`` and asserts nothing. The image set is a table of random rows that
all lead to a few small files. What is measured is the kernel: the widget gets the messages that
its front end would send, and what it sends back is counted.
"""

import argparse
import ctypes
import gc
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import comm
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
from comm.base_comm import BaseComm
from PIL import Image

from benchmarks.machine import in_words
from peta_viz.files import write_text

SIZES = [100_000, 1_000_000, 10_000_000]
STILLS = [10_000, 1_000_000]
FILES = 16
LABELS = ("hat", "coat", "bag", "boots")
CARRIED, WRONG, UNKNOWN, NEAR = 0.4, 0.02, 0.05, 0.1  # shares
MADE_AT, MOVED_TO = 0.7, 0.65
JUMPS = 50
ROWS_ASKED, ROOM_PX = 12, 1_000
MB = 1e6
WAYS = ("images", "components", "with pairs")
ACTS = {
    "label": {"label": "hat"},
    "contested": {"label": "hat", "label_state": "contested"},
    "query": {"label": "", "query": "size > 2 and hat and blur < 50"},
    "all again": {"query": ""},
    "sort, number": {"sort_by": "blur"},
    "sort, text": {"sort_by": "path"},
    "sort, size": {"sort_by": "size"},
    "threshold": {"threshold": MOVED_TO},
}
PAGE = """\
# The gallery at up to {largest:,} images

`{command}`, {machine}, one core used.
No browser: the kernel's side, from the message that the front end sends to the answer with the
first rows and their pictures.

{table}

- **The image set** and, but for *images*, its components (and pairs) are there before; every other
  figure of memory is what comes on top of them: `held` after all acts, `peak` the most at any time.
- **Images**: `Gallery(imageset, view="images")`, which measures the components itself.
  **Components**: `Gallery(imageset, components)`. **With pairs**: the same with as many similar
  pairs as two thirds of the images, for the threshold.
- **Seconds** are those that the kernel's process computed, whatever else ran on the machine.
- **Opens**: from the call to the first rows and pictures sent. **Jump**: {jumps} random places.
- **Largest message**: of all that it sent, pictures among them, but for the first, with the front
  end's own code.
- **Still pictures**, as reports have them:
  {stills}.
- Images: {files} small files, components of 1 to 5 images, {labels} labels.
"""


class Wire(BaseComm):  # type: ignore[misc]
    """Counts what a widget sends, in place of a connection to a browser."""

    sizes: list[int]

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **more: Any) -> None:
        """Take what is sent and note how large it is."""
        if msg_type == "comm_open":
            self.sizes, self.open = [], data
            return
        buffers = sum(len(memoryview(buffer)) for buffer in more.get("buffers") or [])
        self.sizes.append(len(json.dumps(data)) + buffers)

    def tell(self, **content: Any) -> None:
        """Say to the widget what the front end would say."""
        self.handle_msg({"content": {"data": content}, "buffers": []})

    def ask(self, first: int) -> None:
        """Ask for what stands at some places, with the pictures that there is room for."""
        content = {"kind": "rows", "first": first, "count": ROWS_ASKED, "most": 20, "room": ROOM_PX}
        self.tell(method="custom", content=content)


class Meter:
    """Seconds, and resident memory above what it was at first; the most since then as well."""

    def __init__(self) -> None:
        self.process = psutil.Process()
        self.start = self._settled()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far

    def held(self) -> float:
        """Return the bytes that are held above the start."""
        return self._settled() - self.start

    def peak(self) -> float:
        """Return the most bytes that were held above the start at any time."""
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        (most,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
        return int(most) * 1024 - self.start

    def _settled(self) -> float:
        gc.collect()
        pa.default_memory_pool().release_unused()
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # or what was freed would pass for what is held
        return float(self.process.memory_info().rss)


def texts(prefix: str, numbers: "np.ndarray[Any, np.dtype[np.int64]]") -> "pd.Series[str]":
    """Write numbers as text, without a Python object for each."""
    digits = pa.array(numbers).cast(pa.large_string())
    before, between = (pa.scalar(text, pa.large_string()) for text in (prefix, ""))
    found: pd.Series[str] = pc.binary_join_element_wise(before, digits, between).to_pandas()
    return found


def image_set(count: int, folder: Path) -> Any:
    """Make a table of random rows of which each leads to one of a few files."""
    from peta_viz.imageset import Head, ImageSet  # noqa: PLC0415 - as little as needed, per process

    rng = np.random.default_rng(count)
    files = []
    for number in range(FILES):
        pixels = rng.integers(0, 255, (64, 32, 3), dtype=np.uint8)
        files.append(str(folder / f"{number}.jpg"))
        Image.fromarray(pixels).save(files[-1])
    sizes = rng.integers(1, 6, count // 2)
    component = np.repeat(np.arange(len(sizes)), sizes)[:count]
    rng.shuffle(component)
    component = pd.factorize(component)[0]  # numbered by first image, as clustering does
    index = pd.Index(texts("", np.arange(count)), name="image_id")
    assert index.dtype == "str"
    images = pd.DataFrame(
        {
            "path": pd.Series(files, dtype="str").array.take(rng.integers(0, FILES, count)),
            "subset": pd.Series(list("abc"), dtype="str").array.take(rng.integers(0, 3, count)),
            "person_id": texts("p", component).array,
            "width": 32,
            "height": rng.integers(60, 70, count),
            "blur": 100 * rng.random(count),
            "component_id": component,
        },
        index=index,
    )
    known = rng.random((len(LABELS), count), np.float32) < 1 - UNKNOWN
    agreed = rng.random((len(LABELS), len(sizes)), np.float32) < CARRIED
    wrong = rng.random(known.shape, np.float32) < WRONG
    carried = known & (agreed[:, component] ^ wrong)
    frames = [pd.DataFrame(one.T, index=index, columns=list(LABELS)) for one in (carried, known)]
    return ImageSet(images, *frames, (Head("worn", LABELS),))


def similar_pairs(imageset: Any) -> pd.DataFrame:
    """Chain the images of each component above a threshold, and some components below it."""
    rng = np.random.default_rng(0)
    component = imageset.images["component_id"].to_numpy()
    order = np.argsort(component, kind="stable")
    first, second = order[:-1], order[1:]
    same = component[first] == component[second]
    kept = same | (rng.random(len(same)) < NEAR)
    first, second, same = first[kept], second[kept], same[kept]
    similarity = np.where(same, MADE_AT + 0.01, MADE_AT - 0.2) + 0.19 * rng.random(len(same))
    ids = imageset.images.index
    return pd.DataFrame({"first": ids[first], "second": ids[second], "similarity": similarity})


def measure(way: str, count: int, folder: Path, say: Callable[[Mapping[str, Any]], None]) -> None:
    """Open a gallery and do what a person does; `say` gets what is known so far."""
    from peta_viz import Gallery, measure_components  # noqa: PLC0415 - as little as needed

    comm.create_comm = Wire
    imageset = image_set(count, folder)
    options: dict[str, Any] = {"view": "images"}
    if way != "images":
        options = {"components": measure_components(imageset)}
    if way == "with pairs":
        options |= {"pairs": similar_pairs(imageset), "threshold": MADE_AT}
    meter = Meter()
    found: dict[str, Any] = {"image set, MB": meter.start / MB}
    say(found)
    since = time.process_time()
    gallery = Gallery(imageset, **options)
    wire: Wire = gallery.comm
    wire.ask(0)
    found["opens, s"] = time.process_time() - since
    found |= {"held, open, MB": meter.held() / MB, "peak, open, MB": meter.peak() / MB}
    say(found)
    places = np.random.default_rng(1).integers(0, gallery._total, JUMPS).tolist()  # noqa: SLF001
    times = [1_000 * timed(lambda first=first: wire.ask(first)) for first in places]
    found["jump, median ms"], found["jump, 95 % ms"] = np.percentile(times, [50, 95]).tolist()
    for name, told in messages(way).items():
        found[f"{name}, s"] = timed(lambda told=told: (wire.tell(**told), wire.ask(0)))
        found |= {"held, MB": meter.held() / MB, "peak, MB": meter.peak() / MB}
        found["largest message, bytes"] = max(wire.sizes)
        say(found)


def messages(way: str) -> dict[str, dict[str, Any]]:
    """Return by name what the front end says when a person does this or that."""
    updates = {
        name: {"method": "update", "buffer_paths": [], "state": state}
        for name, state in ACTS.items()
        if name != "threshold" or way == "with pairs"
    }
    content = {"kind": "select", "how": "all"}
    return {**updates, "select all": {"method": "custom", "content": content}}


def timed(act: Callable[[], Any]) -> float:
    """Return the seconds that this process computes in the course of an act."""
    since = time.process_time()
    act()
    return time.process_time() - since


def main() -> None:
    """Print a table, and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many images")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--most-gb", type=float, default=8, help="where a process is ended")
    parser.add_argument("--limit", type=float, default=900, help="seconds for each process")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    found: dict[tuple[int, str], Mapping[str, Any]] = {}
    for count in options.sizes:
        for way in options.ways:
            found[count, way] = supervise(way, count, options)
            sys.stderr.write(f"{count:,} {way}: {found[count, way]}\n")
    page = PAGE.format(
        largest=max(options.sizes),
        command=f"python -m benchmarks.gallery_scale --sizes {' '.join(map(str, options.sizes))}",
        machine=in_words(),
        table=table(found),
        stills=in_stills(),
        jumps=JUMPS,
        files=FILES,
        labels=len(LABELS),
    )
    print(page)  # noqa: T201 - what it is for
    write_text(options.out, page)


def supervise(way: str, count: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure in a process of its own, and end it where it takes too much memory or time."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_work, args=(theirs, way, count, Path(folder)))
        process.start()
        theirs.close()
        watched, known, end = psutil.Process(process.pid), {}, time.monotonic() + options.limit
        while process.is_alive():
            known = _latest(ours, known)
            if time.monotonic() > end or _rss(watched) > options.most_gb * 1e9:
                why = "time" if time.monotonic() > end else "memory"
                process.kill()
                process.join()
                return {**_latest(ours, known), "ended": f"out of {why}"}
            process.join(0.1)
        return _latest(ours, known)


def _work(pipe: Connection, way: str, count: int, folder: Path) -> None:
    measure(way, count, folder, lambda found: pipe.send(dict(found)))


def _latest(pipe: Connection, known: dict[str, Any]) -> dict[str, Any]:
    try:
        while pipe.poll():
            known = pipe.recv()
    except EOFError:
        pass
    return known


def _rss(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0.0


def still_bytes(count: int, folder: Path) -> tuple[int, int]:
    """Return the bytes of a still gallery, and of a still confusion matrix of all components."""
    from peta_viz import Gallery, measure_components  # noqa: PLC0415 - as little as needed
    from peta_viz.widgets.matrices import Matrices, Question  # noqa: PLC0415
    from peta_viz.widgets.matrix_stills import show_confusion  # noqa: PLC0415

    rng = np.random.default_rng(count)
    imageset = image_set(count, folder)
    components = measure_components(imageset)
    cells = len(components) * len(LABELS)
    predictions = pd.DataFrame(
        {
            "experiment": "A",
            "component_id": np.repeat(components.index.to_numpy(), len(LABELS)),
            "size": np.repeat(components["size"].to_numpy(), len(LABELS)),
            "label": np.tile(LABELS, len(components)),
            "probability": rng.random(cells, np.float32),
            "truth": rng.random(cells) < CARRIED,
        }
    )
    gallery = Gallery(imageset, components).still().html
    matrices = Matrices(imageset, predictions)
    matrix = show_confusion(imageset, matrices, Question("A", "worn", component_size="all")).html
    return len(gallery.encode()), len(matrix.encode())


def in_stills() -> str:
    """Say how large still pictures are of a small and of a large table."""
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
        sizes = {count: still_bytes(count, Path(folder)) for count in STILLS}
    return "; ".join(
        f"of {count:,} images the gallery has {gallery:,} bytes and a confusion matrix {matrix:,}"
        for count, (gallery, matrix) in sizes.items()
    )


def table(found: Mapping[tuple[int, str], Mapping[str, Any]]) -> str:
    """Write one column per size and way, one row per figure."""
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    head = ["", *(f"{count:,}, {way}" for count, way in found)]
    lines = [head, ["---", *["--:"] * len(found)]]
    lines += [[name, *(_cell(name, one.get(name, "")) for one in found.values())] for name in names]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.2f}" if name.endswith(", s") else f"{value:,.0f}"


if __name__ == "__main__":
    main()
