import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, f1_score

from peta_viz.errors import InvalidDataError
from peta_viz.evaluation import HEADLINE, IMAGE_SIZES, SIZES
from peta_viz.widgets.matrices import Cell, Matrices, Question, payload, shortened
from peta_viz.words import counted
from tests.widgets.conftest import HEADS, predict

COLOURS = HEADS[0].labels
ANSWERS = ("yes", "no")


def asked(head="colour", experiment="A", **options):
    return Question(experiment, head, **({"component_size": "all"} | options))


def tables(predictions):
    """By experiment and label: what is true (NaN if not known) and whether yes was said."""
    wide = predictions.assign(truth=predictions["truth"].astype("Float64").astype(float))
    return {
        name: (
            rows.pivot_table(index="component_id", columns="label", values="truth", dropna=False),
            rows.pivot_table(index="component_id", columns="label", values="probability"),
        )
        for name, rows in wide.groupby("experiment")
    }


def classes(truth, probability):
    """The true colour, where just one is carried and none is unknown, and the one predicted."""
    one = truth[list(COLOURS)]
    counts = (one == 1).sum(axis=1) == 1
    true = one.idxmax(axis=1)[counts]
    return true, probability[list(COLOURS)].idxmax(axis=1)[counts]


@pytest.fixture(params=range(4))
def case(request, random_set):
    imageset = random_set(request.param)
    predictions = predict(imageset, request.param)
    return Matrices(imageset, predictions), tables(predictions)


def test_counts_rates_and_f1_of_an_exclusive_head(case):
    matrices, found = case
    true, said = classes(*found["A"])
    (matrix,) = matrices.matrices(asked())
    expected = confusion_matrix(true, said, labels=COLOURS)
    assert matrix.names == COLOURS
    assert matrix.counts.tolist() == expected.tolist()
    assert matrix.support == matrix.counts.sum() == len(true)
    with np.errstate(invalid="ignore"):
        rates = expected / expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(matrix.rates, rates)
    occurring = sorted(set(true))
    f1 = f1_score(true, said, labels=occurring, average="macro", zero_division=0)
    assert matrix.f1 == pytest.approx(f1)


def test_counts_rates_and_f1_of_a_multiple_head(case):
    matrices, found = case
    truth, probability = found["A"]
    for matrix in matrices.matrices(asked("worn")):
        known = truth[matrix.label].notna()
        true = truth[matrix.label][known] == 1
        said = probability[matrix.label][known] > 0.5
        expected = confusion_matrix(true, said, labels=[True, False])
        assert matrix.names == ANSWERS
        assert matrix.counts.tolist() == expected.tolist()
        assert matrix.support == true.sum()
        if true.any():
            assert matrix.f1 == pytest.approx(f1_score(true, said))
        else:
            assert np.isnan(matrix.f1)


