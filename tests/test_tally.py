"""The bits against one component after the other, told in plain Python."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peta_viz import tally as tally_module
from peta_viz.agreement import MEASURES, Flag, count_labels, measure_components
from peta_viz.cleaning import clean
from peta_viz.imageset import Head, ImageSet
from peta_viz.pruning import ComponentPruning, ImagePruning, LabelIntersection, LabelPruning
from peta_viz.tally import pack, places, read, runs, unpack


def random_set(seed, images, labels, components, *, together=True):
    """Return a set in which things are carried by all, by some, by none, and not known."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, components, images) * 3 - 5
    share = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], (components, labels))
    known = rng.random((images, labels)) < rng.choice([0.1, 0.9, 1.0], labels)
    values = (rng.random((images, labels)) < share[(ids + 5) // 3]) & known
    names = [f"l{n}" for n in range(labels)]
    index = pd.Index([f"i{n}" for n in range(images)], name="image_id", dtype="str")
    if together:
        values, known = np.asfortranarray(values), np.asfortranarray(known)
    frames = (pd.DataFrame(one, index, names, copy=False) for one in (values, known))
    columns = {"path": index, "subset": "", "person_id": index, "width": 8, "height": 8}
    frame = pd.DataFrame(columns, index).assign(component_id=ids)
    return ImageSet(frame, *frames, (Head("all", tuple(names)),) if names else ())


def naive_measures(imageset):
    rows = {}
    for component, images in imageset.images.groupby("component_id"):
        labels, known = imageset.labels.loc[images.index], imageset.known.loc[images.index]
        p = [labels[n].sum() / known[n].sum() for n in labels if labels[n].any()]
        contested = sum(one < 1 for one in p)
        mean = sum(p) / len(p) if p else 0
        logs = [np.log(one) for one in p]
        middle = sum(logs) / len(p) if p else 0
        over = max(len(p), 1)
        variance = sum((one - mean) ** 2 for one in p) / over
        rows[component] = [
            len(images),
            contested > 0,
            contested,
            sum(2 * min(one, 1 - one) for one in p) / over,
            np.sqrt(variance),
            variance,
            np.exp(sum((one - middle) ** 2 for one in logs) / over) - 1,
            sum(abs(one - mean) ** 3 for one in p) / over,
        ]
    columns = ["size", "contested", "contested_labels", *MEASURES]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def naive_acts(imageset, rule):
    """Return {(image, label): (before, after)} and the images that are out."""
    cells, out = {}, set()
    least = max(rule.min_size, 2) if isinstance(rule, LabelIntersection) else rule.min_size
    for _, images in imageset.images.groupby("component_id"):
        if len(images) >= least:
            part = imageset.labels.loc[images.index], imageset.known.loc[images.index]
            acts, gone = naive_component(*part, rule)
            cells |= acts
            out |= gone
    return cells, out


def naive_component(labels, known, rule):
    carried = {n for n in labels if labels[n].any()}
    ratio = {n: labels[n].sum() / known[n].sum() for n in carried}
    least = 1 if isinstance(rule, LabelIntersection) else rule.ratio
    gone = {n for n in carried if ratio[n] < least}
    if isinstance(rule, LabelIntersection) and carried and gone == carried:
        return {}, set(labels.index)
    if isinstance(rule, ImagePruning):
        return {}, {one for one in labels.index if any(labels.loc[one, n] for n in gone)}
    impute = getattr(rule, "impute", False)
    touched = [n for n in labels if known[n].any()] if impute else gone
    acts = {}
    for image in labels.index:
        for name in touched:
            after = ("yes" if name in carried - gone else "no") if impute else "unknown"
            before = "yes" if labels.loc[image, name] else "no"
            before = before if known.loc[image, name] else "unknown"
            if before != after:
                acts[image, name] = (before, after)
    return acts, set()


SHAPES = [(0, 40, 5, 12), (1, 60, 70, 9), (2, 30, 130, 4), (3, 300, 1, 3), (4, 7, 64, 7)]
RULES = [
    LabelPruning(0.5),
    LabelPruning(1.0),
    LabelPruning(1.1, min_size=1),
    LabelPruning(0.6, impute=True, min_size=2),
    LabelIntersection(),
    LabelIntersection(4),
    ImagePruning(0.6, min_size=2),
    ImagePruning(1.5),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("together", [True, False])
def test_measures_and_counts_are_those_of_one_component_after_the_other(shape, together):
    imageset = random_set(*shape, together=together)
    found = measure_components(imageset)
    pd.testing.assert_frame_equal(
        found, naive_measures(imageset), check_names=False, atol=1e-12, rtol=1e-12
    )
    counts = count_labels(imageset)
    ids = imageset.images["component_id"]
    for frame, total in ((imageset.labels, counts.carried), (imageset.known, counts.known)):
        expected = frame.astype("int64").groupby(ids).sum()
        pd.testing.assert_frame_equal(total, expected, check_names=False)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules_do_what_they_say_of_one_component_after_the_other(shape, rule):
    imageset = random_set(*shape)
    cells, out = naive_acts(imageset, rule)
    if len(out) == len(imageset):
        return
    changes = clean(imageset, [rule]).changes
    gone = changes["label"] == ""
    assert set(changes.loc[gone, "image_id"]) == out
    rest = changes[~gone]
    assert {(i, n): (b, a) for _, _, i, n, b, a, _ in rest.to_numpy().tolist()} == cells
    assert len(rest) == len(cells)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 70), st.integers(1, 9))
def test_any_table_measures_the_same(seed, images, labels, components):
    imageset = random_set(seed, images, labels, components)
    pd.testing.assert_frame_equal(
        measure_components(imageset),
        naive_measures(imageset),
        check_names=False,
        atol=1e-12,
        rtol=1e-12,
    )


@pytest.mark.parametrize("labels", [0, 1, 8, 63, 64, 65, 128, 129])
def test_bits_are_the_mask_again(labels):
    mask = np.random.default_rng(labels).random((50, labels)) < 0.3
    for one in (mask, np.asfortranarray(mask)):
        bits = pack(one)
        assert bits.shape == (50, -(-labels // 64))
        assert (unpack(bits, labels) == mask).all()
        assert [p.tolist() for p in places(bits, labels)] == [p.tolist() for p in np.nonzero(mask)]


def test_components_larger_than_a_run_are_counted_right():
    imageset = random_set(5, 40_000, 3, 2)
    ids = imageset.images["component_id"]
    expected = imageset.labels.astype("int64").groupby(ids).sum().to_numpy()
    assert (count_labels(imageset).carried.to_numpy() == expected).all()


def test_an_image_set_without_labels_agrees():
    imageset = random_set(6, 10, 0, 3)
    assert not measure_components(imageset)["contested"].any()
    assert clean(imageset, [*RULES, ComponentPruning(Flag(absolute=0.1))]).changes.empty


def test_what_is_written_into_a_frame_is_seen():
    imageset = random_set(8, 30, 5, 6)
    assert measure_components(imageset).equals(measure_components(imageset))
    first = imageset.images.index[0]
    for frame, column, value in (
        (imageset.known, "l0", not imageset.known.iloc[0, 0]),
        (imageset.images, "component_id", 1000),
    ):
        if column == "l0":
            imageset.labels.loc[first, column] = False
        frame.loc[first, column] = value
        found = measure_components(imageset)
        expected = naive_measures(imageset)
        pd.testing.assert_frame_equal(found, expected, check_names=False, atol=1e-12, rtol=1e-12)


def test_bits_are_read_one_by_one():
    mask = np.random.default_rng(0).random((20, 130)) < 0.5
    rows, columns = np.nonzero(mask | True)
    found = read(pack(mask), rows, columns)
    assert found.dtype == np.int8
    assert (found.reshape(mask.shape) == mask).all()


def test_runs_are_as_long_as_they_may_be():
    sizes = np.array([2, 3, 4, 10, 1, 4, 1])
    assert [(run.start, run.stop) for run in runs(sizes, 5)] == [
        *((0, 2), (2, 3), (3, 4), (4, 6), (6, 7)),
    ]
    assert list(runs(sizes, 25)) == [slice(0, 7)]
    assert list(runs(sizes[:0], 5)) == []


def test_whatever_is_looked_at_together_the_counts_are_the_same(monkeypatch):
    def found():
        imageset = random_set(9, 300, 70, 12)
        counts = count_labels(imageset)
        table = measure_components(imageset)
        return counts.carried, counts.known, table, clean(imageset, [LabelPruning(0.6)]).changes

    whole = found()
    for name, size in (("_ROWS", 7), ("_ROWS", 64), ("_COUNTED", 40), ("_COUNTED", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(tally_module, name, size)
            for one, other in zip(found(), whole, strict=True):
                pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("size", [255, 256, 600])
def test_counts_do_not_run_over(size):
    imageset = random_set(10, size, 4, 1)
    assert count_labels(imageset).known.to_numpy().tolist() == [imageset.known.sum().tolist()]
