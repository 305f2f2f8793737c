"""The decision log: an SQLite file that is only ever added to."""

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from peta_viz.curation.acts import (
    FIELDS,
    KINDS,
    Act,
    Cell,
    Change,
    Entry,
    Kind,
    normal_time,
    undo_stacks,
)
from peta_viz.errors import DecisionLogError
from peta_viz.files import is_file, is_folder
from peta_viz.rules import TEXT, shown

FORMAT = 1
_APPLICATION = 0x70657461  # "peta": what kind of SQLite file it is
_PATIENCE_S = 60.0
_SCHEMA = """
CREATE TABLE acts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    person TEXT NOT NULL,
    kind TEXT NOT NULL,
    component_id INTEGER NOT NULL,
    images TEXT NOT NULL,
    settles INTEGER NOT NULL,
    target TEXT NOT NULL,
    queue TEXT NOT NULL,
    blind INTEGER NOT NULL,
    probability REAL,
    seconds REAL NOT NULL
);
CREATE INDEX acts_of_person ON acts (person);
CREATE TABLE changes (
    act INTEGER NOT NULL REFERENCES acts (number),
    image_id TEXT NOT NULL,
    field TEXT NOT NULL,
    label TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    PRIMARY KEY (act, image_id, field, label)
) WITHOUT ROWID;
CREATE TABLE places (
    person TEXT NOT NULL,
    queue TEXT NOT NULL,
    component_id INTEGER NOT NULL,
    PRIMARY KEY (person, queue)
);
CREATE TRIGGER acts_stay BEFORE UPDATE ON acts BEGIN SELECT RAISE(ABORT, 'acts stay'); END;
CREATE TRIGGER acts_remain BEFORE DELETE ON acts BEGIN SELECT RAISE(ABORT, 'acts stay'); END;
CREATE TRIGGER changes_stay BEFORE UPDATE ON changes BEGIN SELECT RAISE(ABORT, 'acts stay'); END;
CREATE TRIGGER changes_remain BEFORE DELETE ON changes BEGIN SELECT RAISE(ABORT, 'acts stay'); END;
"""
_ACTS = """
SELECT number, id, at, person, kind, component_id, images, settles, target, queue, blind,
    probability, seconds
FROM acts WHERE number > :after ORDER BY number
"""
_STACK = """
SELECT id, kind, target FROM acts
WHERE person = ? AND (blind OR target != '' OR NOT ?) ORDER BY at, id
"""
_PLACE_OF = "SELECT component_id, images FROM acts WHERE id = ?"
_CHANGES_OF = """
SELECT act, image_id, field, label, before, after FROM changes WHERE act > :after ORDER BY act
"""
_REASONS = {
    "SQLITE_FULL": "the disk is full: make room, and do it again",
    "SQLITE_READONLY": "it may not be written: give yourself the right to, or copy it elsewhere",
    "SQLITE_CANTOPEN": "it, or its folder, is not there or may not be opened",
    "SQLITE_BUSY": f"somebody else has been writing for {_PATIENCE_S:.0f} s: do it again",
    "SQLITE_NOTADB": "it is no decision log",
    "SQLITE_CORRUPT": "it is damaged: copy what `sqlite3 FILE .recover` finds into a new one",
    "SQLITE_IOERR": "the disk does not answer as it should",
}


