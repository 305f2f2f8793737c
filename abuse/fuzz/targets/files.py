"""Files that peta-viz itself wrote, gone wrong since: logs, decisions, checkpoints, markers."""

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import anything, scalars, spoiled
from abuse.fuzz.targets.small import HEADS, small_set
from peta_viz.cleaning import clean
from peta_viz.curation.acts import Act, Cell, Change
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
    seeds = [_log(folder / "one.sqlite", imageset, 1), _log(folder / "many.sqlite", imageset, 6)]
    file = folder / "decisions.sqlite"

    def run(data: bytes) -> bool:
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
        return False

    return Target(spoiled(seeds), run, read=bytes, seeds=seeds)


def decisions(folder: Path) -> Target:
    """Read tables of decisions and of cleanings, and apply them; the first byte tells CSV."""
    imageset = small_set(folder)
    whole = Decisions.of(_opened(folder / "some.sqlite", imageset, 6).since())
    changes = clean(imageset, [parse_strategy("label_pruning:ratio=0.5")]).changes
    whole.write(folder / "a.csv")
    seeds = [b"c" + (folder / "a.csv").read_bytes()]
    seeds += [b"p" + table.to_parquet(None) for table in (whole.table(), changes, changes[:0])]
    table = whole.table()
    for spoiled_table in (
        table.assign(images="["),
        table.assign(images="1"),
        table.assign(at="now"),
        table.assign(seconds=float("nan")),
        table.assign(component_id=-1),
        table.assign(kind="undo", target="x"),
        table.astype("O"),
        changes.assign(after="odd"),
        changes.assign(image_id=None),
        changes.assign(image_id=1),
    ):
        seeds.append(b"p" + spoiled_table.to_parquet(None))
        buffer = io.BytesIO()
        spoiled_table.to_csv(buffer, index=False)
        seeds.append(b"c" + buffer.getvalue())

    def run(data: bytes) -> bool:
        file = folder / ("in.csv" if data[:1] < b"d" else "in.parquet")
        file.write_bytes(data[1:])
        found = read_curation(file)
        if isinstance(found, Decisions):
            _tell(found, imageset)
        else:
            found.summary()
            found.apply(imageset)
        return False

    return Target(spoiled(seeds), run, read=bytes, seeds=seeds)


def checkpoint(folder: Path) -> Target:
    """Load checkpoints: bytes gone wrong, and whole files with anything in them."""
    import torch  # noqa: PLC0415

    from peta_viz.training.checkpoints import load_model, new_model, save  # noqa: PLC0415
    from peta_viz.training.config import TrainConfig  # noqa: PLC0415

    file = folder / "best.pt"
    model = new_model(HEADS, TrainConfig(weights=None), weights=None)
    heads = [(head.name, head.labels, head.kind) for head in HEADS]
    config = vars(TrainConfig(weights=None))
    state = {"config": config, "heads": heads, "model": model.state_dict()}
    save(file, state)
    whole = file.read_bytes()
    buffer = io.BytesIO()
    torch.save({**state, "model": {}}, buffer)
    small = buffer.getvalue()
    values = st.one_of(scalars, anything, st.integers(1, 5))
    settings = st.dictionaries(st.sampled_from(sorted(config)) | st.just("odd"), values, max_size=2)
    made = st.tuples(
        settings | anything,
        st.just(heads) | st.lists(st.lists(anything, max_size=3).map(tuple), max_size=3) | anything,
        st.sampled_from(["whole", "none", "odd"]) | anything,
    )
    cut = st.tuples(st.floats(0, 1), st.integers(0, 255))

    def run(case: Any) -> bool:
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
        return False

    return Target(st.one_of(spoiled([small]), made, cut), run)


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

    def run(data: bytes) -> bool:
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
        return False

    return Target(spoiled(seeds), run, read=bytes, seeds=seeds)


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
