import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from peta_viz.confusion import (
    Judged,
    class_cell,
    class_matrix,
    judged,
    label_cell,
    label_table,
    right,
    size_mask,
)
from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import IMAGE_SIZES, SIZES, evaluate
from peta_viz.imageset import Head
from peta_viz.training.data import Targets

ODD = ("<b>x</b>", "y 'z' \"q\"", "ü\\n")
AGE = Head("age", ("a", "b", "c"), "exclusive")
REST = Head("rest", ODD)
HEADS = (AGE, REST)
LABELS = [*AGE.labels, *REST.labels]


def _long(truth, probability, ids=None, sizes=None, experiment="A"):
    ids = range(len(truth)) if ids is None else ids
    sizes = [2] * len(truth) if sizes is None else sizes
    rows = [
        (experiment, component, size, label, one, pd.NA if known < 0 else bool(known))
        for component, size, values, ones in zip(ids, sizes, truth, probability, strict=True)
        for label, known, one in zip(LABELS, values, ones, strict=True)
    ]
    columns = ["experiment", "component_id", "size", "label", "probability", "truth"]
    kinds = {"experiment": "str", "label": "str", "probability": "float32", "truth": "boolean"}
    return pd.DataFrame(rows, columns=columns).astype(kinds)


def _one(*args, **options):
    return judged(_long(*args, **options))["A"]


@pytest.fixture
def by_hand():
    """Components 10, 20, 30, 40: a said a, b said a, two classes at once, b that is not known."""
    truth = [
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, -1],
        [1, 1, 0, 1, -1, -1],
        [0, -1, 0, -1, -1, -1],
    ]
    probability = [
        [0.8, 0.1, 0.1, 0.9, 0.5, 0.0],
        [0.6, 0.3, 0.1, 0.51, 0.2, 0.9],
        [0.2, 0.7, 0.1, 0.3, 0.9, 0.9],
        [0.1, 0.2, 0.7, 0.9, 0.9, 0.9],
    ]
    return _one(truth, probability, ids=[10, 20, 30, 40], sizes=[1, 2, 3, 9])


@pytest.fixture(params=range(3))
def at_random(request):
    rng = np.random.default_rng(request.param)
    classes = rng.integers(0, 3, 80)
    truth = np.column_stack([np.eye(3)[classes], rng.integers(0, 2, (80, 3))]).astype(int)
    truth[rng.random((80, 6)) < 0.1] = -1
    ids, sizes = rng.permutation(500)[:80], rng.integers(1, 6, 80)
    predictions = _long(truth, rng.random((80, 6)), ids=ids, sizes=sizes)
    return judged(predictions.sample(frac=1, random_state=request.param))["A"]


def test_every_component_gets_its_own_row_and_label_whatever_the_order():
    truth = [[1, 0, 0, 1, 0, -1], [0, 1, 0, 0, 0, 1]]
    probability = np.arange(12).reshape(2, 6) / 12
    predictions = _long(truth, probability, ids=[7, 3], sizes=[4, 1])
    other = predictions.assign(experiment="0")
    found = judged(pd.concat([predictions, other.iloc[::-1]], ignore_index=True))
    assert list(found) == ["A", "0"]
    for name, one in found.items():
        assert one.name == name
        assert one.truth.index.tolist() == [3, 7]
        assert one.truth[LABELS].to_numpy().tolist() == [truth[1], truth[0]]
        np.testing.assert_allclose(one.probability[LABELS], probability[::-1], rtol=1e-6)
        assert one.sizes.to_dict() == {3: 1, 7: 4}
    one = found["A"]
    assert one.truth.columns.tolist() == LABELS
    kinds = (one.truth.dtypes.unique(), one.probability.dtypes.unique(), one.sizes.dtype)
    assert [str(kind) for kind in (*kinds[0], *kinds[1], kinds[2])] == ["int8", "float32", "int64"]
    assert one.truth.index.name == "component_id"


@pytest.mark.parametrize("change", [lambda f: f.iloc[1:], lambda f: pd.concat([f, f.iloc[:1]])])
def test_predictions_with_gaps_or_twins_are_refused(change):
    predictions = _long(np.zeros((3, 6)), np.zeros((3, 6)))
    with pytest.raises(InvalidDataError, match=r"experiment 'A'.*\n.*but 1 are not"):
        judged(change(predictions))


def test_classes_by_hand(by_hand):
    assert by_hand.predicted_class(AGE).tolist() == [0, 0, 1, 2]
    assert by_hand.true_class(AGE).tolist() == [0, 1, -1, -1]
    assert by_hand.true_class(AGE).dtype == by_hand.predicted_class(AGE).dtype == np.int64
    assert class_matrix(by_hand, AGE).to_numpy().tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert class_cell(by_hand, AGE, "b", "a").tolist() == [20]
    assert class_cell(by_hand, AGE, "a", "b").tolist() == []


def test_labels_by_hand(by_hand):
    first, second, third = ODD
    assert label_cell(by_hand, first, "tp").tolist() == [10]
    assert label_cell(by_hand, first, "fp").tolist() == [20]
    assert label_cell(by_hand, first, "fn").tolist() == [30]
    assert label_cell(by_hand, second, "tn").tolist() == [10]  # ½ is not yes
    table = label_table(by_hand, REST)
    assert table.index.name == "label"
    assert table.loc[first].tolist() == [1, 1, 1, 0, 2, 0.5, 0.5, 0.5]
    assert table.loc[second].tolist() == [0, 0, 1, 1, 1, 0.0, 0.0, 0.0]
    assert table.loc[third, ["tp", "fp", "fn", "tn", "support"]].tolist() == [0, 0, 0, 1, 0]
    assert table.loc[third, ["precision", "recall", "f1"]].isna().all()


