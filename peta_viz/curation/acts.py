"""Acts: what a person did, and what stands when all of it is told in order."""

from bisect import insort
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

Field = Literal["label", "image", "component", "mark", "note"]
Kind = Literal[
    "relabel", "accept", "split", "join", "drop", "restore", "mark", "note", "undo", "redo"
]
Mark = Literal["good", "bad", "unsure", "label error", "model mistake"]
FIELDS: tuple[Field, ...] = get_args(Field)
KINDS: tuple[Kind, ...] = get_args(Kind)
MARKS: tuple[Mark, ...] = get_args(Mark)
Order = tuple[str, str]
LAST: Order = ("\U0010ffff", "")
VERDICTS: tuple[Mark, ...] = ("good", "bad", "unsure")  # at most one of them


class Cell(NamedTuple):
    """What can be changed: one field of one image.

    Parameters
    ----------
    image_id
        The image.
    field
        ``"label"`` (``yes``, ``no``, ``unknown``), ``"image"`` (``in``, ``out``), ``"component"``
        (a text that images of one thing share), ``"mark"`` (``yes``, ``no``) or ``"note"``.
    label
        The name of the label or mark, else empty.

    """

    image_id: str
    field: Field
    label: str = ""


class Change(NamedTuple):
    """One cell, before and after."""

    cell: Cell
    before: str
    after: str


@dataclass(frozen=True)
class Act:
    """What a person does to a component, in one go.

    Parameters
    ----------
    kind
        What it is.
    component_id
        The component as the image set has it.
    images
        Its images.
    changes
        What it changes; an act may change nothing ("these labels are right").
    settles
        Is the person through with the component after it?
    target
        For ``"undo"`` and ``"redo"``: the id of the act.
    queue
        The name of the queue that brought the component.
    blind
        Were predictions, flags and other people's decisions hidden?
    probability
        With which probability was the component drawn, if it was drawn?
    seconds
        How long the person had looked at it.

    """

    kind: Kind
    component_id: int
    images: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    settles: bool = False
    target: str = ""
    queue: str = ""
    blind: bool = False
    probability: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Entry:
    """An act as it stands in a log.

    Parameters
    ----------
    act
        What was done.
    id
        Unique among all logs.
    at
        When, UTC, as ISO 8601 with microseconds; rises from entry to entry of a log.
    person
        Who did it.
    number
        The place in the log, from 1; 0 where it is in none.

    """

    act: Act
    id: str
    at: str
    person: str
    number: int = 0

    @property
    def order(self) -> Order:
        """What entries are told in the order of, whatever log they come from."""
        return (self.at, self.id)


class Ledger:
    """What stands after all acts that were not taken back.

    Entries may be added in any order: they are told by time, and the last one that touches a cell
    decides it. An act that was undone is passed over, as if it had not been.

    Parameters
    ----------
    entries
        The first ones; `add` takes more.

    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries: dict[str, Entry] = {}
        self._told: list[tuple[tuple[str, str], Entry]] = []
        self._history: dict[Cell, list[tuple[tuple[str, str], str]]] = {}
        self._touched: dict[str, set[Cell]] = {}
        self._switches: dict[str, list[tuple[tuple[str, str], Kind]]] = {}
        self.add(entries)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take more entries; those that are known are passed over."""
        for entry in entries:
            if entry.id in self.entries:
                continue
            self.entries[entry.id] = entry
            insort(self._told, (entry.order, entry), key=lambda told: told[0])
            if entry.act.target:
                insort(
                    self._switches.setdefault(entry.act.target, []), (entry.order, entry.act.kind)
                )
            for change in entry.act.changes:
                insort(self._history.setdefault(change.cell, []), (entry.order, change.after))
                self._touched.setdefault(change.cell.image_id, set()).add(change.cell)

    def touched(self, image_id: str) -> Collection[Cell]:
        """Return the cells of an image that any act changed, taken back or not."""
        return self._touched.get(image_id, ())

    def is_active(self, entry_id: str, until: Order = LAST) -> bool:
        """Tell whether an act was not taken back (until then), or taken back and done again."""
        switches = [kind for order, kind in self._switches.get(entry_id, ()) if order <= until]
        return not switches or switches[-1] == "redo"

    def value(self, cell: Cell, until: Order = LAST) -> str | None:
        """Return what a cell was set to (until then), or None where it is as it was."""
        for order, after in reversed(self._history.get(cell, ())):
            if order <= until and self.is_active(order[1], until):
                return after
        return None

    def standing(self) -> Mapping[Cell, tuple[str, Entry]]:
        """Return what all touched cells were set to, and by what; sorted by cell."""
        found = {}
        for cell in sorted(self._history):
            for (_, entry_id), after in reversed(self._history[cell]):
                if self.is_active(entry_id):
                    found[cell] = (after, self.entries[entry_id])
                    break
        return found

    def before(self, cell: Cell) -> str:
        """Return what a touched cell was before anybody changed it."""
        (_, first), _ = self._history[cell][0]
        return next(c.before for c in self.entries[first].act.changes if c.cell == cell)

    def told(self) -> list[Entry]:
        """Return all entries in order of time."""
        return [entry for _, entry in self._told]

    def acts(self) -> list[Entry]:
        """Return the acts that stand, in order of time, without undo and redo."""
        return [one for one in self.told() if not one.act.target and self.is_active(one.id)]

    def switchable(self, person: str) -> tuple[Entry | None, Entry | None]:
        """Return the act that a person would take back next, and the one they would do again."""
        own = ((e.id, e.act.kind, e.act.target) for _, e in self._told if e.person == person)
        done, undone = (self.entries[ids[-1]] if ids else None for ids in undo_stacks(own))
        return done, undone


def blindly(entries: Iterable[Entry]) -> list[Entry]:
    """Keep what was done blindly, and all undo and redo: it may be taken back otherwise."""
    return [entry for entry in entries if entry.act.blind or entry.act.target]


def undo_stacks(entries: Iterable[tuple[str, str, str]]) -> tuple[list[str], list[str]]:
    """Find what can be taken back and what can be done again, the next one last.

    Parameters
    ----------
    entries
        Id, kind and target of one person's entries, in order of time.

    """
    done: list[str] = []
    undone: list[str] = []
    for entry_id, kind, target in entries:
        if not target:
            done.append(entry_id)
            undone.clear()
        elif kind == "undo" and _taken(done, target):
            undone.append(target)
        elif kind == "redo" and _taken(undone, target):
            done.append(target)
    return done, undone


def _taken(stack: list[str], wanted: str) -> bool:
    """Take an entry off a stack, where it nearly always lies on top, and say if it was there."""
    if stack and stack[-1] == wanted:
        stack.pop()
        return True
    if wanted in stack:
        stack.remove(wanted)
        return True
    return False


def normal_time(text: str) -> str:
    """Return a time as logs have it: UTC, ISO 8601, with microseconds.

    Raises
    ------
    ValueError
        If it is no such time, or does not say in which zone.

    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text!r} does not say in which zone it is")
    try:
        return time.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise ValueError(f"the time {text!r} is none in UTC") from error
