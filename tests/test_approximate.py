import numpy as np
import pytest

from peta_viz.approximate import approximate_pairs
from peta_viz.links import nearest_pairs


def _things(count, copies, features=24, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count // copies, features))
    noise = rng.normal(size=(count, features)) * 0.3
    return (np.repeat(centres, copies, axis=0) + noise).astype(np.float32)


def _sets(pairs):
    return pairs.groupby("first")["second"].apply(set)


def test_it_finds_the_share_that_is_wanted_and_says_truly_which():
    vectors = _things(3_000, 4)
    found = approximate_pairs(vectors, 10, recall=0.99, progress=False)
    exact, own = _sets(nearest_pairs(vectors, 10)), _sets(found.pairs)
    shares = [len(exact[row] & own[row]) / 10 for row in exact.index]
    assert np.mean(shares) > 0.985
    assert found.recall == pytest.approx(np.mean(shares), abs=0.01)
    assert found.recall >= 0.99


def test_more_effort_is_spent_where_more_is_wanted():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(4_000, 128)).astype(np.float32)  # as hard as can be
    careless = approximate_pairs(vectors, 10, recall=0.1, progress=False)
    thorough = approximate_pairs(vectors, 10, recall=0.995, progress=False)
    assert careless.recall < 0.98
    assert thorough.recall >= 0.995


def test_pairs_are_in_the_form_of_the_exact_search():
    vectors = np.vstack([_things(300, 3), _things(300, 3)])  # each twice: no row is its own pair
    found = approximate_pairs(vectors, 5, progress=False).pairs
    assert (found["first"] != found["second"]).all()
    assert found["first"].value_counts().eq(5).all()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = (unit[found["first"]] * unit[found["second"]]).sum(axis=1)
    assert np.allclose(found["similarity"], cosine, atol=1e-5)
    assert found.dtypes.astype(str).to_dict() == {
        "first": "int64",
        "second": "int64",
        "similarity": "float32",
    }


def test_a_handful_of_vectors_and_a_vector_of_zeros():
    vectors = np.array([[1, 0], [1, 0.1], [0, 0]], dtype=np.float32)
    found = approximate_pairs(vectors, 20, progress=False)
    assert _sets(found.pairs).to_dict() == {0: {1, 2}, 1: {0, 2}, 2: {0, 1}}
    assert found.recall == 1.0
    assert approximate_pairs(vectors[:1], 20, progress=False).pairs.empty