def test_right_by_hand(by_hand):
    found = right(by_hand, HEADS)
    assert found.columns.tolist() == ["age", "rest"]
    assert found["age"].tolist() == [True, False, pd.NA, pd.NA]
    assert found["rest"].tolist() == [True, False, False, pd.NA]
    assert {str(kind) for kind in found.dtypes} == {"boolean"}
    assert found.index.tolist() == [10, 20, 30, 40]


def test_the_class_matrix_is_scikit_learns(at_random):
    mask = at_random.sizes.to_numpy() > 2
    for chosen in (None, mask):
        true, predicted = at_random.true_class(AGE), at_random.predicted_class(AGE)
        counts = (true >= 0) & (True if chosen is None else chosen)
        matrix = class_matrix(at_random, AGE, chosen)
        expected = confusion_matrix(true[counts], predicted[counts], labels=range(3))
        assert matrix.to_numpy().tolist() == expected.tolist()
        assert matrix.index.tolist() == matrix.columns.tolist() == list(AGE.labels)
        for name in AGE.labels:
            for said in AGE.labels:
                found = class_cell(at_random, AGE, name, said, chosen)
                assert len(found) == matrix.loc[name, said]
                assert found.is_monotonic_increasing
                assert set(found) <= set(at_random.truth.index[counts])


def test_the_label_table_is_scikit_learns(at_random):
    mask = at_random.sizes.to_numpy() < 4
    for chosen in (None, mask):
        table = label_table(at_random, REST, chosen)
        for label in REST.labels:
            counts = (at_random.truth[label] >= 0).to_numpy() & (True if chosen is None else chosen)
            true = at_random.truth[label].to_numpy()[counts] == 1
            said = at_random.probability[label].to_numpy()[counts] > 0.5
            matrix = confusion_matrix(true, said, labels=[False, True])
            assert table.loc[label, ["tn", "fp", "fn", "tp"]].tolist() == matrix.ravel().tolist()
            scores = precision_recall_fscore_support(true, said, average="binary")
            np.testing.assert_allclose(
                table.loc[label, ["precision", "recall", "f1"]].to_numpy(float), scores[:3]
            )
            assert table.loc[label, "support"] == true.sum()
            for cell in ("tp", "fp", "fn", "tn"):
                assert len(label_cell(at_random, label, cell, chosen)) == table.loc[label, cell]


def test_it_agrees_with_evaluate(at_random):
    targets = Targets(at_random.truth == 1, at_random.truth >= 0, at_random.sizes)
    scores = evaluate(at_random.probability, targets, HEADS)
    for name in SIZES:
        mask = size_mask(at_random, name, "all", pd.Series(dtype="str"))
        rows = scores[scores["component_size"] == name].set_index("head")
        assert class_matrix(at_random, AGE, mask).sum().sum() == rows.loc["age", "components"]
        f1 = label_table(at_random, REST, mask)["f1"].mean()
        assert f1 == pytest.approx(rows.loc["rest", "macro_f1"])
        answered = right(at_random, HEADS)[mask].notna().sum()
        assert answered.to_dict() == rows["components"].to_dict()


def test_right_is_the_diagonal(at_random):
    found = right(at_random, [AGE])["age"]
    assert found.sum() == np.trace(class_matrix(at_random, AGE))
    labels = right(at_random, [Head("one", (ODD[0],))])["one"]
    table = label_table(at_random, REST).loc[ODD[0]]
    assert labels.sum() == table["tp"] + table["tn"]


def test_masks_by_size(by_hand):
    sizes = pd.Series({20: IMAGE_SIZES[1], 30: IMAGE_SIZES[2], 40: IMAGE_SIZES[1], 99: "smaller"})
    assert size_mask(by_hand, "all", "all", sizes).tolist() == [True] * 4
    assert size_mask(by_hand, "2 and more", "all", sizes).tolist() == [False, True, True, True]
    assert size_mask(by_hand, "all", IMAGE_SIZES[1], sizes).tolist() == [False, True, False, True]
    assert size_mask(by_hand, "2-3", "smaller", sizes).tolist() == [False, False, True, False]
    assert size_mask(by_hand, "1", "smaller", sizes).dtype == bool


def test_what_is_not_there_is_told_with_what_is(by_hand):
    with pytest.raises(InvalidDataError, match=r"'d' as a class of the head 'age'.*\n.*'a', 'b'"):
        class_cell(by_hand, AGE, "a", "d")
    with pytest.raises(InvalidDataError, match="'d' as a label"):
        label_cell(by_hand, "d", "tp")
    with pytest.raises(InvalidDataError, match="'tt' as a cell"):
        label_cell(by_hand, "a", "tt")
    with pytest.raises(InvalidDataError, match="'2 or more' as a component size"):
        size_mask(by_hand, "2 or more", "all", pd.Series(dtype="str"))
    with pytest.raises(InvalidDataError, match="'big' as an image size"):
        size_mask(by_hand, "all", "big", pd.Series(dtype="str"))


def test_nothing_to_judge_is_no_error():
    assert judged(_long([], [])) == {}
    empty = Judged(
        "A",
        pd.DataFrame(columns=LABELS, dtype="int8"),
        pd.DataFrame(columns=LABELS, dtype="float32"),
        pd.Series(dtype="int64"),
    )
    assert class_matrix(empty, AGE).to_numpy().sum() == 0
    assert label_table(empty, REST)["f1"].isna().all()
    assert len(right(empty, HEADS)) == 0
