"""Answers: yes or no to a label, or the class of an exclusive head; which are wrong, in words."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from peta_viz.imageset import Head, ImageSet
from peta_viz.quality.context import Floats, Mask, Rows

_BY_CONTEXT = "its other labels and looks make"
LISTED = 0.1  # answers that are less likely wrong are in no list that is written


class Answer(NamedTuple):
    """What an image is said to be, what it rather is, and why.

    Parameters
    ----------
    head
        The head of the label, empty if it has none.
    label
        The label, or the exclusive head itself.
    value, suggested
        Yes or no, or classes; empty where no other class is likely.
    reason
        The evidence in words.

    """

    head: str
    label: str
    value: str
    suggested: str
    reason: str


@dataclass(frozen=True)
class Question:
    """A label, or the classes of an exclusive head.

    Parameters
    ----------
    labels, columns
        Which labels it is about, and their columns.
    head
        Their head, if any.

    """

    labels: list[str]
    columns: list[int]
    head: Head | None

    @property
    def classes(self) -> list[str] | None:
        """What its classes are called; none where yes or no are the answers."""
        if self.head is None or self.head.kind != "exclusive":
            return None
        names = dict(zip(self.head.labels, self.head.short, strict=True))
        return [names[label] for label in self.labels]

    @property
    def name(self) -> str:
        """The label, or the exclusive head."""
        return self.labels[0] if self.classes is None or self.head is None else self.head.name

    def value(self, own: Mask) -> str:
        """Return what an image answers that carries these labels: yes, no, or classes."""
        if self.classes is None:
            return "yes" if own[0] else "no"
        carried = [name for name, is_own in zip(self.classes, own, strict=True) if is_own]
        return ", ".join(carried) or "none"

    def answer(self, own: Mask, right: Floats, expected: Floats, copies: Mask) -> Answer:
        """Say what an image answers, what it should answer, and why.

        Parameters
        ----------
        own, right, expected
            Of each label: does the image carry it, how likely that is right (NaN where it is not
            known), and how likely it is without near-copies.
        copies
            What its near-copies carry: bool, shape ``(near-copies, labels)``.

        """
        agreeing = int((copies == own).all(axis=1).sum())
        needs_context = 2 * agreeing >= len(copies)
        if self.classes is None:
            suggested = "no" if own[0] else "yes"
            words = [_having(int(copies.sum()), len(copies))] if len(copies) else []
            if needs_context:
                words.append(f"{_BY_CONTEXT} it {_percent(expected[0])} likely")
        else:
            likely = np.where(own, right, 1 - right)
            likely[np.isnan(right) | (own & (own.sum() == 1))] = 0
            best = int(likely.argmax())
            suggested = self.classes[best] if likely[best] >= LISTED else ""
            words = [self._classes_of(copies)] if len(copies) else []
            words += self._not_one(own, right)
            if not words or (len(copies) and needs_context):
                told = [*np.flatnonzero(own), *([best] if suggested and not own[best] else [])]
                shares = expected / expected.sum()  # each was expected by itself
                each = " and ".join(f"{self.classes[at]} {_percent(shares[at])}" for at in told)
                words.append(f"{_BY_CONTEXT} {each} likely")
        if len(copies) == 1 and not agreeing:
            words[0] += " (one of the two is wrong, or they show different things)"
        head = self.head.name if self.head else ""
        return Answer(head, self.name, self.value(own), suggested, "; ".join(words))

    def _not_one(self, own: Mask, right: Floats) -> list[str]:
        if own.sum() > 1:
            return ["it has several answers"]
        return [] if own.any() or np.isnan(right).any() else ["it has no answer here at all"]

    def _classes_of(self, copies: Mask) -> str:
        counts = Counter(self.value(own) for own in copies)
        if len(copies) == 1:
            return f"its only near-copy is {next(iter(counts))}"
        if len(counts) == 1:
            return f"all of {len(copies)} near-copies are {next(iter(counts))}"
        each = [f"{n} {'is' if n == 1 else 'are'} {name}" for name, n in counts.most_common()]
        return f"of {len(copies)} near-copies {', '.join(each)}"


@dataclass(frozen=True)
class Questions:
    """What images are asked, in the order of the first labels.

    Parameters
    ----------
    all
        Each label that is in no exclusive head, and each exclusive head.

    """

    all: list[Question]

    @classmethod
    def of(cls, imageset: ImageSet) -> Self:
        """Take the questions of an image set."""
        heads = {label: head for head in imageset.heads for label in head.labels}
        found: dict[str | int, Question] = {}
        for column, label in enumerate(imageset.labels.columns):
            head = heads.get(label)
            key = head.name if head and head.kind == "exclusive" else column
            question = found.setdefault(key, Question([], [], head))
            question.labels.append(label)
            question.columns.append(column)
        return cls(list(found.values()))

    def __getitem__(self, name: str) -> Question:
        """Return the question about a label or exclusive head of that name."""
        return self._by_name[name]

    def least(self, scores: Floats) -> Floats:
        """Return the least score of each question: ``(images, questions)``, infinite if unknown."""
        given = np.where(np.isnan(scores), np.float32(np.inf), scores)
        return np.asarray(np.minimum.reduceat(given[:, self._order], self._starts, axis=1))

    def any(self, cells: Mask) -> Mask:
        """Tell of which questions any label holds: ``(images, questions)``."""
        return np.asarray(np.logical_or.reduceat(cells[:, self._order], self._starts, axis=1))

    @cached_property
    def _by_name(self) -> dict[str, Question]:
        return {one.name: one for one in self.all}

    @cached_property
    def _order(self) -> Rows:
        return np.array([column for one in self.all for column in one.columns])

    @cached_property
    def _starts(self) -> Rows:
        return np.cumsum([0, *(len(one.columns) for one in self.all[:-1])])


def _having(yes: int, count: int) -> str:
    if count == 1:
        return f"its only near-copy {'has it' if yes else 'does not have it'}"
    if yes in {0, count}:
        return f"{'all' if yes else 'none'} of {count} near-copies have it"
    return f"{yes} of {count} near-copies have it"


def _percent(share: float) -> str:
    """Return an estimate in words that do not make it sure."""
    least = 0.01
    if share < least:
        return "less than 1%"
    return "more than 99%" if share > 1 - least else f"{share:.0%}"
