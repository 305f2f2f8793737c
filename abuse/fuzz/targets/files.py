"""Files that peta-viz itself wrote, gone wrong since: logs, decisions, checkpoints, markers."""

import contextlib
import io
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import anything, damaged, drawn_each, mostly, some, spoiled, texts
from abuse.fuzz.targets.small import small_checkpoint, small_set
from abuse.fuzz.targets.tabular import csv_files, parquet_files, some_edits
from peta_viz.cleaning import clean
from peta_viz.curation.acts import FIELDS, KINDS, Act, Cell, Change
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.log import DecisionLog
from peta_viz.curation.people import agreement, conflicts
from peta_viz.curation.reading import read_curation
from peta_viz.evaluation import read_scores
from peta_viz.imageset import ImageSet
from peta_viz.pruning import parse_strategy
from peta_viz.quality.reading import read_worst


def log(folder: Path) -> Target:
    """Open a log, read it, write to it, take back."""
    imageset = small_set(folder)
    seeds = [_log(folder / "one.sqlite", imageset, 1), _log(folder / "many.sqlite", imageset, 9)]
    file = folder / "decisions.sqlite"

    def run(data: bytes) -> Sequence[str]:
        for beside in ("-journal", "-wal", "-shm"):
            Path(f"{file}{beside}").unlink(missing_ok=True)
        file.write_bytes(data)
        opened = DecisionLog(file)
        found = Decisions.of(opened.since())
        _tell(found, imageset)
        opened.place("Ada", "")
        opened.keep_place("Ada", "", 1)
        opened.write(_acts(imageset)[0], "Ada")
        opened.undo("Ada")
        opened.redo("Ada")
        return ()

    edits = some(_log_edits(imageset)).flatmap(drawn_each)
    edited = st.builds(_edited_log, st.sampled_from(seeds), edits)
    cases = mostly(edited, damaged(st.sampled_from(seeds)), of=5)
    return Target(cases, run, read=bytes, seeds=seeds)


