"""How the gallery compares with what people use today, on the same images in the same run.

Run it as ``make bench-gallery`` or ``python -m benchmarks.gallery --help``. It writes
``benchmarks/gallery.md`` and ``benchmarks/gallery.json`` and asserts nothing.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from benchmarks.candidates import CANDIDATES
from benchmarks.machine import machine
from benchmarks.session import PATHS, PREPARING, measure
from benchmarks.table import row, write
from peta_viz import make_sample, read_peta
from peta_viz.images import EXTENSIONS

SIZES = [1_000, 10_000, 100_000]
PREPARING_S = 900
TRIES = 3
DONE = "done"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every candidate at every size and write the table."""
    options = _options(arguments)
    results = []
    with tempfile.TemporaryDirectory(prefix="bench-gallery-") as name:
        folder = Path(name)
        files = _images(options, folder)
        most = max(options.sizes)
        paths = islice(cycle(files), most)
        (folder / PATHS).write_text("\n".join(paths) + "\n", encoding="utf-8")
        for candidate in options.candidates:
            given_up = ""
            for count in sorted(options.sizes):
                result = {"candidate": candidate, "images": count, "load": os.getloadavg()[0]}
                if given_up:
                    result["gave_up"] = "not tried"
                else:
                    result |= _try(candidate, count, folder, options)
                    given_up = result.get("gave_up", "")
                results.append(result)
                sys.stderr.write(f"{row(result)}\n")
    write(options.out, _facts(options, len(files)), results)


def _facts(options: argparse.Namespace, files: int) -> dict[str, Any]:
    given = options.root or options.images
    option = "--root" if options.root else "--images"
    named = f' {option} "{given.name}"' if given else ""
    return {
        **machine(),
        "command": f"python -m benchmarks.gallery{named}",
        "source": given.name if given else "the generated sample",
        "files": files,
        "limit_s": options.limit,
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("--images", type=Path, help="a folder of images; default: the sample")
    parser.add_argument("--root", type=Path, help="a PETA release; only its images are used")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many images")
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--limit", type=float, default=120, help="seconds for each part")
    parser.add_argument("--spare-gb", type=float, default=4, help="memory that is left to others")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_suffix(""), help="without .md and .json"
    )
    return parser.parse_args(arguments)


def _images(options: argparse.Namespace, folder: Path) -> list[str]:
    if options.root:
        return [str(path) for path in read_peta(options.root).images["path"]]
    images = options.images or make_sample(folder / "sample")
    found = sorted(file for file in images.rglob("*") if file.suffix.lower() in EXTENSIONS)
    return [str(file.absolute()) for file in found]


def _try(candidate: str, count: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure, and again where it fails: some lose messages only now and then."""
    result: dict[str, Any] = {}
    for number in range(1, TRIES + 1):
        result = {**_supervise(candidate, count, folder, options), "tries": number}
        if not result.get("gave_up", "").startswith("failed"):
            break
    return result


def _supervise(
    candidate: str, count: int, folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Measure in a process of its own; end it where it takes too long or too much memory."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_measure, args=(theirs, candidate, count, folder))
    process.start()
    theirs.close()
    try:
        return _listen(ours, options)
    finally:
        _end(process.pid)
        process.join()


def _measure(pipe: Connection, candidate: str, count: int, folder: Path) -> None:
    try:
        figures = measure(candidate, count, folder, lambda *said: pipe.send(said))
    except Exception as error:  # noqa: BLE001 - whatever it is, the table says so
        lines = str(error).strip().splitlines() or [type(error).__name__]
        pipe.send((DONE, {"gave_up": f"failed: {lines[0].rpartition('Error: ')[2][:200]}"}))
    else:
        pipe.send((DONE, figures))


def _listen(pipe: Connection, options: argparse.Namespace) -> dict[str, Any]:
    stage, known, since = PREPARING, {}, time.monotonic()
    while True:
        if pipe.poll(0.2):
            try:
                stage, known = pipe.recv()
            except EOFError:
                return {**known, "gave_up": f"died ({stage})"}
            if stage == DONE:
                return known
            since = time.monotonic()
        limit = PREPARING_S if stage == PREPARING else options.limit
        if time.monotonic() - since > limit:
            return {**known, "gave_up": f"over {limit:.0f} s ({stage})"}
        if psutil.virtual_memory().available < options.spare_gb * 1e9:
            return {**known, "gave_up": f"out of memory ({stage})"}


def _end(pid: int | None) -> None:
    """End a process with all that it started."""
    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=20)


if __name__ == "__main__":
    main()
