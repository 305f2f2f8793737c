"""Image sets for the widgets: one drawn up by hand, random ones, and predictions for them."""

import numpy as np
import pandas as pd
import pytest

from peta_viz.imageset import Head, ImageSet
from peta_viz.links import Links

EVIL = '<script>alert("1")</script>\'& \N{FOX FACE} \u05e9\u05dc\u05d5\u05dd \u202e'
HEADS = (
    Head("colour", ("red", "green", "blue"), "exclusive"),
    Head("worn", ("hat", "coat", "bag")),
)
LABELS = [*HEADS[0].labels, *HEADS[1].labels, "alone"]


@pytest.fixture
def small(make_set):
    """Components 10 (a b c, contests x), 20 (d e, agrees), 30 (f, knows no y), 40 (g)."""
    rows = {"a": "x y", "b": "x", "c": "y", "d": "y z", "e": "y z", "f": "x ?y", "g": "z"}
    heads = (Head("first", ("x", "y")), Head("second", ("z",)))
    return make_set(
        rows,
        components=[10, 10, 10, 20, 20, 30, 40],
        heads=heads,
        subset=["s", "s", "t", "t", "t", "s", "t"],
        blur=[3.0, 1.0, np.nan, 2.0, 2.0, 5.0, np.nan],
        kind=["b", "a", "c", "a", "b", "c", "a"],
    )


@pytest.fixture
def chain():
    """Pairs a-b 0.9, b-c 0.8, d-e 0.7 (made at 0.65), c-d 0.6, f-g 0.3."""
    rows = [("a", "b", 0.9), ("b", "c", 0.8), ("d", "e", 0.7), ("c", "d", 0.6), ("f", "g", 0.3)]
    return pd.DataFrame(rows, columns=["first", "second", "similarity"])


@pytest.fixture
def pictured(small, write_image, tmp_path):
    """The same with real files; b is empty, f is not there."""
    paths = [str(write_image(f"{n}.png", seed=n)) for n in range(7)]
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "5.png").unlink()
    return small.with_columns(path=paths)


@pytest.fixture
def random_set():
    """Make a random image set of seven labels with about a tenth of them not known."""

    def make(seed, count=60, components=20):
        rng = np.random.default_rng(seed)
        index = pd.Index([f"{n:03}" for n in range(count)], name="image_id", dtype="str")
        known = rng.random((count, len(LABELS))) < 0.9
        labels = known & (rng.random(known.shape) < 0.4)
        images = pd.DataFrame(
            {
                "path": index,
                "subset": rng.choice(["s", "t"], count),
                "person_id": index,
                "width": 80,
                "height": rng.choice([100, 200], count),
                "problem": "",
                "component_id": rng.permutation(rng.integers(0, components, count)),
                "blur": rng.integers(0, 5, count) * 1.0,
            },
            index=index,
        )
        return ImageSet(
            images,
            pd.DataFrame(labels, index, LABELS),
            pd.DataFrame(known, index, LABELS),
            HEADS,
        )

    return make


@pytest.fixture
def random_links():
    """Make random similar pairs for an image set."""

    def make(imageset, seed, count=200):
        rng = np.random.default_rng(seed)
        ids = imageset.images.index.to_numpy()
        pairs = pd.DataFrame(
            {
                "first": rng.choice(ids, count),
                "second": rng.choice(ids, count),
                "similarity": rng.integers(1, 100, count) / 100,
            }
        )
        return Links.of(imageset.images.index, pairs)

    return make


def predict(imageset, seed=0, experiments=("A", "B"), *, some=True):
    """Predict at random; every experiment after the first leaves out a few components."""
    rng = np.random.default_rng(seed)
    sizes = imageset.images.groupby("component_id").size()
    rows = []
    for number, name in enumerate(experiments):
        for place, (component, size) in enumerate(sizes.items()):
            if some and number and place % 5 == number:
                continue
            for label in imageset.labels.columns:
                truth = rng.choice([True, False, pd.NA], p=[0.4, 0.5, 0.1])
                rows.append((name, component, size, label, rng.random(), truth))
            if rng.random() < 0.7:  # a component that counts for the exclusive head
                one = rng.integers(3)
                for n, row in enumerate(rows[-len(imageset.labels.columns) :][:3]):
                    rows[len(rows) - len(imageset.labels.columns) + n] = (*row[:5], bool(n == one))
    columns = ["experiment", "component_id", "size", "label", "probability", "truth"]
    kinds = {"experiment": "str", "label": "str", "probability": "float32", "truth": "boolean"}
    return pd.DataFrame(rows, columns=columns).astype(kinds)
