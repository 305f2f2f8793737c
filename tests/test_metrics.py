import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torchmetrics.functional import classification as other

from peta_viz.imageset import Head
from peta_viz.metrics import (
    Tally,
    best_threshold,
    label_f1,
    score,
    tally_classes,
    tally_head,
    tally_labels,
)

EXACT = 1e-9


def _scores(tally, kind):
    whole = tally.weighted(np.ones((1, len(tally.cells))))
    return {name: float(value[0]) for name, value in score(whole, kind).items()}


def _classes(seed):
    """True and predicted classes of six, of which some never are, or are never predicted."""
    rng = np.random.default_rng(seed)
    occurring = rng.choice(6, size=rng.integers(1, 7), replace=False)
    true = rng.choice(occurring, size=80)
    predicted = np.where(rng.random(80) < 0.5, true, rng.integers(0, 6, 80))
    return true, predicted


@pytest.mark.parametrize("seed", range(20))
def test_exclusive_heads_equal_scikit_learn(seed):
    true, predicted = _classes(seed)
    found = _scores(tally_classes(true, predicted, 6), "exclusive")
    options = {"labels": np.unique(true), "zero_division": 0}
    macro, weighted = (
        reference.f1_score(true, predicted, average=average, **options)
        for average in ("macro", "weighted")
    )
    assert found["macro_f1"] == pytest.approx(macro, abs=EXACT)
    assert found["weighted_f1"] == pytest.approx(weighted, abs=EXACT)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(true, predicted), abs=EXACT)
    micro = reference.f1_score(true, predicted, average="micro")
    assert found["micro_f1"] == pytest.approx(micro, abs=EXACT)


@pytest.mark.parametrize("seed", range(20))
def test_multiple_heads_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    share = rng.choice([0, 0.05, 0.5, 1], size=7)
    true = rng.random((60, 7)) < share
    true[0, 0] = True
    predicted = np.where(rng.random((60, 7)) < 0.6, true, rng.random((60, 7)) < 0.3)
    found = _scores(tally_labels(true, predicted, true | True), "multiple")
    occurs = true.any(axis=0)
    for name, average in (("macro_f1", "macro"), ("weighted_f1", "weighted")):
        expected = reference.f1_score(
            true[:, occurs], predicted[:, occurs], average=average, zero_division=0
        )
        assert found[name] == pytest.approx(expected, abs=EXACT)
    micro = reference.f1_score(true, predicted, average="micro", zero_division=0)
    assert found["micro_f1"] == pytest.approx(micro, abs=EXACT)
    assert found["accuracy"] == pytest.approx((true == predicted).mean(), abs=EXACT)
    both = occurs & ~true.all(axis=0)
    balanced = [
        reference.balanced_accuracy_score(true[:, n], predicted[:, n]) for n in np.flatnonzero(both)
    ]
    mean = np.mean(balanced) if balanced else np.nan
    assert found["mean_accuracy"] == pytest.approx(mean, abs=EXACT, nan_ok=True)
    precision = reference.precision_score(true, predicted, average="samples", zero_division=0)
    recall = reference.recall_score(true, predicted, average="samples", zero_division=0)
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert found["instance_f1"] == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_both_equal_torchmetrics(seed):
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(0, 4, 90), rng.integers(0, 4, 90)
    found = _scores(tally_classes(true, predicted, 4), "exclusive")
    for name in ("macro", "micro", "weighted"):
        f1 = other.multiclass_f1_score(
            torch.tensor(predicted), torch.tensor(true), num_classes=4, average=name
        )
        assert found[f"{name}_f1"] == pytest.approx(f1.item(), abs=1e-6)
    true, predicted = rng.random((90, 5)) < 0.4, rng.random((90, 5)) < 0.4
    found = _scores(tally_labels(true, predicted, true | True), "multiple")
    for name in ("macro", "micro", "weighted"):
        f1 = other.multilabel_f1_score(
            torch.tensor(predicted, dtype=torch.float),
            torch.tensor(true),
            num_labels=5,
            average=name,
        )
        assert found[f"{name}_f1"] == pytest.approx(f1.item(), abs=1e-6)


def test_what_does_not_count_is_as_if_it_were_not_there():
    true, predicted = _classes(3)
    counts = np.arange(80) % 3 > 0
    hidden = tally_classes(np.where(counts, true, -1), predicted, 6)
    alone = tally_classes(true[counts], predicted[counts], 6)
    assert _scores(hidden, "exclusive") == _scores(alone, "exclusive")
    assert hidden.instances[:, 0].sum() == counts.sum()

    rng = np.random.default_rng(0)
    yes, said, known = (rng.random((40, 3)) < 0.5 for _ in range(3))
    table = tally_labels(yes, said, known)
    for label in range(3):
        cells = known[:, label]
        expected = reference.f1_score(yes[cells, label], said[cells, label])
        assert label_f1(table.weighted(np.ones((1, 40))))[0, label] == pytest.approx(expected)


