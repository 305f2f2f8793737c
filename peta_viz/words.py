"""Counts in sentences."""


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