def _log_edits(imageset: ImageSet) -> list[SearchStrategy[tuple[str, tuple[Any, ...]]]]:
    """Return statements, with their values, that make of a log what peta-viz did not write."""
    words = st.sampled_from([*KINDS, *FIELDS, *imageset.images.index[:4], "yes", "out", "", "Ada"])
    times = st.sampled_from(["2026-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "now", "0"])
    cells = st.one_of(words, times, texts, st.integers(-3, 12), st.floats(), st.binary(max_size=4))
    acts = ("id", "at", "person", "kind", "component_id", "images", "settles", "target", "queue")
    columns = [f"acts SET {name} = ? WHERE number" for name in (*acts, "probability", "seconds")]
    names = ("image_id", "field", "label", "before", "after", "act")
    columns += [f"changes SET {name} = ? WHERE act" for name in names]
    numbers = st.integers(1, 9)
    updates = st.tuples(st.sampled_from(columns), cells, numbers).map(
        lambda drawn: (f"UPDATE OR IGNORE {drawn[0]} = ?", drawn[1:])
    )
    others = st.sampled_from(
        [
            *("DELETE FROM acts WHERE number = 2", "DELETE FROM changes WHERE act = 1"),
            *("DROP TABLE places", "DROP TABLE changes", "DROP INDEX acts_of_person"),
            *("ALTER TABLE acts RENAME COLUMN at TO time", "ALTER TABLE acts ADD COLUMN odd"),
            *("ALTER TABLE changes DROP COLUMN after", "CREATE TABLE odd (a)", "DELETE FROM acts"),
            *("PRAGMA user_version = 2", "PRAGMA user_version = -1", "PRAGMA application_id = 1"),
            "UPDATE acts SET images = '[1]' WHERE number = 1",
            "UPDATE acts SET target = (SELECT id FROM acts WHERE number = 1) WHERE number > 3",
            "INSERT OR REPLACE INTO places VALUES ('Ada', '', 'x')",
        ]
    ).map(lambda words: (words, ()))
    return [updates, updates, updates, others]


def _edited_log(seed: bytes, edits: Sequence[tuple[str, tuple[Any, ...]]]) -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.deserialize(seed)
        found = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = found.fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement, values in edits:
            with contextlib.suppress(sqlite3.Error, OverflowError, UnicodeError):
                database.execute(statement, values)
        for _, words in triggers:
            with contextlib.suppress(sqlite3.Error):
                database.execute(words)
        return database.serialize()


def decisions(folder: Path) -> Target:
    """Read tables of decisions and of cleanings, and apply them; the first byte tells CSV."""
    imageset = small_set(folder)
    whole = Decisions.of(_opened(folder / "some.sqlite", imageset, 9).since()).table()
    changes = clean(imageset, [parse_strategy("label_pruning:ratio=0.5")]).changes

    def run(data: bytes) -> Sequence[str]:
        file = folder / ("in.csv" if data[:1] < b"d" else "in.parquet")
        file.write_bytes(data[1:])
        found = read_curation(file)
        if isinstance(found, Decisions):
            _tell(found, imageset)
        else:
            found.summary()
            found.apply(imageset)
        return ()

    as_csv = csv_files(some_edits(st.just(whole)))
    as_parquet = parquet_files(some_edits(st.sampled_from([whole, changes, changes[:0]])))
    cases = mostly(as_parquet.map(b"p".__add__), as_csv.map(b"c".__add__), of=3)
    seeds = [b"p" + table.to_parquet(None) for table in (whole, changes, changes[:0])]
    seeds.append(b"c" + whole.to_csv(index=False).encode())
    return Target(cases, run, read=bytes, seeds=seeds)


def checkpoint(folder: Path) -> Target:
    """Load checkpoints: bytes gone wrong, and whole files with anything in them."""
    import torch  # noqa: PLC0415

    from peta_viz.training.checkpoints import load_model  # noqa: PLC0415
    from peta_viz.training.config import RULES  # noqa: PLC0415

    file = folder / "best.pt"
    state = small_checkpoint(file)
    config, heads = state["config"], state["heads"]
    whole = file.read_bytes()
    buffer = io.BytesIO()
    torch.save({**state, "model": {}}, buffer)
    small = buffer.getvalue()
    pool = (*(0, 1, 2, 3, 5, 32, 64, 0.5, True, None, "shared", "grouped", "majority", "focal"),)
    settings = {
        name: mostly(st.sampled_from([v for v in (*pool, config[name]) if rule.fits(v)]), anything)
        for name, rule in RULES.items()
    }
    given = st.lists(st.sampled_from(sorted(settings)), max_size=2).flatmap(
        lambda names: st.fixed_dictionaries({name: settings[name] for name in names})
    )
    odd = st.dictionaries(st.just("odd") | texts, anything, max_size=2) | anything
    made = st.tuples(
        mostly(given, odd),
        mostly(st.just(heads), st.lists(st.tuples(texts, st.lists(texts), texts)) | anything),
        mostly(st.just("whole"), st.sampled_from(["none", "odd"]) | anything),
    )
    cut = st.tuples(st.floats(0, 1), st.integers(0, 255))

    def run(case: Any) -> Sequence[str]:
        if isinstance(case, bytes):
            file.write_bytes(case)
        elif len(case) == 2:  # noqa: PLR2004 - where a whole file is cut off or changed
            place = int(case[0] * (len(whole) - 1))
            file.write_bytes(
                whole[:place] if case[1] % 2 else whole[:place] + b"\0" + whole[place + 1 :]
            )
        else:
            given, told, weights = case
            given = {**config, **given} if isinstance(given, dict) else given
            kinds = {"whole": state["model"], "none": {}, "odd": {"a": torch.zeros(2)}}
            weights = kinds.get(weights, weights) if isinstance(weights, str) else weights
            torch.save({"config": given, "heads": told, "model": weights}, file)
        load_model(file, device="cpu")
        return ()

    return Target(mostly(made, cut | spoiled([small]), of=4), run)


def marker(folder: Path) -> Target:
    """Read what stages leave beside the tables: markers, notes, scores, likely wrong labels."""
    # Loads what runs notebooks, which only this target needs.
    from peta_viz.pipeline import STAGES, finished_seconds  # noqa: PLC0415
    from peta_viz.report import read_notes  # noqa: PLC0415

    (folder / "stages").mkdir()
    files = ("stages/01_components.json", "notes.json", "worst_labels.csv", "experiments.csv")
    seeds = [
        b"\0" + json.dumps({"stamp": "s", "seconds": 1.5}).encode(),
        b'\0{"stamp": "s", "seconds": "x"}',
        b'\0{"stamp": "s"}',
        b"\0[1, 2]",
        b'\1["a warning"]',
        b'\1{"a": 1}',
        b"\1" + b"[" * 2_000,
        b"\2image_id,head,label,value,suggested,reason,probability\na,h,l,yes,no,r,0.5\n",
        b"\3experiment,component_size,label,value,low,high,spread,difference\nA,all,x,0.5,0.4,0.6,,\n",
    ]
    for stage in STAGES:
        for name in stage.outputs:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()

    def run(data: bytes) -> Sequence[str]:
        which = data[0] % len(files) if data else 0
        (folder / files[which]).write_bytes(data[1:])
        if which == 0:
            finished_seconds(folder, STAGES[0], "s")
        elif which == 1:
            assert all(isinstance(note, str) for note in read_notes(folder)), "a note is no text"
        elif which == 2:  # noqa: PLR2004
            read_worst(folder)
        else:
            read_scores(folder / files[which])
        return ()

    stamps = mostly(st.just("s"), anything, of=4)
    marked = st.fixed_dictionaries(
        {"stamp": stamps, "seconds": mostly(st.floats(0, 1e6, width=32), anything, of=4)}
    )
    notes = st.lists(mostly(texts, anything, of=12), max_size=4)
    worst, scores = (pd.read_csv(io.BytesIO(seed[1:])) for seed in seeds[-2:])
    cases = st.one_of(
        *(
            mostly(written, damaged(written), of=4).map(bytes([which]).__add__)
            for which, written in enumerate(
                [
                    mostly(marked, anything).map(_as_json),
                    mostly(notes, anything).map(_as_json),
                    csv_files(some_edits(st.just(worst))),
                    csv_files(some_edits(st.just(scores))),
                ]
            )
        )
    )
    return Target(cases, run, read=bytes, seeds=seeds)


def _as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _acts(imageset: ImageSet) -> list[Act]:
    ids = list(imageset.images.index[:3])
    cells = [
        [Change(Cell(ids[0], "label", "hat"), "no", "yes")],
        [Change(Cell(ids[1], "image"), "in", "out")],
        [Change(Cell(ids[2], "component"), "0", "0/part")],
        [
            Change(Cell(ids[0], "mark", "good"), "no", "yes"),
            Change(Cell(ids[0], "note"), "", "\u00e9"),
        ],
    ]
    kinds: tuple[Any, ...] = ("relabel", "drop", "split", "mark")
    return [
        Act(kind, 0, tuple(ids), tuple(changes), settles=True)
        for kind, changes in zip(kinds, cells, strict=True)
    ]


def _opened(file: Path, imageset: ImageSet, count: int) -> DecisionLog:
    opened = DecisionLog(file)
    for number in range(count):
        opened.write(_acts(imageset)[number % 4], ("Ada", "Bo")[number // 4 % 2])
    opened.undo("Ada")
    opened.keep_place("Ada", "", 0)
    return opened


def _log(file: Path, imageset: ImageSet, count: int) -> bytes:
    return _opened(file, imageset, count).path.read_bytes()


def _tell(found: Decisions, imageset: ImageSet) -> None:
    found.apply(imageset)
    found.summary()
    found.diff(imageset)
    pd.concat([conflicts(imageset, found), agreement(imageset, found)])
    again = Decisions.from_table(found.table())
    assert again.table().equals(found.table()), "it is not read as it was written"
