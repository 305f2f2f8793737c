import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from peta_viz.components import (
    MeltedWarning,
    _agree,
    cluster,
    connect,
    nearest_pairs,
    suggest_threshold,
)
from peta_viz.embedding import embed
from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.peta import read_peta
from peta_viz.sample import RELEASE


@pytest.fixture(scope="module")
def sample(sample_folder):
    return read_peta(sample_folder / RELEASE)


@pytest.fixture(scope="module")
def clustered(sample):
    return cluster(sample)


def _vectors(groups, copies, spread=0.1, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, 32))
    return (
        np.repeat(centres, copies, axis=0) + spread * rng.normal(size=(groups * copies, 32))
    ).astype(np.float32)


@pytest.fixture
def pictures(make_set, write_image):
    """Ten groups of three images; the vectors are made up, so any picture will do."""
    paths = [str(write_image(f"{n:02d}.png", seed=n)) for n in range(30)]
    return make_set({f"{n:02d}": "x" for n in range(30)}, path=paths)


def test_components_partition_the_images(clustered):
    ids = clustered.images["component_id"]
    assert ids.notna().all()
    numbers, _ = pd.factorize(ids)
    assert ids.tolist() == numbers.tolist()  # numbered by first image


def test_near_copies_of_the_sample_come_together(clustered):
    sizes = clustered.images["component_id"].value_counts()
    assert 55 <= (sizes > 1).sum() <= 75
    assert sizes.max() <= 12
    street = clustered.images[clustered.images["subset"] == "SampleStreet"]
    assert (street.groupby("person_id")["component_id"].nunique() == 1).mean() > 0.9


def test_fastdup_figures_come_along(clustered):
    figures = clustered.images[["blur", "brightness", "contrast", "outlier_distance"]]
    assert figures.notna().all(axis=None)
    assert figures["brightness"].between(0, 255).all()
    lonely = clustered.images["component_id"].map(clustered.images["component_id"].value_counts())
    near = clustered.images["outlier_distance"]
    assert near[lonely > 1].median() < near[lonely == 1].median()


def test_fastdup_and_exact_give_the_same_components(pictures):
    vectors = _vectors(10, 3)
    theirs = cluster(pictures, vectors=vectors, threshold=0.9)
    ours = cluster(pictures, vectors=vectors, threshold=0.9, backend="exact")
    assert ours.images["component_id"].tolist() == np.repeat(np.arange(10), 3).tolist()
    assert theirs.images["component_id"].tolist() == ours.images["component_id"].tolist()
    np.testing.assert_allclose(
        theirs.images["outlier_distance"], ours.images["outlier_distance"], atol=1e-4
    )


def test_unreadable_images_are_listed_and_the_others_do_not_move(pictures, tmp_path):
    vectors = _vectors(10, 3)
    whole = cluster(pictures, vectors=vectors, threshold=0.9)
    picture = tmp_path / "04.png"
    picture.write_bytes(picture.read_bytes()[:200])
    vectors[4] = np.nan
    for backend in ("fastdup", "exact"):
        made = cluster(pictures, vectors=vectors, threshold=0.9, backend=backend).images
        assert made["problem"].ne("").tolist() == [n == 4 for n in range(30)]
        assert "cannot be decoded" in made["problem"].iloc[4]
        assert (made["component_id"] == made["component_id"].iloc[4]).sum() == 1
        others = [n for n in range(30) if n != 4]
        before, _ = pd.factorize(whole.images["component_id"].iloc[others])
        after, _ = pd.factorize(made["component_id"].iloc[others])
        assert before.tolist() == after.tolist()
    assert np.isfinite(made["outlier_distance"]).all()


