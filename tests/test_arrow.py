import pandas as pd
import pytest

from peta_viz.arrow import read_frame
from peta_viz.errors import InvalidDataError


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
