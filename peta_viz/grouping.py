"""Which rows belong together, for tables too long for a Python object per row."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype
from scipy.sparse import coo_array

Codes = np.ndarray[Any, np.dtype[np.int64]]

_GAPS = 4  # numbers that are no component's id, for each image


def number_components(component_id: "pd.Series[Any]") -> tuple[Codes, pd.Index]:
    """Give each component a number, in the order of their ids.

    Parameters
    ----------
    component_id
        Of each image, shape ``(images,)``, none empty.

    Returns
    -------
    tuple
        The number of each image's component (int64, shape ``(images,)``; the ids themselves where
        they are the numbers already), and the ids by number, ascending.

    """
    whole = is_integer_dtype(component_id.dtype) and len(component_id) > 0
    low, high = (int(component_id.min()), int(component_id.max())) if whole else (0, 0)
    if not whole or high - low >= _GAPS * len(component_id):
        codes, ids = pd.factorize(component_id, sort=True)
        return codes.astype(np.int64, copy=False), pd.Index(ids, name="component_id")
    # Whole numbers that lie close together need a table of them, and no hashing.
    numbers = component_id.to_numpy()
    there = np.zeros(high - low + 1, dtype=bool)
    there[numbers - low] = True
    found = (np.flatnonzero(there) + low).astype(numbers.dtype, copy=False)
    dense = low == 0 and len(found) == len(there)
    codes = numbers if dense else (np.cumsum(there) - 1)[numbers - low]
    return codes.astype(np.int64, copy=False), pd.Index(found, name="component_id")


def group_rows(codes: Codes, count: int) -> tuple[Codes, Codes]:
    """Put rows that belong together beside each other.

    Parameters
    ----------
    codes
        int64, shape ``(images,)``: the component of each image, from 0 to ``count − 1``.
    count
        How many components there are.

    Returns
    -------
    tuple of ndarray
        int32, shape ``(images,)``: the rows by component, ascending within one; and int32, shape
        ``(count + 1,)``: where each component starts among them, and the end.

    """
    # A sparse matrix is made by counting; sorting takes several times as long.
    rows = np.arange(len(codes), dtype=np.int32)
    places = (codes.astype(np.int32), rows)
    ones = np.ones(len(codes), dtype=bool)
    grouped = coo_array((ones, places), shape=(count, len(codes))).tocsr()
    return grouped.indices, grouped.indptr
