import numpy as np
import pytest

from peta_viz.rules import (
    ABOVE_0,
    TEXT,
    YES_NO,
    list_of,
    number,
    one_of,
    problems_with,
    shown,
    whole,
)

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (whole(1, 5), [1, 5, np.int64(3)], [0, 6, 2.0, True, "2", None, NAN, 10**40]),
        (number(0, 1), [0, 1, 0.5, np.float32(0.5)], [-0.1, 1.1, NAN, INFINITE, "0.5", True, 1j]),
        (ABOVE_0, [0.001, 1], [0, -1, NAN, INFINITE, 10**400]),
        (one_of(("a", "b")), ["a"], ["", "c", None, ["a"], {}]),
        (list_of(whole(0, 9)), [[], [1, 2], (3,)], [1, "12", [1, "2"], None]),
        (list_of(whole(0, 9), least=1), [[1]], [[], [10]]),
        (whole(1, 5).or_none(), [None, 1], [0]),
        (TEXT, ["", "a\nb", "\u00e9"], ["a\0b", "\ud800", b"a", 1, None]),
        (YES_NO, [True, False], [0, 1, "yes", None, np.array([True, False])]),
    ],
)
def test_a_rule_takes_values_of_any_type(rule, good, bad):
    assert [value for value in good if not rule.fits(value)] == []
    assert [value for value in bad if rule.fits(value)] == []


def test_all_that_does_not_fit_is_told():
    rules = {"a": whole(1, 5), "b": one_of(("x", "y")), "c": YES_NO}
    assert problems_with({"a": 9, "b": "z", "c": True, "d": 1}, rules) == [
        "a must be a whole number from 1 to 5, but is 9",
        "b must be x or y, but is 'z'",
    ]


def test_a_long_or_odd_value_is_shown_in_a_few_words():
    assert len(shown("x" * 10**6)) < 100
    shown("\ud800").encode()
