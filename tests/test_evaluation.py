import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from peta_viz.evaluation import (
    IMAGE_SIZES,
    component_image_sizes,
    component_sources,
    evaluate,
    mean_macro_f1,
    slices,
)
from peta_viz.imageset import Head
from peta_viz.training.data import Targets

HEADS = (Head("age", ("a", "b", "c"), "exclusive"), Head("rest", ("x", "y")))


def _targets(values, known=None, sizes=None):
    values = pd.DataFrame(values, columns=list("abcxy"), dtype=bool)
    known = values | True if known is None else pd.DataFrame(known, columns=list("abcxy"))
    sizes = [2] * len(values) if sizes is None else sizes
    return Targets(values, known, pd.Series(sizes, index=values.index))


def _row(table, size, head):
    chosen = table[(table["component_size"] == size) & (table["head"] == head)]
    return chosen[["components", "macro_f1"]].iloc[0].tolist()


def test_by_hand():
    truth = _targets([[1, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 1, 0, 1, 0]], sizes=[1, 2, 5])
    guess = pd.DataFrame(
        [[0.9, 0.1, 0, 0.9, 0.9], [0.2, 0.8, 0, 0.6, 0.1], [0.1, 0.9, 0, 0.2, 0.1]],
        columns=list("abcxy"),
    )
    table = evaluate(guess, truth, HEADS)
    # a: precision 1, recall ½; b: precision ½, recall 1; c does not occur, nor does y.
    assert _row(table, "all", "age") == [3, pytest.approx(2 / 3)]
    assert _row(table, "all", "rest") == [3, pytest.approx(0.5)]
    assert _row(table, "1", "age") == [1, 1.0]
    assert _row(table, "2 and more", "age") == [2, pytest.approx((0 + 2 / 3) / 2)]
    assert _row(table, "2-3", "rest")[0] == 1
    assert np.isnan(_row(table, "2-3", "rest")[1])
    assert mean_macro_f1(table) == pytest.approx((2 / 3 + 0.5) / 2)


def test_what_is_not_known_does_not_count():
    known = [[True, True, True, False, True], [True, False, True, True, True]]
    truth = _targets([[1, 0, 0, 0, 0], [0, 0, 0, 1, 0]], known)
    table = evaluate(pd.DataFrame([[1, 0, 0, 1, 0.0]] * 2, columns=list("abcxy")), truth, HEADS)
    assert _row(table, "all", "age") == [1, 1.0]
    assert _row(table, "all", "rest") == [2, 1.0]


def test_an_empty_side_has_no_score_and_raises_nothing():
    truth = _targets(np.zeros((2, 5)))
    table = evaluate(pd.DataFrame(np.zeros((2, 5)), columns=list("abcxy")), truth, HEADS)
    assert table["macro_f1"].isna().all()
    assert mean_macro_f1(table) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_scikit_learn_on_random_input(seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, 60)
    values = np.column_stack([np.eye(3)[classes], rng.integers(0, 2, (60, 2))])
    guess = pd.DataFrame(rng.random((60, 5)), columns=list("abcxy"))
    table = evaluate(guess, _targets(values), HEADS)
    expected = f1_score(classes, guess[["a", "b", "c"]].to_numpy().argmax(axis=1), average="macro")
    assert _row(table, "all", "age")[1] == pytest.approx(expected, abs=1e-12)
    expected = f1_score(values[:, 3:], guess[["x", "y"]] > 0.5, average="macro")
    assert _row(table, "all", "rest")[1] == pytest.approx(expected, abs=1e-12)


def test_sources_tell_image_by_image_labels_apart(make_set):
    imageset = make_set(dict.fromkeys("abc", "x"), components=[4, 4, 1])
    imageset = imageset.with_columns(subset=["CUHK", "VIPeR", "GRID"])
    assert component_sources(imageset).to_dict() == {1: "all but CUHK", 4: "CUHK"}
    assert [cut.source for cut in slices(["CUHK"])] == ["all"] * 7
    assert [cut.source for cut in slices(["CUHK", "all but CUHK"])][7:] == ["CUHK", "all but CUHK"]


def test_image_sizes_are_by_the_median_of_what_is_readable(make_set):
    rows = {
        "a": (3, 75, 160, ""),
        "b": (3, 75, 160, ""),
        "c": (3, 9, 9, ""),
        "d": (1, 74, 500, ""),
        "e": (5, 500, 159, ""),
        "f": (7, 76, 160, ""),
        "g": (7, 74, 160, ""),
        "h": (2, 0, 0, "the file is empty"),
        "i": (4, 80, 170, ""),
        "j": (4, 0, 0, "the file is empty"),
    }
    ids, width, height, problem = zip(*rows.values(), strict=True)
    imageset = make_set(dict.fromkeys(rows, "x"), components=list(ids)).with_columns(
        width=list(width), height=list(height), problem=list(problem)
    )
    sizes = component_image_sizes(imageset)
    large, small = IMAGE_SIZES[1:]
    assert sizes.to_dict() == {1: small, 3: large, 4: large, 5: small, 7: large}
    assert sizes.index.name == "component_id"
    assert (IMAGE_SIZES[0], large, small) == ("all", "at least 75×160", "smaller")
    assert str(sizes.dtype) == "str"
