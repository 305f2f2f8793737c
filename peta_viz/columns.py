"""Which columns of a table are what, guessed from what is in them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from peta_viz.errors import InvalidDataError
from peta_viz.images import EXTENSIONS
from peta_viz.tables import in_words, is_yes_no

# Of a corrected table: what was decided about an image is no label of it.
_MARKS = {"label_error", "model_mistake"}
_DECIDED = {"component_id", "verdict", "note"}


def fill_columns(
    frame: pd.DataFrame,
    path: str | None = None,
    labels: Sequence[str] = (),
    classes: Sequence[str] = (),
    others: Iterable[str | None] = (),
) -> tuple[str, Sequence[str], Sequence[str]]:
    """Return the columns of a table that were named, and guess what was not.

    Labels and classes are guessed only where neither is named, and never among `others`.

    Returns
    -------
    path : str
        The first column most of whose texts end like image files.
    labels : sequence of str
        Columns of yes and no, as `ImageSet.from_frame` takes them.
    classes : sequence of str
        Other columns of text with 2 to 50 values, each of them ten times on average.

    Raises
    ------
    InvalidDataError
        If no column looks like image files, or none like labels.

    """
    frame = frame.loc[:, ~frame.columns.duplicated()]
    given = _texts(frame)
    files = _like_images(given)
    if not labels and not classes:
        taken = {path, *files, *others}
        if set(frame.columns) >= _MARKS:
            taken |= _MARKS | _DECIDED
        labels = [
            n
            for n in frame.columns
            if n not in taken and frame[n].notna().any() and is_yes_no(frame[n].dropna())
        ]
        classes = [
            n
            for n, told in given.items()
            if n not in {*taken, *labels} and 2 <= told.nunique() <= min(50, len(frame) / 10)  # noqa: PLR2004
        ]
    problems = []
    if path is None and not files:
        problems.append("no column looks like image files: name it with path=…")
    if not labels and not classes:
        problems.append("no column looks like labels: name them with labels=… or classes=…")
    if problems:
        columns = ", ".join(map(repr, frame.columns))
        raise InvalidDataError("the table", [*problems, f"the columns are {columns}"])
    return path or files[0], labels, classes


def lookalikes(names: Iterable[str]) -> list[list[str]]:
    """Return names that differ in case, blanks, hyphens or underscores only, put together.

    Examples
    --------
    >>> lookalikes(["red", "dark red", "Red ", "blue", "dark-red"])
    [['red', 'Red '], ['dark red', 'dark-red']]

    """
    alike: dict[str, list[str]] = {}
    for name in names:
        plain = unicodedata.normalize("NFKC", name).casefold()
        alike.setdefault(re.sub(r"[\s_-]+", "", plain), []).append(name)
    return [together for together in alike.values() if len(together) > 1]


def image_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns most of whose texts end like image files."""
    return _like_images(_texts(frame))


def guessed_words(options: str, others: Sequence[str] = ()) -> str:
    """Say that columns were guessed, which options to give to change that, and what is left out.

    Parameters
    ----------
    options
        What was guessed, as options to give again.
    others
        The columns that were taken for no labels.

    """
    words = f"columns were guessed; if one is no label, leave it out of: {options}"
    left = ", ".join(map(repr, others))
    return f"{words}\nnot taken for labels: {left}; name what is one" if others else words


def _texts(frame: pd.DataFrame) -> "dict[str, pd.Series[str]]":
    columns = frame.columns[~frame.columns.duplicated()]
    texts = [n for n in columns if not pd.api.types.is_numeric_dtype(frame[n])]
    return {n: in_words(frame[n].dropna()) for n in texts}


def _like_images(texts: "Mapping[str, pd.Series[str]]") -> list[str]:
    ends = tuple(EXTENSIONS)
    return [
        n
        for n, told in texts.items()
        if told.str.lower().str.endswith(ends).mean() > 0.5  # noqa: PLR2004
    ]
