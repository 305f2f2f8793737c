import numpy as np
import pyarrow as pa
import pytest

from peta_viz.distributed.store import Store, vectors_of, vectors_table


@pytest.mark.parametrize("where", ["{}", "file://{}", "memory://{}"])
def test_a_table_comes_back_and_is_told_by_its_stamp(tmp_path, where):
    store = Store.at(where.format(tmp_path)).inside("deep/down")
    vectors = np.array([[1, 2, 3], [np.nan] * 3], np.float32)
    store.write_table("a.parquet", vectors_table(vectors, ["", "gone"]), "right")
    table = store.read_table("a.parquet")
    np.testing.assert_array_equal(vectors_of(table), vectors)
    assert table["problem"].to_pylist() == ["", "gone"]
    assert store.has("a.parquet", "right")
    assert not store.has("a.parquet", "wrong")
    assert not store.has("b.parquet", "right")


def test_half_a_table_is_none(tmp_path):
    store = Store.at(tmp_path)
    store.write_table("a.parquet", pa.table({"x": [1, 2, 3]}), "stamp")
    whole = store.read("a.parquet")
    store.write("a.parquet", whole[: len(whole) // 2])
    assert not store.has("a.parquet", "stamp")
    store.write("a.parquet", b"")
    assert not store.has("a.parquet", "stamp")


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    store = Store.at(tmp_path)
    store.write("a", b"old")
    monkeypatch.setattr("peta_viz.distributed.store.os.fsync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.write("a", b"new")
    assert store.read("a") == b"old"


@pytest.mark.parametrize("name", ["..", "../other", "a/../../other", "/etc"])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="expected a folder inside"):
        Store.at(tmp_path).inside(name)
