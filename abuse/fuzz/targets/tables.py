"""Tables of one row per image: any frame, CSV and Parquet files, and what a run folder holds."""

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import anything, scalars, spoiled, texts
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head, ImageSet
from peta_viz.sources import find_images, guess_columns, read_images, read_table, table_paths

_NAMES = ("path", "a", "b", "c", "kind", "person", "width", "problem", "image_id", "component_id")
_PATHS = (
    "1.png",
    "2.png",
    "../out.png",
    "/etc/passwd",
    "gone.png",
    "3.jpg",
    "",
    "a\0b",
    "s3://b/c",
)
_CELLS = (
    st.lists(st.booleans(), min_size=4, max_size=4)
    | st.lists(
        st.sampled_from([0, 1, 1.0, None, "", "yes", 2, float("nan")]), min_size=4, max_size=4
    )
    | st.lists(st.sampled_from(_PATHS), min_size=4, max_size=4)
    | st.lists(st.sampled_from(["red", "blue", "", " ", "NA", None]), min_size=4, max_size=4)
    | st.lists(scalars, min_size=4, max_size=4)
    | st.lists(anything | st.binary(max_size=4) | st.datetimes(), min_size=4, max_size=4)
)
_PATH_CELLS = st.permutations(_PATHS).map(lambda paths: list(paths[:4]))
_CSV = (
    b"path,a,kind,person\n1.png,1,red,p\n2.png,0,blue,p\n3.jpg,1,red,q\ngone.png,0,red,\n",
    b"path,a,kind,person\n1.png,True,red,p\n2.png,,blue,\n",
    b'\xef\xbb\xbfpath;a\n"1.png";1\n',
    b"path,a,a,kind\n1.png,1,0,x\n1.png,2,0,y\n",
    "path,a,kind,person\n\u00e9.png,1,\u4e2d,1\n/etc/passwd,0,x,2\n".encode("latin-1", "replace"),
)


def frame(folder: Path) -> Target:
    """Make image sets of frames of any cells, with any arguments."""
    _images(folder)
    return Target(_frames(), lambda case: _from_frame(folder, *case))


@st.composite
def _frames(draw: DrawFn) -> tuple[pd.DataFrame, dict[str, Any]]:
    names = draw(st.lists(st.sampled_from(_NAMES) | scalars, max_size=5))
    columns = [draw(_PATH_CELLS)] + [draw(_CELLS) for _ in names]
    rows = draw(st.sampled_from([4, 4, 4, 4, 1, 0]))
    frame = pd.concat(
        [pd.Series(cells[:rows], dtype=object).infer_objects() for cells in columns], axis=1
    )
    frame.columns = pd.Index(["path", *names], dtype=object)
    if draw(st.integers(0, 5)) == 0:
        frame.index = pd.Index([draw(scalars) for _ in range(rows)], dtype=object)
    some = st.lists(st.sampled_from([*names, *_NAMES]), max_size=3)
    maybe = st.none() | st.none() | st.sampled_from([*names, *_NAMES])
    options = {
        "path": draw(st.sampled_from(["path", "path", "path", *_NAMES, *names])),
        "labels": draw(some),
        "classes": draw(some),
        "image_id": draw(maybe),
        "subset": draw(maybe),
        "person_id": draw(maybe),
        "missing": draw(st.sampled_from(["error", "unknown", "unknown"])),
        "root": draw(st.booleans()),
    }
    if draw(st.integers(0, 4)) == 0:
        kinds: Any = st.sampled_from(["multiple", "exclusive", "odd"])
        named = st.lists(st.sampled_from(_NAMES) | texts, max_size=3).map(tuple)
        options["heads"] = draw(st.lists(st.builds(Head, texts, named, kinds), max_size=2))
    return frame, options


def _from_frame(folder: Path, frame: pd.DataFrame, options: dict[str, Any]) -> bool:
    root = folder if options["root"] else None
    imageset = ImageSet.from_frame(frame, **{**options, "root": root})
    with suppress(InvalidDataError):
        guess_columns(frame)
    imageset.to_parquet(folder / "out")
    again = ImageSet.from_parquet(folder / "out")
    assert again.labels.equals(imageset.labels), "it is not read as it was written"
    return bool((imageset.images["problem"] != "").any())