def test_nothing_to_judge_is_not_a_number():
    nothing = _scores(tally_classes(np.array([-1]), np.array([0]), 3), "exclusive")
    assert np.isnan(list(nothing.values())).all()
    nothing = _scores(tally_labels(*(np.zeros((2, 3), dtype=bool) for _ in range(3))), "multiple")
    assert np.isnan(list(nothing.values())).all()


def test_sums_with_weights_are_those_of_repeated_items():
    true, predicted = _classes(5)
    rng = np.random.default_rng(0)
    times = rng.integers(0, 4, (3, 80))
    drawn = score(tally_classes(true, predicted, 6).weighted(times.astype(float)), "exclusive")
    for draw in range(3):
        rows = np.repeat(np.arange(80), times[draw])
        expected = _scores(tally_classes(true[rows], predicted[rows], 6), "exclusive")
        assert {name: value[draw] for name, value in drawn.items()} == pytest.approx(expected)


def test_summing_by_group_first_changes_nothing():
    true, predicted = _classes(6)
    table = tally_classes(true, predicted, 6)
    group = np.arange(80) % 7
    weights = np.random.default_rng(0).integers(0, 4, (3, 7)).astype(float)
    np.testing.assert_allclose(
        table.summed(group, 7).weighted(weights).cells, table.weighted(weights[:, group]).cells
    )


@pytest.mark.parametrize("seed", range(10))
def test_the_best_threshold_is_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    true = rng.random(60) < 0.3
    probability = np.round(np.clip(rng.random(60) * 0.5 + 0.2 * true, 0, 1), 2)
    found = best_threshold(probability, true)
    candidates = np.arange(0, 1, 0.005)
    best = max(reference.f1_score(true, probability > at) for at in candidates)
    assert reference.f1_score(true, probability > found) == pytest.approx(best)


def test_too_few_positives_leave_the_threshold_alone():
    probability = np.linspace(0, 0.4, 50)
    assert best_threshold(probability, np.arange(50) > 44) == 0.5
    assert best_threshold(probability, np.arange(50) > 40) == pytest.approx(
        probability[40:42].mean()
    )
    assert best_threshold(probability, np.ones(50, dtype=bool)) == 0.5


def test_all_may_be_above_the_threshold():
    probability = np.repeat([0.4, 0.3, 0.2], [5, 1, 5])
    true = probability != 0.3
    assert best_threshold(probability, true) == pytest.approx(0.1)
    # Halfway down to the next one that is said no to.
    more = np.append(probability, [0.05] * 20), np.append(true, [False] * 20)
    assert best_threshold(*more) == pytest.approx(0.125)


def test_where_half_is_best_it_stays():
    probability = np.repeat([0.6, 0.4], [10, 10])
    assert best_threshold(probability, probability > 0.5) == 0.5
    # Equal probabilities fall together, however many of them are true.
    probability = np.repeat([0.4, 0.2], [20, 20])
    true = np.arange(40) % 20 < 12
    assert best_threshold(probability, true) == pytest.approx(0.1)


def test_enough_positives_are_eight():
    probability = np.linspace(0, 0.4, 50)
    assert best_threshold(probability, np.arange(50) > 41) < 0.5
    assert best_threshold(probability, np.arange(50) > 42) == 0.5
    assert best_threshold(probability, np.arange(50) > 42, least=7) < 0.5


@pytest.mark.parametrize("kind", ["exclusive", "multiple"])
def test_tallies_of_any_shape_are_scored(kind):
    rng = np.random.default_rng(0)
    if kind == "exclusive":
        table = tally_classes(rng.integers(-1, 3, 40), rng.integers(0, 3, 40), 3)
    else:
        table = tally_labels(*(rng.random((3, 40, 3)) < 0.6))
    drawn = table.weighted(rng.integers(0, 3, (8, 40)).astype(float))
    nested = Tally(drawn.cells.reshape(2, 4, 3, 4), drawn.instances.reshape(2, 4, 3))
    flat, found = score(drawn, kind), score(nested, kind)
    assert found.keys() == flat.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values.ravel(), flat[name])


def test_items_are_chosen_from_the_first_axis():
    true, predicted = _classes(7)
    mask = np.arange(80) % 3 == 0
    chosen = tally_classes(true, predicted, 6).take(mask)
    alone = tally_classes(true[mask], predicted[mask], 6)
    np.testing.assert_array_equal(chosen.cells, alone.cells)
    np.testing.assert_array_equal(chosen.instances, alone.instances)
    assert _scores(chosen, "exclusive") == _scores(alone, "exclusive")


def test_half_is_a_no():
    head = Head("h", ("a", "b"))
    probability = np.array([[0.5, 0.51]])
    yes = np.ones((1, 2), dtype=bool)
    table = tally_head(head, probability, yes, yes, None)
    assert table.cells[0].tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]


def test_where_nothing_is_there_and_nothing_said_there_is_no_f1_but_accuracy():
    nothing = np.zeros((3, 2), dtype=bool)
    found = _scores(tally_labels(nothing, nothing, ~nothing), "multiple")
    assert found["micro_f1"] == 0
    assert found["accuracy"] == 1
    assert found["instance_f1"] == 0
    assert np.isnan([found["macro_f1"], found["weighted_f1"], found["mean_accuracy"]]).all()
