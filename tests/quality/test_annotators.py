"""How often annotators err, and what that makes of a label."""

import numpy as np
import pytest

from peta_viz.quality import annotators as annotators_module
from peta_viz.quality.annotators import Annotators, Evidence, Opinions


def evidence(labels, expected=0.5, yes=0, asked=0, *, known=True):
    labels = np.atleast_2d(np.asarray(labels, dtype=bool))

    def filled(value, dtype=np.float32):
        return np.array(np.broadcast_to(np.asarray(value, dtype=dtype), labels.shape))

    return Evidence(labels, filled(known, bool), filled(expected), filled(yes), filled(asked))


def rates(missed, invented, independence=1.0):
    return Annotators(np.array([missed]), np.array([invented]), independence)


GIVEN = 0.3 * (1 - 0.2) + 0.7 * 0.1  # of labels that 3 of 10 truly have, at these rates


def test_without_near_copies_it_is_the_rule_of_bayes():
    found = rates(0.2, 0.1)
    both = evidence([[True], [False]], expected=GIVEN)
    assert found.believe(both).ravel() == pytest.approx([0.3, 0.3], abs=1e-6)
    carried = 0.3 * 0.8 / (0.3 * 0.8 + 0.7 * 0.1)
    absent = 0.7 * 0.9 / (0.7 * 0.9 + 0.3 * 0.2)
    assert found.right(both).ravel() == pytest.approx([carried, absent], abs=1e-6)


def test_near_copies_count_for_and_against():
    found = rates(0.2, 0.1)
    weight = (np.log(0.8 / 0.1) - np.log(0.2 / 0.9)) / 2
    for yes, asked in ((3, 3), (0, 3), (2, 3), (1, 2)):
        odds = np.log(0.3 / 0.7) + weight * (yes - (asked - yes))
        said = found.believe(evidence([[True]], GIVEN, yes, asked))
        assert said[0, 0] == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-6)


@pytest.mark.parametrize("w", [0.25, 1.0])
def test_many_opinions_are_worth_a_power_of_their_number(w):
    cells = evidence([[True, True, False, False]], yes=[5, 0.5, 4, 0], asked=[9, 0.5, 4, 16])
    found = Opinions.of(cells, w)
    margin = [1 / 9 * 9**w, 0.5, 4**w, -(16**w)]
    assert found.margin[0] == pytest.approx(margin)
    # The own value is one more of them, for or against.
    joined = [2 / 10 * 10**w, 1.5**w, 3 / 5 * 5**w, -(17**w)]
    added = np.array([1, 1, -1, -1]) * (np.array(joined) - margin)
    assert found.added[0] == pytest.approx(added, abs=1e-6)
    assert (found.added > 0).all()


@pytest.mark.parametrize("w", [0.25, 0.5, 1.0])
def test_all_images_of_a_component_are_told_the_same(w):
    # Three of four carry the label: each is judged by itself and the three others.
    cells = evidence([[True], [True], [True], [False]], 0.5, [[2], [2], [2], [3]], 3)
    found = rates(0.05, 0.05, w).right(cells).ravel()
    assert found[:3] == pytest.approx(1 - found[3], abs=1e-6)
    assert found[3] < 0.3


def test_thinning_keeps_about_so_many_from_everywhere():
    whole = evidence(np.zeros((10, 1)), expected=np.arange(1, 11)[:, None] / 20)
    assert (whole.thinned(5).expected * 20).ravel().tolist() == pytest.approx([1, 3, 5, 7, 9])
    assert len(whole.thinned(3).labels) == 4
    assert len(whole.thinned(100).asked) == 10


def simulated(images=4000, copies=4, missed=0.1, invented=0.03):
    """Images of things that carry a label or not, each with near-copies that say so too."""
    rng = np.random.default_rng(0)
    truth = rng.random((images, 2)) < 0.4

    def given():
        chance = rng.random(truth.shape)
        return np.where(truth, chance >= missed, chance < invented)

    own = given()
    said = sum(given().astype(int) for _ in range(copies))
    return evidence(own, 0.4, said, copies), truth


def test_rates_are_found():
    cells, truth = simulated(40_000)
    found = Annotators.fit(cells)
    assert found.independence == 1.0
    missed = (truth & ~cells.labels).sum(axis=0) / truth.sum(axis=0)
    invented = (cells.labels & ~truth).sum(axis=0) / (~truth).sum(axis=0)
    assert found.missed == pytest.approx(missed, abs=0.008)
    assert found.invented == pytest.approx(invented, abs=0.004)
    right = found.right(cells)
    assert right.dtype == np.float32
    assert right[cells.labels == truth].mean() > 0.98
    assert right[cells.labels != truth].mean() < 0.1


def test_what_is_not_known_says_nothing_of_the_rates():
    cells, _ = simulated()
    known = np.ones(cells.labels.shape, dtype=bool)
    known[::2] = False
    partly = Evidence(
        cells.labels ^ ~known, known, cells.expected, cells.yes, cells.asked
    )  # what is not known is all wrong
    found = Annotators.fit(partly)
    assert found.missed == pytest.approx([0.1, 0.1], abs=0.025)
    assert found.invented == pytest.approx([0.03, 0.03], abs=0.015)


def test_a_rare_label_has_the_rates_of_all():
    cells, _ = simulated()
    known = np.ones(cells.labels.shape, dtype=bool)
    known[:, 1] = False
    found = Annotators.fit(Evidence(cells.labels, known, cells.expected, cells.yes, cells.asked))
    assert found.missed[1] == pytest.approx(found.missed[0], abs=1e-6)
    assert found.invented[1] == pytest.approx(found.invented[0], abs=1e-6)


def test_a_part_of_the_images_chooses_how_independent_they_are(monkeypatch):
    cells, _ = simulated()
    monkeypatch.setattr(annotators_module, "_CHOICE_ROWS", 500)
    few, found = Annotators.fit(cells.thinned(500)), Annotators.fit(cells)
    assert found.independence == few.independence
    assert found.missed.tolist() != few.missed.tolist()
    assert found.missed == pytest.approx([0.1, 0.1], abs=0.02)  # of all images


def test_labels_are_explained_by_rates_and_what_is_believed():
    cells = evidence([[True], [False], [True]], expected=GIVEN, known=[[True], [True], [False]])
    assert rates(0.2, 0.1).explain(cells) == pytest.approx(
        (np.log(GIVEN) + np.log(1 - GIVEN)) / 2, abs=1e-6
    )


def test_at_most_half_of_what_is_expected_is_taken_for_error():
    cells = evidence([[True, True, True]], expected=[[0.05, 0.12, 0.95]])
    assert rates(0.2, 0.1).believe(cells)[0] == pytest.approx([0.025, 0.06, 0.975], abs=1e-6)
    assert rates(0.2, 0.1).believe(evidence([[True]], expected=0.24))[0, 0] == pytest.approx(0.2)


def test_no_label_is_certain():
    cells = evidence(np.ones((5, 1)), expected=0.9999, yes=1000, asked=1000)
    assert Annotators.fit(cells).missed[0] >= 1e-6
    assert (rates(1e-6, 1e-6).believe(cells) <= 1).all()
    assert np.isfinite(rates(1e-6, 1e-6).right(cells)).all()
