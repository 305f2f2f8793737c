"""Counts and lists in sentences."""

from collections.abc import Sequence


def counted(count: int, one: str, many: str = "") -> str:
    """Write a count with what is counted, in the form that fits it.

    Parameters
    ----------
    count
        How many.
    one, many
        What follows one, and what follows any other number; by default `one` with an s.

    Examples
    --------
    >>> counted(1, "image"), counted(1200, "image"), counted(0, "row is", "rows are")
    ('1 image', '1,200 images', '0 rows are')

    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def first_of(names: Sequence[str], most: int = 5) -> str:
    """Name the first ones of many, and say how many more there are.

    Examples
    --------
    >>> first_of(["red", "blue"]), first_of(["red", "blue", "green"], most=2)
    ('red, blue', 'red, blue and 1 more')

    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
