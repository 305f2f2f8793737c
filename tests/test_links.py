import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from peta_viz.links import (
    Links,
    connect,
    nearest_pairs,
    pairs_above,
    suggest_threshold,
    unique_pairs,
)


def _pairs(rows):
    pairs = pd.DataFrame(rows, columns=["first", "second", "similarity"])
    return pairs.astype({"first": "str", "second": "str"})


def _index(text):
    return pd.Index(list(text), name="image_id", dtype="str")


@pytest.fixture
def chain():
    """a–b 0.9, b–c 0.8, a–c 0.7 (not in the forest), d–e 0.6, c–d 0.25; f alone."""
    rows = [("b", "a", 0.9), ("b", "c", 0.8), ("c", "a", 0.7), ("e", "d", 0.6), ("c", "d", 0.25)]
    return Links.of(_index("abcdef"), _pairs(rows))


@pytest.fixture(params=range(4))
def random_pairs(request):
    """Sixty images, 200 pairs of few different similarities, some twice and both ways round."""
    rng = np.random.default_rng(request.param)
    ends = rng.integers(0, 60, (200, 2))
    similarity = (rng.integers(0, 12, 200) / 12).astype(np.float32)
    return pd.DataFrame({"first": ends[:, 0], "second": ends[:, 1], "similarity": similarity})


def test_pairs_are_sorted_and_the_forest_leaves_out_what_connects_nothing_new(chain):
    assert chain.count == 6
    assert list(zip(chain.first, chain.second, strict=True)) == [
        *((0, 1), (1, 2), (0, 2)),
        *((3, 4), (2, 3)),
    ]
    assert chain.similarity.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.25])
    assert list(zip(chain.tree_first, chain.tree_second, strict=True)) == [
        *((0, 1), (1, 2)),
        *((3, 4), (2, 3)),
    ]
    assert chain.tree_similarity.tolist() == pytest.approx([0.9, 0.8, 0.6, 0.25])
    kinds = [chain.first, chain.second, chain.similarity, chain.tree_first, chain.tree_similarity]
    assert [array.dtype for array in kinds] == ["int64", "int64", "float32", "int64", "float32"]


def test_a_pair_given_twice_counts_once_with_its_greatest_similarity():
    rows = [("a", "b", 0.5), ("b", "a", 0.75), ("a", "b", 0.25), ("a", "a", 1.0)]
    links = Links.of(_index("ab"), _pairs(rows))
    assert (links.first.tolist(), links.second.tolist()) == ([0], [1])
    assert links.similarity.tolist() == [0.75]


def test_pairs_of_images_that_are_not_there_are_left_out():
    rows = [("a", "x", 0.9), ("b", "a", 0.5), ("x", "y", 1.0)]
    links = Links.of(_index("cba"), _pairs(rows))
    assert (links.first.tolist(), links.second.tolist()) == ([1], [2])


@pytest.mark.parametrize("rows", [[], [("x", "y", 0.9)]])
def test_without_any_pair_every_image_is_alone(rows):
    links = Links.of(_index("abc"), _pairs(rows))
    assert links.components(0.0).tolist() == [0, 1, 2]
    assert len(links.nearest(0.5, 10)) == 0
    weakest = links.weakest(np.zeros(3, np.int64))
    assert (len(weakest), weakest.columns.tolist()) == (0, ["similarity", "first", "second"])


def test_components_are_those_of_all_pairs_at_every_threshold(random_pairs):
    links = Links.of(pd.RangeIndex(60), random_pairs)
    assert len(links.tree_first) < 60
    for threshold in (-0.1, *(np.arange(13) / 12), 0.3, 0.71):
        strong = random_pairs[random_pairs["similarity"] > np.float32(threshold)]
        ends = (strong["first"].to_numpy(), strong["second"].to_numpy())
        graph = coo_array((np.ones(len(strong)), ends), shape=(60, 60))
        expected, _ = pd.factorize(connected_components(graph, directed=False)[1])
        assert links.components(threshold).tolist() == expected.tolist()
        assert links.components(threshold).dtype == np.int64


def test_a_similarity_equal_to_the_threshold_does_not_link(chain):
    assert chain.components(0.25).tolist() == [0, 0, 0, 1, 1, 2]
    assert chain.components(0.2499).tolist() == [0, 0, 0, 0, 0, 1]
    assert chain.components(0.9).tolist() == list(range(6))  # 0.9 as float32 is not above 0.9


def test_the_weakest_link_is_of_the_forest_and_inside_the_component(chain):
    weakest = chain.weakest(np.array([7, 7, 7, 4, 4, 9]))
    assert weakest.index.name == "component_id"
    assert weakest.index.tolist() == [4, 7]
    assert weakest[["first", "second"]].to_numpy().tolist() == [[3, 4], [1, 2]]
    assert weakest["similarity"].tolist() == pytest.approx([0.6, 0.8])
    assert chain.weakest(np.zeros(6, np.int64)).loc[0, "first"] == 2


