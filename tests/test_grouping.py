import numpy as np
import pandas as pd
import pytest

from peta_viz.grouping import group_rows, number_components


@pytest.mark.parametrize(
    "ids",
    [
        [2, 0, 1, 2],
        [7, 5, 5, 9],
        [-3, 4, -3, 0],
        [10**12, 5, 10**12, 6],
        ["b", "a", "b", "c"],
        pd.array([3, 1, 1, 2], dtype="Int64"),
        np.array([200, 250, 200, 201], dtype=np.uint8),
    ],
)
def test_components_are_numbered_in_the_order_of_their_ids(ids):
    codes, index = number_components(pd.Series(ids))
    wanted, uniques = pd.factorize(pd.Series(ids), sort=True)
    assert codes.tolist() == wanted.tolist()
    assert index.tolist() == uniques.tolist()
    assert codes.dtype == np.int64


def test_rows_are_grouped_in_their_order():
    codes = np.random.default_rng(0).integers(0, 40, 300)
    order, starts = group_rows(codes, 41)
    assert order.tolist() == np.argsort(codes, kind="stable").tolist()
    assert starts.tolist() == [0, *np.cumsum(np.bincount(codes, minlength=41))]


def test_ids_far_apart_take_no_table():
    ids = pd.Series([0, 2**60, 0, 5])
    codes, index = number_components(ids)
    assert codes.tolist() == [0, 2, 0, 1]
    assert index.name == "component_id"


def test_no_row_has_no_component():
    codes, index = number_components(pd.Series([], dtype="int64"))
    assert codes.dtype == np.int64
    assert len(codes) == len(index) == 0


def test_numbers_that_are_the_ids_already_are_not_copied():
    ids = pd.Series([1, 0, 2, 1])
    codes, index = number_components(ids)
    assert np.shares_memory(codes, ids.to_numpy())
    assert index.name == "component_id"
