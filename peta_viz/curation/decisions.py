"""Decisions as a table, and what they make of an image set."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from peta_viz.cleaning import CHANGE_COLUMNS
from peta_viz.curation.acts import (
    FIELDS,
    KINDS,
    MARKS,
    Act,
    Cell,
    Change,
    Entry,
    Field,
    Ledger,
    normal_time,
)
from peta_viz.curation.log import DamagedError, ids_from
from peta_viz.errors import InvalidDataError
from peta_viz.files import atomic
from peta_viz.imageset import ImageSet
from peta_viz.parquet import read_frame
from peta_viz.sources import read_csv
from peta_viz.words import counted

Rows = np.ndarray[Any, np.dtype[np.int64]]
COLUMNS = {
    "id": "str",
    "at": "str",
    "person": "str",
    "kind": "str",
    "component_id": "int64",
    "images": "str",
    "settles": "bool",
    "target": "str",
    "queue": "str",
    "blind": "bool",
    "probability": "float64",
    "seconds": "float64",
    "image_id": "str",
    "field": "str",
    "label": "str",
    "before": "str",
    "after": "str",
}
_FIRST_PART = 2**48
MARK_COLUMNS = {"label error": "label_error", "model mistake": "model_mistake"}
_VALUES = {
    "label": ("yes", "no", "unknown"),
    "image": ("in", "out"),
    "mark": ("yes", "no"),
}


@dataclass(frozen=True, eq=False)
class Decisions:
    """Acts of people, kept beside the raw labels, which never change.

    Parameters
    ----------
    entries
        In the order they are told in; see `peta_viz.curation.acts`.

    """

    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Take the entries of a log, or of several; each is taken once."""
        return cls(tuple(Ledger(entries).told()))

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a table that `write` wrote.

        Parameters
        ----------
        path
            A file that ends in ``.csv`` or ``.parquet``.

        Raises
        ------
        InvalidDataError
            If it is no table of decisions; the message lists every problem.

        """
        path = Path(path)
        if path.suffix == ".parquet":
            table = read_frame(path)
        else:
            table = read_csv(path, dtype="str", keep_default_na=False)
        return cls.from_table(table, str(path))

    @classmethod
    def from_table(cls, table: pd.DataFrame, name: str = "the decisions") -> Self:
        """Take a table as `table` returns."""
        absent = [column for column in COLUMNS if column not in table.columns]
        if absent:
            raise InvalidDataError(name, [f"the columns {', '.join(absent)} are missing"])
        typed = table[list(COLUMNS)].copy()
        try:
            typed["probability"] = pd.to_numeric(typed["probability"].replace("", np.nan))
            for column in ("blind", "settles"):
                typed[column] = typed[column].astype("str").isin(["True", "1"])
            typed = typed.astype(COLUMNS)
            texts = [column for column, kind in COLUMNS.items() if kind == "str"]
            typed[texts] = typed[texts].fillna("")  # which other programs make of an empty text
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidDataError(name, [str(error)]) from error
        problems = _problems(typed)
        if problems:
            raise InvalidDataError(name, problems)
        return cls.of(_entry(rows) for _, rows in typed.groupby("id", sort=False))

    def table(self) -> pd.DataFrame:
        """Lay them out as one row per change, and one for an act without any.

        Returns
        -------
        DataFrame
            In order of time: `id`, `at` (UTC, ISO 8601), `person`, `kind`, `component_id` (int64),
            `images` (the ids of the component's images, as JSON), `settles` (bool), `target` (the
            act that is undone or redone), `queue`, `blind` (bool), `probability` (float64, NaN if
            not drawn), `seconds` (float64), and of the change `image_id`, `field`, `label`,
            `before`, `after` (text, empty if there is none).

        """
        rows: list[tuple[Any, ...]] = []
        for entry in self.entries:
            act = entry.act
            head = (entry.id, entry.at, entry.person, act.kind, act.component_id)
            images = json.dumps(act.images, ensure_ascii=False)
            chance = np.nan if act.probability is None else act.probability
            tail = (images, act.settles, act.target, act.queue, act.blind, chance, act.seconds)
            changes = [(*one.cell, one.before, one.after) for one in act.changes]
            rows += [(*head, *tail, *one) for one in changes] or [(*head, *tail, *[""] * 5)]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)

    def write(self, path: str | Path) -> None:
        """Write the table to a file that ends in ``.csv`` or ``.parquet``, atomically."""
        with atomic(path) as partial:
            if Path(path).suffix == ".parquet":
                self.table().to_parquet(partial, index=False)
            else:
                self.table().to_csv(partial, index=False)

    def ledger(self) -> Ledger:
        """Return what stands."""
        return Ledger(self.entries)

    def of_persons(self, persons: Sequence[str]) -> "Decisions":
        """Return the decisions of some people alone."""
        return Decisions(tuple(entry for entry in self.entries if entry.person in persons))

    @property
    def persons(self) -> list[str]:
        """Who decided, sorted."""
        return sorted({entry.person for entry in self.entries})

    def apply(self, imageset: ImageSet) -> ImageSet:
        """Return the curated image set: labels changed, images out, components parted.

        What was split off gets a new `component_id`, above all others and the same wherever the
        decisions are applied. Four columns are added to `images`: `label_error` and `model_mistake`
        (bool), `verdict` (``"good"``, ``"bad"``, ``"unsure"`` or empty) and `note` (text), with
        ``" (decided)"`` behind their names where there are such columns already.

        Raises
        ------
        InvalidDataError
            If the decisions are about images or labels that `imageset` does not have, or drop all.

        """
        standing = self.ledger().standing()
        check_known(imageset, standing)
        index = imageset.images.index
        told = sorted(standing.items(), key=lambda item: item[1][1].order)

        def of(field: Field) -> tuple[Rows, list[str], list[str]]:
            own = [(cell, after) for cell, (after, _) in told if cell.field == field]
            rows = index.get_indexer(pd.Index([cell.image_id for cell, _ in own], dtype="str"))
            return rows, [cell.label for cell, _ in own], [after for _, after in own]

        rows, names, values = of("label")
        columns = pd.Index(map(str, imageset.labels.columns)).get_indexer(pd.Index(names))
        labels = imageset.labels.to_numpy(copy=True)
        known = imageset.known.to_numpy(copy=True)
        labels[rows, columns] = np.array(values) == "yes"
        known[rows, columns] = np.array(values) != "unknown"
        curated = imageset.with_cells(labels, known)
        rows, _, values = of("image")
        kept = np.ones(len(imageset), dtype=bool)
        kept[rows] = np.array(values) == "in"
        if not kept.any():
            raise InvalidDataError("the decisions", ["they drop every image"])
        added = _marks(len(index), *of("mark"), *of("note"))
        taken = [name for name in added if name in imageset.images]
        for name in taken:
            added[f"{name} (decided)"] = added.pop(name)
        curated = curated.with_columns(**added)
        rows, _, values = of("component")
        if len(rows):
            ids = imageset.images["component_id"].to_numpy(copy=True)
            home = ids.astype(str)[rows] == np.array(values)
            ids[rows] = np.where(home, ids[rows], [part_id(value) for value in values])
            curated = curated.with_columns(component_id=ids)
        return curated.subset(kept)

    @property
    def changes(self) -> pd.DataFrame:
        """What stands of labels and of images that are out, as `Cleaning.changes`."""
        rows = []
        for cell, (after, entry) in self.ledger().standing().items():
            if cell.field == "label" or (cell.field == "image" and after == "out"):
                before = next(c.before for c in entry.act.changes if c.cell == cell)
                reason = f"component {entry.act.component_id}: {entry.act.kind}"
                rows.append((1, entry.person, cell.image_id, cell.label, before, after, reason))
        frame = pd.DataFrame(rows, columns=CHANGE_COLUMNS)
        return frame.astype({**dict.fromkeys(CHANGE_COLUMNS, "str"), "step": "int64"})

    def diff(self, imageset: ImageSet) -> pd.DataFrame:
        """List what stands and is not as the image set has it, for a person to read.

        Returns
        -------
        DataFrame
            One row per cell: `image_id`, `field`, `label`, `raw`, `now`, `person`, `at`.

        """
        rows = [
            (*cell, raw, after, entry.person, entry.at)
            for cell, (after, entry) in self.ledger().standing().items()
            for raw in [raw_value(imageset, cell)]
            if raw != after
        ]
        names = [*Cell._fields, "raw", "now", "person", "at"]
        return pd.DataFrame(rows, columns=names).astype("str")

    def summary(self) -> pd.DataFrame:
        """Count what each person did.

        Returns
        -------
        DataFrame
            One row per person: `acts` that stand, `undone`, `components` settled; of what stands
            and is not as it was and was last decided by this person `images`, `labels_changed`
            (cells), `images_out`, `split_off` and one column per mark (components); and `minutes`.

        """
        rows = {person: self._summary_of(person) for person in self.persons}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("person")

    def _summary_of(self, person: str) -> dict[str, float]:
        ledger = self.ledger()
        all_of = [entry for entry in self.entries if entry.person == person]
        own = [entry.act for entry in ledger.acts() if entry.person == person]
        # What a person changed and changed back is no change.
        changed = [
            (cell, entry.act.component_id)
            for cell, (after, entry) in ledger.standing().items()
            if entry.person == person and after != ledger.before(cell)
        ]

        def count(field: Field) -> int:
            return sum(cell.field == field for cell, _ in changed)

        marked: dict[str, float] = {
            mark: len({one for cell, one in changed if cell[1:] == ("mark", mark)})
            for mark in MARKS
        }
        return {
            "acts": len(own),
            "undone": sum(not entry.act.target for entry in all_of) - len(own),
            "components": len({act.component_id for act in own if act.settles}),
            "images": len({cell.image_id for cell, _ in changed}),
            "labels_changed": count("label"),
            "images_out": count("image"),
            "split_off": count("component"),
            **marked,
            "minutes": sum(entry.act.seconds for entry in all_of) / 60,
        }


def _marks(
    count: int,
    rows: Rows,
    names: list[str],
    values: list[str],
    noted: Rows,
    _: list[str],
    notes: list[str],
) -> dict[str, Any]:
    """Lay marks and notes out as columns."""
    verdict, note = (np.full(count, "", dtype="O") for _ in range(2))
    found = {MARK_COLUMNS[mark]: np.zeros(count, dtype=bool) for mark in MARK_COLUMNS}
    for row, name, value in zip(rows, names, values, strict=True):
        if name in MARK_COLUMNS:
            found[MARK_COLUMNS[name]][row] = value == "yes"
        elif value == "yes":
            verdict[row] = name
    note[noted] = notes
    return {**found, "verdict": pd.array(verdict, dtype="str"), "note": pd.array(note, dtype="str")}


def part_id(name: str) -> int:
    """Return the `component_id` of a part that was split off: large, and always the same."""
    return _FIRST_PART + int.from_bytes(hashlib.sha256(name.encode()).digest()[:5])


def check_known(imageset: ImageSet, cells: Iterable[Cell]) -> None:
    """Refuse cells that an image set does not have; the message says how many and which.

    Raises
    ------
    InvalidDataError
        If there is one.

    """
    cells = list(cells)
    ids = dict.fromkeys(cell.image_id for cell in cells)
    lost = [image_id for image_id in ids if image_id not in imageset.images.index]
    names = dict.fromkeys(cell.label for cell in cells if cell.field == "label")
    labels = set(map(str, imageset.labels.columns))
    unknown = [name for name in names if name not in labels]
    problems = []
    if lost:
        problems.append(
            f"{len(lost)} of the {len(ids)} images they are about are not in this image set, such "
            f"as {lost[0]!r}: are they of another data set?"
        )
    if unknown:
        problems.append(f"this image set has no labels {', '.join(map(repr, unknown))}")
    if problems:
        raise InvalidDataError("the decisions", problems)


def raw_value(imageset: ImageSet, cell: Cell) -> str:
    """Return what a cell is before anybody decided anything."""
    if cell.field == "label":
        names = dict(zip(map(str, imageset.labels.columns), imageset.labels.columns, strict=True))
        place = (cell.image_id, names[cell.label])
        if not imageset.known.loc[place]:
            return "unknown"
        return "yes" if imageset.labels.loc[place] else "no"
    if cell.field == "component":
        return str(imageset.images.loc[cell.image_id, "component_id"])
    return {"image": "in", "mark": "no", "note": ""}[cell.field]


def _problems(table: pd.DataFrame) -> list[str]:
    problems = []
    for text in table["at"].unique():
        try:
            normal_time(text)
        except ValueError as error:
            problems.append(str(error))
    odd = sorted(set(table["kind"]) - set(KINDS))
    if odd:
        problems.append(f"there is no kind {', '.join(map(repr, odd))}")
    changed = table[table["image_id"] != ""]
    odd = sorted(set(changed["field"]) - set(FIELDS))
    if odd:
        problems.append(f"there is no field {', '.join(map(repr, odd))}")
    for field, allowed in _VALUES.items():
        given = changed[changed["field"] == field]
        odd = sorted((set(given["before"]) | set(given["after"])) - set(allowed))
        if odd:
            words = ", ".join(map(repr, odd))
            problems.append(f"the field {field} holds {words}, not {', '.join(allowed)}")
    for text in table["images"].unique():
        try:
            ids_from(text)
        except DamagedError as error:
            problems.append(str(error))
    twice = changed.duplicated(["id", "image_id", "field", "label"])
    if twice.any():
        problems.append(
            f"{counted(int(twice.sum()), 'row changes', 'rows change')} a cell that their act "
            "changed before"
        )
    return problems


def _entry(rows: pd.DataFrame) -> Entry:
    first: Any = rows.iloc[0]
    changes = [
        Change(Cell(image_id, field, label), before, after)
        for image_id, field, label, before, after in rows[list(COLUMNS)[-5:]].to_numpy().tolist()
        if image_id
    ]
    act = Act(
        first["kind"],
        int(first["component_id"]),
        ids_from(first["images"]),
        tuple(changes),
        settles=bool(first["settles"]),
        target=first["target"],
        queue=first["queue"],
        blind=bool(first["blind"]),
        probability=None if np.isnan(first["probability"]) else float(first["probability"]),
        seconds=float(first["seconds"]),
    )
    return Entry(act, first["id"], normal_time(first["at"]), first["person"])
