"""One component as it now stands, and the acts that can be done to it."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from peta_viz.curation.acts import VERDICTS, Act, Cell, Change, Kind, Ledger, Mark
from peta_viz.errors import InvalidDataError, PetaVizError
from peta_viz.imageset import Head, ImageSet
from peta_viz.links import Links, connect
from peta_viz.rules import shown
from peta_viz.tables import meant
from peta_viz.words import first_of

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Rows = np.ndarray[Any, np.dtype[np.int64]]
YES, NO, UNKNOWN = _VALUES = ("yes", "no", "unknown")


class NothingToDoError(PetaVizError):
    """What was asked for would change nothing; the message says why."""


@dataclass(frozen=True, eq=False)
class Case:
    """A component as the image set has it, with what was decided about it.

    Parameters
    ----------
    component_id
        Its id.
    ids
        The ids of its images.
    rows
        int64, shape ``(images,)``: their rows in the image set.
    heads
        The heads; labels in no head are each looked at on their own.
    names
        The labels, in the order of the columns.
    labels, known
        bool, shape ``(images, labels)``: as they now are.
    kept
        bool, shape ``(images,)``: which images were not dropped.
    groups
        int64, shape ``(images,)``: 0 for what is still the component, 1, 2, … for what was split
        off, in the order of the images.
    ledger
        What was decided.

    """

    component_id: int
    ids: tuple[str, ...]
    rows: Rows
    heads: tuple[Head, ...]
    names: tuple[str, ...]
    labels: Mask
    known: Mask
    kept: Mask
    groups: Rows
    ledger: Ledger

    @classmethod
    def of(cls, imageset: ImageSet, ledger: Ledger, component_id: int, rows: Rows) -> Self:
        """Take the images of a component, at these rows of the image set."""
        ids = tuple(imageset.images.index[rows])
        names = tuple(map(str, imageset.labels.columns))
        labels = imageset.labels.to_numpy()[rows]
        known = imageset.known.to_numpy()[rows]
        kept = np.ones(len(rows), dtype=bool)
        home = [str(component_id)] * len(rows)
        column = {name: place for place, name in enumerate(names)}
        for row, image_id in enumerate(ids):
            for cell in ledger.touched(image_id):
                now = ledger.value(cell)
                if now is None:
                    continue
                if cell.field == "label" and cell.label in column:
                    labels[row, column[cell.label]] = now == YES
                    known[row, column[cell.label]] = now != UNKNOWN
                elif cell.field == "image":
                    kept[row] = now == "in"
                elif cell.field == "component":
                    home[row] = now
        return cls(
            int(component_id),
            ids,
            rows,
            imageset.heads,
            names,
            labels,
            known,
            kept,
            _numbered(component_id, home),
            ledger,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def value(self, cell: Cell) -> str:
        """Return what a cell now is."""
        place = self.ids.index(cell.image_id)
        if cell.field == "label":
            column = self.names.index(cell.label)
            if not self.known[place, column]:
                return UNKNOWN
            return YES if self.labels[place, column] else NO
        if cell.field == "image":
            return "in" if self.kept[place] else "out"
        before = {"mark": NO, "note": "", "component": str(self.component_id)}[cell.field]
        now = self.ledger.value(cell)
        return before if now is None else now

    def contested(self) -> Mask:
        """Find the labels that images of one group, dropped ones aside, do not agree about.

        Returns
        -------
        ndarray
            bool, shape ``(labels,)``.

        """
        found = np.zeros(len(self.names), dtype=bool)
        for members in self._parts():
            carried = (self.labels & self.known)[members].sum(axis=0)
            found |= (carried > 0) & (carried < self.known[members].sum(axis=0))
        return found

    def accept(self, head: str = "", **where: Any) -> Act:
        """Give all images of each group what more than half of them carry; the rest stays.

        What is not known of an image stays so.

        Parameters
        ----------
        head
            Of one head alone; a label that is in no head goes by its own name. By default of all.
        where
            `queue`, `blind`, `probability` and `seconds` of the act.

        Raises
        ------
        NothingToDoError
            If images do not agree, and nowhere more than half of them do.

        """
        wanted = self.labels.copy()
        for own in self._label_groups(head):
            columns = [self.names.index(label) for label in own.labels]
            for members in self._parts():
                self._settle(wanted, members, columns, exclusive=own.kind == "exclusive")
        changed = (wanted != self.labels) & self.known
        if not changed.any() and self.contested()[self._columns(head)].any():
            raise NothingToDoError("there is no majority: choose the image that has it right")
        return self._act("accept", list(self._relabelled(changed, wanted)), where)

    def copy(self, image_id: str, head: str = "", **where: Any) -> Act:
        """Give all images of a group what one of them carries; what is not known of it stays.

        Parameters
        ----------
        image_id
            The image that has it right.
        head, where
            As for `accept`.

        Raises
        ------
        NothingToDoError
            If they all carry it already.

        """
        model = self.ids.index(image_id)
        wanted = self.labels.copy()
        members = np.flatnonzero(self.kept & (self.groups == self.groups[model]))
        for own in self._label_groups(head):
            columns = np.array([self.names.index(label) for label in own.labels])
            columns = columns[self.known[model, columns]]
            wanted[np.ix_(members, columns)] = self.labels[model, columns]
        changed = (wanted != self.labels) & self.known
        if not changed.any():
            raise NothingToDoError("they all carry what this one does")
        return self._act("accept", list(self._relabelled(changed, wanted)), where)

    def relabel(
        self, label: str, value: str, images: Iterable[str] | None = None, **where: Any
    ) -> Act:
        """Set a label of some images, by default of all that were not dropped.

        In an exclusive head a yes takes the other classes away.

        Parameters
        ----------
        label
            Its name, or that of an exclusive head.
        value
            ``"yes"``, ``"no"`` or ``"unknown"``, or the class of that head.
        images
            Their ids.
        where
            As for `accept`.

        Raises
        ------
        NothingToDoError
            If all of them have it already.
        InvalidDataError
            If there is no such label or value.

        """
        if label not in self.names:
            label, value = self._class(label, value)
        problems = []
        if label not in self.names:
            heads = [head.name for head in self.heads if head.kind == "exclusive"]
            known = [*heads, *self.names]
            what = "label or head" if heads else "label"
            close = meant(label, known)
            problems.append(f"there is no {what} {shown(label)}{close}; there are {_some(known)}")
        elif value not in _VALUES:
            problems.append(f"a value is one of {', '.join(_VALUES)}, but this is {shown(value)}")
        if problems:
            raise InvalidDataError("the correction", problems)
        chosen = self._chosen(images)
        others: Sequence[str] = ()
        for head in self.heads:
            if head.kind == "exclusive" and label in head.labels and value == YES:
                others = [other for other in head.labels if other != label]
        wanted = [(label, value), *((other, NO) for other in others)]
        changes = [
            change
            for image_id in chosen
            for name, now in wanted
            for change in self._change(Cell(image_id, "label", name), now)
        ]
        if not changes:
            raise NothingToDoError(f"{label} is {value} there already")
        return self._act("relabel", changes, where)

    def _class(self, name: str, value: str) -> tuple[str, str]:
        """Return the label of a class, and yes; the same again if there is no such head."""
        for head in self.heads:
            if head.name == name and head.kind == "exclusive":
                if value in head.by_short:
                    return head.by_short[value], YES
                words = f"{name} is one of {_some(head.short)}, but this is {shown(value)}"
                raise InvalidDataError("the correction", [words])
        return name, value

    def split(self, images: Iterable[str], **where: Any) -> Act:
        """Say that these images show something else than the others of their group.

        Whole groups that were split off before go back to where they came from.

        Raises
        ------
        NothingToDoError
            If none is named, or all that were never split off.

        """
        chosen = list(images)
        if not chosen:
            raise NothingToDoError("choose the images that show something else")
        inside = np.isin(self.ids, chosen)
        touched = np.unique(self.groups[inside])
        whole = [bool(inside[self.groups == group].all()) for group in touched]
        if all(whole) and 0 not in touched:
            home = str(self.component_id)
            changes = [c for one in chosen for c in self._change(Cell(one, "component"), home)]
            return self._act("join", changes, where)
        if any(whole):
            raise NothingToDoError("these are all images of their group: leave one of them out")
        name = f"{self.component_id}/{uuid.uuid4().hex[:8]}"
        changes = [c for one in chosen for c in self._change(Cell(one, "component"), name)]
        return self._act("split", changes, where)

    def suggest_split(self, links: Links | None) -> list[str]:
        """Propose which images to split off.

        Of the largest group it takes what hangs on its weakest link, the smaller side. Without
        links it takes the images whose labels are not the commonest row.

        Returns
        -------
        list of str
            Their ids; empty if nothing tells the images apart.

        """
        parts = [members for members in self._parts() if len(members) > 1]
        if not parts:
            return []
        members = max(parts, key=len)
        if links is not None:
            return [self.ids[place] for place in self._weak_side(members, links)]
        rows = self.labels[members] * 2 + self.known[members]
        _, kinds, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        other = kinds.ravel() != counts.argmax()
        return [self.ids[place] for place in members[other]]

    def drop(self, images: Iterable[str], **where: Any) -> Act:
        """Take images out of the set; those that are out all of them: back in.

        Raises
        ------
        NothingToDoError
            If none is named.

        """
        chosen = list(images)
        if not chosen:
            raise NothingToDoError("choose the images to drop")
        back = not self.kept[np.isin(self.ids, chosen)].any()
        now, kind = ("in", "restore") if back else ("out", "drop")
        changes = [change for one in chosen for change in self._change(Cell(one, "image"), now)]
        return self._act(kind, changes, where)  # type: ignore[arg-type]

    def mark(self, mark: Mark, images: Iterable[str] | None = None, **where: Any) -> Act:
        """Set a mark, or take it away where all of them have it; of verdicts there is one."""
        chosen = self._chosen(images)
        now = NO if all(self.value(Cell(one, "mark", mark)) == YES for one in chosen) else YES
        wanted = {mark: now}
        if now == YES and mark in VERDICTS:
            wanted |= {other: NO for other in VERDICTS if other != mark}
        changes = [
            change
            for one in chosen
            for name, value in wanted.items()
            for change in self._change(Cell(one, "mark", name), value)
        ]
        return self._act("mark", changes, where)

    def note(self, text: str, **where: Any) -> Act:
        """Write a note about the component.

        Raises
        ------
        NothingToDoError
            If it says so already.

        """
        changes = [c for one in self.ids for c in self._change(Cell(one, "note"), text)]
        if not changes:
            raise NothingToDoError("the note is as it was")
        return self._act("note", changes, where)

    def settled_by(self, act: Act) -> bool:
        """Tell whether a person is through with the component after an act.

        They are when images were given what others of them carry and nothing is contested any
        more, when a verdict was given, and when no image is left.
        """
        if act.kind == "mark":
            return any(c.cell.label in VERDICTS and c.after == YES for c in act.changes)
        if act.kind not in ("accept", "drop"):
            return False
        then = self.after(act)
        return not then.kept.any() if act.kind == "drop" else not then.contested().any()

    def after(self, act: Act) -> Self:
        """Return the component as it is after an act on labels, on images, or on their groups."""
        labels, known, kept = self.labels.copy(), self.known.copy(), self.kept.copy()
        home = [self.value(Cell(one, "component")) for one in self.ids]
        for cell, _, after in act.changes:
            place = self.ids.index(cell.image_id)
            if cell.field == "image":
                kept[place] = after == "in"
            elif cell.field == "label":
                column = self.names.index(cell.label)
                labels[place, column] = after == YES
                known[place, column] = after != UNKNOWN
            elif cell.field == "component":
                home[place] = after
        groups = _numbered(self.component_id, home)
        return replace(self, labels=labels, known=known, kept=kept, groups=groups)

    def complete(self, act: Act, actual: "Case") -> Act:
        """Let an act that settles a component decide all of it, also what was hidden.

        Who looks blindly does not see what was decided otherwise. What they saw is what they
        settled: without this the component would be theirs in some cells and not in others.

        Parameters
        ----------
        act
            What was done to this case.
        actual
            The component with all that was decided.

        """
        right = act.kind in ("accept", "drop") or any(
            (change.cell.label, change.after) == ("good", YES) for change in act.changes
        )
        if not act.settles or not right:
            return act
        decided = {change.cell: change.after for change in act.changes}
        hidden = [
            Change(cell, actual.value(cell), self.value(cell))
            for one in self.ids
            for cell in sorted(actual.ledger.touched(one))
            if cell.field in ("label", "image", "component") and cell not in decided
        ]
        more = [change for change in hidden if change.before != change.after]
        return replace(act, changes=(*act.changes, *more))

    def _act(self, kind: Kind, changes: Sequence[Change], where: dict[str, Any]) -> Act:
        act = Act(kind, self.component_id, self.ids, tuple(changes), **where)
        return replace(act, settles=self.settled_by(act))

    def _change(self, cell: Cell, now: str) -> list[Change]:
        before = self.value(cell)
        return [] if before == now else [Change(cell, before, now)]

    def _chosen(self, images: Iterable[str] | None) -> list[str]:
        if images is not None:
            chosen = [images] if isinstance(images, str) else list(images)
            strange = [shown(one) for one in chosen if one not in self.ids]
            if strange:
                words = f"component {self.component_id} does not hold {', '.join(strange)}"
                raise InvalidDataError("the choice of images", [f"{words}, but {_some(self.ids)}"])
            return chosen
        kept = [one for one, there in zip(self.ids, self.kept, strict=True) if there]
        return kept or list(self.ids)

    def _parts(self) -> list[Rows]:
        """Return the places of the images of each group, dropped ones aside."""
        return [
            np.flatnonzero(self.kept & (self.groups == group)) for group in np.unique(self.groups)
        ]

    def _label_groups(self, head: str) -> list[Head]:
        placed = {label for one in self.heads for label in one.labels}
        alone = [Head(name, (name,)) for name in self.names if name not in placed]
        found = [one for one in (*self.heads, *alone) if head in ("", one.name)]
        if not found:
            raise NothingToDoError(f"there is no head {head!r}")
        return found

    def _columns(self, head: str) -> list[int]:
        return [self.names.index(label) for own in self._label_groups(head) for label in own.labels]

    def _settle(self, wanted: Mask, members: Rows, columns: list[int], *, exclusive: bool) -> None:
        """Write what most of them carry into `wanted`."""
        cells = np.ix_(members, np.array(columns))
        carried, known = self.labels[cells], self.known[cells]
        votes, voters = carried.sum(axis=0), known.sum(axis=0)
        if not exclusive:
            clear = 2 * votes != voters
            wanted[cells] = np.where(clear, 2 * votes > voters, carried) & known
            return
        votes = carried[carried.sum(axis=1) == 1].sum(axis=0)
        if 2 * votes.max(initial=0) > known.any(axis=1).sum():
            winner = np.arange(len(columns)) == votes.argmax()
            wanted[cells] = winner & known

    def _relabelled(self, changed: Mask, wanted: Mask) -> Iterable[Change]:
        for place, column in zip(*np.nonzero(changed), strict=True):
            cell = Cell(self.ids[place], "label", self.names[column])
            before, after = (YES if cells[place, column] else NO for cells in (self.labels, wanted))
            yield Change(cell, before, after)

    def _weak_side(self, members: Rows, links: Links) -> Rows:
        """Find the smaller side of the weakest link among some images."""
        place = {row: number for number, row in enumerate(self.rows[members])}
        first = np.isin(links.tree_first, self.rows[members])
        inside = np.flatnonzero(first & np.isin(links.tree_second, self.rows[members]))
        # The forest is sorted by similarity; without its last link it falls apart.
        # What fell apart when others were taken away is in pieces already.
        whole = len(inside) == len(members) - 1
        held = inside[:-1] if whole else inside
        ends = [[place[tree[n]] for n in held] for tree in (links.tree_first, links.tree_second)]
        pairs = pd.DataFrame(np.array(ends, dtype=np.int64).T, columns=["first", "second"])
        pieces = connect(len(members), pairs)
        smaller: Rows = members[pieces != np.bincount(pieces).argmax()]
        return smaller


def _numbered(component_id: int, home: Sequence[str]) -> Rows:
    """Give the groups numbers: 0 for what is still the component, then by first image."""
    numbers = {str(component_id): 0}
    return np.array([numbers.setdefault(name, len(numbers)) for name in home], dtype=np.int64)


def _some(names: Sequence[str]) -> str:
    return first_of([shown(name) for name in names])
