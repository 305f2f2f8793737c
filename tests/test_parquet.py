"""A Parquet file from somewhere else runs nothing, in whatever process it is read."""

import os
import pickle
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from peta_viz.errors import InvalidDataError
from peta_viz.parquet import read_frame, read_table

PICKLES = b"ray.data.arrow_pickled_object"


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def write_typed(path, column, name, values, metadata=b""):
    """Write a column that says it is of an Arrow extension type."""
    marks = {b"ARROW:extension:name": name, b"ARROW:extension:metadata": metadata}
    fields = [pa.field("n", pa.int64()), pa.field(column, values.type, metadata=marks)]
    table = pa.table([pa.array(range(len(values))), values], schema=pa.schema(fields))
    pq.write_table(table, path)
    return path


def write_pickles(path, made, column="x"):
    """Write a column of pickles, in Ray's type for them, which make the folder `made`."""
    values = pa.array([pickle.dumps(Evil(made))] * 2, pa.large_binary())
    return write_typed(path, column, PICKLES, values)


READERS = """
import sys
import ray.data  # which registers its types
from io import BytesIO
from pathlib import Path
from peta_viz import Decisions, ImageSet
from peta_viz.blocks import _Tables
from peta_viz.distributed.store import Store
from peta_viz.parquet import read_frame, read_table
from peta_viz.sources import read_table as read_users
file = Path(sys.argv[1])
for number, read in enumerate([
    read_frame, read_table, read_users, Decisions.read,
    lambda file: ImageSet.from_parquet(file.parent),
    lambda file: _Tables.of(file.parent),
    lambda file: Store.at(file.parent).read_table(file.name),
]):
    try:
        read(file)
    except Exception as error:
        assert "foreign type ray.data.arrow_pickled_object" in str(error), (number, error)
    else:
        sys.exit(f"reader {number} took it")
"""


def test_pickles_in_rays_type_are_refused_by_every_reader(tmp_path):
    """Only in a process of its own does Ray's registration not reach the other tests."""
    made, file = tmp_path / "made", tmp_path / "images.parquet"
    write_pickles(file, made)
    (tmp_path / "labels.parquet").write_bytes(file.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", READERS, str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not made.exists()
    # It is no empty threat: this is what pandas alone does.
    alone = "import ray.data, pandas, sys; pandas.read_parquet(sys.argv[1])"
    subprocess.run([sys.executable, "-c", alone, str(file)], capture_output=True, check=False)
    assert made.exists()


def test_metadata_is_not_unpickled(tmp_path):
    made = tmp_path / "made"
    evil = pickle.dumps(Evil(made))
    file = write_typed(
        tmp_path / "a.parquet", "x", b"arrow.py_extension_type", pa.array([1, 2]), evil
    )
    table = read_table(file).replace_schema_metadata({b"pandas": evil, b"PANDAS_ATTRS": evil})
    assert read_frame(file)["x"].tolist() == [1, 2]
    pq.write_table(table, file)
    with pytest.raises(InvalidDataError, match="cannot be read"):
        read_frame(file)
    assert not made.exists()


class Foreign(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.int64(), "test.foreign")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls()


@pytest.fixture
def _registered():
    pa.register_extension_type(Foreign())
    yield
    pa.unregister_extension_type("test.foreign")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda kind: kind,
        pa.list_,
        lambda kind: pa.struct([("a", pa.int8()), ("b", kind)]),
        lambda kind: pa.map_(pa.string(), kind),
    ],
)
@pytest.mark.usefixtures("_registered")
def test_a_foreign_type_is_refused_wherever_it_is(tmp_path, wrap):
    file = tmp_path / "a.parquet"
    schema = pa.schema([("fine", pa.int64()), ("odd", wrap(Foreign()))])
    pq.write_metadata(schema, file)
    with pytest.raises(InvalidDataError, match=r"'odd' is of the foreign type test\.foreign"):
        read_frame(file)


def test_pandas_own_types_are_read(tmp_path):
    frame = pd.DataFrame(
        {
            "period": pd.period_range("2020", periods=2, freq="Y"),
            "interval": pd.interval_range(0, 2),
            "kind": pd.Categorical(["a", "b"]),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_frame(tmp_path / "a.parquet"), frame)


def test_a_parquet_file_that_is_not_whole_is_told_in_one_error(tmp_path):
    file = tmp_path / "a.parquet"
    table = pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}, index=["p", "q"])
    table.to_parquet(file)
    whole = file.read_bytes()
    assert read_frame(file).equals(table)
    refused = 0
    for place in range(0, len(whole), 3):
        for spoiled in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
            file.write_bytes(spoiled)
            try:
                read_frame(file)
            except InvalidDataError:
                refused += 1
    assert refused > len(whole) / 3


def test_what_is_no_file_is_not_opened(tmp_path):
    for path in (tmp_path, tmp_path / "gone", tmp_path / ("x" * 300)):
        with pytest.raises(InvalidDataError, match="no such file"):
            read_frame(path)


@pytest.mark.parametrize("place", ["index", "column"])
def test_text_that_is_not_utf8_is_told(tmp_path, place):
    frame = pd.DataFrame({"word": ["green"]}, index=pd.Index(["an image"], name="id"))
    file = tmp_path / "a.parquet"
    frame.to_parquet(
        file,
        compression=None,
        column_encoding={"word": "PLAIN", "id": "PLAIN"},
        use_dictionary=False,
        write_statistics=False,
    )
    assert read_frame(file).equals(frame)
    old = b"green" if place == "column" else b"an image"
    file.write_bytes(file.read_bytes().replace(old, b"\xff" + old[1:]))
    with pytest.raises(InvalidDataError, match=r"it cannot be read .*UTF8"):
        read_frame(file)
