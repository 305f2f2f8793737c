"""Agreement, flags and strategies as the table grows, beside a callback per component.

``python -m benchmarks.agreement [SIZE …]``: synthetic tables of 100 labels, each size in a process
of its own. In memory: `count_labels` and `measure_components`, all measures × percentiles, each of
the four strategies by `clean`, and all of that together. Streamed: the run folder on disk, by
`measure_folder` and `clean_folder`. Peer: pandas' ``groupby().apply`` with a function per component
that finds the measures and what each strategy would do, in pandas and in NumPy.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.callbacks import Judge, frame_of, judge_all, plain, tuned
from benchmarks.label_tables import LabelTable
from benchmarks.machine import in_words
from benchmarks.memory import forget, resident
from peta_viz.agreement import (
    MEASURES,
    Flag,
    count_labels,
    flag_components,
    flag_grid,
    measure_components,
)
from peta_viz.cleaning import clean
from peta_viz.files import write_text
from peta_viz.imageset import ImageSet
from peta_viz.pruning import ComponentPruning, ImagePruning, LabelIntersection, LabelPruning
from peta_viz.streaming import clean_folder, measure_folder

FLAGS = [Flag(measure, percentile=p) for measure in MEASURES for p in (50, 80, 95)]
STRATEGIES = [ComponentPruning(), LabelPruning(), LabelIntersection(), ImagePruning()]
TOGETHER, PEERS = "all together", ("callback in pandas", "callback in NumPy")
MEASURED, CLEANED = "streamed: measures", "streamed: component and label pruning"
_HEAD = ["", "images", "CPU s", "wall s", "peak above input, MiB", "peak in all, MiB"]
_MIB = 2**20
SLOPE_FROM = 100_000  # below, what every call costs hides it

Row = dict[str, Any]


def timed(stage: str, images: int, work: Callable[[], Any]) -> Row:
    """Run once, and tell seconds and memory."""
    forget()
    before, _ = resident()
    wall, cpu = time.perf_counter(), time.process_time()
    kept = work()
    seconds = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    most = resident()[1]
    del kept
    memory = {"above_mib": (most - before) / _MIB, "peak_mib": most / _MIB}
    return {"stage": stage, "images": images, **seconds, **memory}


def counts_and_measures(data: ImageSet) -> Any:
    """Count all labels and measure all components."""
    return count_labels(data), measure_components(data)


def flags(components: Any) -> Any:
    """Flag by every measure at every percentile, and tell how many that are."""
    return flag_components(components, *FLAGS), flag_grid(components)


def together(data: ImageSet) -> Any:
    """Do everything, and keep it."""
    counts, components = counts_and_measures(data)
    return counts, flags(components), [clean(data, [one]) for one in STRATEGIES]


def in_memory(images: int) -> Iterator[Row]:
    """Yield a row per stage."""
    data = LabelTable.draw(images).imageset()
    measure_components(LabelTable.draw(1000).imageset())  # what is loaded when first used
    yield timed("counts and measures", images, lambda: counts_and_measures(data))
    components = measure_components(data)
    yield timed("flags", images, lambda: flags(components))
    for strategy in STRATEGIES:
        anew = replace(data)  # of which nothing was found yet
        yield timed(strategy.name, images, lambda s=strategy, d=anew: clean(d, [s]))
    anew = replace(data)
    yield timed(TOGETHER, images, lambda: together(anew))


def by_callback(images: int) -> Iterator[Row]:
    """Yield a row per callback; what it measures is what we measure."""
    data = LabelTable.draw(images).imageset()
    frame, ours = frame_of(data), measure_components(data)
    for name, judge in zip(PEERS, (plain, tuned(data.labels.columns.to_numpy())), strict=True):
        yield timed(name, images, lambda j=judge: judged(frame, j, ours))


def judged(frame: pd.DataFrame, judge: Judge, ours: pd.DataFrame) -> pd.DataFrame:
    """Judge by a callback, and see that it measures the same."""
    found = judge_all(frame, judge)
    for measure in MEASURES:
        theirs = found[measure].astype(float).fillna(0.0)
        np.testing.assert_allclose(theirs, ours[measure], atol=1e-5)
    return found


def streamed(images: int) -> Iterator[Row]:
    """Yield a row per function."""
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside, "run")
        folder.mkdir()
        LabelTable.draw(images).write(folder)
        yield timed(MEASURED, images, lambda: measure_folder(folder, scratch=aside))
        rules = [ComponentPruning(), LabelPruning()]
        out = Path(aside, "out")
        yield timed(CLEANED, images, lambda: clean_folder(folder, rules, out, scratch=aside))


KINDS = {"memory": in_memory, "callback": by_callback, "stream": streamed}


def measure(kind: str, images: int) -> list[Row]:
    """Do one size in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.agreement", str(images), "--only", kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(rows: list[Row]) -> str:
    """Return all rows, stage by stage."""
    order = list(dict.fromkeys(row["stage"] for row in rows))
    lines = [
        f"| {row['stage']} | {row['images']:,} | {row['cpu_s']:.2f} | {row['wall_s']:.2f} | "
        f"{row['above_mib']:,.0f} | {row['peak_mib']:,.0f} |"
        for row in sorted(rows, key=lambda row: order.index(row["stage"]))
    ]
    head = [f"| {' | '.join(_HEAD)} |", "| --- | --: | --: | --: | --: | --: |"]
    return "\n".join([*head, *lines])


def findings(rows: list[Row]) -> str:
    """Return ratios to the callbacks and slopes, one a line."""
    seconds = {(row["stage"], row["images"]): row["cpu_s"] for row in rows}
    lines = [
        f"- {images:,} images: the {peer} takes {value / seconds[TOGETHER, images]:.0f} times as "
        "long as all together here"
        for (peer, images), value in seconds.items()
        if peer in PEERS and (TOGETHER, images) in seconds
    ]
    for stage in (TOGETHER, MEASURED, CLEANED):
        own = {images: value for (name, images), value in seconds.items() if name == stage}
        large = sorted(images for images in own if images >= SLOPE_FROM)
        if len(large) > 1:
            logs = np.log([[images, own[images]] for images in large])
            slope = np.polyfit(*logs.T, 1)[0]
            ends = f"{large[0]:,} to {large[-1]:,}"
            lines.append(f"- {stage}: log-log slope of CPU time from {ends} images: {slope:.2f}")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [10**power for power in range(3, 8)]
    parser.add_argument("sizes", type=int, nargs="*", default=sizes)
    parser.add_argument("--memory-most", type=int, default=10**6)
    parser.add_argument("--callback-most", type=int, default=10**5)
    parser.add_argument("--stream-least", type=int, default=10**5)
    parser.add_argument("--only", choices=list(KINDS), help="one kind, in this process, as JSON")
    parser.add_argument("--out", default="benchmarks/agreement.md")
    options = parser.parse_args()
    if options.only:
        for images in options.sizes:
            for row in KINDS[options.only](images):
                print(json.dumps(row), flush=True)  # noqa: T201 - what it is for
        return
    rows = []
    for images in options.sizes:
        rows += measure("memory", images) if images <= options.memory_most else []
        rows += measure("callback", images) if images <= options.callback_most else []
        rows += measure("stream", images) if images >= options.stream_least else []
        print(table(rows), flush=True)  # noqa: T201
    text = f"100 labels, one core; {in_words()}\n\n{table(rows)}\n\n{findings(rows)}\n"
    print(text)  # noqa: T201
    write_text(options.out, text)


if __name__ == "__main__":
    main()
