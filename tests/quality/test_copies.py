"""Which pairs show the same thing."""

import numpy as np
import pandas as pd
import pytest

from peta_viz.quality import copies as copies_module
from peta_viz.quality.copies import (
    _bins,
    _differing,
    _evidence,
    _probability,
    mates,
    same_thing,
)
from tests.quality.conftest import world

NONE = pd.DataFrame({"first": [], "second": [], "similarity": []}, dtype="float64")


def some_pairs(*rows):
    return pd.DataFrame(rows, columns=["first", "second", "similarity"])


def test_images_of_a_component_are_paired_once():
    component = np.array([7, 3, 7, 7, 9, 3])
    given = some_pairs((2, 3, 0.8))
    found = mates(component, given)
    assert found.iloc[0].tolist() == [2, 3, pytest.approx(0.8)]
    assert sorted(zip(found["first"], found["second"], strict=True)) == [
        (0, 2),
        (0, 3),
        (1, 5),
        (2, 3),
    ]
    assert found["similarity"].isna().tolist() == [False, True, True, True]
    assert found.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("size", "others"), [(9, 8), (20, 19), (21, 20), (50, 20)])
def test_in_a_large_component_each_is_compared_with_about_as_many(size, others):
    found = mates(np.zeros(size, dtype=np.int64), NONE, most=20)
    ends = np.concatenate([found["first"], found["second"]]).astype(int)
    assert np.bincount(ends).tolist() == [others] * size
    assert (found["first"] < found["second"]).all()
    assert not found.duplicated(["first", "second"]).any()


