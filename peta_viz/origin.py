"""How the user's own table was written, so that corrected labels can be written the same way."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from peta_viz.rules import TEXT, Rule, list_of, problems_with

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Word = bool | int | str

_KEY = "peta_viz.table"
_WORD = Rule("a word or number", lambda value: isinstance(value, bool | int | str))
_WORDS = Rule("two words", lambda pair: list_of(_WORD, least=2).fits(pair) and len(pair) == 2)  # noqa: PLR2004
_RULES = {
    "columns": list_of(TEXT),
    "path": TEXT,
    **dict.fromkeys(("image_id", "subset", "person_id", "root"), TEXT.or_none()),
    "words": Rule(
        "words by column",
        lambda told: isinstance(told, dict) and all(map(_WORDS.fits, told.values())),
    ),
}
# What says no, and what says yes.
_PAIRS = (("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("0", "1"))


@dataclass(frozen=True)
class Origin:
    """How a table was written; it is kept in the attributes of `ImageSet.images`, and on disk.

    Parameters
    ----------
    columns
        All columns, in order.
    path, image_id, subset, person_id
        Which columns these were; None without one.
    root
        The folder that relative paths started from.
    words
        By column of yes and no, what said no and what said yes there.

    """

    columns: list[str]
    path: str
    image_id: str | None
    subset: str | None
    person_id: str | None
    root: str | None
    words: dict[str, list[Word]]

    def keep(self, images: pd.DataFrame) -> None:
        """Write it into the attributes of a frame."""
        images.attrs[_KEY] = asdict(self)

    @classmethod
    def of(cls, images: pd.DataFrame) -> Self | None:
        """Return what was kept, or None where there is nothing of the kind."""
        told = images.attrs.get(_KEY)
        if not isinstance(told, dict) or problems_with(told, _RULES) or set(told) != set(_RULES):
            return None
        return cls(**told)


def words_of(column: "pd.Series[Any]", yes: Mask, no: Mask) -> list[Word]:
    """Return how a column writes no and yes, by the first cells that do.

    Parameters
    ----------
    column
        A column of yes and no.
    yes, no
        Which cells say so: bool, shape ``(rows,)``.

    """
    says_no, says_yes = (
        _plain(column.iloc[mask.argmax()]) if mask.any() else None for mask in (no, yes)
    )
    if says_no is None and says_yes is None:
        return [False, True]
    return [
        _opposite(says_yes) if says_no is None else says_no,
        _opposite(says_no) if says_yes is None else says_yes,
    ]


def _plain(cell: Any) -> Word:
    if isinstance(cell, str | bool):
        return cell
    return bool(cell) if isinstance(cell, np.bool_) else int(cell)


def _opposite(word: Word | None) -> Word:
    """Return the other word of a pair, as if the same hand wrote it."""
    if not isinstance(word, str):
        return not word if isinstance(word, bool) else int(not word)
    pair = next(pair for pair in _PAIRS if word.strip().lower() in pair)
    other = pair[0] if word.strip().lower() == pair[1] else pair[1]
    return other.upper() if word.isupper() else other.title() if word.istitle() else other