def test_fastdups_own_features_skip_what_they_cannot_read(sample, tmp_path):
    part = sample.subset(sample.images.index[-40:])
    bad = tmp_path / "bad.jpg"  # fastdup itself takes truncated JPEGs
    whole = Path(part.images["path"].iloc[-1]).read_bytes()
    bad.write_bytes(whole[: len(whole) * 2 // 3])
    paths = part.images["path"].to_numpy(copy=True)
    paths[7] = str(bad)
    whole = cluster(part)
    made = cluster(part.with_columns(path=paths))
    assert "truncated" in made.images["problem"].iloc[7]
    assert np.isnan(made.images["blur"].iloc[7])
    same = [n for n in range(40) if n != 7]
    np.testing.assert_allclose(made.images["blur"].iloc[same], whole.images["blur"].iloc[same])
    before, _ = pd.factorize(whole.images["component_id"].iloc[same])
    after, _ = pd.factorize(made.images["component_id"].iloc[same])
    assert before.tolist() == after.tolist()


def test_nearest_pairs_are_those_of_brute_force_whatever_the_block():
    vectors = _vectors(9, 3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -1)
    expected = {(i, j) for i in range(27) for j in np.argsort(-similarity[i])[:4]}
    for block_bytes in (1, 700, 2**20):
        pairs = nearest_pairs(vectors, 4, block_bytes=block_bytes)
        assert set(zip(pairs["first"], pairs["second"], strict=True)) == expected
        np.testing.assert_allclose(
            pairs["similarity"], similarity[pairs["first"], pairs["second"]], atol=1e-6
        )


def test_nearest_pairs_of_one_or_of_zeros():
    assert len(nearest_pairs(np.ones((1, 4), np.float32), 5)) == 0
    assert nearest_pairs(np.zeros((3, 4), np.float32), 5)["similarity"].tolist() == [0] * 6


def test_connect_numbers_by_first_node():
    pairs = pd.DataFrame({"first": [4, 1], "second": [0, 3]})
    assert connect(5, pairs).tolist() == [0, 1, 2, 1, 0]


def test_a_melting_threshold_is_warned_of_and_the_advice_works(make_set):
    imageset = make_set({f"{n:03d}": "x" for n in range(300)})
    vectors = _vectors(100, 3, spread=0.3)
    with pytest.warns(
        MeltedWarning, match=r"holds \d+ of 300 images .* at threshold 0.20"
    ) as caught:
        cluster(imageset, vectors=vectors, threshold=0.2, backend="exact")
    advised = float(str(caught[0].message).split("threshold=")[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = cluster(imageset, vectors=vectors, threshold=advised, backend="exact")
        assert made.images["component_id"].value_counts().max() <= 15
        with pytest.warns(MeltedWarning):
            cluster(imageset, vectors=vectors, threshold=advised - 0.011, backend="exact")


def test_no_threshold_helps_when_all_images_are_one():
    pairs = nearest_pairs(np.ones((50, 4), np.float32), 5)
    assert suggest_threshold(50, pairs) is None


def test_rounding_in_fastdups_table_does_not_move_a_component():
    pairs = pd.DataFrame({"first": [0, 2], "second": [1, 3], "similarity": [0.7, 0.700001]})
    components = pd.DataFrame({"__id": range(4), "component_id": [0, 0, 2, 3]})
    _agree(pairs, components, 0.7, 4)
    assert (pairs["similarity"] > 0.7).tolist() == [True, False]


def test_options_that_cannot_be_are_told_together(pictures):
    with pytest.raises(InvalidDataError) as caught:
        cluster(pictures, threshold=2, neighbours=0, backend="exact")
    assert len(caught.value.problems) == 3
    with pytest.raises(InvalidDataError, match=r"must have the shape \(30, features\)"):
        cluster(pictures, vectors=np.zeros((3, 4), np.float32))


def test_without_fastdup_the_message_names_the_other_way(pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastdup", None)
    with pytest.raises(MissingPartError, match='backend="exact"'):
        cluster(pictures)


def test_real_peta_by_both_backends(peta_root, peta_reid):
    imageset = read_peta(peta_root)
    vectors = embed(imageset, peta_reid, progress=False)
    theirs = cluster(imageset, vectors=vectors, threshold=0.7, neighbours=20)
    ours = cluster(imageset, vectors=vectors, threshold=0.7, neighbours=20, backend="exact")
    assert theirs.images["component_id"].tolist() == ours.images["component_id"].tolist()
    sizes = ours.images["component_id"].value_counts()
    assert (sizes > 1).sum() == pytest.approx(926, rel=0.01)
    assert sizes[sizes > 1].sum() == pytest.approx(9064, rel=0.01)
    assert sizes.max() == pytest.approx(108, rel=0.01)