def csv(folder: Path) -> Target:
    """Read CSV tables as a run does."""
    return Target(spoiled(_CSV), _Reader(folder, "table.csv"), read=bytes, seeds=_CSV)


def parquet(folder: Path) -> Target:
    """Read Parquet tables as a run does."""
    tables = [pd.read_csv(io.BytesIO(text)) for text in (_CSV[0], _CSV[1])]
    tables.append(tables[0].assign(person=[[1], [2], [], None], kind=pd.Timestamp(0)))
    seeds = [table.to_parquet(None) for table in tables]
    seeds.append(_parquet(pa.table({"path": pa.array(["1.png"]).dictionary_encode(), "a": [1]})))
    seeds.append(_parquet(pa.table({"path": [b"1.png", b"\xff"], "a": [True, None]})))
    return Target(spoiled(seeds), _Reader(folder, "table.parquet"), read=bytes, seeds=seeds)


class _Reader:
    """Reads a table in every way there is."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.file = folder, folder / name
        _images(folder)

    def __call__(self, data: bytes) -> bool:
        self.file.write_bytes(data)
        table_paths(str(self.file), "path")
        skipped = False
        frame = read_table(self.file, ["path"])
        with suppress(InvalidDataError):
            guess_columns(frame)
        with suppress(InvalidDataError):
            find_images(self.file, component_column="kind")
        for missing in ("error", "unknown"):
            imageset, _ = read_images(
                table=str(self.file),
                label_columns=["a"],
                class_columns=["kind"],
                person_column="person" if missing == "unknown" else None,
                missing=missing,  # type: ignore[arg-type]
            )
            skipped |= bool((imageset.images["problem"] != "").any())
        return skipped


def run_folder(folder: Path) -> Target:
    """Read ``images.parquet`` and ``labels.parquet`` of which one is spoiled."""
    _images(folder)
    table = pd.read_csv(io.BytesIO(_CSV[0]))
    imageset = ImageSet.from_frame(
        table, path="path", labels=["a"], classes=["kind"], person_id="person", root=folder
    )
    imageset.to_parquet(folder)
    seeds = [b"i" + (folder / "images.parquet").read_bytes()]
    labels = pq.read_table(folder / "labels.parquet")
    seeds.append(b"l" + _parquet(labels))
    key = b"peta_viz.heads"
    for heads in ([], {}, [1], [{"name": 1}], None, [{"name": "h", "labels": "ab", "kind": 1}]):
        metadata = {**labels.schema.metadata, key: json.dumps(heads).encode()}
        seeds.append(b"l" + _parquet(labels.replace_schema_metadata(metadata)))
    seeds.append(b"l" + _parquet(labels.replace_schema_metadata({key: b"\xff["})))
    seeds.append(b"l" + _parquet(labels.set_column(0, "a", pa.array([1, 2, 3, 4]))))
    seeds.append(
        b"l"
        + _parquet(
            labels.drop_columns(["path"]) if "path" in labels.schema.names else labels.slice(1)
        )
    )
    images = pq.read_table(folder / "images.parquet")
    seeds.append(b"i" + _parquet(images.drop_columns(["width"])))
    seeds.append(b"i" + _parquet(images.slice(1)))
    seeds.append(b"i" + _parquet(images.replace_schema_metadata({})))
    whole = {
        "i": (folder / "images.parquet").read_bytes(),
        "l": (folder / "labels.parquet").read_bytes(),
    }

    def run(data: bytes) -> bool:
        which = "i" if data[:1] < b"j" else "l"
        (folder / "images.parquet").write_bytes(data[1:] if which == "i" else whole["i"])
        (folder / "labels.parquet").write_bytes(data[1:] if which == "l" else whole["l"])
        return bool((ImageSet.from_parquet(folder).images["problem"] != "").any())

    return Target(spoiled(seeds), run, read=bytes, seeds=seeds)


def _images(folder: Path) -> None:
    for name in ("1.png", "2.png"):
        Image.new("RGB", (4, 8)).save(folder / name)
    (folder / "3.jpg").write_bytes(b"no image")


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()