def test_raising_the_threshold_to_the_weakest_link_takes_a_component_apart(random_pairs):
    links = Links.of(pd.RangeIndex(60), random_pairs)
    component = links.components(0.4)
    for number, row in links.weakest(component).iterrows():
        inside = component == number
        below = np.nextafter(np.float32(row["similarity"]), np.float32(0))
        assert len(np.unique(links.components(below)[inside])) == 1
        assert len(np.unique(links.components(row["similarity"])[inside])) > 1


def test_nearest_are_those_of_brute_force(random_pairs):
    links = Links.of(pd.RangeIndex(60), random_pairs)
    for threshold in (-1.0, 0.0, 0.33, 0.5, 0.77, 1.0, 2.0):
        away = np.abs(links.similarity.astype(float) - threshold)
        expected = np.argsort(away, kind="stable")
        for most in (0, 1, 7, 10_000):
            found = links.nearest(threshold, most)
            assert found.dtype == np.int64
            np.testing.assert_array_equal(np.sort(away)[:most], away[found])
            assert len(set(found)) == len(found) == min(most, len(expected))


def test_unique_pairs_are_those_of_a_dictionary(random_pairs):
    expected = {}
    for first, second, similarity in random_pairs.itertuples(index=False):
        pair = (min(first, second), max(first, second))
        if first != second:
            expected[pair] = max(similarity, expected.get(pair, -1))
    made = unique_pairs(60, random_pairs)
    found = {(a, b): similarity for a, b, similarity in made.itertuples(index=False)}
    assert found == expected
    assert len(made) == len(expected)
    assert made["similarity"].is_monotonic_decreasing


def test_the_suggested_threshold_is_the_lowest_that_keeps_the_share(random_pairs):
    links = Links.of(pd.RangeIndex(60), random_pairs)
    largest = {t: np.bincount(links.components(t / 100)).max() for t in range(1, 100)}
    for share in (0.05, 0.1, 0.3, 0.9):
        fitting = [t / 100 for t, size in largest.items() if size <= share * 60]
        assert suggest_threshold(links, share) == (fitting[0] if fitting else None)


def test_nearest_pairs_are_those_of_brute_force_whatever_the_block():
    vectors = np.random.default_rng(0).normal(size=(27, 32)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -1)
    expected = {(i, j) for i in range(27) for j in np.argsort(-similarity[i])[:4]}
    for tile in (1, 5, 27, 2_048):
        pairs = nearest_pairs(vectors, 4, tile=tile)
        assert set(zip(pairs["first"], pairs["second"], strict=True)) == expected
        np.testing.assert_allclose(
            pairs["similarity"], similarity[pairs["first"], pairs["second"]], atol=1e-6
        )


def test_nearest_pairs_of_one_or_of_zeros():
    assert len(nearest_pairs(np.ones((1, 4), np.float32), 5)) == 0
    assert nearest_pairs(np.zeros((3, 4), np.float32), 5)["similarity"].tolist() == [0] * 6


@pytest.mark.parametrize("tile", [2, 2_048])
def test_a_vector_that_is_not_a_number_has_no_neighbours_and_is_none(tile):
    vectors = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    vectors[4, 2] = np.nan
    pairs = nearest_pairs(vectors, 20, tile=tile)
    others = [row for row in range(9) if row != 4]
    expected = [(a, b) for a in others for b in others if a != b]
    found = zip(pairs["first"], pairs["second"], strict=True)
    assert sorted(found) == expected
    assert pairs["first"].is_monotonic_increasing
    assert (pairs.dtypes.astype(str) == ["int64", "int64", "float32"]).all()


def test_connect_numbers_by_first_node():
    pairs = pd.DataFrame({"first": [4, 1], "second": [0, 3]})
    assert connect(5, pairs).tolist() == [0, 1, 2, 1, 0]


def test_no_threshold_helps_when_all_images_are_one():
    pairs = nearest_pairs(np.ones((50, 4), np.float32), 5)
    assert suggest_threshold(Links.of(pd.RangeIndex(50), pairs)) is None


@pytest.mark.parametrize("tile", [1, 7, 2_048])
def test_pairs_above_are_those_of_brute_force_whatever_the_block(tile):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    vectors[7] = np.nan
    found = pairs_above(vectors, 0.4, tile=tile)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = np.triu(unit @ unit.T, 1)
    expected = {(i, j) for i, j in np.argwhere(similarity > 0.4).tolist()}
    assert set(zip(found["first"], found["second"], strict=True)) == expected
    assert len(found) == len(expected) > 20
    assert found["similarity"].is_monotonic_decreasing
    assert len(pairs_above(vectors, 1.5)) == 0
