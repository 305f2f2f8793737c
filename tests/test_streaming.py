import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from peta_viz.agreement import Flag, measure_components
from peta_viz.cleaning import Cleaning, clean
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet
from peta_viz.pruning import (
    ComponentPruning,
    ImagePruning,
    LabelCorrection,
    LabelIntersection,
    LabelPruning,
    Verdict,
)
from peta_viz.quality.scores import label_quality
from peta_viz.streaming import clean_folder, measure_folder
from tests.test_tally import random_set


def large(components):
    return components["size"] >= components["size"].quantile(0.7)


CHAINS = [
    [],
    [LabelPruning()],
    [LabelIntersection()],
    [ImagePruning(0.4)],
    [ComponentPruning(Flag("std", percentile=70))],
    [ComponentPruning(Flag("disagreement", percentile=60, over="all")), LabelPruning(impute=True)],
    [LabelPruning(0.3), ComponentPruning(Flag(percentile=80)), ImagePruning(0.6, min_size=2)],
    [ComponentPruning(Flag(absolute=0.2)), ComponentPruning(large)],
]


@pytest.fixture
def folder(tmp_path):
    imageset = random_set(7, 400, 70, 150)
    imageset = imageset.with_columns(
        kind=pd.Categorical(np.arange(400) % 3), odd=np.where(np.arange(400) % 2, 0.5, np.nan)
    )
    imageset.to_parquet(tmp_path / "run")
    return tmp_path / "run"


def sorted_changes(changes):
    columns = ["step", "image_id", "label"]
    return changes.sort_values(columns, ignore_index=True)


@pytest.mark.parametrize("block_images", [20, 10_000])
def test_measures_are_those_in_memory(folder, block_images):
    found = measure_folder(folder, block_images=block_images)
    pd.testing.assert_frame_equal(found, measure_components(ImageSet.from_parquet(folder)))


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_cleaning_is_that_in_memory(folder, tmp_path, chain):
    imageset = ImageSet.from_parquet(folder)
    expected = clean(imageset, chain)
    summary = clean_folder(folder, chain, tmp_path / "out", block_images=50)
    pd.testing.assert_frame_equal(summary, expected.summary())
    changes = pd.read_parquet(tmp_path / "out" / "cleaning.parquet")
    pd.testing.assert_frame_equal(sorted_changes(changes), sorted_changes(expected.changes))
    cleaned = expected.apply(imageset)
    written = ImageSet.from_parquet(tmp_path / "out")
    assert (written.images["component_id"].diff().dropna() >= 0).all()
    order = written.images.index
    pd.testing.assert_frame_equal(written.images, cleaned.images.loc[order])
    pd.testing.assert_frame_equal(written.labels, cleaned.labels.loc[order])
    pd.testing.assert_frame_equal(written.known, cleaned.known.loc[order])
    assert written.heads == cleaned.heads
    replayed = Cleaning(changes).apply(imageset)
    pd.testing.assert_frame_equal(replayed.labels, cleaned.labels)


def test_files_cut_elsewhere_are_read_alike(folder):
    expected = measure_folder(folder)
    for name, rows in (("images", 70), ("labels", 33)):
        file = folder / f"{name}.parquet"
        pq.write_table(pq.read_table(file), file, row_group_size=rows)
    pd.testing.assert_frame_equal(measure_folder(folder, block_images=40), expected)


def test_a_strategy_of_ones_own_sees_whole_components(folder, tmp_path):
    class Odd:
        name = "odd"

        def __call__(self, imageset):
            first = ~imageset.images["component_id"].duplicated().to_numpy()
            return Verdict.of(imageset, dropped=~first, reasons="not the first")

    expected = clean(ImageSet.from_parquet(folder), [Odd()])
    summary = clean_folder(folder, [Odd()], tmp_path / "out", block_images=20)
    pd.testing.assert_frame_equal(summary, expected.summary())


def test_correction_needs_its_scores(folder, tmp_path):
    with pytest.raises(InvalidDataError, match="give it quality"):
        clean_folder(folder, [LabelCorrection()], tmp_path / "out")
    imageset = ImageSet.from_parquet(folder)
    correction = LabelCorrection(0.6, quality=label_quality(imageset))
    summary = clean_folder(folder, [correction], tmp_path / "out", block_images=90)
    pd.testing.assert_frame_equal(summary, clean(imageset, [correction]).summary())


def test_dropping_everything_is_refused_and_leaves_what_was_there(folder, tmp_path):
    clean_folder(folder, [LabelPruning()], tmp_path / "out")
    before = {f.name: f.read_bytes() for f in (tmp_path / "out").iterdir()}
    with pytest.raises(InvalidDataError, match="it would drop every image"):
        clean_folder(folder, [ImagePruning(2.0, min_size=0), ImagePruning()], tmp_path / "out")
    assert {f.name: f.read_bytes() for f in (tmp_path / "out").iterdir()} == before


def test_what_cannot_be_streamed_is_said(folder, tmp_path, make_set):
    with pytest.raises(InvalidDataError, match="name another folder"):
        clean_folder(folder, [], folder)
    with pytest.raises(InvalidDataError, match=r"there is no images\.parquet"):
        measure_folder(tmp_path)
    make_set({"a": "x"}).to_parquet(tmp_path / "raw")
    with pytest.raises(InvalidDataError, match=r"call cluster\(\) first"):
        measure_folder(tmp_path / "raw")
    ImageSet.from_parquet(folder).take(np.arange(400)[::-1]).to_parquet(tmp_path / "other")
    (tmp_path / "other" / "labels.parquet").replace(folder / "labels.parquet")
    with pytest.raises(InvalidDataError, match="do not hold the same images"):
        measure_folder(folder)


GROWTH = """
import sys
from pathlib import Path
from benchmarks.label_tables import LabelTable
from benchmarks.memory import peak_above
from peta_viz import Flag, clean_folder
from peta_viz.pruning import ComponentPruning, LabelPruning
few, many, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
for images in (few, many):
    (folder / str(images)).mkdir()
    LabelTable.draw(images).write(folder / str(images))
def work(images):
    chain = [ComponentPruning(Flag(percentile=80)), LabelPruning()]
    clean_folder(folder / str(images), chain, folder / "out", block_images=4096)
work(few)  # once, so that everything is loaded
print(*[peak_above(lambda: work(images)) for images in (few, many)])
"""


def test_memory_does_not_grow_with_the_table(tmp_path):
    few, many = 40_000, 160_000
    command = [sys.executable, "-c", GROWTH, str(few), str(many), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    small, big = map(int, done.stdout.split())
    more = many - few
    # Numbers of components (sorted, so twice) and the rows of their measures (joined, so twice);
    # the cells alone would be 200 bytes an image, and what is made of them several times that.
    allowed = more * 2 * 8 + more * 2 * 65
    assert big - small < allowed, (small, big)
