import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from peta_viz.components import (
    FASTDUP_THRESHOLD,
    REID_THRESHOLD,
    MeltedWarning,
    _agree,
    _fastdup_told,
    cluster,
    default_threshold,
    find_pairs,
    link,
    near_pairs,
)
from peta_viz.embedding import embed
from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.links import nearest_pairs
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


def test_cluster_is_its_two_steps(pictures, tmp_path):
    vectors = _vectors(10, 3)
    for backend in ("exact", "fastdup"):
        options = {"vectors": vectors, "backend": backend, "neighbours": 4}
        found, pairs = find_pairs(pictures, threshold=0.9, work_dir=tmp_path / "fd", **options)
        assert "component_id" not in found.images
        stepwise = link(found, pairs, 0.9)
        at_once = cluster(pictures, threshold=0.9, **options)
        pd.testing.assert_frame_equal(stepwise.images, at_once.images, check_like=True)


def test_pairs_are_all_that_were_found_each_once_by_id(pictures):
    vectors = _vectors(10, 3)
    found, pairs = find_pairs(pictures, vectors=vectors, neighbours=4, backend="exact")
    assert pairs.dtypes.astype(str).tolist() == ["str", "str", "float32"]
    assert pairs["similarity"].is_monotonic_decreasing
    assert (pairs["first"] < pairs["second"]).all()  # ids here are in the order of the rows
    expected = nearest_pairs(vectors, 4)
    ends = np.sort(expected[["first", "second"]].to_numpy(), axis=1)
    assert set(zip(pairs["first"], pairs["second"], strict=True)) == {
        (f"{a:02d}", f"{b:02d}") for a, b in ends
    }
    assert not pairs.duplicated(["first", "second"]).any()
    assert pairs["similarity"].min() < 0.5  # also what no threshold would link
    away = 1 - pd.concat([pairs.set_index(end)["similarity"] for end in ("first", "second")])
    nearest = away.groupby(level=0).min()
    np.testing.assert_allclose(found.images["outlier_distance"], nearest)


def test_pairs_keep_their_images_when_some_are_unreadable(pictures):
    vectors = _vectors(10, 3)
    vectors[4] = np.nan
    made, pairs = find_pairs(pictures, vectors=vectors, threshold=0.9, backend="exact")
    assert "04" not in set(pairs["first"]) | set(pairs["second"])
    strong = pairs[pairs["similarity"] > 0.9]
    same_group = strong["first"].astype(int) // 3 == strong["second"].astype(int) // 3
    assert same_group.all()
    assert len(strong) == 28
    assert made.images["problem"].iloc[4] == "its vector is not a number"
    assert made.images["problem"].ne("").sum() == 1


def test_a_problem_that_is_known_stays(pictures):
    vectors = _vectors(10, 3)
    vectors[4] = np.nan
    problem = ["seen before" if n in (4, 9) else "" for n in range(30)]
    made, pairs = find_pairs(pictures.with_columns(problem=problem), vectors=vectors)
    assert made.images["problem"].tolist() == problem
    assert not {"04", "09"} & (set(pairs["first"]) | set(pairs["second"]))


def test_linking_takes_any_subset_of_the_images(pictures):
    found, pairs = find_pairs(pictures, vectors=_vectors(10, 3), backend="exact")
    few = found.subset([f"{n:02d}" for n in (0, 2, 3, 29)])
    assert link(few, pairs, 0.9).images["component_id"].tolist() == [0, 0, 1, 2]
    with pytest.raises(InvalidDataError, match="threshold must be from 0 to 1, but is 7"):
        link(few, pairs, 7)


def test_the_default_threshold_hangs_on_the_vectors(pictures):
    vectors = _vectors(10, 3)
    assert default_threshold(None) == FASTDUP_THRESHOLD
    assert default_threshold(vectors) == REID_THRESHOLD
    found, pairs = find_pairs(pictures, vectors=vectors, backend="exact")
    expected = link(found, pairs, REID_THRESHOLD).images["component_id"]
    made = cluster(pictures, vectors=vectors, backend="exact").images["component_id"]
    assert made.tolist() == expected.tolist()


def test_melting_points_at_who_asked(make_set):
    imageset = make_set({f"{n:03d}": "x" for n in range(300)})
    vectors = _vectors(100, 3, spread=0.3)
    found, pairs = find_pairs(imageset, vectors=vectors, backend="exact")
    with pytest.warns(MeltedWarning) as stepwise:
        link(found, pairs, 0.2)
    with pytest.warns(MeltedWarning) as at_once:
        cluster(imageset, vectors=vectors, threshold=0.2, backend="exact")
    assert (stepwise[0].filename, at_once[0].filename) == (__file__, __file__)
    assert str(stepwise[0].message) == str(at_once[0].message)