@pytest.mark.parametrize("head", ["colour", "worn"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("image_size", IMAGE_SIZES)
def test_the_members_of_each_cell_are_those_that_are_counted(case, head, size, image_size):
    matrices, _ = case
    question = asked(head, component_size=size, image_size=image_size)
    everyone = set(matrices.components(question))
    for matrix in matrices.matrices(question):
        seen = []
        for (row, true), (column, said) in itertools.product(enumerate(matrix.names), repeat=2):
            members = matrices.members(question, Cell(matrix.label, true, said))
            assert len(members) == matrix.counts[row, column]
            assert members.index.is_monotonic_increasing
            seen += members.index.tolist()
            for note in members:
                assert note.startswith(f"true {true}, predicted {said} (")
        assert len(seen) == len(set(seen))
        assert set(seen) <= everyone


@pytest.mark.parametrize("head", ["colour", "worn"])
def test_a_difference_counts_what_both_judged(case, head):
    matrices, found = case
    question = asked(head, against="B")
    both = set(found["A"][0].index) & set(found["B"][0].index)
    assert both < set(found["A"][0].index)
    assert set(matrices.components(question)) == both
    one, other = (asked(head, name) for name in "AB")
    for matrix in matrices.matrices(question):
        for (row, true), (column, said) in itertools.product(enumerate(matrix.names), repeat=2):
            cell = Cell(matrix.label, true, said)
            here = both & set(matrices.members(one, cell).index)
            there = both & set(matrices.members(other, cell).index)
            assert matrix.counts[row, column] == len(here) - len(there)
            members = matrices.members(question, cell)
            assert set(members.index) == here ^ there
            for component, note in members.items():
                mine, others = note.split(" · ")
                cells = f": true {true}, predicted {said} ("
                assert mine.startswith("A: ")
                assert others.startswith("B: ")
                assert (f"A{cells}" in mine) == (component in here)
                assert (f"B{cells}" in others) == (component in there)


def test_a_difference_with_itself_is_nothing(case):
    matrices, _ = case
    question = asked(against="A")
    (matrix,) = matrices.matrices(question)
    assert not matrix.counts.any()
    assert matrix.f1 == 0
    assert matrices.members(question, Cell("", "red", "red")).empty


def test_labels_in_order_of_f1_and_support(case):
    matrices, _ = case
    given = matrices.matrices(asked("worn"))
    assert [matrix.label for matrix in given] == list(HEADS[1].labels)
    for order, key in (("F1", "f1"), ("support", "support")):
        values = [getattr(m, key) for m in matrices.matrices(asked("worn", order=order))]
        assert values == sorted(getattr(m, key) for m in given)
    (colour,) = matrices.matrices(asked(order="F1"))
    assert colour.names == COLOURS


def test_labels_that_never_occur_come_last_by_f1(random_set):
    imageset = random_set(1)
    predictions = predict(imageset, 1)
    predictions.loc[predictions["label"] == "hat", "truth"] = False
    found = Matrices(imageset, predictions).matrices(asked("worn", order="F1"))
    assert found[-1].label == "hat"
    assert np.isnan(found[-1].f1)
    assert np.isnan(found[-1].rates[0]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"experiment": "C"}, "no experiment 'C'; there are 'A', 'B'"),
        ({"against": "C"}, "no against 'C'; there are '', 'A', 'B'"),
        ({"head": "colours"}, "no head 'colours'; there are 'colour', 'worn'"),
        ({"component_size": "huge"}, f"no component_size 'huge'; there are '{HEADLINE}'"),
        ({"image_size": "huge"}, "no image_size 'huge'; there are 'all'"),
        ({"order": "name"}, "no order 'name'; there are 'as given', 'F1', 'support'"),
    ],
)
def test_wrong_names_are_refused(case, options, words):
    question = asked(**options)
    for ask in (Matrices.matrices, Matrices.check):
        with pytest.raises(InvalidDataError, match=words):
            ask(case[0], question)
    with pytest.raises(InvalidDataError, match=words):
        case[0].members(question, Cell("", "red", "red"))


@pytest.mark.parametrize(
    ("head", "cell"),
    [
        ("colour", Cell("", "red", "pink")),
        ("colour", Cell("", "yes", "no")),
        ("colour", Cell("red", "red", "red")),
        ("worn", Cell("", "yes", "no")),
        ("worn", Cell("hat", "yes", "maybe")),
        ("worn", Cell("red", "yes", "no")),
        ("worn", Cell("hat", ["yes"], None)),
    ],
)
def test_cells_that_are_not_there_are_refused(case, head, cell):
    with pytest.raises(InvalidDataError, match="has no Cell"):
        case[0].members(asked(head), cell)


def test_predictions_must_be_of_some_head(random_set):
    imageset = random_set(0)
    predictions = predict(imageset)
    with pytest.raises(InvalidDataError, match="no experiment"):
        Matrices(imageset, predictions.iloc[:0])
    with pytest.raises(InvalidDataError, match="none of the heads"):
        Matrices(imageset, predictions[predictions["label"] == "alone"])
    some = predictions[predictions["label"].isin(["hat", "coat", "bag", "red"])]
    assert list(Matrices(imageset, some).heads) == ["worn"]


