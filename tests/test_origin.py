import numpy as np
import pandas as pd
import pytest

from peta_viz.origin import Origin, words_of


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["no", "YES"], ["no", "YES"]),
        ([None, "Yes"], ["No", "Yes"]),
        (["N", None], ["N", "Y"]),
        ([None, "TRUE"], ["FALSE", "TRUE"]),
        (["f", None], ["f", "t"]),
        ([0.0, None], [0, 1]),
        ([None, np.True_], [False, True]),
        ([None, None], [False, True]),
    ],
)
def test_a_column_is_written_as_it_was_and_a_lacking_word_as_its_other(cells, words):
    column = pd.Series(cells, dtype=object)
    there = column.notna().to_numpy()
    found = words_of(column, there & np.array([False, True]), there & np.array([True, False]))
    assert list(map(repr, found)) == list(map(repr, words))


def test_what_was_kept_is_found_again_and_nothing_else_is():
    origin = Origin(["a", "b"], "a", None, None, "b", "/x", {"b": ["n", "y"]})
    images = pd.DataFrame({"path": ["1"]})
    assert Origin.of(images) is None
    origin.keep(images)
    assert Origin.of(images.assign(more=1)[[True]]) == origin
    (key,) = images.attrs
    for odd in (None, [], {}, {**images.attrs[key], "words": {"b": ["n"]}}, {"columns": ["a"]}):
        assert Origin.of(images.copy().pipe(lambda f, o=odd: f.attrs.update({key: o}) or f)) is None