def test_rounding_in_fastdups_table_does_not_move_a_component():
    pairs = pd.DataFrame({"first": [0, 2], "second": [1, 3], "similarity": [0.7, 0.700001]})
    components = pd.DataFrame({"__id": range(4), "component_id": [0, 0, 2, 3]})
    _agree(pairs, components, 0.7, 4)
    assert (pairs["similarity"].astype("float32") > np.float32(0.7)).tolist() == [True, False]


def test_large_sets_are_searched_by_a_graph_and_it_is_said(pictures, monkeypatch):
    vectors = _vectors(10, 3)
    vectors[4] = np.nan
    exact, exact_pairs = find_pairs(pictures, vectors=vectors, neighbours=4, backend="auto")
    assert exact_pairs.attrs["search"] == "by comparing all with all"
    components = link(exact, exact_pairs, 0.9).images["component_id"].tolist()
    monkeypatch.setattr("peta_viz.components.EXACT_UP_TO", 10)
    for backend in ("auto", "approximate"):
        found, pairs = find_pairs(pictures, vectors=vectors, neighbours=4, backend=backend)
        assert "finds 100.0% of them, measured on 29 images" in pairs.attrs["search"]
        assert found.images["problem"].tolist() == exact.images["problem"].tolist()
        assert link(found, pairs, 0.9).images["component_id"].tolist() == components


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
    """Four of its ten sources, for time; `make bench-clustering` takes all."""
    whole = read_peta(peta_root)
    some = whole.images["subset"].isin(["3DPeS", "CAVIAR4REID", "MIT", "i-LID"])
    imageset = whole.take(np.flatnonzero(some))
    assert len(imageset) == 3597
    vectors = embed(imageset, peta_reid, progress=False)
    theirs = cluster(imageset, vectors=vectors, threshold=0.7, neighbours=20)
    ours = cluster(imageset, vectors=vectors, threshold=0.7, neighbours=20, backend="exact")
    assert theirs.images["component_id"].tolist() == ours.images["component_id"].tolist()
    sizes = ours.images["component_id"].value_counts()
    assert (sizes > 1).sum() == pytest.approx(494, rel=0.01)
    assert sizes[sizes > 1].sum() == pytest.approx(1868, rel=0.01)
    assert sizes.max() == pytest.approx(21, rel=0.05)


def test_near_pairs_beyond_the_nearest_neighbours_need_vectors(make_set):
    """Two groups of look-alikes: the neighbours of each image are all of its own group."""
    rng = np.random.default_rng(0)
    middle = np.array([[1.0] + [0] * 7, [6.0, 1] + [0] * 6])  # 0.986 similar
    vectors = np.repeat(middle, 4, axis=0) + rng.normal(0, 0.01, (8, 8))
    vectors = vectors.astype(np.float32)
    imageset = make_set(dict.fromkeys("abcdefgh", "x"))
    pairs = nearest_pairs(vectors, 2)
    ids = imageset.images.index
    pairs = pairs.assign(first=ids[pairs["first"]], second=ids[pairs["second"]])

    def across(found):
        return (found["first"].isin(list("abcd")) != found["second"].isin(list("abcd"))).sum()

    assert across(near_pairs(imageset, pairs, 0.95)) == 0
    assert across(near_pairs(imageset, pairs, 0.95, vectors)) == 16


def test_what_fastdup_prints_becomes_a_bar(capfd, monkeypatch):
    monkeypatch.setattr("peta_viz.components.bar_fits", lambda: True)
    with _fastdup_told():
        for part in (b"\rdata [##", b"##  ] 40% Estimated: 0 Minutes\r", b"disk is sl", b"ow\n"):
            os.write(1, part)
        os.write(1, b"\rdata [#####] 100% Estimated: 0 Minutes")
    said = capfd.readouterr()
    assert not said.out
    assert "disk is slow" in said.err
    assert "grouping: 100%" in said.err
    assert "Estimated" not in said.err
    os.write(1, b"mine")
    assert capfd.readouterr().out == "mine"


def test_more_than_anybody_reads_does_not_stop_fastdup(monkeypatch):
    monkeypatch.setattr("peta_viz.components._follow", lambda *_: None)
    flood = b"." * (1 << 22)
    with _fastdup_told():
        assert os.write(1, flood) < len(flood)
        with pytest.raises(BlockingIOError):  # compiled code goes on after that
            os.write(1, flood)