def test_components_that_are_gone_from_the_image_set_are_counted(random_set):
    imageset = random_set(0)
    matrices = Matrices(imageset, predict(imageset))
    rest = imageset.subset(imageset.images["component_id"] > 5)
    fewer = Matrices(rest, predict(imageset))
    question = asked("worn")
    for one, other in zip(matrices.matrices(question), fewer.matrices(question), strict=True):
        assert one.counts.tolist() == other.counts.tolist()


def test_what_is_painted(case):
    matrices, _ = case
    found = matrices.matrices(asked())
    (painted,) = payload(found, rates=False, difference=False)
    for row, column in itertools.product(range(3), repeat=2):
        cell = painted["cells"][row][column]
        count, rate = found[0].counts[row, column], found[0].rates[row, column]
        assert (cell["text"], cell["count"]) == (f"{count:,}", count)
        assert cell["good"] == (row == column)
        assert 0 <= cell["shade"] <= 1
        share = "–" if np.isnan(rate) else f"{100 * rate:.0f} %"
        assert cell["words"] == (
            f"true {COLOURS[row]}, predicted {COLOURS[column]}: "
            f"{counted(count, 'component')} ({share})"
        )
    (shares,) = payload(found, rates=True, difference=False)
    assert shares["cells"][0][0]["text"] in cell_shares(found[0])
    assert painted["figures"] == (
        f"macro F1 {found[0].f1:.3f} · {counted(found[0].support, 'component')}"
    )


def cell_shares(matrix):
    return {"–" if np.isnan(r) else f"{100 * r:.0f} %" for r in matrix.rates.ravel()}


def test_a_difference_is_painted_with_signs(case):
    matrices, _ = case
    question = replace(asked("worn"), against="B")
    for painted, matrix in zip(
        payload(matrices.matrices(question), rates=False, difference=True),
        matrices.matrices(question),
        strict=True,
    ):
        cells = [cell for row in painted["cells"] for cell in row]
        for cell, count in zip(cells, matrix.counts.ravel(), strict=True):
            assert cell["text"] == f"{count:+}"
            assert -1 <= cell["shade"] <= 1
            assert np.sign(cell["shade"]) == np.sign(count)
        assert "F1 +" in painted["figures"] or "F1 -" in painted["figures"]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (("personalMale", "personalFemale"), ["Male", "Female"]),
        (("colour=blue", "colour=black"), ["blue", "black"]),
        (("yes", "no"), ["yes", "no"]),
        (("a", "ab"), ["a", "ab"]),
        (("age16", "age31"), ["age16", "age31"]),
        (("hair long", "hair"), ["hair long", "hair"]),
        (("same", "same"), ["same", "same"]),
        (("", "x"), ["", "x"]),
        (("שלום=א", "שלום=ב"), ["א", "ב"]),
    ],
)
def test_names_without_what_all_begin_with(names, short):
    assert shortened(names) == short


def test_an_empty_matrix_is_painted(random_set):
    imageset = random_set(0)
    predictions = predict(imageset)
    predictions["truth"] = pd.NA
    predictions["truth"] = predictions["truth"].astype("boolean")
    matrices = Matrices(imageset, predictions)
    (colour,) = payload(matrices.matrices(asked()), rates=True, difference=False)
    assert colour["figures"] == "macro F1 – · 0 components"
    assert {cell["text"] for row in colour["cells"] for cell in row} == {"–"}
    assert {cell["shade"] for row in colour["cells"] for cell in row} == {0.0}


def test_colours_go_by_the_numbers_that_are_shown(case):
    matrices, _ = case
    found = matrices.matrices(asked(against="B"))
    for rates in (False, True):
        numbers = found[0].rates if rates else found[0].counts
        (card,) = payload(found, rates=rates, difference=True)
        largest = np.nanmax(np.abs(numbers)) or 1
        for row, cells in enumerate(card["cells"]):
            for column, cell in enumerate(cells):
                value = numbers[row, column]
                expected = 0 if np.isnan(value) else value / largest
                assert cell["shade"] == pytest.approx(expected, abs=1e-3)
