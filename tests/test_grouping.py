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
