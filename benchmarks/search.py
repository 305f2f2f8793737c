"""Nearest neighbours as the set grows: all with all, and a graph of vectors.

``python -m benchmarks.search [SIZE …]``: synthetic vectors of 256 features, things seen four times
each, every search in a process of its own. Recall is told by a thousand vectors whose neighbours
are looked up exactly. Peer: scikit-learn's brute force, on the smallest size.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.machine import in_words
from benchmarks.memory import forget, resident
from peta_viz.approximate import approximate_pairs
from peta_viz.files import write_text
from peta_viz.links import nearest_pairs

FEATURES, LATENT, COPIES, NEIGHBOURS = 256, 32, 4, 20
EXACT, GRAPH, PEER = "all with all", "a graph of vectors", "scikit-learn, brute force"


def synthetic(count: int) -> Any:
    """Return vectors as a network gives them: float32, a few directions tell most."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(LATENT, FEATURES)).astype(np.float32)
    things = rng.normal(size=(-(-count // COPIES), LATENT)).astype(np.float32)
    vectors = np.empty((count, FEATURES), dtype=np.float32)
    for start in range(0, count, 100_000):
        rows = np.arange(start, min(start + 100_000, count))
        noise = rng.normal(size=(len(rows), LATENT)).astype(np.float32)
        vectors[rows] = (things[rows // COPIES] + 0.3 * noise) @ directions
        vectors[rows] += rng.normal(size=(len(rows), FEATURES)).astype(np.float32)
    return vectors


def run_one(name: str, count: int) -> dict[str, Any]:
    """Search once, and say what it took."""
    vectors = synthetic(count)
    forget()
    before, _ = resident()
    started, cpu = time.monotonic(), time.process_time()
    recall = 1.0
    if name == EXACT:
        nearest_pairs(vectors, NEIGHBOURS)
    elif name == GRAPH:
        recall = approximate_pairs(vectors, NEIGHBOURS, progress=False).recall
    else:
        found = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine", algorithm="brute")
        found.fit(vectors).kneighbors()
    facts = {"name": name, "images": count, "recall": recall, "cpu_s": time.process_time() - cpu}
    wall = time.monotonic() - started
    return {**facts, "wall_s": wall, "above_mib": (resident()[1] - before) / 2**20}


def main() -> None:
    """Print a table, and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", type=int, nargs="*", default=[20_000, 200_000])
    parser.add_argument("--exact-up-to", type=int, default=200_000)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="benchmarks/search")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(options.one, options.sizes[0])), flush=True)  # noqa: T201
        return
    lines = [
        "| images | search | wall s | CPU s | recall | memory above the vectors, MiB |",
        "| --: | --- | --: | --: | --: | --: |",
    ]
    for count in options.sizes:
        names = [EXACT, GRAPH] if count <= options.exact_up_to else [GRAPH]
        names += [PEER] if count == min(options.sizes) else []
        for name in names:
            own = [sys.executable, "-m", "benchmarks.search", str(count), "--one", name]
            done = subprocess.run(own, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
            facts = json.loads(done.stdout.splitlines()[-1])
            numbers = f"{facts['wall_s']:.1f} | {facts['cpu_s']:.1f} | {facts['recall']:.4f}"
            lines.append(f"| {count:,} | {name} | {numbers} | {facts['above_mib']:,.0f} |")
            print(lines[-1], flush=True)  # noqa: T201
    words = f"{FEATURES} features, {NEIGHBOURS} neighbours; {in_words()}"
    write_text(Path(options.out).with_suffix(".md"), "\n".join([words, "", *lines]) + "\n")


if __name__ == "__main__":
    main()