class DecisionLog:
    """What people decided, act by act.

    An act that `write` returned is on disk. Several notebooks, on one machine, may write at once;
    each takes its turn. Nothing in it is changed or removed: what is taken back is an entry, too.
    The file is opened anew for each act, so that one that was moved away or replaced is noticed.

    Parameters
    ----------
    path
        The file; made, with its folder, if there is none.
    make
        Whether it is.

    Raises
    ------
    DecisionLogError
        If it cannot be opened or made, is something else, or was written by a newer peta-viz.

    """

    def __init__(self, path: str | Path, *, make: bool = True) -> None:
        self.path = Path(path).absolute()
        with _told(self.path):
            _check_place(self.path)
        if make and not _is_there(self.path):
            if not is_folder(self.path.parent):
                # A new one there would look like all work being lost.
                raise DecisionLogError(self.path, f"there is no folder {self.path.parent}")
            with self._transaction(mode="rwc") as database:
                # Somebody may have been faster.
                if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    _make(database)
        with self._reading() as database:
            _check(self.path, database)

    def write(
        self, act: Act, person: str, *, places: Mapping[str, int | None] | None = None
    ) -> Entry:
        """Add an act; when this returns it is on disk.

        Parameters
        ----------
        act
            What was decided.
        person
            By whom.
        places
            Where the person is afterwards, by queue, as for `keep_place`: both are on disk, or
            neither.

        Raises
        ------
        DecisionLogError
            If it could not be written; then nothing was.
        ValueError
            If it takes back or does again, for which there is `undo` and `redo`.

        """
        if act.target or act.kind in ("undo", "redo"):
            raise ValueError("expected an act that takes nothing back: see undo and redo")
        with self._transaction() as database:
            for queue, component_id in (places or {}).items():
                _keep(database, person, queue, component_id)
            return _insert(database, act, person)

    def undo(self, person: str, expected: str = "", **where: Any) -> Entry | None:
        """Take back the last act of a person that stands; returns None if there is none.

        Parameters
        ----------
        person
            Who.
        expected
            The id of the act; if it is another one by now, nothing is done.
        where
            `queue`, `blind`, `probability` and `seconds` of the entry. Who looks blindly takes
            back only what was done blindly.

        """
        return self._switch("undo", person, expected, where)

    def redo(self, person: str, expected: str = "", **where: Any) -> Entry | None:
        """Do again what a person took back last; returns None if there is nothing."""
        return self._switch("redo", person, expected, where)

    def since(self, number: int = 0) -> list[Entry]:
        """Return the entries after a place, in the order of writing."""
        with self._reading() as database:
            return _read(database, after=number)

    def extend(self, entries: Iterable[Entry]) -> int:
        """Add entries of another log as they are, but for those that are here; returns how many.

        What is in a log stays there: make sure that they are about the same images, for instance
        with ``Decisions.of(entries).apply(imageset)``.

        Raises
        ------
        DecisionLogError
            If it could not be written; then nothing was.
        ValueError
            If an entry has a time that is none, or without a zone.

        """
        timed = [replace(entry, at=normal_time(entry.at)) for entry in entries]
        ordered = sorted(timed, key=lambda entry: entry.order)
        with self._transaction() as database:
            here = {row[0] for row in database.execute("SELECT id FROM acts")}
            new = [entry for entry in ordered if entry.id not in here]
            for entry in new:
                _store(database, entry)
        return len(new)

    def place(self, person: str, queue: str) -> int | None:
        """Return the component that a person was at."""
        with self._reading() as database:
            found = database.execute(
                "SELECT component_id FROM places WHERE person = ? AND queue = ?", (person, queue)
            ).fetchone()
            if found is not None and not isinstance(found[0], int):
                raise DamagedError(f"{shown(found[0])} is no component")
        return None if found is None else found[0]

    def keep_place(self, person: str, queue: str, component_id: int | None) -> None:
        """Remember the component that a person is at; None is no component, as at the end."""
        with self._transaction() as database:
            _keep(database, person, queue, component_id)

    def _switch(
        self, kind: Kind, person: str, expected: str, where: dict[str, Any]
    ) -> Entry | None:
        # Found and written in one turn: two notebooks of a person cannot take back the same act.
        with self._transaction() as database:
            of = (person, bool(where.get("blind")))
            done, undone = undo_stacks(database.execute(_STACK, of))
            found = done if kind == "undo" else undone
            if not found or (expected and found[-1] != expected):
                return None
            component_id, images = database.execute(_PLACE_OF, (found[-1],)).fetchone()
            images = ids_from(images)
            return _insert(
                database, Act(kind, component_id, images, target=found[-1], **where), person
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _told(self.path):
            # For writing, too: what a killed process left half done is taken back on opening. A
            # file that may not be written is opened for reading all the same.
            database = sqlite3.connect(_address(self.path, "rw"), uri=True, timeout=_PATIENCE_S)
            try:
                yield database
            finally:
                database.close()

    @contextmanager
    def _transaction(self, mode: str = "rw") -> Iterator[sqlite3.Connection]:
        with _told(self.path):
            database = sqlite3.connect(
                _address(self.path, mode), uri=True, timeout=_PATIENCE_S, isolation_level=None
            )
            try:
                # After a loss of power, too, what was committed is there.
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            finally:
                database.close()  # which takes back what was not committed


def _check_place(path: Path) -> None:
    """Refuse what SQLite would wait for, or what cannot be named."""
    if not TEXT.fits(str(path)):
        raise DecisionLogError(shown(str(path)), "no file can be called so: choose another name")
    if path.exists() and not is_file(path):
        raise DecisionLogError(path, "it is no regular file: name another")


class DamagedError(Exception):
    """What stands in the file is not what peta-viz writes."""


def _is_there(path: Path) -> bool:
    """Tell whether there is a file with something in it: an empty one was never finished."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _address(path: Path, mode: str) -> str:
    return f"{path.as_uri()}?mode={mode}"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what is wrong with the file, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        found = [words for code, words in _REASONS.items() if name.startswith(code)]
        raise DecisionLogError(path, found[0] if found else str(error)) from error
    except OSError as error:
        raise DecisionLogError(path, error.strerror or str(error)) from error
    # What SQLite says of a damaged file repeats what stands there, and Python cannot read that.
    except (DamagedError, UnicodeDecodeError) as error:
        raise DecisionLogError(path, f"{_REASONS['SQLITE_CORRUPT']} ({error})") from error


def _make(database: sqlite3.Connection) -> None:
    for statement in _statements(_SCHEMA):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {FORMAT}")


def _statements(script: str) -> Iterator[str]:
    # executescript would commit first.
    part = ""
    for line in script.splitlines():
        part += line + "\n"
        if sqlite3.complete_statement(part):
            yield part
            part = ""


def _check(path: Path, database: sqlite3.Connection) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise DecisionLogError(path, "it is no decision log")
    if version > FORMAT:
        raise DecisionLogError(
            path, f"it has format {version} of a newer peta-viz (this one knows {FORMAT}): update"
        )


def _keep(database: sqlite3.Connection, person: str, queue: str, component_id: int | None) -> None:
    database.execute("DELETE FROM places WHERE person = ? AND queue = ?", (person, queue))
    if component_id is not None:
        database.execute("INSERT INTO places VALUES (?, ?, ?)", (person, queue, component_id))


def _insert(database: sqlite3.Connection, act: Act, person: str) -> Entry:
    (last,) = database.execute("SELECT max(at) FROM acts").fetchone()
    now = datetime.now(UTC)
    if last is not None:  # clocks are set back now and then
        try:
            now = max(now, _time(last) + timedelta(microseconds=1))
        except OverflowError as error:
            raise DamagedError(f"no time comes after {shown(last)}") from error
    entry = Entry(act, uuid.uuid4().hex, now.isoformat(timespec="microseconds"), person)
    return _store(database, entry)


def _time(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(normal_time(text))
    except (ValueError, TypeError, OverflowError) as error:
        raise DamagedError(f"{shown(text)} is no time") from error


def _store(database: sqlite3.Connection, entry: Entry) -> Entry:
    act = entry.act
    cursor = database.execute(
        "INSERT INTO acts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.id,
            entry.at,
            entry.person,
            act.kind,
            int(act.component_id),
            json.dumps(act.images, ensure_ascii=False),
            act.settles,
            act.target,
            act.queue,
            act.blind,
            act.probability,
            act.seconds,
        ),
    )
    number = cast("int", cursor.lastrowid)
    database.executemany(
        "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)",
        [(number, *change.cell, change.before, change.after) for change in act.changes],
    )
    return Entry(act, entry.id, entry.at, entry.person, number)


def _read(database: sqlite3.Connection, *, after: int = 0) -> list[Entry]:
    which = {"after": after}
    if not database.in_transaction:  # both in one look, between which nobody writes
        database.execute("BEGIN")
    cells: dict[int, list[Change]] = {}
    for number, image_id, field, label, before, now in database.execute(_CHANGES_OF, which):
        cells.setdefault(number, []).append(Change(Cell(image_id, field, label), before, now))
    return [_entry(row, cells.get(row[0], [])) for row in database.execute(_ACTS, which)]


def _entry(row: tuple[Any, ...], changes: list[Change]) -> Entry:
    number, entry_id, at, person, kind, component_id, images, settles, target, *rest = row
    queue, blind, probability, seconds = rest
    texts = (
        entry_id,
        person,
        target,
        queue,
        *(text for change in changes for text in _flat(change)),
    )
    figures = (seconds, 0.0 if probability is None else probability)
    sound = (
        kind in KINDS
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(figure, float | int) for figure in figures)
        and isinstance(component_id, int)
        and all(change.cell.field in FIELDS for change in changes)
    )
    if not sound:
        raise DamagedError(f"the act {number} is none")
    act = Act(
        kind,
        component_id,
        ids_from(images),
        tuple(changes),
        bool(settles),
        target,
        queue,
        bool(blind),
        probability,
        seconds,
    )
    return Entry(act, entry_id, _time(at).isoformat(timespec="microseconds"), person, number)


def _flat(change: Change) -> tuple[str, ...]:
    return (*change.cell, change.before, change.after)


def ids_from(text: str) -> tuple[str, ...]:
    """Read the ids of an act's images, which stand in the log and in tables as JSON.

    Raises
    ------
    DamagedError
        If it is no list of texts.

    """
    try:
        ids = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        ids = None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise DamagedError(f"{shown(text)} is no list of images")
    return tuple(ids)
