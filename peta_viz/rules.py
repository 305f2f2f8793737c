"""What a setting may be, in words and as a check; for settings that people type."""

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHOWN = 80


@dataclass(frozen=True)
class Rule:
    """What a setting may be.

    Parameters
    ----------
    words
        As it goes on from "must be", such as ``"from 0 to 1"``.
    fits
        Tells whether a value is allowed; takes values of any type.

    """

    words: str
    fits: Callable[[Any], bool]

    def or_none(self) -> "Rule":
        """Return the rule that lets None pass as well."""
        return Rule(f"{self.words}, or None", lambda value: value is None or self.fits(value))


def whole(low: int, high: int) -> Rule:
    """Allow whole numbers from `low` to `high`."""
    return Rule(f"a whole number from {low} to {high}", lambda v: is_whole(v) and low <= v <= high)


def number(low: float, high: float) -> Rule:
    """Allow numbers from `low` to `high`."""
    return Rule(f"a number from {low:g} to {high:g}", lambda v: is_number(v) and low <= v <= high)


def one_of(names: Sequence[str]) -> Rule:
    """Allow some words."""
    words = f"{', '.join(names[:-1])} or {names[-1]}"
    return Rule(words, lambda value: isinstance(value, str) and value in names)


def list_of(rule: Rule, *, least: int = 0) -> Rule:
    """Allow lists whose members fit a rule."""
    words = (
        f"a list, each member {rule.words}"
        if not least
        else f"a list of {least} or more, each {rule.words}"
    )
    return Rule(
        words,
        lambda value: (
            isinstance(value, list | tuple) and len(value) >= least and all(map(rule.fits, value))
        ),
    )


YES_NO = Rule("True or False", lambda value: isinstance(value, bool))
TEXT = Rule("text", lambda value: isinstance(value, str) and _is_sound(value))
ABOVE_0 = Rule(
    "a number above 0, at most 100",
    lambda value: is_number(value) and 0 < value <= 100,  # noqa: PLR2004
)
SEED = whole(0, 2**32 - 1)


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number; True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return is_whole(value) or math.isfinite(value)


def problems_with(given: Mapping[str, Any], rules: Mapping[str, Rule]) -> list[str]:
    """Return a sentence for each setting that its rule does not allow."""
    return [
        f"{name} must be {rules[name].words}, but is {shown(value)}"
        for name, value in given.items()
        if name in rules and not rules[name].fits(value)
    ]


def shown(value: Any) -> str:
    """Write a value that may be anything, in a few words."""
    text = repr(value).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_sound(text: str) -> bool:
    """Tell whether a text can be written in UTF-8, and name a file or column."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)