def test_others_are_drawn_by_the_seed():
    component = np.repeat([1, 0], [60, 60])
    found = [mates(component, NONE, most=4, seed=seed) for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(found[0], found[1])
    assert not found[0].equals(found[2])
    for one in found:
        assert (component[one["first"].astype(int)] == component[one["second"].astype(int)]).all()
    assert mates(component, NONE, most=1).empty


def test_no_pair_has_no_probability():
    nothing = np.zeros((3, 2), dtype=bool)
    assert same_thing(nothing, ~nothing, NONE).shape == (0,)


def drawn(seed=0, similarity=None):
    """Pairs of the same person and pairs of two; a label in a hundred is wrong."""
    person, labels, _ = world(people=400, per_person=2, seed=seed)
    rng = np.random.default_rng(seed)
    labels = labels ^ (rng.random(labels.shape) < 0.01)
    first = np.concatenate([np.arange(0, 800, 2), np.arange(0, 800, 2)])
    second = np.concatenate([np.arange(1, 800, 2), (np.arange(0, 800, 2) + 2) % 800])
    pairs = pd.DataFrame({"first": first, "second": second})
    alike = person[first] == person[second]
    return labels, pairs.assign(similarity=np.nan if similarity is None else similarity), alike


def test_what_agrees_in_rare_labels_is_the_same():
    labels, pairs, alike = drawn()
    found = same_thing(labels, np.ones(labels.shape, dtype=bool), pairs)
    assert found.dtype == np.float32
    rows = labels[pairs["first"]], labels[pairs["second"]]
    unlike = (rows[0] != rows[1]).sum(axis=1)
    assert found[alike].mean() > 0.85
    assert found[unlike >= 4].max() < 0.5
    assert found[unlike >= 3].mean() < 0.2
    # As likely as it is said to be, and rather more: one answer alone is left out.
    assert found.mean() == pytest.approx(alike.mean(), abs=0.15)
    rare = labels[:, 7]
    both = rare[pairs["first"]] & rare[pairs["second"]] & (unlike == 0)
    neither = ~rare[pairs["first"]] & ~rare[pairs["second"]] & (unlike == 0)
    assert found[both].min() > found[neither].min()


def test_one_answer_alone_does_not_make_another_thing():
    rng = np.random.default_rng(0)
    thing = np.repeat(np.arange(60), 3)
    shape, size = rng.integers(0, 4, (2, 60))
    shape, size = shape[thing], size[thing]
    shape[::30] = (shape[::30] + 1) % 4  # the first image of each tenth thing
    size[::60] = (size[::60] + 1) % 4
    first = np.concatenate([np.arange(0, 180, 3), np.arange(0, 180, 3)])
    pairs = pd.DataFrame({"first": first, "second": first + np.repeat([1, 2], 60)})
    pairs["similarity"] = np.nan
    odd, twice = first % 30 == 0, first % 60 == 0
    both = np.hstack([np.eye(4, dtype=bool)[shape], np.eye(4, dtype=bool)[size]])
    known = np.ones(both.shape, dtype=bool)
    answers = np.repeat([0, 4], 4)
    found = same_thing(both, known, pairs, questions=answers)
    assert found[odd & ~twice].min() > 0.9
    assert found[twice].max() < 0.6  # two of two answers
    alone = same_thing(both[:, :4], known[:, :4], pairs, questions=answers[:4])
    assert alone.min() > 0.8
    # As answers of their own, the two labels of another class would be two that differ.
    assert same_thing(both[:, :4], known[:, :4], pairs)[odd].max() < 0.5


def test_what_an_image_does_not_stand_alone_with_speaks_against_a_pair():
    labels, pairs, alike = drawn()
    known = np.ones(labels.shape, dtype=bool)
    left_out = same_thing(labels, known, pairs)
    counted = same_thing(labels, known, pairs, alone=~known)
    differ = (labels[pairs["first"]] != labels[pairs["second"]]).any(axis=1)
    assert (counted[differ] < left_out[differ]).all()
    np.testing.assert_array_equal(counted[~differ], left_out[~differ])
    assert counted[~alike].mean() < 0.05 < left_out[~alike].mean()
    # Of either image, and of no other.
    alone = ~known
    alone[pairs["first"].iloc[0]] = True
    ends = pairs[["first", "second"]].to_numpy()
    its = (ends == ends[0, 0]).any(axis=1)
    found = same_thing(labels, known, pairs, alone=alone)
    np.testing.assert_array_equal(found[its], left_out[its])
    np.testing.assert_array_equal(found[~its], counted[~its])


def test_similarity_says_how_common_the_same_is(monkeypatch):
    monkeypatch.setattr(copies_module, "_LEAST_IN_BIN", 100)
    rng = np.random.default_rng(0)
    labels, pairs, alike = drawn()
    pairs = pairs.assign(similarity=np.where(alike, 0.9, 0.5) + 0.01 * rng.random(len(pairs)))
    known = np.ones(labels.shape, dtype=bool)
    blind = same_thing(labels, known, pairs.assign(similarity=np.nan))
    found = same_thing(labels, known, pairs)
    assert found[alike].mean() > max(0.97, blind[alike].mean())
    assert found[~alike].mean() < min(0.1, blind[~alike].mean())


def test_a_part_of_very_many_pairs_is_enough(monkeypatch):
    labels, pairs, _ = drawn()
    known = np.ones(labels.shape, dtype=bool)
    whole = same_thing(labels, known, pairs)
    monkeypatch.setattr(copies_module, "_PAIRS", 300)
    parts = [same_thing(labels, known, pairs, seed=seed) for seed in (0, 0, 1)]
    assert (parts[0] == parts[1]).all()
    assert (parts[0] != parts[2]).any()
    np.testing.assert_allclose(parts[0], whole, atol=0.25)


def test_pairs_may_be_looked_at_in_blocks(monkeypatch):
    labels, pairs, _ = drawn()
    known = np.random.default_rng(0).random(labels.shape) < 0.9
    whole = same_thing(labels, known, pairs)
    monkeypatch.setattr(copies_module, "_BLOCK", 7)
    np.testing.assert_allclose(same_thing(labels, known, pairs), whole, atol=1e-5)


def test_bins_hold_as_many_and_what_is_not_known_has_its_own():
    rng = np.random.default_rng(0)
    for count, bins in ((1, 1), (399, 1), (400, 2), (1000, 5), (9000, 20)):
        similarity = rng.permutation(np.arange(count) / count)
        found = _bins(np.append(similarity, [np.nan, np.nan]))
        assert np.bincount(found[:-2]).tolist() == [count // bins] * bins
        assert found[-2:].tolist() == [bins, bins]
        by_similarity = found[:-2][np.argsort(similarity)]
        assert (np.diff(by_similarity) >= 0).all()
    # Equal ones cannot be told apart.
    assert _bins(np.ones(2000)).max() <= 1


def test_evidence_is_the_sum_over_labels_known_of_both():
    rng = np.random.default_rng(0)
    labels, known = rng.random((2, 30, 4)) < 0.5
    first, second = rng.integers(0, 30, (2, 50))
    base = np.array([0.5, 0.1, 0.9, 0.3])
    errors = np.array([0.1, 0.02, 0.5, 0.001])
    found = _evidence(labels, known, first, second, base, errors)
    expected = np.zeros(50)
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        for label, (often, wrong) in enumerate(zip(base, errors, strict=True)):
            if not (known[one, label] and known[other, label]):
                continue
            wrong = min(wrong, often * (1 - often))  # noqa: PLW2901
            values = labels[one, label], labels[other, label]
            if values[0] != values[1]:
                same, chance = wrong / 2, often * (1 - often)
            elif values[0]:
                same, chance = often - wrong / 2, often**2
            else:
                same, chance = 1 - often - wrong / 2, (1 - often) ** 2
            expected[pair] += np.log(same / chance)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_labels_hang_together_and_say_half_as_much():
    common, bins = np.array([0.5, 0.2]), np.array([0, 0, 1, 1])
    found = _probability(common, bins, np.array([2 * np.log(3), 0.0, 2 * np.log(4), -1e9]))
    assert found == pytest.approx([0.75, 0.5, 0.5, 0.0])


def test_labels_that_were_hardly_compared_differ_like_the_others():
    labels = np.zeros((400, 2), dtype=bool)
    labels[:40, 0] = True
    known = np.ones((400, 2), dtype=bool)
    known[:, 1] = False
    first, second = np.arange(200) * 2, np.arange(200) * 2 + 1
    labels[1:20:2, 0] = False  # ten of two hundred pairs differ
    same = np.ones(200)
    found = _differing(labels, known, first, second, same)
    assert found == pytest.approx([0.05, 0.05], abs=1e-4)
    # What is surely not the same does not count.
    same[:10] = 0
    assert _differing(labels, known, first, second, same) == pytest.approx([0, 0], abs=1e-4)
    same[:10] = 0.5
    overall = 5 / 195
    found = _differing(labels, known, first, second, same)
    assert found == pytest.approx([(5 + 100 * overall) / 295, overall], abs=1e-4)
