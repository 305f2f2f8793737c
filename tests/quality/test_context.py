"""What other labels and looks lead one to expect."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from peta_viz.quality import context as context_module
from peta_viz.quality.context import Context, Gaussian
from tests.quality.conftest import world

HEADS = [np.arange(2), np.arange(2, 5), np.arange(5, 8)]


@pytest.fixture
def images():
    """Return labels, which are known, features, and the half that each image is in."""
    rng = np.random.default_rng(0)
    _, labels, features = world(people=500, per_person=1)
    labels = labels ^ (rng.random(labels.shape) < 0.02)
    known = rng.random(labels.shape) < 0.9
    return labels, known, features, rng.random(500) < 0.5


def test_means_are_those_of_a_normal_distribution(images):
    labels, known, features, _ = images
    gaussian = Gaussian.fit(labels, known, features, HEADS)
    columns = np.hstack([np.where(known, labels, np.nan), features])
    mean, spread = np.nanmean(columns, axis=0), np.nanstd(columns, axis=0)
    np.testing.assert_allclose(gaussian.mean, mean, atol=1e-12)
    np.testing.assert_allclose(gaussian.spread, spread, atol=1e-12)
    scaled = np.nan_to_num((columns - mean) / spread)
    scaled[:, 8:] = scaled[:, 8:].clip(-4, 4)
    covariance = ledoit_wolf(scaled, assume_centered=True)[0] + 1e-6 * np.eye(scaled.shape[1])
    found = gaussian.expect(labels, known, features)
    for head in HEADS:
        for label in head:
            for way, left_out in ((0, [label]), (1, head)):
                given = np.setdiff1d(np.arange(len(mean)), left_out)
                weights = np.linalg.solve(
                    covariance[np.ix_(given, given)], covariance[given, label]
                )
                np.testing.assert_allclose(
                    found[way][:, label], scaled[:, given] @ weights, atol=1e-9
                )


def test_what_never_varies_or_is_never_known_follows_from_nothing(images):
    labels, known, features, _ = images
    labels, known = labels.copy(), known.copy()
    labels[:, 5] = True
    known[:, 6] = False
    gaussian = Gaussian.fit(labels, known, features, HEADS)
    assert gaussian.spread[[5, 6]].tolist() == [1.0, 1.0]
    assert gaussian.mean[5] == 1
    found = gaussian.expect(labels, known, features)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :, [5, 6]], 0, atol=1e-6)


def test_a_features_outlier_does_not_decide_alone(images):
    labels, known, features, _ = images
    gaussian = Gaussian.fit(labels, known, features, HEADS)
    mean, spread = gaussian.mean[8], gaussian.spread[8]
    said = []
    for value in (mean + 3.9 * spread, mean + 4 * spread, mean + 1000 * spread, mean - 4 * spread):
        others = features.copy()
        others[:, 0] = value
        said.append(gaussian.expect(labels, known, others))
    np.testing.assert_allclose(said[1], said[2], atol=1e-5)
    assert not np.allclose(said[0], said[1], atol=1e-5)
    assert not np.allclose(said[3], said[1], atol=1e-2)


def test_an_own_value_does_not_speak_for_itself(images):
    labels, known, features, half = images
    context = Context.fit(labels, known, features, half, HEADS)
    turned = labels.copy()
    turned[:, 2] ^= True
    before, after = (context.expect(one, known | True, features, half) for one in (labels, turned))
    for way in (0, 1):
        np.testing.assert_allclose(before[way][:, 2], after[way][:, 2], atol=1e-6)
    # Other classes of its head are told by it in one way alone; other heads in both.
    assert not np.allclose(before[0][:, 3], after[0][:, 3], atol=1e-3)
    np.testing.assert_allclose(before[1][:, 3], after[1][:, 3], atol=1e-6)
    for way in (0, 1):
        assert not np.allclose(before[way][:, 5], after[way][:, 5], atol=1e-5)


def test_probabilities_are_those_that_occur(images):
    labels, known, features, half = images
    context = Context.fit(labels, known, features, half, HEADS)
    for found in context.expect(labels, known, features, half):
        assert found.dtype == np.float32
        assert found.min() > 0
        assert found.max() < 1
        for label in range(8):
            asked = known[:, label]
            assert found[asked, label].mean() == pytest.approx(
                labels[asked, label].mean(), abs=0.01
            )
    sex, _ = context.expect(labels, known, features, half)
    man = labels[:, 0] & ~labels[:, 1] & known[:, 0] & known[:, 1]
    woman = ~labels[:, 0] & labels[:, 1] & known[:, 0] & known[:, 1]
    assert sex[man, 0].mean() > 0.9
    assert sex[woman, 0].mean() < 0.1


def test_who_is_judged_has_not_been_learned_from(images):
    """In one half a feature tells a label and in the other it does not."""
    labels, _, features, half = images
    known, features = np.ones(labels.shape, dtype=bool), features.copy()
    rng = np.random.default_rng(3)
    features[:, 0] = np.where(half, labels[:, 5], rng.random(500) < 0.5)
    context = Context.fit(labels, known, features, half, HEADS)
    found = context.expect(labels, known, features, half)[0][:, 5]
    told = features[:, 0] == 1
    apart = [found[own & told].mean() - found[own & ~told].mean() for own in (half, ~half)]
    # Those that it was learned from are not those of whom it is expected.
    assert abs(apart[0]) < 0.05
    assert apart[1] > 0.1


@pytest.mark.parametrize("half", [True, False])
def test_where_all_are_in_one_half_they_are_parted(images, half):
    labels, known, features, _ = images
    one = np.full(len(labels), half)
    found = Context.fit(labels, known, features, one, HEADS)
    assert not np.array_equal(found.gaussians[0].mean, found.gaussians[1].mean)
    by_turns = Context.fit(labels, known, features, np.arange(len(labels)) % 2 == 0, HEADS)
    np.testing.assert_array_equal(found.curves, by_turns.curves)


def test_one_image_is_expected_to_be_like_most(images):
    labels, known, features, _ = images
    one = [part[:1] for part in (labels, known | True, features)]
    context = Context.fit(*one, np.array([True]), HEADS)
    found = context.expect(*one, np.array([True]))
    # As if half a yes and half a no had been seen besides.
    assert found[0][0].tolist() == pytest.approx(np.where(labels[0], 0.75, 0.25).tolist())


def test_what_was_never_answered_is_as_likely_as_not(images):
    labels, known, features, half = images
    known = known.copy()
    known[:, 7] = False
    context = Context.fit(labels, known, features, half, HEADS)
    assert context.curves[:, :, 7].tolist() == [[0, 0], [0, 0]]
    found = context.expect(labels, known, features, half)
    assert (found[0][:, 7] == 0.5).all()


def test_curves_of_very_many_images_are_those_of_a_part(images, monkeypatch):
    labels, known, features, half = images
    whole = Context.fit(labels, known, features, half, HEADS)
    monkeypatch.setattr(context_module, "_CURVE_ROWS", 150)
    part = Context.fit(labels, known, features, half, HEADS)
    assert not np.array_equal(whole.curves, part.curves)
    expected = whole.expect(labels, known, features, half)[0]
    np.testing.assert_allclose(
        part.expect(labels, known, features, half)[0].mean(axis=0),
        expected.mean(axis=0),
        atol=0.05,
    )


def test_a_few_dozen_things_make_nobody_sure():
    surest = []
    for count in (40, 2_000):
        rng = np.random.default_rng(0)
        labels = np.arange(count)[:, None] % 4 < 2
        features = (labels + rng.normal(scale=0.2, size=(count, 1))).astype(np.float32)
        half, known = np.arange(count) % 2 == 0, np.ones((count, 1), dtype=bool)
        context = Context.fit(labels, known, features, half, [])
        expected = context.expect(labels, known, features, half)[0]
        assert ((expected > 0.5) == labels).mean() > 0.95
        surest.append(expected.max())
    assert surest[0] < 0.998
    assert surest[1] > 0.9995
