import pytest

from peta_viz.words import counted


@pytest.mark.parametrize(
    ("count", "forms", "words"),
    [
        (1, ("image",), "1 image"),
        (0, ("image",), "0 images"),
        (12345, ("image",), "12,345 images"),
        (-1, ("image",), "-1 images"),
        (1, ("row is", "rows are"), "1 row is"),
        (2, ("row is", "rows are"), "2 rows are"),
    ],
)
def test_one_is_not_many(count, forms, words):
    assert counted(count, *forms) == words
