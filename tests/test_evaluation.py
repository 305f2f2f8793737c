from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from peta_viz.evaluation import (
    IMAGE_SIZES,
    SIZES,
    Slice,
    answers_alike,
    choose,
    component_image_sizes,
    component_sources,
    difference_words,
    evaluate,
    headline,
    headline_words,
    mean_macro_f1,
    read_scores,
    slice_words,
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


def test_sizes_of_components_are_cut_where_their_names_say():
    sizes = pd.Series([1, 2, 3, 4])
    assert {name: sizes[chosen(sizes)].tolist() for name, chosen in SIZES.items()} == {
        "2 and more": [2, 3, 4],
        "all": [1, 2, 3, 4],
        "1": [1],
        "2-3": [2, 3],
        "more than 3": [4],
    }


def test_a_slice_is_what_all_its_words_say():
    sizes = pd.Series([1, 2, 3, 2], index=[4, 5, 6, 7])
    image_sizes = pd.Series({7: "smaller", 5: "at least 75×160", 4: "at least 75×160"})
    sources = pd.Series({6: "CUHK", 4: "CUHK", 5: "CUHK", 7: "all but CUHK"})

    def chosen(*words):
        return Slice(*words).mask(sizes, image_sizes, sources).tolist()

    assert chosen() == [False, True, True, True]
    assert chosen("all", "at least 75×160") == [True, True, False, False]
    assert chosen("2 and more", "all", "CUHK") == [False, True, True, False]
    assert chosen("2 and more", "at least 75×160", "CUHK") == [False, True, False, False]
    with pytest.raises(FrozenInstanceError):
        Slice().source = "CUHK"
    assert slices(["CUHK"])[len(SIZES) :] == (
        Slice("2 and more", "at least 75×160"),
        Slice("2 and more", "smaller"),
    )


def test_metrics_that_a_head_has_none_of_are_empty():
    table = evaluate(
        pd.DataFrame([[1, 0, 0, 1, 0.0]], columns=list("abcxy")), _targets([[1, 0, 0, 1, 0]]), HEADS
    )
    of_all = table[table["component_size"] == "all"].set_index("head")
    assert np.isnan(of_all.loc["age", ["mean_accuracy", "instance_f1"]].astype(float)).all()
    assert of_all.loc["rest", ["accuracy", "instance_f1"]].tolist() == [1.0, 1.0]


def test_the_mean_is_of_one_component_size():
    table = pd.DataFrame(
        {"component_size": ["all", "all", "1", "1"], "macro_f1": [0.2, np.nan, 0.7, 0.9]}
    )
    assert mean_macro_f1(table) == 0.2
    assert mean_macro_f1(table, "1") == pytest.approx(0.8)


@pytest.fixture
def scores():
    """What two experiments reach: B before A, and one head that B could not be judged by."""
    rows = [
        ("B", "sex", "macro_f1", 20, 0.8125, 0.75, 0.875),
        ("B", "age", "macro_f1", 0, np.nan, np.nan, np.nan),
        ("A", "sex", "macro_f1", 25, 0.5, 0.25, 0.75),
        ("A", "age", "macro_f1", 25, 0.25, 0.125, 0.375),
        ("A", "sex", "accuracy", 25, 1.0, 1.0, 1.0),
    ]
    names = ["experiment", "head", "metric", "components", "value", "low", "high"]
    one = pd.DataFrame(rows, columns=names).assign(
        component_size="2 and more", image_size="all", source="all"
    )
    others = [
        one.assign(component_size="1", value=0.125),
        one.assign(image_size="smaller", components=7),
        one.assign(source="CUHK", components=9),
    ]
    return pd.concat([one, *others], ignore_index=True)


def test_a_headline_is_of_one_slice_and_one_metric(scores):
    assert len(choose(scores)) == 4
    assert choose(scores, metric="accuracy")["value"].tolist() == [1.0]
    table = headline(scores)
    assert table.index.tolist() == ["sex", "age"]
    assert table.columns.tolist() == ["B", "A", "components"]
    assert table["A"].tolist() == [0.5, 0.25]
    assert table["B"].iloc[0] == 0.8125
    assert table["components"].tolist() == [20, 0]
    assert headline(scores, "1")["A"].tolist() == [0.125, 0.125]


def test_scores_are_told_in_words(scores):
    words = headline_words(scores)
    assert words["B"].tolist() == ["0.812 (0.750 to 0.875)", "–"]
    assert words["A"].tolist() == ["0.500 (0.250 to 0.750)", "0.250 (0.125 to 0.375)"]
    by_slice = slice_words(scores, "sex")
    assert by_slice.columns.tolist() == ["components", "B", "A"]
    assert by_slice["components"].tolist() == [20, 20, 7, 9]
    assert by_slice.index.tolist() == [
        ("2 and more", "all", "all"),
        ("1", "all", "all"),
        ("2 and more", "smaller", "all"),
        ("2 and more", "all", "CUHK"),
    ]
    assert by_slice["A"].iloc[3] == "0.500 (of 9: too few)"
    scores.loc[scores["source"] == "CUHK", "components"] = 10
    assert slice_words(scores, "sex")["A"].iloc[3] == "0.500 (0.250 to 0.750)"


def test_slices_that_part_nothing_are_left_out(scores):
    small = scores["image_size"] == "smaller"
    scores.loc[small, "components"] = 20  # all of them
    scores.loc[scores["source"] == "CUHK", "components"] = 0
    assert slice_words(scores, "sex").index.tolist() == [
        ("2 and more", "all", "all"),
        ("1", "all", "all"),
    ]


def test_differences_have_a_sign(scores):
    found = scores.rename(columns={"value": "difference"}).assign(against="D")
    found.loc[found["experiment"] == "A", ["difference", "low"]] *= -1
    words = difference_words(found)
    assert words.columns.tolist() == ["B − D", "A − D"]
    assert words.loc["sex"].tolist() == ["+0.812 (+0.750 to +0.875)", "−0.500 (−0.250 to +0.750)"]
    few = difference_words(found.assign(components=2))
    assert few.loc["sex"].tolist() == ["+0.812 (of 2: too few)", "−0.500 (of 2: too few)"]


def test_scores_are_read_as_they_were_written(scores, tmp_path):
    written = scores.assign(label="", spread=np.nan)
    written.loc[0, ["head", "label"]] = ["None", "NA"]
    written.to_csv(tmp_path / "scores.csv", index=False)
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.csv"), written)


def test_a_model_that_answers_all_components_alike_is_told():
    rng = np.random.default_rng(0)
    said = pd.DataFrame(
        [
            (state, seed, component, label)
            for state in ("raw", "cleaned")
            for seed in (0, 1)
            for component in range(5)
            for label in ("hat", "bag")
        ],
        columns=["trained_on", "seed", "component_id", "label"],
    ).assign(probability=rng.random(40).astype("float32"))
    assert not answers_alike(said)
    one = (said["trained_on"] == "raw") & (said["seed"] == 1)
    hat = said["label"] == "hat"
    said.loc[one & hat, "probability"] = np.float32(0.3)  # of bags it still says something
    assert not answers_alike(said)
    said.loc[one & ~hat, "probability"] = np.float32(0.7)
    assert answers_alike(said)
    said.loc[one & ~hat, "probability"] += np.arange(5, dtype="float32") / 10_000
    assert answers_alike(said)
    assert not answers_alike(said[said["component_id"] == 1])  # one component tells nothing
